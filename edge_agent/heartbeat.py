"""Tells those who keep the agent alive that it lives: systemd by its socket, a container's health check by a file.

A task of the agent's own loop tells it, so a loop that hangs tells nothing and is started anew. A device, a broker or
a disk that is away is no reason for that: a restart brings none of them back, and costs what waits in memory.

    READY=1     once all parts work        WATCHDOG=1     each beat        STATUS=…     what `told` says, as it changes
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Final

# A reader of the file that allows 30 s sees five in time and one late.
BEAT_S: Final = 5.0
# systemd's own advice is half of what it allows; a third leaves room for a loop that is late once.
BEATS_A_WATCHDOG: Final = 3


class Heartbeat:
    """Beats for systemd, if it has started us and asks for it, and for `file`, if there is one."""

    def __init__(self, environ: MutableMapping[str, str], file: Path | None = None) -> None:
        """Takes systemd's variables out of `environ`: what the agent starts is not the agent. OSError if the file
        cannot be written."""
        self._address = environ.pop("NOTIFY_SOCKET", "")
        allowed_us, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        is_ours = pid in ("", str(os.getpid()))
        self._watchdog_s = int(allowed_us) / 1e6 if allowed_us.isdigit() and is_ours else 0.0
        self._file = file
        self._said = ""
        if file is not None:
            file.touch()

    @property
    def period_s(self) -> float:
        """From one beat to the next."""
        return min(BEAT_S, self._watchdog_s / BEATS_A_WATCHDOG) if self._watchdog_s else BEAT_S

    async def keep_beating(self, told: Callable[[], str]) -> None:
        """Beat until cancelled; `told` says in a line how the agent is."""
        self._notify("READY=1")
        while True:
            self._beat(told())
            await asyncio.sleep(self.period_s)

    def _beat(self, status: str) -> None:
        if status != self._said:
            self._notify(f"STATUS={status}")
            self._said = status
        if self._watchdog_s:
            self._notify("WATCHDOG=1")
        if self._file is not None:
            # On a full or broken disk the file grows old; it belongs on a tmpfs.
            with contextlib.suppress(OSError):
                self._file.touch()

    def _notify(self, message: str) -> None:
        """One datagram; lost if nobody takes it, which must not hold up the agent."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            channel.sendto(message.encode(), address)
