"""A tag in one line: `input:10 int16 x0.1 unit=Cel range=-40..400 poll=5s`.

The first word is the address. Then, in any order: a type, with the length of a text or the number
of elements of an array in brackets; an order of bytes; an encoding; `x0.1` for scale and `+5` or
`-40` for offset; the words `invert` and `write`; and every other key as `key=value`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Any, Final, get_args

from edge_agent_modbus.address import parse_address
from edge_agent_modbus.text import USUAL, is_encoding
from edge_agent_modbus.value import KNOWN_AS, TYPES, Order

_NUMBER_FORM: Final = r"[-+]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?"
_NUMBER: Final = re.compile(_NUMBER_FORM)
_SCALE: Final = re.compile(f"[x×]({_NUMBER_FORM})")
_OFFSET: Final = re.compile(rf"(?=[-+]){_NUMBER_FORM}")
_WHOLE: Final = re.compile(r"[0-9]{1,20}|0[xX][0-9a-fA-F]{1,16}")
_TYPE: Final = re.compile(r"([A-Za-z][A-Za-z0-9_]*)\[([^\]]*)\]|([A-Za-z][A-Za-z0-9_]*)")
_PAIR: Final = re.compile(r"([^=]*)=(.*)", re.DOTALL)
_ORDERS: Final = get_args(Order)
_ENOUGH: Final = 0.6     # less alike than this, a hint misleads more than it helps


def read_line(line: str) -> dict[str, Any]:
    """The keys and values that the mapping form would have; ValueError names the word that is wrong."""
    words = line.split()
    if not words:
        raise ValueError("says nothing; write an address, for example holding:0")
    parse_address(words[0])
    keys: dict[str, Any] = {"address": words[0]}
    for word in words[1:]:
        for key, value in _read(word).items():
            if key in keys:
                raise ValueError(f"{word!r} says {key} a second time; keep one")
            keys[key] = value
    return keys


def _read(word: str) -> dict[str, Any]:
    if pair := _PAIR.fullmatch(word):
        return {pair[1]: _value(word, pair[1], pair[2])}
    if word == "invert":
        return {"invert": True}
    if word == "write":
        return {"write": {}}
    if scale := _SCALE.fullmatch(word):
        return {"scale": float(scale[1])}
    if _OFFSET.fullmatch(word):
        return {"offset": float(word)}
    if word in _ORDERS:
        return {"order": word}
    found = _TYPE.fullmatch(word)
    if found and (found[1] or found[3]) in TYPES:
        return _type(word, found[1] or found[3], found[2])
    if word[0].isalpha() and is_encoding(word):
        return {"encoding": word}
    raise ValueError(_unknown(word, found))


def _type(word: str, name: str, brackets: str | None) -> dict[str, Any]:
    if brackets is None:
        return {"type": name}
    if not _WHOLE.fullmatch(brackets):
        raise ValueError(f"{word!r} has no whole number in its brackets; write for example {name}[16]")
    return {"type": name, "length" if TYPES[name].is_text else "count": _whole(brackets)}


def _unknown(word: str, found: re.Match[str] | None) -> str:
    name = (found[1] or found[3]) if found else word
    meant = {known: known for known in (*TYPES, *USUAL, "invert", "write")}
    meant |= KNOWN_AS | {order.lower(): order for order in _ORDERS} | {key: f"{key}=…" for key in _KEYS}
    near = difflib.get_close_matches(name.lower(), meant, 1, _ENOUGH)
    if near:
        hint = f"did you mean {meant[near[0]]}?"
    else:
        hint = "after the address come a type, an order of bytes, x0.1 for scale, and key=value, such as poll=5s"
    return f"{word!r} says nothing about a tag; {hint}"


def _value(word: str, key: str, text: str) -> Any:
    if key not in _KEYS:
        near = difflib.get_close_matches(key, _KEYS, 1, 0.5)
        hint = f"did you mean {near[0]}=?" if near else f"keys: {', '.join(_KEYS)}"
        raise ValueError(f"{word!r} has a key that is none; {hint}")
    read, example = _KEYS[key]
    try:
        return read(text)
    except ValueError:
        raise ValueError(f"{word!r} cannot be read; write for example {key}={example}") from None


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError
    return float(text)


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError
    return int(text, 16 if text[1:2] in ("x", "X") else 10)


def _text(text: str) -> str:
    if not text:
        raise ValueError
    return text


def _span(text: str) -> list[float]:
    low, _, high = text.partition("..")
    return [_number(low), _number(high)]


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _map(text: str) -> dict[str, str]:
    pairs = [pair.partition(":") for pair in text.split(",")]
    if not all(colon and number and name for number, colon, name in pairs):
        raise ValueError
    if len({number for number, _, _ in pairs}) < len(pairs):
        raise ValueError
    return {number: name for number, _, name in pairs}


def _write(text: str) -> dict[str, Any]:
    if ".." in text:
        low, high = _span(text)
        return {"min": low, "max": high}
    values = text.split(",")
    if not all(values):
        raise ValueError
    return {"values": [_number(one) if _NUMBER.fullmatch(one) else one for one in values]}


_KEYS: Final[dict[str, tuple[Callable[[str], Any], str]]] = {
    "scale": (_number, "0.1"),
    "offset": (_number, "-40"),
    "unit": (_text, "Cel"),
    "deadband": (_number, "0.5"),
    "range": (_span, "-40..400"),
    "stale": (_text, "30s"),
    "type": (_text, "uint32"),
    "order": (_text, "CDAB"),
    "length": (_whole, "16"),
    "encoding": (_text, "gbk"),
    "count": (_whole, "8"),
    "mask": (_whole, "0xFF00"),
    "shift": (_whole, "8"),
    "map": (_map, "0:idle,1:run"),
    "invert": (_truth, "true"),
    "poll": (_text, "5s"),
    "write": (_write, "0..100"),
    "write_function": (_text, "multiple"),
}
