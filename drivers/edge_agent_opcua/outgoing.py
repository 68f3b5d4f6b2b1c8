"""A value on its way to the server → the Variant of the type the server wants, or in words why it does not fit."""

from __future__ import annotations

import math
import struct
import uuid
from datetime import UTC, datetime
from typing import Any, Final

from asyncua import ua

from edge_agent.api import Value

BOOLEAN, STRING, DATE_TIME, GUID, BYTES, XML, LOCALIZED = 1, 12, 13, 14, 15, 16, 21
FLOAT, DOUBLE = 10, 11
# Built-in integer types (Part 6, 5.1.2): lowest and highest value.
INTEGERS: Final = {
    2: (-(2**7), 2**7 - 1), 3: (0, 2**8 - 1), 4: (-(2**15), 2**15 - 1), 5: (0, 2**16 - 1),
    6: (-(2**31), 2**31 - 1), 7: (0, 2**32 - 1), 8: (-(2**63), 2**63 - 1), 9: (0, 2**64 - 1),
}  # fmt: skip


def variant(raw: Value, builtin: int) -> Any:
    """`raw` as a `ua.Variant` of the built-in type. ValueError says what is wrong with it."""
    return ua.Variant(typed(raw, builtin), ua.VariantType(builtin))


def typed(raw: Value, builtin: int) -> Any:
    """`raw` as the library wants a value of that type."""
    name = _name(builtin)
    if builtin == BOOLEAN:
        if isinstance(raw, str) or raw not in (0, 1):
            raise ValueError(f"{raw!r} is not true or false, and the variable is a {name}")
        return bool(raw)
    if builtin in INTEGERS:
        return _whole(raw, *INTEGERS[builtin], name)
    if builtin in (FLOAT, DOUBLE):
        if isinstance(raw, str):
            raise ValueError(f"{raw!r} is no number, and the variable is a {name}")
        return _fits(float(raw), name) if builtin == FLOAT else float(raw)
    if builtin == DATE_TIME:
        if isinstance(raw, str):
            raise ValueError(f"{raw!r} is no number of seconds since 1970, and the variable is a {name}")
        return datetime.fromtimestamp(float(raw), UTC)
    return _text(str(raw), builtin, name) if isinstance(raw, str) else _no_text(raw, name)


def same(held: Any, raw: Value, builtin: int) -> bool:
    """Whether a value that was read back is what was written."""
    try:
        wanted = typed(raw, builtin)
    except ValueError:
        return False
    if builtin == FLOAT and isinstance(held, float):
        return struct.pack("<f", held) == struct.pack("<f", float(wanted))
    if builtin == LOCALIZED:
        return bool(getattr(held, "Text", None) == wanted.Text)
    if builtin == DATE_TIME and isinstance(held, datetime):
        return bool(abs((held - wanted).total_seconds()) < 1e-3)
    return bool(held == wanted)


def _whole(raw: Value, low: int, high: int, name: str) -> int:
    if isinstance(raw, str) or not math.isfinite(raw) or int(raw) != raw:
        raise ValueError(f"{raw!r} is no whole number, and the variable is a {name}")
    if not low <= raw <= high:
        raise ValueError(f"{raw!r} does not fit a {name}; from {low} to {high}")
    return int(raw)


def _fits(raw: float, name: str) -> float:
    try:
        struct.pack("<f", raw)
    except OverflowError:
        raise ValueError(f"{raw!r} does not fit a {name}") from None
    return raw


def _text(raw: str, builtin: int, name: str) -> Any:
    try:
        if builtin == GUID:
            return uuid.UUID(raw)
        if builtin == BYTES:
            return bytes.fromhex(raw)
    except ValueError:
        what = "a GUID" if builtin == GUID else "bytes in hex"
        raise ValueError(f"{raw!r} is not {what}, and the variable is a {name}") from None
    if builtin == LOCALIZED:
        return ua.LocalizedText(raw)
    if builtin == XML:
        return ua.XmlElement(raw)
    if builtin == STRING:
        return raw
    raise ValueError(f"a {name} cannot be written")


def _no_text(raw: Value, name: str) -> Any:
    raise ValueError(f"{raw!r} is no text, and the variable is a {name}")


def _name(builtin: int) -> str:
    try:
        return str(ua.VariantType(builtin).name)
    except ValueError:
        return f"value of type {builtin}"
