"""The byte-order wizard: every way to read the registers at an address, the most plausible first. Pure.

Each way is held against the plainest: as many independent 16-bit integers. What it saves, in bits, is its
evidence; ways that few devices use start with a handicap. Where several addresses are asked and the
order of bytes is plain at some of them, it counts for the others: a device has one habit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from edge_agent_modbus.address import Area
from edge_agent_modbus.commission.letters import length_of, of_text
from edge_agent_modbus.commission.plausible import Cost, is_time, of_bits, of_floats, of_times, of_whole
from edge_agent_modbus.encode import decode_one
from edge_agent_modbus.plan import Field
from edge_agent_modbus.text import registers_of
from edge_agent_modbus.value import DEVICE_ORDERS, TYPES, TypeName, allowed_orders, wire_order

REACH: Final = 16
"""registers from an address on that are looked at"""

# What a way starts with, bits: how seldom devices use it.
_SELDOM: Final[dict[str, float]] = {
    "uint16": 0.0, "int16": 0.0, "bcd16": 5.0, "float16": 9.0, "uint8": 9.0, "bits": 0.0,
    "uint32": 0.0, "int32": 0.0, "float32": 0.0, "bcd32": 5.5, "unixtime": 2.0,
    "uint64": 0.0, "int64": 0.0, "float64": 3.0, "unixtime64": 7.0, "unixtime_ms": 7.0, "string": 0.0,
}  # fmt: skip
_SELDOM_ORDER: Final = {
    "AB": 0.0, "BA": 9.0, "ABCD": 0.0, "CDAB": 0.0, "BADC": 1.0, "DCBA": 1.0,
    "ABCDEFGH": 0.0, "GHEFCDAB": 0.0, "BADCFEHG": 0.5, "HGFEDCBA": 0.5,
    "CDABGHEF": 1.0, "EFGHABCD": 1.0, "DCBAHGFE": 1.0, "FEHGBADC": 1.0,
}  # fmt: skip
_SELDOM_TEXT: Final = {"AB": 0.0, "BA": 1.0, "A": 2.0, "B": 2.0}
# Nothing is learnt from zeros: that is said of them first which says least.
_ZERO: Final = 3.0
# How much an order gains by each other address that has it, and loses by each that has another.
_VOTE: Final = 1.5
_VOTES_MOST: Final = 3
_PLAIN: Final = 2.0

# Bits more that bring the score from 50 to 67, then to 80, 89, 94 …
_STEP: Final = 5.0

_NUMBERS: Final[tuple[TypeName, ...]] = (
    "uint16", "int16", "float32", "uint32", "int32", "float64", "uint64", "int64", "bcd16", "bcd32",
    "unixtime", "unixtime64", "unixtime_ms", "float16",
)  # fmt: skip
_FAMILY: Final = {wire_order(TYPES["uint64"], None, order): order for order in DEVICE_ORDERS}


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read what lies at an address.

    span    registers it takes
    values  one a read; of `bits`, texts of sixteen digits
    bits    how much better than plain 16-bit integers
    tag     what follows the address in a tag of one line; "" for none (`.3` for a bit, without a space)
    """

    type: str
    order: str
    span: int
    values: tuple[object, ...]
    bits: float
    why: tuple[str, ...]
    tag: str

    @property
    def score(self) -> int:
        """0 to 99; 50 is no better and no worse than plain 16-bit integers."""
        odds: float = 2.0 ** (min(200.0, -self.bits) / _STEP)
        return min(99, round(100 / (1 + odds)))

    @property
    def family(self) -> str:
        """The habit its order shows; "" if it shows none."""
        return _FAMILY.get(self.order, self.order) if self.span > 1 and self.type != "string" else ""


