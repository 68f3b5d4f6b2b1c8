"""Where wires end: a host or a serial port, what the devices there share, and how much a dead one may cost.

All devices of one place take turns on the same wires: one, or up to `connections`. The first that
needs a wire opens it, those who want it meanwhile wait for the outcome, and the last to leave
closes it. How a place is doing outlives its wires.

A unit that does not answer costs everybody on its line a timeout. So a unit that was given up more than
once, while others on its line answer, is tried again with one small request in a time slot of its own, and
the slots are so far apart that all dead units together take at most a tenth of the line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakKeyDictionary

from edge_agent.api import AccessDenied, NotConnected
from edge_agent_modbus.connect import open_wire
from edge_agent_modbus.debt import Debts
from edge_agent_modbus.line import Endpoint
from edge_agent_modbus.settings import Settings
from edge_agent_modbus.wire import Wire

# Of its line's time, what dead units may take: one part in so many.
_SHARE: Final = 10
# Timers are not exact.
_EARLY_S: Final = 0.05
# A place that refuses one connection more is not asked for one for so long, s.
_ENOUGH_S: Final = 60.0
# Silent requests in a row on a wire, of whatever units, without any answer between: then it may be the wire.
SILENT: Final = 3


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
    debts: Debts = field(default_factory=Debts)
    _alive: set[int] = field(default_factory=set)
    _has_fallen: bool = False       # a unit that was alive is silent, and nobody has answered since
    _given_up: dict[int, tuple[float, NotConnected]] = field(default_factory=dict)
    _free_s: float = 0.0
    _enough_until_s: float = 0.0

    async def join(self, settings: Settings) -> Lease:
        """A share of the wire with the fewest users, or of a fresh one while there may be more.

        NotConnected and AccessDenied as `open_wire`; whoever waited for the same attempt gets the same answer.
        """
        before = self._attempts
        async with self._opening:
            self._wires = [shared for shared in self._wires if shared.wire.is_open]
            free = min(self._wires, key=lambda shared: shared.users, default=None)
            if free is None:
                if self._failure is not None and self._attempts > before:
                    raise type(self._failure)(str(self._failure))
                free = await self._opened(settings)
            elif free.users and len(self._wires) < settings.connections:
                free = await self._one_more(settings) or free
        free.users += 1
        return Lease(free.wire, lambda: self._leave(free))

    async def _opened(self, settings: Settings) -> _Shared:
        self._failure = None
        try:
            wire = await open_wire(self.endpoint, settings, self.debts)
        except (NotConnected, AccessDenied) as failure:
            self._failure = failure
            raise
        finally:
            self._attempts += 1
        self._wires.append(_Shared(wire))
        return self._wires[-1]

    async def _one_more(self, settings: Settings) -> _Shared | None:
        """Another wire beside those that are open, if the place takes that many."""
        now = asyncio.get_running_loop().time()
        if now < self._enough_until_s:
            return None
        try:
            return await self._opened(settings)
        except (NotConnected, AccessDenied):
            self._enough_until_s = now + _ENOUGH_S
            return None

    def _leave(self, shared: _Shared) -> None:
        shared.users -= 1
        if shared.users <= 0:
            if not shared.wire.is_open and not shared.wire.answers and len(self._wires) > 1:
                # taken, and dropped before it answered anything: the place has enough of us
                self._enough_until_s = asyncio.get_running_loop().time() + _ENOUGH_S
            shared.wire.close()
            if shared in self._wires:
                self._wires.remove(shared)

    def answered(self, unit: int) -> None:
        """`unit` itself has answered something."""
        self._has_fallen = False
        if unit not in self._alive:
            self._alive.add(unit)
            self.failures[unit] = 0
            self._given_up.pop(unit, None)

    @property
    def is_shared(self) -> bool:
        """Whether several units are reached through it."""
        return len(self.failures) > 1

    def gave_up(self, unit: int, cost_s: float, why: NotConnected) -> NotConnected:
        """`unit` is given up; trying it again costs the line `cost_s` if it stays silent.

        Returns `why` with the wait until that may be. A unit that was alive may come back as soon as any; and
        where nobody is served, or those who were have fallen silent too, it is the line, and nobody is
        to be protected.
        """
        self.failures[unit] += 1
        if unit in self._alive:
            self._alive.discard(unit)
            self._has_fallen = True
        elif self._alive and not self._has_fallen:
            now = asyncio.get_running_loop().time()
            self._free_s = max(now, self._free_s) + _SHARE * cost_s
            why.retry_after_s = self._free_s - now
            self._given_up[unit] = now + why.retry_after_s, why
        return why

    def check(self, unit: int) -> None:
        """Raise why `unit` was given up, if it is not yet time to try it again."""
        date, why = self._given_up.get(unit, (0.0, None))
        rest = date - asyncio.get_running_loop().time()
        if why is not None and rest > _EARLY_S:
            raise NotConnected(str(why), reason=why.reason, retry_after_s=rest)


_places: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Endpoint, Place]] = WeakKeyDictionary()


def place_of(endpoint: Endpoint) -> Place:
    """The one `Place` of `endpoint` in the running loop."""
    return _places.setdefault(asyncio.get_running_loop(), {}).setdefault(endpoint, Place(endpoint))
