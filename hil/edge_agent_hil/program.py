"""Commands of `edge-hil` as processes of a program without an event loop: started, ordered about, ended.

    with Program("proxy", "127.0.0.1:1883") as proxy:
        proxy.ready["port"]
        proxy.ask({"apply": ["black-hole"]})
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from edge_agent_hil.control_client import ControlClient

READY_S = 60.0                  # a busy small computer takes long to import what an OPC UA server needs
MANNERS_S = 10.0


class ProgramError(RuntimeError):
    """It did not start, or refused an order."""


class Program:
    """A command that writes a ready file. Runs from when it is made; what it says goes where this program's does."""

    def __init__(self, *arguments: str) -> None:
        self.name = arguments[0]
        self._line: ControlClient | None = None
        with TemporaryDirectory(prefix="edge-hil-") as folder:
            ready = Path(folder) / "ready.json"
            command = [sys.executable, "-m", "edge_agent_hil.cli", *arguments, "--ready-file", str(ready)]
            quiet = subprocess.DEVNULL
            self._process = subprocess.Popen(command, stdin=quiet, stdout=quiet, start_new_session=True)  # noqa: S603
            try:
                self._wait_for(ready)
                self.ready: dict[str, Any] = json.loads(ready.read_text())
            except BaseException:
                self.kill()
                raise

    def _wait_for(self, ready: Path) -> None:
        end = time.monotonic() + READY_S
        while not ready.exists():
            if (code := self._process.poll()) is not None:
                raise ProgramError(f"edge-hil {self.name} has ended with {code}; what was wrong is on stderr")
            if time.monotonic() > end:
                raise ProgramError(f"edge-hil {self.name} was not ready within {READY_S:.0f} s")
            time.sleep(0.02)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def control(self) -> int:
        """The port of loopback that takes orders."""
        return int(self.ready["control"])

    def ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """An order; the answer. ProgramError if it is refused, or the process is gone."""
        try:
            if self._line is None:
                self._line = ControlClient("127.0.0.1", self.control)
            return self._line.ask(order)
        except ValueError as error:
            raise ProgramError(str(error)) from error
        except OSError as error:
            raise ProgramError(f"edge-hil {self.name} does not answer: {error}") from error

    def wait(self, seconds: float) -> int:
        """Until it ends by itself; the exit code. `subprocess.TimeoutExpired` if it does not."""
        return self._process.wait(seconds)

    def close(self) -> None:
        """End it in good manners; insist if it has none."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(MANNERS_S)
        self.kill()

    def kill(self) -> None:
        """As a power cut would."""
        self._process.kill()
        self._process.wait()
        if self._line is not None:
            self._line.close()
            self._line = None


class Proxy(Program):
    """`edge-hil proxy`: a wire before a target, `HOST:PORT` or a URL."""

    def __init__(self, target: str, *faults: str, listen: str = "", seed: int = 1) -> None:
        options = [word for fault in faults for word in ("--fault", fault)]
        options += ["--listen", listen] if listen else []
        super().__init__("proxy", target, "--seed", str(seed), *options)

    @property
    def url(self) -> str:
        """Where to connect to instead of the target; `host:port` if the target was no URL."""
        return str(self.ready["url"])

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.ready["port"])

    def apply(self, *faults: str) -> None:
        """These, too, from now on: `black-hole`, `delay:by=300ms`. ProgramError says what is wrong with one."""
        self.ask({"apply": list(faults)})

    def clear(self, *names: str) -> None:
        """These are no more; without a name: none is."""
        self.ask({"clear": list(names) or True})

    def counters(self) -> dict[str, int]:
        """What has happened; see `edge_agent_hil.wire.Wire.counters`."""
        counters: dict[str, int] = self.ask({"counters": True})["counters"]
        return counters


class PlantProcess(Program):
    """`edge-hil serve`: a plant that runs from now on; see hil/README.md for the plant file."""

    def __init__(self, plant: Path, seed: int | None = None, speed: float = 1) -> None:
        seeds = () if seed is None else ("--seed", str(seed))
        super().__init__("serve", str(plant), "--speed", str(speed), *seeds)

    @property
    def control(self) -> int:
        """The port of loopback that tells the truth."""
        return int(self.ready["truth"]["port"])

    @property
    def machines(self) -> list[str]:
        """Their names."""
        return list(self.ready["machines"])

    def url(self, machine: str) -> str:
        """Where it is."""
        return str(self.ready["machines"][machine]["url"])

    def device(self, machine: str, through: Proxy | None = None) -> dict[str, Any]:
        """The device section of a site file: driver, url and tags; behind a wire, if there is one before it."""
        said = self.ready["machines"][machine]
        return {"driver": said["driver"], "url": through.url if through else said["url"], "tags": said["tags"]}

    def truth(self, machine: str, start: int = 0, end: int | None = None, **more: int) -> dict[str, Any]:
        """What it did in a window, ns UTC (default: all of it): the vector and KPIs of the truth service."""
        window = {"start": start} if end is None else {"start": start, "end": end}
        return self.ask({"machine": machine, **window, **more})
