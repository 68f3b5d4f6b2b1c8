"""What may fail, under the campaign's hand: the agent's process, clock, disk and journal, and all that is north.

Faults of the north are coroutines that bring one about, let it last and end it. Where the kernel has no netem (it is a
module that many machines lack), loss and delay are made by the wire, see `tests/peers/proxy.py`.
"""

from __future__ import annotations

import asyncio
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.campaign.stepped_agent import OFFSET
from tests.campaign.subscriber import Subscriber
from tests.peers.mosquitto import Mosquitto
from tests.peers.opcua_world import Wire

AGENT = Path(__file__).with_name("stepped_agent.py")
SLOW_S, LOSS = 0.3, 0.1
# A process begins and ends in a second, on a busy computer in many.
PATIENCE_S = 60.0


@dataclass(slots=True)
class Life:
    """One process of the agent, by the monotonic clock that all processes of a computer share."""

    began_ns: int
    ends_ns: int = 0
    """just before the signal that ended it"""
    killed: bool = False


class Clock:
    """The wall clock of an agent."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.ahead_ns = 0
        file.write_bytes(OFFSET.pack(0))

    def step(self, by_ns: int) -> None:
        """Set it, at once."""
        self.ahead_ns += by_ns
        with self.file.open("r+b") as file:
            file.write(OFFSET.pack(self.ahead_ns))


class Disk:
    """Where an agent's data lie: a small file system of their own, or a folder whose files may be kept from growing."""

    def __init__(self, folder: Path, size_mb: int = 0) -> None:
        self.inside = self.seen = folder
        folder.mkdir()
        self.prefix: tuple[str, ...] = ()
        self._holder: subprocess.Popen[bytes] | None = None
        if size_mb and shutil.which("unshare") and shutil.which("nsenter"):
            self._mount(size_mb)

    def _mount(self, size_mb: int) -> None:
        """In a name space that lives as long as its holder: whatever happens, no mount stays behind."""
        mount = f'mount -t tmpfs -o size={size_mb}m none "$1" && echo ready && exec sleep 86400'
        command = ["unshare", "-m", "sh", "-c", mount, "sh", str(self.inside)]
        holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert holder.stdout
        with holder.stdout as said:
            mounted = said.readline() == b"ready\n"
        if not mounted:
            holder.wait()
            return
        self._holder = holder
        self.prefix = ("nsenter", "-t", str(holder.pid), "-m", "--")
        self.seen = Path(f"/proc/{holder.pid}/root{self.inside}")

    @property
    def kind(self) -> str:
        """How it is filled."""
        return "tmpfs" if self._holder else "RLIMIT_FSIZE"

    def fill(self, pid: int) -> None:
        """Not a byte more, for the agent `pid`."""
        if not self._holder:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            return
        with (self.seen / "filler").open("wb", buffering=0) as filler:
            for piece in (1 << 20, 4096, 1):
                try:
                    while filler.write(bytes(piece)) == piece:
                        pass
                except OSError:
                    pass  # smaller pieces find the last corners

    def free(self, pid: int) -> None:
        """Room again."""
        if self._holder:
            (self.seen / "filler").unlink()
        else:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def close(self) -> None:
        """Unmount; what was on it is left in the folder beneath, for whoever wants to know why a run was red."""
        if self._holder:
            if self.seen.exists():
                shutil.copytree(self.seen, self.inside, dirs_exist_ok=True, ignore=shutil.ignore_patterns("filler"))
            self._holder.kill()
            self._holder.wait()


class Agent:
    """`edge-agent run`, again and again."""

    def __init__(self, site: Path, clock: Clock, disk: Disk) -> None:
        self.lives: list[Life] = []
        self.site, self.clock, self.disk = site, clock, disk
        self._log = site.with_suffix(".log")
        self._command = [*disk.prefix, sys.executable, str(AGENT), str(clock.file), str(site)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process
        return self._process.pid

    @property
    def journal(self) -> Path:
        """Its folder, seen from here."""
        return self.disk.seen / "journal"

    def start(self) -> None:
        """A new process."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        self.lives.append(Life(time.monotonic_ns()))

    def kill(self) -> None:
        """As the power of the process goes; it must have been alive."""
        assert self._end(signal.SIGKILL) == -signal.SIGKILL, self.log()[-5000:]
        self.lives[-1].killed = True

    def stop(self) -> None:
        """In good manners."""
        assert self._end(signal.SIGTERM) == 0, self.log()[-5000:]

    def close(self) -> None:
        """Make sure that nothing is left."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        """What all of them have said."""
        return self._log.read_text()

    def _end(self, how: int) -> int:
        assert self._process
        self.lives[-1].ends_ns = time.monotonic_ns()
        self._process.send_signal(how)
        return self._process.wait(PATIENCE_S)


@dataclass(slots=True)
class North:
    """The broker, the wire to it, and who listens behind it."""

    broker: Mosquitto
    wire: Wire
    subscriber: Subscriber


async def cut(north: North, seconds: float) -> None:
    """The cable is cut, and both ends notice."""
    north.wire.refuse()
    north.wire.reset()
    await asyncio.sleep(seconds)
    north.wire.mend()


async def silence(north: North, seconds: float) -> None:
    """The cable is out and nobody is told."""
    north.wire.hold()
    await asyncio.sleep(seconds)
    north.wire.mend()


async def resets(north: North, seconds: float) -> None:
    """A middlebox breaks what it does not like, several times."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        north.wire.reset()
        await asyncio.sleep(0.4)


async def slow(north: North, seconds: float) -> None:
    """A network that loses a tenth and takes its time."""
    north.wire.slow(SLOW_S, LOSS)
    await asyncio.sleep(seconds)
    north.wire.slow(0, 0)


async def hang(north: North, seconds: float) -> None:
    """The broker stands still, with every connection open."""
    north.broker.signal(signal.SIGSTOP)
    await asyncio.sleep(seconds)
    north.broker.signal(signal.SIGCONT)


async def restart(north: North, seconds: float) -> None:
    """The broker is stopped in good manners, so it keeps its sessions, and started again."""
    await asyncio.to_thread(north.broker.stop)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(north.broker.start)


async def crash(north: North, seconds: float) -> None:
    """The broker is killed and forgets its sessions: nobody is let in before the subscriber listens again, for what a
    broker takes for nobody is acknowledged and gone; so is what it has acknowledged and the subscriber has not read,
    because a killed process resets its connections."""
    north.wire.hold()
    await asyncio.to_thread(north.subscriber.catch_up)
    north.wire.refuse()
    north.broker.kill()
    north.wire.reset()
    await asyncio.sleep(seconds)
    await asyncio.to_thread(north.broker.start)
    assert await asyncio.to_thread(north.subscriber.listens.wait, PATIENCE_S)
    north.wire.mend()


NORTH: dict[str, Callable[[North, float], Awaitable[None]]] = {
    one.__name__: one for one in (cut, silence, resets, slow, hang, restart, crash)
}
