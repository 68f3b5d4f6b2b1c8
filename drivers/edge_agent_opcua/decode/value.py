"""One value: texts at once, everything else by asyncua, which sees the bytes of this value and no other."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from asyncua import ua
from asyncua.ua.ua_binary import extensionobject_from_binary, nodeid_from_binary, variant_from_binary

from edge_agent_opcua.changes import NOT_A_SCALAR
from edge_agent_opcua.decode.ends import (
    ARRAY,
    EXTENSION_OBJECT,
    Lengthless,
    counted,
    extension_end,
    node_id_end,
    variant_end,
    wrong,
)

STRING, DATE_TIME, BYTE_STRING, LOCALIZED_TEXT = 12, 13, 15, 21
_LAST_BUILT_IN: Final = 25

NUMBERS: Final = frozenset((*range(1, 12), DATE_TIME))
"""Built-in types that become a number: Boolean, the integers, Float, Double, DateTime."""

Value = tuple[int, float, Any, int]
"""type number, number (NaN if it is none), the object asyncua gives (None for numbers), and where the value ends"""


class _Piece(ua.utils.Buffer):  # type: ignore[misc]  # asyncua is one third annotated: mypy does not follow it
    """What asyncua may read: never backwards, which is where a negative length would lead it."""

    def read(self, size: int) -> bytes:
        if size < 0:
            raise ValueError(f"a length of {size}")
        data: bytes = super().read(size)
        return data

    def skip(self, size: int) -> None:
        if size < 0:
            raise ValueError(f"a length of {size}")
        super().skip(size)

    def copy(self, size: int = -1) -> _Piece:
        return _Piece(self._data, self._cur_pos, len(self) if size < 0 else min(size, len(self)))


def value(data: bytes, at: int, encoding: str) -> Value:
    """The Variant at `at`; texts are in `encoding`."""
    head = data[at] if at < len(data) else -1
    if head in (STRING, BYTE_STRING):
        text, end = _text(data, at + 1, encoding if head == STRING else "")
        return head, math.nan, text, end
    if head == LOCALIZED_TEXT:
        return _localized_text(data, at + 1, encoding)
    found, end = variant(data, at)
    kind, number, other = _told(found)
    return kind, number, other, end


def _text(data: bytes, at: int, encoding: str) -> tuple[str | bytes | None, int]:
    """A String in `encoding`, a ByteString if that is "", or null; and its end."""
    begin = at + 4
    end = begin + int.from_bytes(data[at:begin], "little", signed=True)
    if not begin <= end <= len(data):
        counted(data, at, 1, "a text")          # says what is wrong, if it is not null
        return None, begin
    return (str(data[begin:end], encoding, "surrogateescape") if encoding else data[begin:end]), end


def _localized_text(data: bytes, at: int, encoding: str) -> Value:
    mask = data[at] if at < len(data) else 0
    locale = text = None
    end = at + 1
    if mask & 1:
        locale, end = _text(data, end, encoding)
    if mask & 2:
        text, end = _text(data, end, encoding)
    if end > len(data):
        raise wrong("a localized text", at, "is cut off")
    return LOCALIZED_TEXT, math.nan, ua.LocalizedText(text, locale), end


def _told(found: Any) -> tuple[int, float, Any]:
    """What the columns say of a Variant: type, number, object."""
    kind = found.VariantType.value
    # asyncua takes a Variant in a Variant out, and may have an array in its hand without saying so
    if found.is_array or isinstance(found.Value, list) or kind > _LAST_BUILT_IN:
        return NOT_A_SCALAR, math.nan, found.Value
    if kind not in NUMBERS:
        return kind, math.nan, found.Value
    return kind, found.Value.timestamp() if kind == DATE_TIME else float(found.Value), None


def variant(data: bytes, at: int) -> tuple[Any, int]:
    """The `ua.Variant` at `at`, and its end.

    A structure that asyncua cannot decode, because what it has learned of its fields does not fit, or
    because it is in XML, is an `ua.ExtensionObject` with its bytes, like one it knows nothing of.
    """
    try:
        end = variant_end(data, at)
    except Lengthless:
        piece = _Piece(data, at, len(data) - at)
        return _decoded(variant_from_binary, piece, at), piece.cur_pos
    try:
        return _whole(variant_from_binary, data, at, end), end
    except ValueError:
        if data[at] & ~ARRAY != EXTENSION_OBJECT:
            raise
    return _structures(data, at), end


def _structures(data: bytes, at: int) -> Any:
    """The Variant at `at` of one structure or an array of them, each for itself."""
    kind = ua.VariantType.ExtensionObject
    if not data[at] & ARRAY:
        return ua.Variant(_structure(data, at + 1)[0], kind)
    count, begin = counted(data, at + 1, 1, "an array")
    structures = []
    for _ in range(count):
        one, begin = _structure(data, begin)
        structures.append(one)
    return ua.Variant(structures, kind, is_array=True)


def _structure(data: bytes, at: int) -> tuple[Any, int]:
    end = extension_end(data, at)
    try:
        return _whole(extensionobject_from_binary, data, at, end), end
    except ValueError:
        behind = node_id_end(data, at)
        node = _whole(nodeid_from_binary, data, at, behind)
        begin = behind + 1 + 4                       # the encoding, and the length if there is a body
        body = data[begin:end] if end > begin else None
        return ua.ExtensionObject(TypeId=node, Body=body), end


def skip_structure(data: bytes, at: int) -> int:
    """The end of an ExtensionObject whose content does not matter."""
    try:
        return extension_end(data, at)
    except Lengthless:
        piece = _Piece(data, at, len(data) - at)
        _decoded(extensionobject_from_binary, piece, at)
        end: int = piece.cur_pos
        return end


def _whole(decode: Callable[[Any], Any], data: bytes, at: int, end: int) -> Any:
    piece = _Piece(data, at, end - at)
    found = _decoded(decode, piece, at)
    if len(piece):
        raise wrong("a value", at, f"has {len(piece)} bytes that asyncua does not know")
    return found


def _decoded(decode: Callable[[Any], Any], piece: _Piece, at: int) -> Any:
    try:
        return decode(piece)
    except Exception as error:      # asyncua fails with whatever the bytes led it to
        raise wrong("a value", at, f"cannot be decoded: {type(error).__name__}: {error}") from error
