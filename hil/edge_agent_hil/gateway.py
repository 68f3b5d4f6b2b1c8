"""The agent on a computer of its own, as far as one can be had for nothing: a process with a clock, a disk and limits.

    gateway = Gateway(folder)
    gateway.site.write_text(f"agent: {{id: gw-1, data_dir: '{gateway.data_dir}'}} …")
    gateway.start()
    gateway.apply(gateway_fault("kill"))
    gateway.clear("kill")                   # the power is back: it starts again
    gateway.close()
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from edge_agent_hil.gateway_clock import Clock
from edge_agent_hil.gateway_damage import overwrite_newest
from edge_agent_hil.gateway_disk import Disk
from edge_agent_hil.gateway_faults import GatewayFault
from edge_agent_hil.gateway_limits import Limits, NotPossible

MANNERS_S = 60.0                # to stop in: what is under way north is waited for, on a computer under load
LOG_SHOWN = 5000                # characters of the agent's log in an error


class GatewayError(RuntimeError):
    """The agent has done what it should not; says what, with the end of its log."""


@dataclass(slots=True)
class Life:
    """One process of the agent, by the monotonic clock that all processes of a computer share."""

    began_ns: int
    ends_ns: int = 0
    """just before the signal that ended it; 0: it runs, or has ended by itself"""
    killed: bool = False


class Gateway:
    """Runs `edge-agent run SITE`, again and again, in a folder of its own.

    `site`: default `folder`/site.yaml. `disk_mb`: its data lie on a tmpfs of that size, where one may be mounted; else
    a full disk is a limit on the size of its files. `agent`: the Python module that takes `run SITE`. Close it: what
    it has started, mounted and grouped is gone then.
    """

    def __init__(
        self, folder: Path, site: Path | None = None, disk_mb: int = 0, agent: str = "edge_agent.cli"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.site = site or folder / "site.yaml"
        self.lives: list[Life] = []
        self.clock = Clock(folder / "clock")
        self.disk = Disk(folder / "data", disk_mb)
        self.log_file = folder / "agent.log"
        self._agent = agent
        self._dice = Random(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._limits: Limits | None = None
        self._why_no_limits = ""
        try:
            self._limits = Limits()
        except NotPossible as error:
            self._why_no_limits = str(error)

    @property
    def data_dir(self) -> Path:
        """What the site file must say."""
        return self.disk.inside

    @property
    def journal(self) -> Path:
        """Its folder, as seen from here."""
        return self.disk.seen / "journal"

    @property
    def pid(self) -> int | None:
        """Of the process that runs (frozen or not); None: there is none."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """Of the last life, below 0 for the signal that ended it; None: it runs, or was never started."""
        return None if self._process is None else self._process.poll()

    @property
    def control_groups(self) -> list[Path]:
        """That hold its process; none where none may be made."""
        return self._limits.groups if self._limits else []

    def log(self) -> str:
        """What all of its lives have said."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def memory(self) -> int:
        """The most bytes that this life has held at once (resident)."""
        for line in Path(f"/proc/{self._alive()}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise self._error("has just ended")

    def start(self) -> None:
        """A new life, if there is none."""
        if self.pid is not None:
            return
        limited = self._limits.prefix if self._limits else ()
        module = ("-m", "edge_agent_hil.clocked", str(self.clock.file), self._agent, "run", str(self.site))
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [*limited, *self.disk.prefix, sys.executable, *module],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.lives.append(Life(time.monotonic_ns()))

    def kill(self) -> None:
        """As the power of the process goes; GatewayError if it had ended before."""
        self._end(signal.SIGKILL)
        self.lives[-1].killed = True

    def stop(self) -> int:
        """In good manners; the exit code. GatewayError if it had ended before, or does not."""
        return self._end(signal.SIGTERM)

    def wait(self, seconds: float) -> int:
        """Until it ends by itself; the exit code. GatewayError if it does not."""
        if self._process is None:
            raise self._error("was not started")
        return self._ended(seconds)

    def apply(self, fault: GatewayFault) -> None:
        """From now on. NotPossible if this computer does not let anyone do that."""
        match fault.name:
            case "kill":
                self.kill()
            case "stop":
                self.stop()
            case "freeze":
                os.kill(self._alive(), signal.SIGSTOP)
            case "clock":
                self.clock.step(fault.by_ns)
            case "no-rtc":
                self.kill()
                self.clock.lose()
                self.start()
            case "damage":
                self._damage()
            case "disk-full":
                self.disk.fill(self._alive())
            case "cpu":
                self._limited().cpu(fault.share)
            case "memory":
                self._limited().memory(fault.limit)

    def _damage(self) -> None:
        self.kill()
        if not overwrite_newest(self.journal, self._dice):
            raise self._error("has written too little to its journal for a damage to be felt")

    def clear(self, name: str) -> None:
        """No more: what is not there starts again, what stands still goes on, the clock is right, there is room."""
        match name:
            case "kill" | "stop" | "damage":
                self.start()
            case "freeze" if (pid := self.pid) is not None:
                os.kill(pid, signal.SIGCONT)
            case "clock" | "no-rtc":
                self.clock.right()
            case "disk-full":
                self.disk.free(self.pid)
            case "cpu":
                self._limited().cpu(None)
            case "memory":
                self._limited().memory(None)

    def close(self) -> None:
        """Make sure that nothing is left."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self.disk.close()
        if self._limits is not None:
            self._limits.close()

    def _end(self, how: int) -> int:
        self._alive()
        assert self._process is not None, "it is alive"
        self.lives[-1].ends_ns = time.monotonic_ns()
        self._process.send_signal(how)
        return self._ended(MANNERS_S)

    def _ended(self, seconds: float) -> int:
        assert self._process is not None, "it was started"
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise self._error(f"has not ended within {seconds:g} s") from None

    def _alive(self) -> int:
        if (pid := self.pid) is None:
            raise self._error("was not started" if self._process is None else f"had ended with {self.exit_code}")
        return pid

    def _limited(self) -> Limits:
        if self._limits is None:
            raise NotPossible(self._why_no_limits)
        return self._limits

    def _error(self, what: str) -> GatewayError:
        return GatewayError(f"the agent {what}; it said:\n{self.log()[-LOG_SHOWN:].strip()}")
