"""Recorded history: what the files and folders given to a replay have in common.

A history is read in pieces; whatever is odd about it, down to single rows, is counted in `Found` and told in
`notes`, a sentence each. A file that cannot be understood at all is a `HistoryError`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.config.finding import did_you_mean
from edge_agent.core.batch import Batch
from edge_agent.core.quality import BAD, GOOD, UNCERTAIN
from edge_agent.core.tags import Kind
from edge_agent.errors import EdgeAgentError
from edge_agent.replay.plan import Plan

QUALITIES: Final = {"good": GOOD, "uncertain": UNCERTAIN, "bad": BAD, "": GOOD}
"""How histories write a quality; nothing is good."""

COLUMNS: Final = ("time", "tag", "value", "quality")
NEEDED: Final = COLUMNS[:3]

SHOWN: Final = 20
"""So many odd rows are shown, and so many unknown tags."""

UNKNOWN: Final = -2
UNUSED: Final = -1
OTHERS: Final = -3      # another machine of the same replay draws from it


@dataclass(frozen=True, slots=True)
class Place:
    """Where a history is wrong, and what would be right; `line` 0 is the whole file."""

    file: str
    message: str
    line: int = 0
    column: str = ""
    value: str | None = None
    hint: str = ""

    def __str__(self) -> str:
        """`day.csv:17: value: 'RUN' is no number (press-1.state is int); write 0, 1 …`."""
        line = f":{self.line}" if self.line else ""
        column = f"{self.column}: " if self.column else ""
        value = "" if self.value is None else f"{self.value!r} "
        return f"{self.file}{line}: {column}{value}{self.message}" + (f"; {self.hint}" if self.hint else "")


@dataclass
class Places:
    """Odd rows: all are counted, the first `SHOWN` kept."""

    n: int = 0
    first: list[Place] = field(default_factory=list)

    def add(self, place: Place) -> None:
        """One more."""
        self.n += 1
        if len(self.first) < SHOWN:
            self.first.append(place)

    def notes(self, what: str) -> list[str]:
        """A sentence for each kept, and how many there are: `what` was done with them."""
        if not self.n:
            return []
        more = f", the first {SHOWN} shown" if self.n > SHOWN else ""
        return [*map(str, self.first), f"{_plural(self.n, 'row')} {what}{more}"]


class HistoryError(EdgeAgentError):
    """A history cannot be read; `more` places are not shown."""

    def __init__(self, *places: Place, more: int = 0) -> None:
        self.places, self.more = places, more
        lines = [*map(str, places), *([f"… and {more} more"] if more else [])]
        super().__init__("\n".join(lines))


class History(Protocol):
    """One file, of samples in any order."""

    name: str

    def batches(self, names: Names) -> Iterator[Batch]:
        """Its samples of wanted tags; raises `HistoryError`."""
        ...


@dataclass
class Found:
    """What was found beside the samples that were used."""

    samples: int = 0
    others: list[int] = field(default_factory=list)     # times of the first and last sample of `OTHERS`
    unused: int = 0                                     # samples of tags that no machine draws from
    unknown: Counter[str] = field(default_factory=Counter)      # samples of tags the site does not have
    repeated: int = 0                                   # the very same sample once more
    contradicting: int = 0                              # another value of the same tag at the same instant
    marked: Places = field(default_factory=Places)      # rows whose value or quality cannot be used
    left_out: Places = field(default_factory=Places)    # rows that belong nowhere
    notes: list[str] = field(default_factory=list)


class Names:
    """What the tags of a history are in the plan's table; counts what is not wanted."""

    def __init__(self, plan: Plan, found: Found) -> None:
        self.plan = plan
        self.table = plan.table
        self.found = found
        self.wanted: NDArray[np.bool_] = plan.wanted()
        self._positions: dict[str, int] = {}

    def position(self, tag: str) -> int:
        """Of a wanted tag; else `UNUSED`, `OTHERS` or `UNKNOWN`."""
        known = self._positions.get(tag)
        if known is None:
            try:
                known = self.table.position(tag)
            except KeyError:
                known = UNKNOWN
            if known >= 0 and not self.wanted[known]:
                known = OTHERS if known in self.plan.drawn else UNUSED
            self._positions[tag] = known
        return known

    def count(self, tag: str, n: int) -> None:
        """A history has had `n` samples of `tag`."""
        position = self.position(tag)
        if position == UNKNOWN:
            self.found.unknown[tag] += n
        elif position == UNUSED:
            self.found.unused += n
        elif position != OTHERS:
            self.found.samples += n

    def saw_others(self, first: int, last: int) -> None:
        """Samples of other machines' tags were there: the history is as long for all."""
        known = (*self.found.others, first, last)
        self.found.others[:] = min(known), max(known)

    def holds_text(self, position: int) -> bool:
        """Whether the tag's values are read as texts: it is one, or may turn out to be one."""
        return self.table[position].kind is Kind.TEXT or position in self.plan.open

    def code(self, position: int, text: str) -> float:
        """The code of a text in the tag's vocabulary."""
        return self.table[position].vocabulary.code(text)

    def notes(self) -> list[str]:
        """What should be known about the history, a sentence each."""
        found, told = self.found, list(self.found.notes)
        told += found.marked.notes("with a value or quality that cannot be used: taken as bad samples")
        told += found.left_out.notes("that cannot be placed: left out")
        known = [tag.id for tag in self.table]
        for tag, n in found.unknown.most_common(SHOWN):
            hint = did_you_mean(tag, known, "tags")
            told.append(f"'{tag}' is no tag of the site ({_plural(n, 'sample')} passed over); {hint}")
        if len(found.unknown) > SHOWN:
            told.append(f"… and {len(found.unknown) - SHOWN} more names that are no tags of the site")
        if found.unused:
            told.append(f"{_plural(found.unused, 'sample')} of tags that no machine asked for draws from: passed over")
        if found.repeated:
            told.append(f"{_plural(found.repeated, 'sample')} stood there more than once: counted once")
        if found.contradicting:
            told.append(f"{_plural(found.contradicting, 'sample')} with another value than the same tag has at the "
                        "same instant: all were told to the core, whose rules decide")
        return told


def number(text: str) -> float | None:
    """The number a text says; NaN for nothing; None if it is no number."""
    if text == "":
        return float("nan")
    if text.isascii() and "_" not in text:
        try:
            return float(text)
        except ValueError:
            pass
    return {"true": 1.0, "false": 0.0}.get(text.lower())


def plain(value: float) -> str:
    """A number as a text, as the keys of a map are written: `3`, not `3.0`."""
    return str(int(value)) if value.is_integer() else repr(value)


def _plural(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"
