"""Finds out what is behind a URL: which units answer, what of each can be read, what each says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from edge_agent.api import Discovery, Inquiry, NotConnected
from edge_agent_modbus.address import LAST, Area
from edge_agent_modbus.commission.asker import UNHEARD, Asker, Enough, told
from edge_agent_modbus.commission.asking import Target, numbers, target_of
from edge_agent_modbus.commission.explore import Explorer
from edge_agent_modbus.commission.identify import identify, summary
from edge_agent_modbus.commission.listing import Unit, listed
from edge_agent_modbus.dialogue import Answer
from edge_agent_modbus.line import Framing
from edge_agent_modbus.settings import Settings

OPTIONS: Final = ("units", "range", "pause")
# Where there are transaction numbers, units are behind a gateway, or there is one device and this is a
# guess at what it calls itself; on a serial line anything goes.
_QUICK: Final = (*range(11), 247, 255)
_SERIAL: Final = tuple(range(1, 248))
# Ids that no device may have (Modbus over serial line V1.02, 2.2): who answers to them answers to all.
_RESERVED: Final = (252, 251, 250, 249, 248)
# A unit that is there answers in well under a tenth of a second; on a serial line most ids are not there.
_SERIAL_TIMEOUT_NS: Final = 300_000_000
_PAUSE_S: Final = 0.005
_RANGE: Final = "0-9999"
# So much of each area is compared to find out whether two units are one.
_COMPARED: Final = (1, 8)
# After so many questions in a row without an answer, one that was answered before shows whether the unit
# is gone, or says nothing where others refuse.
_SILENT: Final = 3
_LONG_SILENT: Final = 30
# A serial device that does not know a function does not know where its request ends either, and takes the
# next one for the rest of it, until the line has been quiet for a while, s.
_REST_S: Final = 0.5


class _Gone(Exception):
    """The unit does not answer any more."""


class Search:
    """One search behind one URL."""

    def __init__(self, target: Target, inquiry: Inquiry) -> None:
        inquiry.check(OPTIONS, "a Modbus device")
        self.target = target
        self._tell = inquiry.tell
        self._numbered = target.line.endpoint.framing is Framing.MBAP
        self._wanted = self._units(inquiry)
        self._first, self._last = _range(inquiry.options.get("range", _RANGE))
        pause_s = inquiry.seconds("pause", max(_PAUSE_S, target.settings.pause_s))
        if "pause" in inquiry.options and "pause_between_requests" not in target.keys:
            # what the search was told to keep, reading has to keep
            self.target = target = replace(
                target, keys={**target.keys, "pause_between_requests": inquiry.options["pause"]}
            )
        self._asker = Asker(target.line.endpoint, self._settings(target.settings), pause_s, inquiry.enough)
        self.units: list[Unit] = []
        self.complete = False
        self._silences = 0              # in a row
        self._has_answered = False      # anything about the area that is looked at

    async def run(self) -> None:
        """Find everything, or what there is time for. NotConnected, AccessDenied."""
        try:
            await self._asker.open()
            for number, *alike in await self._one_of_each(await self._answering()):
                self.units.append(unit := Unit(number, alike=alike))
                await self._look_at(unit)
            self.complete = True
        except Enough:
            self._tell("ended before everything was looked at")
        finally:
            await self._asker.close()

    # -- units -------------------------------------------------------------------------------

    def _units(self, inquiry: Inquiry) -> list[int]:
        least = 0 if self._numbered else 1
        if "units" in inquiry.options:
            return numbers("units", inquiry.options["units"], least, 255)
        usual = _QUICK if self._numbered else _SERIAL
        return list(dict.fromkeys((self.target.line.unit, *usual)))

    def _settings(self, settings: Settings) -> Settings:
        if self._numbered or self.target.has_timeout:
            return settings
        return replace(settings, timeout_ns=_SERIAL_TIMEOUT_NS)

    async def _answering(self) -> list[int]:
        """The units that answer anything, be it an exception of their own."""
        place = self.target.line.endpoint.place
        units = f"unit{'s' if len(self._wanted) > 1 else ''} {_ranges(sorted(self._wanted))}"
        self._tell(f"{place}: asking for {units}")
        there, others = [], set()
        for unit in self._wanted:
            answer = await self._asker.read(unit, Area.HOLDING, self._first, 1, tries=1)
            if isinstance(answer, int) and answer in UNHEARD:
                others.add(told(answer))
                continue
            self._tell(f"{place}: unit {unit} answers")
            there.append(unit)
        if not there:
            heard = "; ".join(sorted(others))
            raise NotConnected(f"{place}: nobody answers as {units} ({heard})")
        return there

    async def _one_of_each(self, there: Sequence[int]) -> list[tuple[int, ...]]:
        """The units, each followed by those that are the same device, which does not look at the id."""
        spare = next(number for number in _RESERVED if number not in self._wanted or number == _RESERVED[-1])
        if not self._numbered or len(there) < 2 or not await self._is_there(spare):
            return [(unit,) for unit in there]
        own, *rest = there
        same = [unit for unit in rest if await self._are_alike(own, unit)]
        others = [unit for unit in rest if unit not in same]
        if same and await self._are_alike(own, spare):
            self._tell(f"the device answers to any unit id alike, {spare} included, which none may have: it is one")
            return [(own, *same), *((unit,) for unit in others)]
        return [(unit,) for unit in there]

    async def _is_there(self, unit: int) -> bool:
        answer = await self._asker.read(unit, Area.HOLDING, self._first, 1, tries=1)
        return isinstance(answer, bytes) or answer not in UNHEARD

    async def _are_alike(self, one: int, other: int) -> bool:
        """Whether both refuse the same, and hold the same wherever `one` did not change meanwhile."""
        for area in Area:
            for count in _COMPARED:
                before = await self._asker.read(one, area, self._first, count)
                answer = await self._asker.read(other, area, self._first, count)
                after = await self._asker.read(one, area, self._first, count)
                if not _same(before, answer, after):
                    return False
        return True

    # -- what a unit has ---------------------------------------------------------------------

    async def _look_at(self, unit: Unit) -> None:
        for area in (Area.HOLDING, Area.INPUT, Area.COIL, Area.DISCRETE):
            settings = self.target.settings
            most = settings.max_bits if area.is_bits else settings.max_registers
            explorer = Explorer(partial(self._heard, unit, area), bits=area.is_bits, most=most)
            unit.areas[area] = found = explorer.findings
            before, self._silences, self._has_answered = self._asker.requests, 0, False
            try:
                await explorer.explore(self._first, self._last)
            except _Gone:
                self._tell(f"unit {unit.number}: does not answer; {area.word} is left")
                unit.gone.append(area)
            what = "bits" if area.is_bits else "registers"
            self._tell(
                f"unit {unit.number}: {area.word}: {found.count} {what} can be read, in {_blocks(found.runs)}, "
                f"{self._asker.requests - before} requests"
            )
        unit.identity = await identify(partial(self._said, unit.number))
        if told_name := summary(unit.identity):
            self._tell(f"unit {unit.number}: says it is {told_name}")

    async def _heard(self, unit: Unit, area: Area, start: int, count: int) -> Answer:
        """A read; raises `_Gone` if the unit has fallen silent, or says nothing at all about this area."""
        answer = await self._asker.read(unit.number, area, start, count, tries=1 if unit.is_mute else 0)
        if isinstance(answer, bytes) or answer not in UNHEARD:
            self._silences, self._has_answered = 0, True
            return answer
        self._silences += 1
        if self._silences == _SILENT or self._silences % _LONG_SILENT == 0:
            await self._rest()
            if not self._has_answered or not await self._is_there(unit.number):
                raise _Gone
            unit.is_mute = True
        return answer

    async def _said(self, unit: int, pdu: bytes, size: int) -> Answer:
        """An answer to what the device may never have heard of."""
        answer = await self._asker.ask(unit, pdu, size)
        if isinstance(answer, int):
            await self._rest()
        return answer

    async def _rest(self) -> None:
        """Give a device time that has lost its place in what it hears."""
        if not self._numbered:
            await asyncio.sleep(_REST_S)


async def discover(url: str, inquiry: Inquiry) -> Discovery:
    """See `Tools.discover`."""
    target = target_of(url, inquiry.keys)
    search = Search(target, inquiry)
    await search.run()
    return listed(search.target, search.units, complete=search.complete)


def _same(before: Answer, answer: Answer, after: Answer) -> bool:
    if not (isinstance(before, bytes) and isinstance(answer, bytes) and isinstance(after, bytes)):
        return before == answer
    return all(one == other for one, other, again in zip(before, answer, after, strict=True) if one == again)


def _range(text: str) -> tuple[int, int]:
    found = numbers("range", text, 0, LAST)
    if "," in text:
        raise ValueError(f"--range {text}: more than one range; write for example 0-9999")
    return found[0], found[-1]


def _blocks(runs: Sequence[object]) -> str:
    return f"{len(runs)} block" if len(runs) == 1 else f"{len(runs)} blocks"


def _ranges(found: Sequence[int]) -> str:
    """[1, 2, 3, 7] → `1-3,7`."""
    pieces: list[list[int]] = []
    for number in found:
        if pieces and number == pieces[-1][-1] + 1:
            pieces[-1].append(number)
        else:
            pieces.append([number])
    return ",".join(str(piece[0]) if len(piece) == 1 else f"{piece[0]}-{piece[-1]}" for piece in pieces)
