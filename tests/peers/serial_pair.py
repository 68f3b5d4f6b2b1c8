"""Two serial ports joined by a cable: pseudo-terminals, as slow as the line they stand for.

    python serial_pair.py BAUD [BITS]       prints {"a": "/dev/pts/3", "b": "/dev/pts/4"}, ends with its stdin

A pseudo-terminal takes any baud rate and keeps none, so a relay of its own process moves every byte when
its last bit would have arrived: BITS (10: start, 8 data, stop; 11 with parity) over BAUD. `SerialPair`
runs it for a test; `SocatPair` is socat's pair, as fast as memory. Both give the ports names that stay
when they are killed and started again, like an adapter pulled out and put back.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
import tty
from collections import deque
from pathlib import Path

HELD = 8192                     # bytes on their way; a sender beyond that has to wait


class Direction:
    """Bytes from one port to the other; each arrives when the line has had time for it."""

    def __init__(self, source: int, target: int, byte_s: float) -> None:
        self.source, self.target, self._byte_s = source, target, byte_s
        self._free = 0.0
        self._on_the_way: deque[tuple[float, int]] = deque()

    @property
    def due(self) -> float:
        """When the next byte arrives; infinity if none is on its way."""
        return self._on_the_way[0][0] if self._on_the_way else float("inf")

    @property
    def full(self) -> bool:
        return len(self._on_the_way) >= HELD

    def take(self, now: float) -> None:
        """What was written to the port."""
        for byte in os.read(self.source, 4096):
            self._free = max(self._free, now) + self._byte_s
            self._on_the_way.append((self._free, byte))

    def give(self, now: float) -> None:
        """All that has arrived; lost where nobody reads, as on a real port."""
        arrived = bytearray()
        while self.due <= now:
            arrived.append(self._on_the_way.popleft()[1])
        try:
            os.write(self.target, arrived)
        except BlockingIOError:
            pass


def relay(baud: int, bits: int) -> None:
    """Two ports and the line between them, until stdin ends."""
    (one, a), (two, b) = os.openpty(), os.openpty()     # our end and the port; the ports stay open for hang-ups' sake
    for port in (a, b):
        tty.setraw(port)
    os.set_blocking(one, False)
    os.set_blocking(two, False)
    print(json.dumps({"a": os.ttyname(a), "b": os.ttyname(b)}), flush=True)
    ways = [Direction(one, two, bits / baud), Direction(two, one, bits / baud)]
    while True:
        wait = max(0.0, min(way.due for way in ways) - time.monotonic())
        sources = [way.source for way in ways if not way.full]
        readable, _, _ = select.select([0, *sources], [], [], None if wait == float("inf") else wait)
        if 0 in readable:
            return
        now = time.monotonic()
        for way in ways:
            if way.source in readable:
                way.take(now)
            way.give(now)


class SerialPair:
    """`with SerialPair(folder, 19200) as pair:` the ports are `pair.a` and `pair.b`."""

    def __init__(self, folder: Path, baud: int, bits: int = 10) -> None:
        self.a, self.b = str(folder / "port-a"), str(folder / "port-b")
        self._command = [sys.executable, __file__, str(baud), str(bits)]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> SerialPair:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Plug it in."""
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdout
        ports = json.loads(self._process.stdout.readline())
        for name, port in ((self.a, ports["a"]), (self.b, ports["b"])):
            Path(name).unlink(missing_ok=True)
            Path(name).symlink_to(port)

    def kill(self) -> None:
        """Pull it out: whoever has a port open gets an error, and the names are gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                assert stream
                stream.close()
            self._process = None
        for name in (self.a, self.b):
            Path(name).unlink(missing_ok=True)


class SocatPair:
    """The same with socat, which does not keep to any speed; the test is skipped where there is none."""

    def __init__(self, folder: Path) -> None:
        self.a, self.b = str(folder / "socat-a"), str(folder / "socat-b")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> SocatPair:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Plug it in."""
        import pytest  # here: the relay's process does not wait for it

        if shutil.which("socat") is None:
            pytest.skip("needs socat (apt install socat)")
        ends = [f"pty,raw,echo=0,link={name}" for name in (self.a, self.b)]
        self._process = subprocess.Popen(["socat", *ends])
        end = time.monotonic() + 20
        while not (Path(self.a).exists() and Path(self.b).exists()):
            assert self._process.poll() is None and time.monotonic() < end, "socat made no ports"
            time.sleep(0.01)

    def kill(self) -> None:
        """Pull it out."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for name in (self.a, self.b):
            Path(name).unlink(missing_ok=True)


if __name__ == "__main__":
    relay(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10)
