"""Where wires end: a host or a serial port, what the devices there share, and how much a dead one may cost.

All devices of one place take turns on the same wires: one, or up to `connections`. The first that
needs a wire opens it, those who want it meanwhile wait for the outcome, and the last to leave
closes it. How a place is doing outlives its wires.

A unit that does not answer costs everybody on its line a timeout. So where several share a line, a unit
that was given up is tried again, with one small request, in a time slot of its own, and the slots are so
far apart that all dead units together take at most a tenth of the line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

from edge_agent.api import AccessDenied, NotConnected
from edge_agent_modbus.connect import open_wire
from edge_agent_modbus.line import Endpoint
from edge_agent_modbus.settings import Settings
from edge_agent_modbus.wire import Wire

# Of its line's time, what dead units may take: one part in so many.
_SHARE: Final = 10
# A unit given up is not tried again sooner than this, s: as soon as the agent tries a device of its own.
_SOONEST_S: Final = 0.5
_LATEST_S: Final = 60.0
# Silent requests in a row, of units that were there, without any answer between: then it is the line.
_SILENT: Final = 3


@dataclass(slots=True, eq=False)
class _Shared:
    wire: Wire
    users: int = 0


@dataclass(slots=True, eq=False)
class Lease:
    """One device's share of a wire."""

    wire: Wire
    leave: Callable[[], None]


@dataclass(eq=False)
class Place:
    """One endpoint as all sessions of this event loop see it."""

    endpoint: Endpoint
    failures: dict[int, int] = field(default_factory=dict)
    """unit → how often it was given up since it last answered; all units that were ever asked for"""
    _wires: list[_Shared] = field(default_factory=list)
    _opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    _attempts: int = 0
    _failure: NotConnected | AccessDenied | None = None
    _next_slot_s: float = 0.0
    _silent: int = 0

    @property
    def is_shared(self) -> bool:
        """Whether several units are reached through it."""
        return len(self.failures) > 1

    async def join(self, settings: Settings) -> Lease:
        """A share of the wire with the fewest users, or of a fresh one while there may be more.

        NotConnected and AccessDenied as `open_wire`; whoever waited for the same attempt gets the same answer.
        """
        before = self._attempts
        async with self._opening:
            self._wires = [shared for shared in self._wires if shared.wire.is_open]
            free = min(self._wires, key=lambda shared: shared.users, default=None)
            if free is None or (free.users and len(self._wires) < settings.connections):
                if self._failure is not None and self._attempts > before:
                    raise type(self._failure)(str(self._failure))
                free = await self._opened(settings)
        free.users += 1
        return Lease(free.wire, lambda: self._leave(free))

    async def _opened(self, settings: Settings) -> _Shared:
        try:
            wire = await open_wire(self.endpoint, settings)
        except (NotConnected, AccessDenied) as failure:
            self._failure = failure
            raise
        finally:
            self._attempts += 1
        self._failure, self._silent = None, 0
        self._wires.append(_Shared(wire))
        return self._wires[-1]

    def _leave(self, shared: _Shared) -> None:
        shared.users -= 1
        if shared.users <= 0:
            shared.wire.close()
            if shared in self._wires:
                self._wires.remove(shared)

    def heard(self) -> None:
        """Somebody has answered, be it a gateway in the name of a unit it cannot reach: the wire stands."""
        self._silent = 0

    def answered(self, unit: int) -> None:
        """`unit` itself has answered something."""
        if self.failures[unit]:
            self.failures[unit] = 0

    def fell_silent(self, wire: Wire, unit: int) -> None:
        """A request to `unit` on `wire` was not answered. After a few in a row the wire itself is given up.

        That a unit is silent which was given up before says nothing about the wire.
        """
        if not self.failures[unit]:
            self._silent += 1
        if self._silent >= _SILENT:
            self._silent = 0
            wire.close(f"{_SILENT} requests in a row without any answer")

    def gave_up(self, unit: int, cost_s: float) -> float:
        """`unit` is given up; trying it again costs `cost_s` of the line if it stays silent.

        Returns in how many seconds that may be: 0 if it has the line for itself.
        """
        self.failures[unit] += 1
        if not self.is_shared:
            return 0.0
        now = asyncio.get_running_loop().time()
        wait = min(_LATEST_S, _SOONEST_S * 2.0 ** min(self.failures[unit], 10))
        slot = max(now + wait, self._next_slot_s)
        self._next_slot_s = slot + _SHARE * cost_s
        return slot - now


_places: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Endpoint, Place]] = WeakKeyDictionary()


def place_of(endpoint: Endpoint) -> Place:
    """The one `Place` of `endpoint` in the running loop."""
    return _places.setdefault(asyncio.get_running_loop(), {}).setdefault(endpoint, Place(endpoint))
