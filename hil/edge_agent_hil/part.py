"""Parts of a rig: processes of their own, watched while it lasts, stopped in good manners at its end."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

READY_S = 60.0
MANNERS_S = 10.0


class PartError(Exception):
    """A part is missing; says which, and what it printed last."""


class Interrupted(Exception):
    """Whoever asked for it left before everything was up."""


@dataclass(frozen=True, slots=True)
class Part:
    """One running part: its name for people, its output, its process."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    def missing(self, what: str) -> PartError:
        """The error that tells of this part, with the end of its output."""
        said = self.log.read_text(errors="replace").strip()[-2000:]
        return PartError(f"{self.name} {what}" + (f"; it said:\n{said}" if said else " and said nothing"))

    def stop(self) -> None:
        """Ask it to end; insist if it does not."""
        self.process.terminate()
        try:
            self.process.wait(MANNERS_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Parts:
    """Starts parts into `folder`; leaving the block stops them all, the last first."""

    def __init__(self, folder: Path, stop: threading.Event) -> None:
        self.folder = folder
        self._stop = stop
        self._parts: list[Part] = []

    def __enter__(self) -> Parts:
        return self

    def __exit__(self, *_: object) -> None:
        while self._parts:
            self._parts.pop().stop()

    def start(self, name: str, *arguments: str) -> Part:
        """A Python process, as `run`."""
        return self.run(name, sys.executable, *arguments)

    def run(self, name: str, *command: str) -> Part:
        """A process out of reach of the terminal's Ctrl-C; its output goes to a file of its name."""
        log = self.folder / f"{name.split()[-1]}.log"
        with log.open("ab") as out:
            process = subprocess.Popen(  # noqa: S603
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        self._parts.append(Part(name, log, process))
        return self._parts[-1]

    def stop(self, part: Part) -> None:
        """Stop one, which is missed no more."""
        self._parts.remove(part)
        part.stop()

    def kill(self, part: Part) -> None:
        """End one as with the power, which is missed no more."""
        self._parts.remove(part)
        part.process.kill()
        part.process.wait()

    def check(self) -> None:
        """Raise PartError if a part has ended by itself."""
        for part in self._parts:
            code = part.process.poll()
            if code is not None:
                raise part.missing(f"has ended with code {code}")

    def wait_for(self, part: Part, ready: Callable[[], bool]) -> None:
        """Until `ready()`; PartError if the part ends or takes too long, Interrupted if asked to stop."""
        end = time.monotonic() + READY_S
        while not ready():
            self.check()
            if time.monotonic() > end:
                raise part.missing(f"was not ready within {READY_S:.0f} s")
            if self._stop.wait(0.05):
                raise Interrupted
