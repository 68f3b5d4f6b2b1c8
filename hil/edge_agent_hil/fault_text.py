"""How faults are written on a command line: values, ranges, and what was meant by a word that is none. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any

from edge_agent.core.quantity import NS, duration_ns

Parse = Callable[[str], Any]
Ranges = list[tuple[int, int]]


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
