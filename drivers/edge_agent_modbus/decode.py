"""From the bytes of all answers of a scan to one row of values, without a step per value.

A decoder is compiled once for a list of blocks. It sees the answers' bytes end to end, and for
each type one index: which bytes make up the values, in the order of this machine. The order of
bytes of a tag is only a permutation inside that index, so that tags of different orders and
different blocks are gathered in one move. Bits, of registers and of bit areas alike, are
gathered from the bytes unpacked. Numbers that need another step (masks, BCD, maps) are groups of
their own, so that the others do not pay for it. Texts, few and slow to change, are taken one by one.

All values become float64; integers beyond 2^53 are rounded to the nearest it can hold.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextvars import Context
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_agent.api import Floats, Vocabulary
from edge_agent_modbus.finish import Finish, finish_of
from edge_agent_modbus.plan import Block, Field
from edge_agent_modbus.text import decoded, from_wire
from edge_agent_modbus.value import byte_offsets

Slots = slice | NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Numbers:
    """All values of one type: `index` has the bytes of the first value, then of the second, …

    `dtype` is how those bytes are read. Where the values stand one after the other and their bytes in
    an order NumPy knows, `index` is the byte of the first instead, and `dtype` has that order.
    """

    dtype: np.dtype[np.generic]
    slots: Slots
    index: NDArray[np.intp] | int
    count: int

    def values(self, data: bytes) -> NDArray[np.generic]:
        """The values in `data`, shape (count,)."""
        if isinstance(self.index, int):
            return np.frombuffer(data, self.dtype, self.count, self.index)
        return np.frombuffer(data, np.uint8)[self.index].view(self.dtype)


@dataclass(frozen=True, slots=True)
class _Bits:
    """All bits: `index` has the place of each among all bits of the answers."""

    slots: Slots
    index: Slots

    def values(self, data: bytes) -> NDArray[np.uint8]:
        """The bits in `data`, one a byte."""
        return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[self.index]


class _Text:
    """One text tag; remembers its last bytes, which rarely change."""

    __slots__ = ("_code", "_end", "_field", "_raw", "_start", "_vocabulary", "slot")

    def __init__(self, field: Field, offset: int, vocabulary: Vocabulary) -> None:
        self.slot = field.slot
        self._field = field
        self._start, self._end = offset, offset + 2 * field.count
        self._vocabulary = vocabulary
        self._raw, self._code = b"", np.nan

    def code(self, data: bytes) -> float:
        """The code of the text in `data`."""
        raw = data[self._start : self._end]
        if raw != self._raw:
            self._code = self._vocabulary.code(text_of(self._field, raw))
            self._raw = raw
        return self._code


class Decoder:
    """Turns the answers to `blocks`, joined, into a row of `width` values.

    Slots that no field of the blocks fills are NaN, as is a text that its vocabulary has no room
    for, a number that its map does not have, and BCD with a digit above 9. `vocabularies` are by
    slot.
    """

    def __init__(self, blocks: Sequence[Block], width: int, vocabularies: Mapping[int, Vocabulary]) -> None:
        self._width = width
        self._complete = sum(len(block.fields) for block in blocks) == width
        numbers: defaultdict[str, list[tuple[int, list[int]]]] = defaultdict(list)
        more: defaultdict[tuple[str, ...], list[tuple[Field, int]]] = defaultdict(list)
        bits: list[tuple[int, int]] = []
        self._texts: list[_Text] = []
        for block, begin in zip(blocks, _begins(blocks), strict=True):
            for field in block.fields:
                offset = begin + 2 * (field.start - block.start)
                if field.type.is_text:
                    self._texts.append(_Text(field, offset, vocabularies[field.slot]))
                elif way := _way(field):
                    place = _bit_index(block, begin, field) if field.type.name == "bool" else offset
                    more[way].append((field, place))
                elif field.type.name == "bool":
                    bits.append((field.slot, _bit_index(block, begin, field)))
                else:
                    numbers[field.type.code].append((field.slot, _native(offset, field)))
        groups = [_numbers(code, entries) for code, entries in sorted(numbers.items())]
        self._whole = [group for group in groups if group.dtype.kind != "f"]
        self._floats = [group for group in groups if group.dtype.kind == "f"]
        # A signalling NaN is a NaN, not a warning. To step into a context in which that is so
        # takes a tenth of the time that np.errstate takes, which is as long as 60 values do.
        self._unwarned = Context()
        self._unwarned.run(np.seterr, invalid="ignore")
        self._bits = _bits(bits) if bits else None
        self._more = [_finished(way, entries, vocabularies) for way, entries in sorted(more.items())]
        self._only = groups[0] if self._is_one_piece(groups) else None

    def _is_one_piece(self, groups: Sequence[_Numbers]) -> bool:
        """Whether the row is the values of one type as they come."""
        if len(groups) != 1 or not self._complete:
            return False
        slots = groups[0].slots
        return isinstance(slots, slice) and slots == slice(0, self._width)

    def decode(self, data: bytes) -> Floats:
        """A fresh row, shape (width,), from the joined bytes of one answer to each block."""
        if self._only is not None:
            if self._floats:
                return self._unwarned.run(_as_floats, self._only, data)
            return _as_floats(self._only, data)
        row = np.empty(self._width) if self._complete else np.full(self._width, np.nan)
        for group in self._whole:
            row[group.slots] = group.values(data)
        if self._floats:
            self._unwarned.run(self._put_floats, row, data)
        if self._bits is not None:
            row[self._bits.slots] = self._bits.values(data)
        for raw, finish in self._more:
            row[raw.slots] = finish(raw.values(data))
        for text in self._texts:
            row[text.slot] = text.code(data)
        return row

    def _put_floats(self, row: Floats, data: bytes) -> None:
        for group in self._floats:
            row[group.slots] = group.values(data)


def _as_floats(group: _Numbers, data: bytes) -> Floats:
    return group.values(data).astype(np.float64)


def text_of(field: Field, raw: bytes) -> str:
    """The text of a string in its registers; of bytes, two hexadecimal digits each."""
    data = from_wire(raw, field.length, field.order)
    return decoded(data, field.encoding) if field.type.name == "string" else data.hex()


def _way(field: Field) -> tuple[str, ...]:
    """What has to be done to the raw values besides reading them; () if that is all."""
    steps = (
        ("mask", field.mask or field.shift),
        ("bcd", field.type.digits),
        ("units", field.type.per_unit != 1),
        ("invert", field.inverted),
        ("map", field.texts),
    )
    wanted = tuple(name for name, needed in steps if needed)
    return (field.type.code, *wanted) if wanted else ()


def _finished(
    way: tuple[str, ...], entries: list[tuple[Field, int]], vocabularies: Mapping[int, Vocabulary]
) -> tuple[_Numbers | _Bits, Finish]:
    finish = finish_of(way[1:], [field for field, _ in entries], vocabularies)
    if way[0]:
        return _numbers(way[0], [(field.slot, _native(offset, field)) for field, offset in entries]), finish
    return _bits([(field.slot, index) for field, index in entries]), finish


def _begins(blocks: Sequence[Block]) -> list[int]:
    begins, at = [], 0
    for block in blocks:
        begins.append(at)
        at += block.size
    return begins


def _bit_index(block: Block, begin: int, field: Field) -> int:
    """Which of the bits, counted from the least significant of the first byte, is the field's."""
    if block.area.is_bits:
        return 8 * begin + field.start - block.start
    high, low = byte_offsets(field.order)
    register = begin + 2 * (field.start - block.start)
    return 8 * (register + (low if field.bit < 8 else high)) + field.bit % 8


