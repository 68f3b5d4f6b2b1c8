"""Where an encoded value ends (OPC UA Part 6, 5.2.2), found without decoding it.

asyncua trusts every length it reads: a negative one makes it step back, and a huge array of nulls keeps it busy
for ever. So the end of what it is given is looked for first. It also does not know the standard's inner
DiagnosticInfo, nor structures in XML; behind them it would go on at the wrong byte.

All functions take the data and a position, and return the position behind the value. ValueError says what is
wrong at which byte; the end of the data is never passed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from asyncua import ua
from asyncua.ua.ua_binary import nodeid_from_binary

ARRAY: Final = 0x80             # in the first byte of a Variant (Part 6, 5.2.2.16); the type number is in the low bits
DIMENSIONS: Final = 0x40
TYPE: Final = 0x3F
EXTENSION_OBJECT: Final = 22

# The length of a null text, array or body.
NULL: Final = b"\xff\xff\xff\xff"

# Variant in Variant in DataValue …: decoders must take 100 levels (Part 6, 5.1.9), and refuse too many.
DEPTH: Final = 100

# Built-in types of one size (Part 6, 5.2.2), bytes, by their number.
SIZES: Final = {
    0: 0, 1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 4, 8: 8, 9: 8, 10: 4, 11: 8, 13: 8, 14: 16, 19: 4,
}  # fmt: skip

TAILS: Final = bytes(
    4 * (mask >> 1 & 1) + 8 * (mask >> 2 & 3).bit_count() + 2 * (mask >> 4 & 3).bit_count() for mask in range(256)
)
"""Bytes behind the value of a DataValue, by its mask (5.2.2.17): status 4, times 8 each, their picoseconds 2 each."""

# The parts of a NodeId behind its first byte: identifiers of one size, and those with a length (5.2.2.9).
_NODE_ID: Final = {0: 1, 1: 3, 2: 6, 4: 18}
_NODE_ID_LONG: Final = (3, 5)
_NODE_ID_URI, _NODE_ID_SERVER = 0x80, 0x40


class Lengthless(Exception):
    """A structure whose server left its length out (-1): only who knows its fields finds the end."""


def wrong(what: str, at: int, why: str) -> ValueError:
    """The error for something malformed."""
    return ValueError(f"{what} at byte {at} {why}")


def within(data: bytes, at: int, size: int, what: str) -> int:
    """The position behind `size` bytes."""
    end = at + size
    if end > len(data):
        raise wrong(what, at, f"needs {size} bytes, there are {max(0, len(data) - at)}")
    return end


def byte(data: bytes, at: int, what: str) -> int:
    """The byte at `at`."""
    within(data, at, 1, what)
    return data[at]


def uint32(data: bytes, at: int, what: str) -> int:
    """The UInt32 at `at`."""
    return int.from_bytes(data[at : within(data, at, 4, what)], "little")


def counted(data: bytes, at: int, size: int, what: str) -> tuple[int, int]:
    """Elements of the array at `at` (0 for a null array), and where the first begins.

    ValueError if so many elements of at least `size` bytes cannot follow. Of nothing there cannot be more
    than one a byte either.
    """
    begin = within(data, at, 4, what)
    count = int.from_bytes(data[at:begin], "little", signed=True)
    if count < -1 or count * max(size, 1) > len(data) - begin:
        raise wrong(what, at, f"has the length {count}, with {len(data) - begin} bytes to come")
    return max(count, 0), begin


def bytes_end(data: bytes, at: int, what: str = "a text") -> int:
    """String, ByteString, XmlElement: a length and as many bytes; -1 is null."""
    count, begin = counted(data, at, 1, what)
    return begin + count


def node_id_end(data: bytes, at: int) -> int:
    """NodeId and ExpandedNodeId."""
    head = byte(data, at, "a node id")
    form = head & TYPE
    if form in _NODE_ID:
        end = within(data, at + 1, _NODE_ID[form], "a node id")
    elif form in _NODE_ID_LONG:
        end = bytes_end(data, at + 3, "a node id")
    else:
        raise wrong("a node id", at, f"has the unknown encoding {form}")
    if head & _NODE_ID_URI:
        end = bytes_end(data, end, "a namespace URI")
    return within(data, end, 4, "a server index") if head & _NODE_ID_SERVER else end


def type_id(data: bytes, at: int) -> tuple[int | None, int]:
    """The number of a node id of namespace 0, which names an encoding; None for every other. And its end."""
    end = node_id_end(data, at)
    head = data[at]
    if head & (_NODE_ID_URI | _NODE_ID_SERVER):
        raise wrong("a type id", at, "has a namespace URI or a server index, which only an ExpandedNodeId may have")
    if head == 0:
        return data[at + 1], end
    if head == 1:
        return (None if data[at + 1] else int.from_bytes(data[at + 2 : end], "little")), end
    if head == 2:
        return (None if data[at + 1] or data[at + 2] else int.from_bytes(data[at + 3 : end], "little")), end
    return None, end


def extension_end(data: bytes, at: int) -> int:
    """ExtensionObject (5.2.2.15): type id, encoding (0 no body, 1 binary, 2 XML), and a body with its length.

    `Lengthless` where asyncua knows the structure, and so its fields; else the missing length is a null body.
    """
    number, body = type_id(data, at)
    encoding = byte(data, body, "a structure")
    if encoding == 0:
        return body + 1
    if encoding > 2:
        raise wrong("a structure", body, f"has the unknown encoding {encoding}")
    end = bytes_end(data, body + 1, "a structure")
    lengthless = encoding == 1 and number != 0 and data[body + 1 : end] == NULL
    if lengthless and nodeid_from_binary(ua.utils.Buffer(data, at, body - at)) in ua.extension_objects_by_typeid:
        raise Lengthless
    return end


def diagnostic_end(data: bytes, at: int, depth: int = 0) -> int:
    """DiagnosticInfo (5.2.2.12): a mask, up to four Int32, a text, a StatusCode, and another DiagnosticInfo."""
    mask = byte(data, at, "diagnostic info")
    end = within(data, at + 1, 4 * (mask & 0x0F).bit_count(), "diagnostic info")
    if mask & 0x10:
        end = bytes_end(data, end, "diagnostic info")
    if mask & 0x20:
        end = within(data, end, 4, "diagnostic info")
    return diagnostic_end(data, end, _deeper(depth, at)) if mask & 0x40 else end


def diagnostics_end(data: bytes, at: int) -> int:
    """DiagnosticInfo[]."""
    count, at = counted(data, at, 1, "diagnostic infos")
    for _ in range(count):
        at = diagnostic_end(data, at)
    return at


def variant_end(data: bytes, at: int, depth: int = 0) -> int:
    """Variant (5.2.2.16): a value, or an array of them, perhaps with dimensions."""
    head = byte(data, at, "a value")
    kind, depth = head & TYPE, _deeper(depth, at)
    if not head & ARRAY:
        if head & DIMENSIONS:
            raise wrong("a value", at, "has dimensions, but is no array")
        return _scalar_end(data, at + 1, kind, depth)
    size = SIZES.get(kind)
    count, end = counted(data, at + 1, 1 if size is None else size, "an array")
    if size is not None:
        end += count * size
    else:
        for _ in range(count):
            end = _scalar_end(data, end, kind, depth)
    if head & DIMENSIONS:
        count, end = counted(data, end, 4, "the dimensions of an array")
        end += 4 * count
    return end


def _scalar_end(data: bytes, at: int, kind: int, depth: int) -> int:
    size = SIZES.get(kind)
    if size is not None:
        return within(data, at, size, "a value")
    end = _ENDS.get(kind)
    if end is not None:
        return end(data, at, depth)
    return bytes_end(data, at)      # texts, and types not yet in use, which are read as ByteString (5.2.2.16)


def _deeper(depth: int, at: int) -> int:
    if depth >= DEPTH:
        raise wrong("a value", at, f"is nested deeper than {DEPTH} levels")
    return depth + 1


def _qualified_name_end(data: bytes, at: int, _depth: int) -> int:
    return bytes_end(data, at + 2)


def _localized_text_end(data: bytes, at: int, _depth: int) -> int:
    mask, end = byte(data, at, "a localized text"), at + 1
    for _ in range((mask & 3).bit_count()):
        end = bytes_end(data, end, "a localized text")
    return end


def _data_value_end(data: bytes, at: int, depth: int) -> int:
    mask, end = byte(data, at, "a data value"), at + 1
    if mask & 1:
        end = variant_end(data, end, depth)
    return within(data, end, TAILS[mask], "a data value")


_ENDS: Final[dict[int, Callable[[bytes, int, int], int]]] = {
    17: lambda data, at, _depth: node_id_end(data, at),
    18: lambda data, at, _depth: node_id_end(data, at),
    20: _qualified_name_end,
    21: _localized_text_end,
    EXTENSION_OBJECT: lambda data, at, _depth: extension_end(data, at),
    23: _data_value_end,
    24: variant_end,
    25: diagnostic_end,
}
