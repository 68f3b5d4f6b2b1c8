"""A verdict: what was expected, what was found, and whether it holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# Of a thousand findings these say what is wrong as well as all.
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """One line of the table."""

    name: str
    wanted: str
    found: str
    holds: bool
    detail: str = ""
    """for people, where it does not hold: which, when"""


def most(name: str, limit: int, found: Iterable[str]) -> Verdict:
    """Whether at most `limit` were found."""
    which = list(found)
    return Verdict(name, f"<= {limit}", str(len(which)), len(which) <= limit, some(which))


def no_truth(name: str, wanted: str) -> Verdict:
    """Of real equipment only."""
    return Verdict(name, wanted, "not judged: real equipment knows no truth", holds=True)


def some(which: list[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(which) - SHOWN} more" if len(which) > SHOWN else ""
    return "; ".join(which[:SHOWN]) + more


def seconds(ns: float | None) -> str:
    """`1.25 s`; never."""
    return "never" if ns is None else f"{ns / 1e9:.2f} s"


def megabytes(size: int) -> str:
    """`85.3 MB`."""
    return f"{size / 1e6:.1f} MB"
