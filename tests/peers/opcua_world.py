"""OPC UA servers and wires under a test's hand: started, killed, frozen, started again; cut, held, mended.

    farm = Farm()
    server = farm.start(many=100, hz=10)
    wire = Wire(server.port)
    … wire.url …
    wire.hold()
    server.kill()
    server.start(namespaces=[ROBOT, CNC])
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from edge_agent_hil.program import Proxy
from tests.peers.waiting import free_port

ROOT = Path(__file__).parents[2]
NODE = Path(__file__).parent / "node"
CNC, ROBOT = "http://acme.example/cnc/", "http://acme.example/robot/"


class Process:
    """A program that says `ready`, then answers lines with lines."""

    def __init__(self, command: list[str], patience: float = 30.0) -> None:
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self._lines: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            while self._line(patience) != "ready":        # some say other things first
                pass
        except AssertionError:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.strip())
        self._lines.put(None)

    def _line(self, seconds: float) -> str:
        try:
            line = self._lines.get(timeout=seconds)
        except Empty:
            line = None
        assert line is not None, f"{self._process.args} has ended or said nothing for {seconds} s"
        return line

    def ask(self, *command: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._line(10))

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self._process.wait(60)
        self._reader.join(10)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


class Farm:
    """Where asyncua servers come from; `close` ends them all."""

    def __init__(self) -> None:
        self._process = Process([sys.executable, "-m", "tests.peers.opcua_quirk_server"])
        self._made = 0

    def start(self, **options: Any) -> Server:
        """A server with these `Options`; its port is free unless given."""
        self._made += 1
        return Server(self._process, f"s{self._made}", options)

    def close(self) -> None:
        self._process.kill()        # its servers die with it


class Server:
    """One asyncua server, at the same port each time it is started."""

    def __init__(self, farm: Process, name: str, options: Mapping[str, Any]) -> None:
        self._farm, self._name = farm, name
        self._options: dict[str, Any] = {"port": free_port(), **options}
        self.port = int(self._options["port"])
        self.url = f"opc.tcp://127.0.0.1:{self.port}"
        self.pid = 0
        self.start()

    def start(self, **options: Any) -> None:
        """Start it (again), with these options changed from now on."""
        self._options |= options
        is_ready, self.pid = self._farm.ask("start", self._name, self._options)
        assert is_ready

    def ask(self, *command: Any) -> Any:
        return self._farm.ask("ask", self._name, *command)

    def do(self, *command: Any) -> None:
        answer = self.ask(*command)
        assert answer == "ok", answer

    def fault(self, name: str, value: Any) -> None:
        """From now on; see `opcua_quirks.Faults`."""
        self.do("fault", name, value)

    def seen(self, service: str) -> int:
        """Requests for this service so far."""
        return int(self.ask("seen")["requests"].get(service, 0))

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """As a power cut would; nothing if it does not run."""
        if self.pid:
            assert self._farm.ask("kill", self._name) == "ok"
            self.pid = 0


class NodeServer:
    """One node-opcua server, at the same port each time it is started; see node/quirks.js."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self._options = {"port": free_port(), "pki": str(folder), **options}
        self.port = int(self._options["port"])
        self.url = f"opc.tcp://127.0.0.1:{self.port}"
        self._process: Process | None = None
        self.start()

    @staticmethod
    def is_there() -> bool:
        """Whether node and node-opcua are installed."""
        return shutil.which("node") is not None and (NODE / "node_modules" / "node-opcua").is_dir()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, **options: Any) -> None:
        self._options |= options
        self._process = Process(["node", str(NODE / "quirks.js"), json.dumps(self._options)])

    def ask(self, *command: Any) -> Any:
        assert self._process is not None
        return self._process.ask(*command)

    def do(self, *command: Any) -> None:
        answer = self.ask(*command)
        assert answer == "ok", answer

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None


class Wire:
    """A wire to a port of loopback that can be cut."""

    def __init__(self, target: int) -> None:
        self._proxy = Proxy(f"opc.tcp://127.0.0.1:{target}")
        self.port, self.url = self._proxy.port, self._proxy.url

    def hold(self) -> None:
        """Nothing passes and nobody is told, as when a cable is out; what is sent meanwhile arrives later."""
        self._proxy.apply("black-hole")

    def mend(self) -> None:
        """All passes again, and whoever knocks is let in."""
        self._proxy.clear("black-hole", "refuse")

    def refuse(self) -> None:
        """Nobody new is let in."""
        self._proxy.apply("refuse:keep=yes")

    def reset(self) -> None:
        """Every connection breaks, and both ends are told."""
        self._proxy.apply("reset")

    def slow(self, delay_s: float, loss: float) -> None:
        """Every piece takes so much longer, a share of them as long as TCP takes to repeat it; 0, 0: as before."""
        self._proxy.clear("delay", "lose")
        if delay_s:
            self._proxy.apply(f"delay:by={delay_s}s", f"lose:share={loss}")

    def close(self) -> None:
        self._proxy.kill()
