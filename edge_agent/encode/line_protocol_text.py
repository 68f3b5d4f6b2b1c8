"""One line of InfluxDB's line protocol: `measurement,tag=… field=…,field=… time`, and its rules of escaping.

Source: InfluxDB v2 reference, "Line protocol". What the protocol cannot carry is written as near as can be, so that
a line always stays one line: a line break within a text becomes the two characters `\\n`, within a name a space; a
backslash within a name, which would escape whatever follows, becomes `/`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

Value = int | float | bool | str | None
"""A field. An `int` is stored as an integer and a `float` as a float, and a field keeps its first type for ever."""

_NAME: Final = str.maketrans({",": "\\,", " ": "\\ ", "\\": "/", "\n": "\\ ", "\r": "\\ ", "\0": ""})
_KEY: Final = _NAME | str.maketrans({"=": "\\="})
_TEXT: Final = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\\\n", "\r": "\\\\r", "\0": ""})


def measurement(name: str) -> str:
    """The name of a measurement, escaped. One that begins with # would be a comment."""
    return ("_" + name if name.startswith("#") else name).translate(_NAME)


def key(name: str) -> str:
    """A tag's name or value, or a field's name, escaped."""
    return name.translate(_KEY)


def text(value: str) -> str:
    """A field's text, quoted and escaped; a stray half character becomes a question mark."""
    proper = value if value.isascii() else value.encode("utf-8", "replace").decode()
    return f'"{proper.translate(_TEXT)}"'


def head(name: str, tags: Mapping[str, str]) -> str:
    """Measurement and tags, in the order that InfluxDB sorts fastest; a tag without a value is left out."""
    said = sorted((key(tag), key(value)) for tag, value in tags.items() if value)
    return ",".join((measurement(name), *(f"{tag}={value}" for tag, value in said)))


def line(name: str, tags: Mapping[str, str], fields: Mapping[str, Value], time: int | None) -> str:
    """A whole line, `time` in the unit of the batch (None: the server's); '' if no field has a value."""
    said = ",".join(f"{key(field)}={shown}" for field, value in fields.items() if (shown := _value(value)))
    if not said:
        return ""
    return f"{head(name, tags)} {said}" + ("" if time is None else f" {time}")


def _value(value: Value) -> str:
    """As the protocol writes it; '' for what has no value: None, NaN, infinity."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else ""
    return text(value)
