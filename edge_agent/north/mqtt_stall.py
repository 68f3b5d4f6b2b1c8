"""Whether a broker still gets on with what it was sent."""

from __future__ import annotations

import asyncio

from edge_agent.north.mqtt_window import Window
from edge_agent.north.mqtt_wire import Wire


class Stall:
    """Of one connection; asked every tick.

    Bytes the peer's kernel still takes in are progress, too: 200 kB over a thin uplink may need longer than the
    deadline before the first acknowledgement can come.
    """

    def __init__(self, window: Window, wire: Wire, patience_s: float) -> None:
        self._window = window
        self._wire = wire
        self._patience_s = patience_s
        self._loop = asyncio.get_running_loop()
        self._draining = False
        self._unconfirmed = 0

    def trouble(self) -> str:
        """Why the connection is no good any more; '' while it is."""
        window, now = self._window, self._loop.time()
        if not window.flying:
            return ""
        self._draining, window.fresh = self._draining or window.fresh, False
        if self._draining:
            unconfirmed = self._wire.unacknowledged()
            if unconfirmed < self._unconfirmed:
                window.progressed_s = now
            self._unconfirmed = unconfirmed
            self._draining = unconfirmed > 0
        if now - window.progressed_s <= self._patience_s:
            return ""
        return (
            f"half-open connection or stuck broker: {window.flying} messages on the way "
            f"and no acknowledgement for {self._patience_s:g} s"
        )
