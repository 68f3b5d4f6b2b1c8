"""Reads live registers a few times and shows them in every plausible way: the byte-order wizard, with a device."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from edge_agent.api import Inquiry, Refused
from edge_agent_modbus.address import LAST, Address, Area, parse_address
from edge_agent_modbus.commission.asker import HUNG_UP, SILENT, Asker, Enough, told
from edge_agent_modbus.commission.asking import target_of
from edge_agent_modbus.commission.wizard import REACH, Reading, agree, readings
from edge_agent_modbus.dialogue import Answer

OPTIONS: Final = ("reads", "every")
_READS: Final = 5
_READS_MOST: Final = 1_000
_EVERY_S: Final = 1.0
# Places asked for at once; more is a map, and work for `discover`.
_MOST: Final = 125
# How many registers before an address are shown: where a manual counts from 1, or skips a header, it shows.
_BEFORE: Final = 2
_AFTER: Final = 4
# Blocks tried from an address on, where a larger one is refused.
_SIZES: Final = (REACH, 8, 4, 2, 1)

_RANGE: Final = re.compile(r"(.+?)-(0[xX][0-9a-fA-F]{1,40}|[0-9]{1,40})")


@dataclass(slots=True)
class Place:
    """One address, or one of a range: what was read of it."""

    text: str
    area: Area
    wire: int
    in_range: bool
    size: int = 0
    """addresses that are read from it on"""
    series: list[bytes] = field(default_factory=list)
    before: list[int] = field(default_factory=list)
    """the registers in front of it, as far as they can be read, the nearest last"""
    refusal: Answer = b""


async def probe(url: str, addresses: Sequence[str], inquiry: Inquiry) -> list[Mapping[str, Any]]:
    """See `Tools.probe`."""
    inquiry.check(OPTIONS, "a Modbus device")
    target = target_of(url, inquiry.keys)
    reads = inquiry.whole("reads", _READS, _READS_MOST)
    every_s = inquiry.seconds("every", _EVERY_S)
    places = [place for text in addresses for place in places_of(text, target.base)]
    if len(places) > _MOST:
        raise ValueError(f"{len(places)} addresses are more than {_MOST}; ask for fewer, or use discover")
    asker = Asker(target.line.endpoint, target.settings, target.settings.pause_s, inquiry.enough)
    cap = min(REACH, target.settings.max_registers)
    watch = _Watch(asker, target.line.unit, places, cap)
    try:
        await watch.begin()
        await watch.read(reads, every_s, inquiry)
    except Enough:
        inquiry.tell("ended before everything was read")
    finally:
        await asker.close()
    for place in places:
        if isinstance(place.refusal, int):
            inquiry.tell(f"{place.text}: {told(place.refusal)}")
    seen = [place for place in places if place.series]
    if not seen:
        why = next((told(place.refusal) for place in places if isinstance(place.refusal, int)), "nothing was read")
        raise Refused(f"{target.line}: {', '.join(addresses)} cannot be read: {why}")
    return _rows(seen, watch)


def places_of(text: str, base: int) -> list[Place]:
    """The places a text stands for: an address, or a range of them; ValueError says what is wrong."""
    try:
        first, last = parse_address(text), None
    except ValueError:
        match = _RANGE.fullmatch(text.strip())
        if match is None:
            raise
        first = parse_address(match[1])
        last = _last(first, match[1], match[2])
    if first.bit is not None or first.half is not None:
        raise ValueError(f"{text!r}: whole registers are probed; leave out .{text.rpartition('.')[2]}")
    number = first.number if last is None else last
    if number < first.number:
        raise ValueError(f"{text!r} runs backwards")
    if number - first.number >= _MOST:
        raise ValueError(f"{text!r} has more than {_MOST} addresses; ask for fewer, or use discover")
    places = [first.after(n) for n in range(number - first.number + 1)]
    return [Place(str(place), place.area, place.wire(base), in_range=last is not None) for place in places]


def _last(first: Address, start: str, end: str) -> int:
    """The last number of a range: `holding:0-9`, `40001-40010`."""
    if first.modicon and len(end) == len(start.strip()):
        return parse_address(end).number
    return int(end, 16 if end[1:2] in ("x", "X") else 10)


class _Watch:
    """Reads the places over and over."""

    def __init__(self, asker: Asker, unit: int, places: Sequence[Place], cap: int) -> None:
        self.began_s = 0.0
        self.elapsed_s: list[float] = []
        self._asker = asker
        self._unit = unit
        self._places = places
        self._cap = cap

    async def begin(self) -> None:
        """Find out how much can be read at each place."""
        for place in self._places:
            if place.area.is_bits:
                place.size = 1
                continue
            for size in _SIZES:
                if size > self._cap or place.wire + size > LAST + 1:
                    continue
                answer = await self._asker.read(self._unit, place.area, place.wire, size)
                if isinstance(answer, bytes):
                    place.size = size
                    break
                place.refusal = answer
                if answer in (SILENT, HUNG_UP) and size < REACH:
                    break           # each costs a timeout: two say enough
            await self._look_back(place)

    async def _look_back(self, place: Place) -> None:
        count = min(_BEFORE, place.wire)
        if not place.size or not count:
            return
        answer = await self._asker.read(self._unit, place.area, place.wire - count, count)
        if isinstance(answer, bytes):
            place.before = [int.from_bytes(answer[n : n + 2], "big") for n in range(0, len(answer), 2)]

    async def read(self, reads: int, every_s: float, inquiry: Inquiry) -> None:
        """Read all places so often, on a grid of `every_s`."""
        loop = asyncio.get_running_loop()
        self.began_s, start = time.time(), loop.time()
        for number in range(reads):
            await asyncio.sleep(max(0.0, start + number * every_s - loop.time()))
            self.elapsed_s.append(loop.time() - start)
            inquiry.tell(f"read {number + 1} of {reads}")
            for place in self._places:
                if place.size:
                    await self._take(place, number)

    async def _take(self, place: Place, number: int) -> None:
        answer = await self._asker.read(self._unit, place.area, place.wire, place.size)
        if isinstance(answer, bytes):
            place.series.append(answer)
            place.refusal = b""
        else:
            place.refusal = answer
            if len(place.series) == number:     # keep one value a read: the last one stands in
                place.series.extend(place.series[-1:])


def _rows(places: Sequence[Place], watch: _Watch) -> list[Mapping[str, Any]]:
    alone = [_ways(place, watch) for place in places]
    ways = agree(alone, _beginnings(places, alone))
    rows: list[Mapping[str, Any]] = []
    for n in _beginnings(places, ways):
        about = _about(places[n], ways[n], watch)
        rows += [_row(places[n], about, way) for way in ways[n]]
    return rows


def _beginnings(places: Sequence[Place], ways: Sequence[Sequence[Reading]]) -> list[int]:
    """Which of the places are not part of a longer value of their range that begins before them."""
    beginnings: list[int] = []
    end: dict[Area, int] = {}
    for n, place in enumerate(places):
        if place.in_range and place.wire < end.get(place.area, 0):
            continue
        beginnings.append(n)
        best = ways[n][0]
        end[place.area] = place.wire + (best.span if best.bits > 0 else 1)
    return beginnings


def _ways(place: Place, watch: _Watch) -> list[Reading]:
    if place.area.is_bits:
        values = tuple(bool(data[0] & 1) for data in place.series)
        why = "does not change" if len(set(values)) == 1 else "changes"
        return [Reading("bool", "", 1, values, 0.0, (why,), "")]
    return readings(place.series, watch.elapsed_s[-len(place.series) :], watch.began_s)


def _row(place: Place, about: str, way: Reading) -> Mapping[str, Any]:
    return {
        "address": place.text, "about": about, "type": way.type, "order": way.order, "values": list(way.values),
        "score": way.score, "why": "; ".join(way.why), "tag": f"{place.text}{way.tag}",
    }  # fmt: skip


def _about(place: Place, ways: Sequence[Reading], watch: _Watch) -> str:
    """`holding:1 is 1 on the wire, Modicon 40002; registers from holding 0 on: 17 [17254] 39322 …`."""
    number = Address(place.area, place.wire + 1, modicon=True)
    about = f"{place.text} is {place.area.word} {place.wire} on the wire, Modicon {number}"
    if place.area.is_bits:
        return about
    data = place.series[-1]
    words = [int.from_bytes(data[n : n + 2], "big") for n in range(0, min(len(data), 2 * (_AFTER + 1)), 2)]
    shown = [*map(str, place.before), f"[{words[0]}]", *map(str, words[1:])]
    about += f"; registers from {place.wire - len(place.before)} on: {' '.join(shown)}"
    return about + _beside(place, ways, watch)


# How much better a place beside an address must be, bits, to be worth a word.
_BETTER: Final = 8.0


def _beside(place: Place, ways: Sequence[Reading], watch: _Watch) -> str:
    """Whether the next register makes more sense: manuals that count from 1 are read one off."""
    if len(place.series[0]) < 6:
        return ""
    behind = [data[2:] for data in place.series]
    shifted = readings(behind, watch.elapsed_s[-len(behind) :], watch.began_s)[0]
    if shifted.span < 2 or shifted.bits < max(ways[0].bits, 0.0) + _BETTER:
        return ""
    return f"\n  one register on, {shifted.type} {shifted.order} makes more sense: is the address one off?"
