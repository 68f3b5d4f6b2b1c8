"""Texts in registers: which byte holds a character, and how characters are encoded."""

from __future__ import annotations

import codecs
import difflib
from typing import Final

# For the hint only: what devices really use. Every text codec of Python's is understood.
USUAL: Final = (
    "utf-8", "ascii", "latin-1", "gbk", "gb18030", "gb2312", "big5", "shift_jis", "euc_kr", "cp1251", "cp1252",
    "utf-16-be", "utf-16-le",
)  # fmt: skip

# Codecs that are called text encodings and write source code or host names, or nothing at all.
_NO_TEXTS: Final = frozenset({"idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "mbcs", "oem"})

_NUL: Final = "\0"


def is_encoding(name: str) -> bool:
    """Whether `name` is a text encoding that a tag may have."""
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError, ImportError):
        return False
    is_text = getattr(found, "_is_text_encoding", True)
    return bool(is_text) and found.name.replace("_", "-") not in _NO_TEXTS


def check_encoding(name: str) -> str:
    """`name` if a tag may have it; else ValueError with what is near it."""
    if is_encoding(name):
        return name
    near = difflib.get_close_matches(name.lower(), USUAL, 1, 0.6)
    hint = f"did you mean {near[0]}?" if near else f"for example {', '.join(USUAL[:5])}"
    raise ValueError(f"{name!r} is not an encoding of texts; {hint}")


def registers_of(length: int, order: str) -> int:
    """How many registers `length` bytes take."""
    return length if order in ("A", "B") else (length + 1) // 2


def from_wire(raw: bytes, length: int, order: str) -> bytes:
    """The `length` bytes that the registers `raw` hold, in the order in which they are read."""
    if order == "A":
        return raw[::2]
    if order == "B":
        return raw[1::2]
    return (_swapped(raw) if order == "BA" else raw)[:length]


def to_wire(data: bytes, length: int, order: str) -> bytes:
    """The inverse of `from_wire`: whole registers; what is not filled is NUL."""
    data = data.ljust(length, b"\0")
    if order in ("A", "B"):
        wire = bytearray(2 * length)
        wire[order == "B" :: 2] = data
        return bytes(wire)
    data = data.ljust(2 * registers_of(length, order), b"\0")
    return _swapped(data) if order == "BA" else data


def decoded(data: bytes, encoding: str) -> str:
    """Up to the first NUL, without trailing blanks; bytes that are no characters become U+FFFD."""
    return data.decode(encoding, "replace").partition(_NUL)[0].rstrip()


def encoded(text: str, length: int, encoding: str) -> bytes:
    """At most `length` bytes; ValueError if that does not do, or if NUL would cut the text."""
    if _NUL in text:
        raise ValueError(f"{text!r} holds a NUL, at which a device would end it")
    try:
        data = text.encode(encoding)
    except UnicodeError:
        raise ValueError(f"{text!r} has characters that {encoding} does not") from None
    if len(data) > length:
        raise ValueError(f"{text!r} takes {len(data)} bytes in {encoding}, more than the {length} of this tag")
    return data


def _swapped(raw: bytes) -> bytes:
    swapped = bytearray(raw)
    swapped[::2], swapped[1::2] = raw[1::2], raw[::2]
    return bytes(swapped)
