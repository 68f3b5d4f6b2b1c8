"""Which requests read a set of tags: pure, deterministic, the fewest there can be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from edge_agent_modbus.address import Area
from edge_agent_modbus.value import ValueType


@dataclass(frozen=True, slots=True)
class Field:
    """Where one tag lies on the wire, how its value is made of what lies there, and where it goes.

    slot     its place in the row of its scan group
    start    first address, zero-based; count  addresses it takes (registers, or bits of a bit area)
    order    one letter for each byte; of a string also A and B (see `allowed_orders`)
    bit      the lowest bit, in its register, of a bool or an 8-bit value (0: low byte, 8: high byte)
    length   bytes of a string or of bytes; encoding  of a string
    mask     value = (raw & mask) >> shift; 0: all bits
    texts    number → text: the value is the text; empty: the value is the number
    inverted the value of a bool is the opposite of the bit
    multiple it is written with the functions for many (15, 16) even if it is one coil or register
    """

    slot: int
    area: Area
    start: int
    count: int
    type: ValueType
    order: str = "AB"
    bit: int = 0
    length: int = 0
    encoding: str = "utf-8"
    mask: int = 0
    shift: int = 0
    texts: tuple[tuple[int, str], ...] = ()
    inverted: bool = False
    multiple: bool = False

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.start + self.count

    @property
    def is_partial(self) -> bool:
        """Whether its registers hold bits that are not its own, which writing must leave alone."""
        if self.area.is_bits:
            return False
        return self.type.name == "bool" or self.type.size == 1 or bool(self.mask or self.shift)


@dataclass(frozen=True, slots=True)
class Block:
    """One request: `count` addresses of an area from `start` on, and the tags found in them."""

    area: Area
    start: int
    count: int
    fields: tuple[Field, ...]

    @property
    def size(self) -> int:
        """Bytes of values in the answer."""
        return (self.count + 7) // 8 if self.area.is_bits else 2 * self.count

    def __str__(self) -> str:
        """`holding 0..61`."""
        last = f"..{self.start + self.count - 1}" if self.count > 1 else ""
        return f"{self.area.word} {self.start}{last}"


@dataclass(frozen=True, slots=True)
class Caps:
    """What one request may span; `gap` registers (16 times as many bits) may be read for nothing."""

    max_registers: int = 125
    max_bits: int = 2_000
    gap: int = 125


def plan(fields: Iterable[Field], caps: Caps) -> list[Block]:
    """The fewest blocks such that each field lies whole in exactly one, ordered by area and address.

    Taking fields by start address and filling each block as far as it goes is optimal: a field
    that no longer fits starts the next block, and every later field starts behind it.
    """
    blocks: list[Block] = []
    run: list[Field] = []
    end = 0
    for field in sorted(fields, key=lambda f: (f.area, f.start, f.count, f.slot)):
        if run and _joins(run[0], end, field, caps):
            run.append(field)
            end = max(end, field.end)
            continue
        if run:
            blocks.append(block_of(run))
        run, end = [field], field.end
    if run:
        blocks.append(block_of(run))
    return blocks


def _joins(first: Field, end: int, field: Field, caps: Caps) -> bool:
    cap, gap = (caps.max_bits, 16 * caps.gap) if field.area.is_bits else (caps.max_registers, caps.gap)
    return (
        field.area is first.area and field.start - end <= gap and max(end, field.end) - first.start <= cap
    )


def block_of(fields: Sequence[Field]) -> Block:
    """The smallest block around fields of one area, which are in order of their start."""
    start = fields[0].start
    return Block(fields[0].area, start, max(f.end for f in fields) - start, tuple(fields))


def halves(block: Block) -> list[Block]:
    """The block cut between two different places, nearest the middle; [] if all tags share one."""
    places = [(field.start, field.count) for field in block.fields]
    cuts = [i for i, (one, next_one) in enumerate(pairwise(places), 1) if one != next_one]
    if not cuts:
        return []
    cut = min(cuts, key=lambda i: (abs(2 * i - len(block.fields)), i))
    return [block_of(block.fields[:cut]), block_of(block.fields[cut:])]
