"""How a tag is found: `holding:0`, `coil:3`, `holding:20.3` (a bit), `holding:20.high` (a byte), Modicon `40001`."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final, Literal

LAST: Final = 65_535
"""the last address there is on the wire"""

FORMS: Final = (
    "write holding:0, input:10, coil:3 or discrete:4, a bit of a register as holding:20.3, "
    "a byte of it as holding:20.high or holding:20.low, "
    'hexadecimal as holding:0x10, or a Modicon number in quotes such as "40001"'
)

_PART: Final = r"(?:\.([0-9]{1,9}|high|low))?"
_NAMED: Final = re.compile(r"([A-Za-z_ ]{1,40}?)\s*:\s*(0[xX][0-9a-fA-F]{1,40}|[0-9]{1,40})" + _PART)
_MODICON: Final = re.compile(r"([0134])([0-9]{4,5})" + _PART)

Half = Literal["high", "low"]
"""A byte of a register"""


class Area(IntEnum):
    """The four address spaces of a device; the number is the function code that reads it."""

    COIL = 1
    DISCRETE = 2
    HOLDING = 3
    INPUT = 4

    @property
    def is_bits(self) -> bool:
        """Whether an address of this area holds one bit (otherwise 16)."""
        return self <= Area.DISCRETE

    @property
    def word(self) -> str:
        """The area's name as users write it."""
        return self.name.lower()


_MODICON_AREA: Final = {"0": Area.COIL, "1": Area.DISCRETE, "3": Area.INPUT, "4": Area.HOLDING}
_MODICON_DIGIT: Final = {area: digit for digit, area in _MODICON_AREA.items()}


@dataclass(frozen=True, slots=True)
class Address:
    """An address as written: `number` counts from the device's base, or from 1 if `modicon`."""

    area: Area
    number: int
    bit: int | None = None
    modicon: bool = False
    half: Half | None = None

    def __str__(self) -> str:
        """As a user may write it."""
        part = self.half if self.bit is None else self.bit
        where = "" if part is None else f".{part}"
        if self.modicon:
            return f"{_MODICON_DIGIT[self.area]}{self.number:04d}{where}"
        return f"{self.area.word}:{self.number}{where}"

    def after(self, addresses: int, bits: int = 0) -> Address:
        """The place so many addresses further on, and so many bits if this is a bit of a register."""
        if self.bit is None:
            return replace(self, number=self.number + addresses + bits)
        further, bit = divmod(self.bit + bits, 16)
        return replace(self, number=self.number + addresses + further, bit=bit)

    def wire(self, base: int) -> int:
        """The zero-based address on the wire; ValueError if it lies outside 0..65535."""
        first = 1 if self.modicon else base
        wire = self.number - first
        if 0 <= wire <= LAST:
            return wire
        here = f" (this device counts from {first}: base: {first})" if first == base == 1 else ""
        raise ValueError(
            f"address {self.number} is outside {first}..{LAST + first}{here}; "
            f"the first is {self.area.word}:{first}"
        )


def parse_address(text: object) -> Address:
    """The address a text stands for; ValueError says which forms there are."""
    written = "" if isinstance(text, (bool, float)) else str(text).strip()
    if match := _NAMED.fullmatch(written):
        number = int(match[2], 16 if match[2][1:2] in ("x", "X") else 10)
        return _checked(Address(_area(match[1]), number, _bit(match[3]), half=_half(match[3])))
    if match := _MODICON.fullmatch(written):
        _check_modicon(match[1], match[2])
        area = _MODICON_AREA[match[1]]
        return _checked(Address(area, int(match[2]), _bit(match[3]), modicon=True, half=_half(match[3])))
    raise ValueError(f"{text!r} is not a Modbus address; {FORMS}")


def _bit(part: str | None) -> int | None:
    return None if part in (None, "high", "low") else int(str(part))


def _half(part: str | None) -> Half | None:
    return "high" if part == "high" else "low" if part == "low" else None


def _check_modicon(area: str, digits: str) -> None:
    last = LAST + 1 if len(digits) == 5 else 9_999
    if not 1 <= int(digits) <= last:
        raise ValueError(
            f"{area}{digits} is no Modicon number: those of {_MODICON_AREA[area].word} run from "
            f"{area}{1:0{len(digits)}d} (address 0 on the wire) to {area}{last}"
        )


def _area(word: str) -> Area:
    areas = [area.word for area in Area]
    if word in areas:
        return Area[word.upper()]
    near = difflib.get_close_matches(word.lower(), areas, 1, 0.5)
    meant = f"did you mean {near[0]}? " if near else ""
    raise ValueError(f"{word!r} is no area; {meant}the areas are {', '.join(areas)}")


def _checked(address: Address) -> Address:
    part = address.half if address.bit is None else address.bit
    if part is not None and address.area.is_bits:
        raise ValueError(f"a {address.area.word} is a single bit; leave out .{part}")
    if address.bit is not None and address.bit > 15:
        raise ValueError(f"bit {address.bit} is outside 0..15 (bit 0 is the least significant)")
    if address.number > LAST + 1:
        raise ValueError(f"address {address.number} is outside 0..{LAST}")
    return address
