"""How faults are written on a command line: values, ranges, and what was meant by a word that is none. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from edge_agent.core.quantity import NS, duration_ns

Parse = Callable[[str], Any]
Ranges = list[tuple[int, int]]
Kinds = Mapping[str, Mapping[str, tuple[str, Parse, Any]]]
"""Of each fault: key → field, how to read it, what holds without it."""


def seconds(text: str) -> float:
    """`300ms` → 0.3. ValueError says what would be right."""
    return duration_ns(text) / NS["s"]


def number(low: int, high: int) -> Parse:
    """A whole number within limits."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"is no whole number from {low} to {high}")
        return int(text)

    return parse


def choice(*names: str) -> Parse:
    """One of some words."""

    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f"is none of {', '.join(names)}{meant(text, names)}")
        return text

    return parse


def ranges(highest: int) -> Parse:
    """`50-59,70` → [(50, 59), (70, 70)], both ends within."""

    def parse(text: str) -> Ranges:
        found = []
        for piece in text.split(","):
            low, _, high = piece.partition("-")
            if not (low.isdigit() and (high or low).isdigit()) or not int(low) <= int(high or low) <= highest:
                raise ValueError(f"is no list such as 50-59,70 with numbers up to {highest}")
            found.append((int(low), int(high or low)))
        return found

    return parse


def positive(text: str) -> float:
    """A duration that is not 0, in seconds."""
    value = seconds(text)
    if value <= 0:
        raise ValueError("is no time that passes; write one such as 300ms")
    return value


def share(text: str) -> float:
    """`0.1` or `10%`."""
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise ValueError("is no share; write a number such as 0.1 or 10%, at most 1")
    return value


def flag(text: str) -> bool:
    """`yes` or `no`; YAML's `true` and `false`, too."""
    return bool(choice("no", "yes", "false", "true")(text.lower()) in ("yes", "true"))


def fields(of: str, kinds: Kinds, name: str, said: Mapping[str, object]) -> dict[str, Any]:
    """The fields of a fault `name` of which this is `said`, with what holds where nothing is; ValueError names the
    key, its value and what would be right."""
    if name not in kinds:
        raise ValueError(f"{of} has no fault {name!r}{meant(name, kinds) or '; there are ' + ', '.join(kinds)}")
    kind = kinds[name]
    found = {field: default for field, _, default in kind.values()}
    for key, value in said.items():
        if key not in kind:
            raise ValueError(f"{name} takes no {key!r}{meant(key, kind) or takes(kind)}")
        field, parse, _ = kind[key]
        found[field] = read(f"{name}, {key}", str(value), parse)
    return found


def parts(text: str) -> tuple[str, dict[str, object]]:
    """`delay:by=300ms,way=up` → ("delay", {"by": "300ms", "way": "up"})."""
    name, _, rest = text.partition(":")
    said: dict[str, object] = {}
    for piece in rest.split(",") if rest else ():
        key, is_key, value = piece.partition("=")
        if not is_key:
            raise ValueError(f"{name}: {piece!r} is no KEY=VALUE; write such as delay:by=300ms,way=up")
        said[key] = value
    return name, said


def read(what: str, text: str, parse: Parse) -> Any:
    """What `text` says; ValueError names `what`, the text and what would be right."""
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(f"{what}: {text!r} {error}") from None


def meant(word: str, names: Iterable[str]) -> str:
    """`; did you mean …?` where one of the names is near."""
    near = get_close_matches(word, list(names), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def takes(known: Iterable[str]) -> str:
    """`; it takes …`, if it takes anything."""
    return f"; it takes {', '.join(known)}" if list(known) else ""
