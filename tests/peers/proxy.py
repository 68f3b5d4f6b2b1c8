"""A wire that can be cut: `proxy.py PORT TARGET_PORT [--obey]`, TCP on loopback; killing it cuts every connection.

With `--obey` it prints `ready` and answers each JSON line `["hold"]`, `["mend"]`, `["refuse"]`, `["reset"]` or
`["slow", delay_s, loss]` on standard input with `"ok"`. Held, nothing passes in either direction and nobody is told:
connections stay open, new ones are accepted and hear nothing, as it looks from either end while a cable is out, and
what was sent meanwhile passes once it is mended, as TCP sees to on a real one. Refusing, it closes its door, not its
connections. A reset breaks all connections with RST, towards both ends. On a slow wire every piece takes so much
longer, and a share of them as much longer again as TCP takes to notice that a segment was lost and to repeat it, with
all behind it waiting.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import sys

REPEATED_S = (0.2, 1.6)     # TCP's first wait on Linux, and the fourth: each is twice the one before
AT_ONCE = struct.pack("ii", 1, 0)       # SO_LINGER: closing sends RST


class Wire:
    """The connections, and what may pass."""

    def __init__(self, port: int, target: int) -> None:
        self._port, self._target = port, target
        self._passes = asyncio.Event()
        self._passes.set()
        self._door: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._delay_s = self._loss = 0.0
        self._dice = random.Random(port)

    async def open(self) -> None:
        """Let in whoever knocks."""
        if self._door is None:
            self._door = await asyncio.start_server(self._serve, "127.0.0.1", self._port)

    async def obey(self, word: str, *how: float) -> None:
        """One of the words above."""
        match word:
            case "slow":
                self._delay_s, self._loss = how
            case "hold":
                self._passes.clear()
            case "mend":
                await self.open()
                self._passes.set()
            case "refuse" if self._door is not None:
                self._door.close()
                self._door = None
            case "reset":
                for end in list(self._ends):
                    end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
                    end.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._passes.wait()
        try:
            there = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        self._ends |= {writer, there[1]}
        await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))
        self._ends -= {writer, there[1]}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self._passes.wait()
                data = await reader.read(65536)
                if self._delay_s:
                    await asyncio.sleep(self._delay_s + self._repeated())
                await self._passes.wait()
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def _repeated(self) -> float:
        return self._dice.uniform(*REPEATED_S) if self._dice.random() < self._loss else 0.0


async def main(port: int, target: int, obeys: bool) -> None:
    wire = Wire(port, target)
    await wire.open()
    if not obeys:
        await asyncio.Event().wait()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print("ready", flush=True)
    while line := await lines.readline():
        await wire.obey(*json.loads(line))
        print('"ok"', flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), "--obey" in sys.argv[3:]))
