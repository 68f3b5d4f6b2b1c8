"""What a device says of itself: function 43/14, read device identification.

Few devices know it, and some fall silent or hang up on what they do not know: so it is asked last, one
refusal or silence ends it, and an answer that makes no sense is none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from pymodbus.pdu.mei_message import ReadDeviceInformationRequest

from edge_agent_modbus.dialogue import Answer, pdu_of

# Modbus application protocol V1.1b3, 6.21
NAMES: Final = {
    0: "vendor", 1: "product code", 2: "revision", 3: "vendor's page", 4: "product", 5: "model", 6: "application",
}  # fmt: skip
_FUNCTION: Final = 0x2B
_MEI: Final = 14
_LEVELS: Final = (1, 2, 3)          # basic, regular, extended: streams of objects
_MORE: Final = 0xFF
_HEAD: Final = 7
# Answers of one level; an object has at least two bytes, so 256 of them fit into far fewer.
_MOST: Final = 32

Ask = Callable[[bytes, int], Awaitable[Answer]]
"""Sends a PDU, and returns the PDU that answers, or a code"""


async def identify(ask: Ask) -> dict[int, str]:
    """Object id → text; empty if the device does not know the function."""
    objects: dict[int, str] = {}
    for level in _LEVELS:
        conformity = await _level(ask, level, objects)
        if conformity & 0x7F <= level:
            break
    return objects


async def _level(ask: Ask, level: int, objects: dict[int, str]) -> int:
    """Adds what the level has; returns the level the device conforms to, 0 if that makes no sense."""
    first, conformity = 0, 0
    for _ in range(_MOST):
        answer = await ask(pdu_of(ReadDeviceInformationRequest(read_code=level, object_id=first)), 0)
        part = parse(answer, level) if isinstance(answer, bytes) else None
        if part is None:
            return 0
        conformity, following, found = part
        objects.update(found)
        if not found or following <= first:
            break
        first = following
    return conformity


def parse(pdu: bytes, level: int) -> tuple[int, int, dict[int, str]] | None:
    """Conformity level, the id to go on with (0: that was all), and the objects; None if it is no such answer."""
    if len(pdu) < _HEAD or pdu[0] != _FUNCTION or pdu[1] != _MEI or pdu[2] != level:
        return None
    objects: dict[int, str] = {}
    at = _HEAD
    for _ in range(pdu[6]):
        if at + 2 > len(pdu) or at + 2 + pdu[at + 1] > len(pdu):
            return None
        end = at + 2 + pdu[at + 1]
        if text := _text(pdu[at + 2 : end]):
            objects[pdu[at]] = text
        at = end
    return pdu[3], pdu[5] if pdu[4] == _MORE else 0, objects


def _text(data: bytes) -> str:
    """One line of printable characters; what is none of them is left out."""
    decoded = data.decode("utf-8", "replace").partition("\0")[0]
    return "".join(char for char in decoded if char.isprintable() and char != "\N{REPLACEMENT CHARACTER}").strip()


def summary(objects: dict[int, str]) -> str:
    """`Acme PM-5, revision 1.2`: who makes it and what it is, in one line."""
    names = (objects.get(0), objects.get(4) or objects.get(1))
    name = " ".join(filter(None, names))
    revision = f", revision {objects[2]}" if 2 in objects else ""
    return f"{name}{revision}" if name else ""