def readings(series: Sequence[bytes], elapsed_s: Sequence[float], now_s: float) -> list[Reading]:
    """Every way to read `series`, the best first.

    series     the registers from an address on, at most `REACH` of them, one read after the other, all as long
    elapsed_s  when each was read, from the first on
    now_s      when the first was read, s since 1970
    """
    plain = [_plain(series, n) for n in range(min(len(series[0]) // 2, REACH))]
    found = [*_numbers(series, plain, elapsed_s, now_s), *_parts(series, plain), *_texts(series, plain)]
    return sorted(found, key=lambda reading: -reading.bits)


def agree(addresses: Sequence[Sequence[Reading]], voters: Collection[int] | None = None) -> list[list[Reading]]:
    """The readings of several addresses, those strengthened whose order others have too.

    voters  the addresses (by their place in the list) that count; None: all
    """
    votes = [_vote(ways) if voters is None or n in voters else "" for n, ways in enumerate(addresses)]
    agreed = []
    for n, ways in enumerate(addresses):
        others = Counter(vote for m, vote in enumerate(votes) if vote and m != n)
        agreed.append(sorted((_swayed(way, others) for way in ways), key=lambda way: -way.bits))
    return agreed


def _vote(ways: Sequence[Reading]) -> str:
    """The order that is plain here, if one is: no other comes near."""
    best = ways[0]
    if not best.family:
        return ""
    rival = max((way.bits for way in ways if way.family and way.family != best.family), default=-99.0)
    return best.family if best.bits >= max(rival, 0.0) + _PLAIN else ""


def _swayed(way: Reading, others: Counter[str]) -> Reading:
    if not way.family or not others:
        return way
    agreeing = others[way.family]
    against = sum(others.values()) - agreeing
    gain = _VOTE * (min(agreeing, _VOTES_MOST) - min(against, _VOTES_MOST))
    if not agreeing:
        return replace(way, bits=way.bits + gain)
    told = f"{agreeing} other address{'es have' if agreeing > 1 else ' has'} this order"
    return replace(way, bits=way.bits + gain, why=(*way.why, told))


# -- ways to read --------------------------------------------------------------------------------


@cache
def _ways() -> tuple[tuple[Field, str], ...]:
    """All numbers that take whole registers, and the order as a tag says it."""
    ways = []
    for name in _NUMBERS:
        kind = TYPES[name]
        for order in allowed_orders(kind):
            if len(order) == kind.size:
                ways.append((Field(0, Area.HOLDING, 0, kind.size // 2, kind, order), "" if order == "AB" else order))
    return tuple(ways)


def _numbers(
    series: Sequence[bytes], plain: Sequence[float], elapsed_s: Sequence[float], now_s: float
) -> Iterator[Reading]:
    for field, order in _ways():
        if field.count > len(plain):
            continue
        values = [decode_one(field, data[: 2 * field.count]) for data in series]
        if not all(_is_possible(field, value) for value in values):
            continue
        cost = _cost(field, values, elapsed_s, now_s)
        name = field.type.name
        bits = sum(plain[: field.count]) - cost.bits - _SELDOM[name] - _SELDOM_ORDER[field.order]
        if not any(map(any, series_of(series, field.count))):
            bits = min(bits, 0.0) - _ZERO - field.count / 10
        yield Reading(name, order, field.count, tuple(values), bits, cost.why, _tag(name, order))


def _is_possible(field: Field, value: object) -> bool:
    """Not BCD with a digit above 9, nor a time of another century."""
    if field.type.digits:
        return value == value
    return not field.type.name.startswith("unixtime") or (isinstance(value, int | float) and is_time(value))


def _cost(field: Field, values: Sequence[object], elapsed_s: Sequence[float], now_s: float) -> Cost:
    kind = field.type
    numbers = [value for value in values if isinstance(value, int | float)]
    if kind.name.startswith("unixtime"):
        return of_times(numbers, kind.size, elapsed_s, now_s)
    if kind.code[0] == "f":
        return of_floats(numbers, kind.size)
    cost = of_whole([int(n) for n in numbers], kind.size, signed=kind.code[0] == "i", digits=kind.digits)
    return replace(cost, why=("every digit is 0 to 9", *cost.why)) if kind.digits else cost


def _parts(series: Sequence[bytes], plain: Sequence[float]) -> Iterator[Reading]:
    """What lies in one register together with something else."""
    words = [int.from_bytes(data[:2], "big") for data in series]
    cost = of_bits(words)
    moving = [bit for bit in range(16) if len({word >> bit & 1 for word in words}) > 1]
    lit = [bit for bit in range(16) if words[0] >> bit & 1]
    shown = tuple(f"{word:016b}" for word in words)
    yield Reading("bits", "", 1, shown, plain[0] - cost.bits, cost.why, f".{(moving or lit or [0])[0]}")
    halves = {"high": [word >> 8 for word in words], "low": [word & 0xFF for word in words]}
    costs = {half: of_whole(values, 1) for half, values in halves.items()}
    both = plain[0] - sum(cost.bits for cost in costs.values()) - _SELDOM["uint8"]
    for half, values in halves.items():
        yield Reading("uint8", half, 1, tuple(values), both, costs[half].why, f".{half}")


def _texts(series: Sequence[bytes], plain: Sequence[float]) -> Iterator[Reading]:
    raws = [data[: 2 * len(plain)] for data in series]
    for order in allowed_orders(TYPES["string"]):
        length = min(length_of(raw, order) for raw in raws)
        if not length:
            continue
        span = registers_of(length, order)
        field = Field(0, Area.HOLDING, 0, span, TYPES["string"], order, length=length, encoding="ascii")
        texts = [str(decode_one(field, raw[: 2 * span])) for raw in raws]
        cost = of_text(texts)
        bits = sum(plain[:span]) - cost.bits - _SELDOM_TEXT[order]
        tag = f" string[{length}]" + ("" if order == "AB" else f" {order}")
        yield Reading("string", order, span, tuple(texts), bits, cost.why, tag)


def series_of(series: Iterable[bytes], count: int) -> list[bytes]:
    """The first `count` registers of each read."""
    return [data[: 2 * count] for data in series]


def _plain(series: Sequence[bytes], register: int) -> float:
    """Bits that the register takes as an integer of its own."""
    words = [int.from_bytes(data[2 * register : 2 * register + 2], "big") for data in series]
    signed = [word - 0x1_0000 if word & 0x8000 else word for word in words]
    return min(of_whole(words, 2).bits, of_whole(signed, 2, signed=True).bits)


def _tag(name: str, order: str) -> str:
    return f" {name} {order}".rstrip()