def _native(offset: int, field: Field) -> list[int]:
    """The places of a value's bytes, in the order in which this machine keeps them."""
    places = [offset + i for i in places_of(field)]
    return places[::-1] if sys.byteorder == "little" else places


def places_of(field: Field) -> tuple[int, ...]:
    """Where the bytes of a number stand in its registers, most significant first."""
    if field.type.size == 1:
        return (0,) if field.bit else (1,)
    return byte_offsets(field.order)


def _bits(entries: list[tuple[int, int]]) -> _Bits:
    return _Bits(*(_as_slice(np.array(column)) for column in zip(*entries, strict=True)))


def _numbers(code: str, entries: list[tuple[int, list[int]]]) -> _Numbers:
    slots = _as_slice(np.array([slot for slot, _ in entries]))
    dtype, places = np.dtype(code), [place for _, places in entries for place in places]
    if places == list(range(places[0], places[0] + len(places))):
        return _Numbers(dtype, slots, places[0], len(entries))
    size = dtype.itemsize
    swapped = [place for n in range(0, len(places), size) for place in places[n : n + size][::-1]]
    if swapped == list(range(swapped[0], swapped[0] + len(swapped))):
        return _Numbers(dtype.newbyteorder(), slots, swapped[0], len(entries))
    return _Numbers(dtype, slots, np.array(places, np.intp), len(entries))


def _as_slice(slots: NDArray[np.intp]) -> Slots:
    """A slice writes several times faster than an index."""
    first, last = int(slots[0]), int(slots[-1]) + 1
    return slice(first, last) if np.array_equal(slots, np.arange(first, last)) else slots
