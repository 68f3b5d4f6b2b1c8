"""Rows of a history, one by one: what each says, or what is wrong with it.

A row that says when and of which tag, but nothing that can be used, is a bad sample; one that does not even say
that is left out. Both are counted and shown with their place. `arrow` reads the same in columns, forty times as
fast, and leaves to this file what it cannot make sense of.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import numpy as np

from edge_agent.core.batch import Batch
from edge_agent.core.quality import GOOD, Reason, bad
from edge_agent.replay import history
from edge_agent.replay.history import NEEDED, OTHERS, QUALITIES, HistoryError, Names, Place, Places
from edge_agent.replay.window import instant_with_offset

ROWS: Final = 100_000
EARLIEST: Final = 100_000_000_000_000_000   # 1973: a smaller number is not ns since 1970
_LATEST: Final = 1 << 63
_NAN: Final = float("nan")


class Rows:
    """Rows of one file on their way into columns."""

    def __init__(self, name: str, columns: Sequence[str], names: Names) -> None:
        self._file = name
        self._names = names
        self._width = len(columns)
        self._time, self._tag, self._value = (columns.index(column) for column in NEEDED)
        self._quality = columns.index("quality") if "quality" in columns else -1
        self._placed = 0
        self._left_out = Places()
        self._begin()

    def _begin(self) -> None:
        self._tags: list[int] = []
        self._times: list[int] = []
        self._values: list[float] = []
        self._qualities: list[int] = []

    def __len__(self) -> int:
        return len(self._tags)

    def take(self) -> Batch:
        """The samples since the last call, as columns."""
        batch = Batch(
            np.array(self._tags, np.int32), np.array(self._times, np.int64),
            np.array(self._values, np.float64), np.array(self._qualities, np.uint8),
        )  # fmt: skip
        self._begin()
        return batch

    def check(self) -> None:
        """Raise `HistoryError` if there were rows and not one of them could be placed: not what the file should be."""
        if self._left_out.n and not self._placed:
            raise HistoryError(*self._left_out.first, more=self._left_out.n - len(self._left_out.first))

    def add(self, line: int, row: Sequence[str]) -> None:
        """One row, whose place in the file is `line`."""
        if len(row) != self._width:
            self._leave_out(line, f"has {len(row)} values, the first line names {self._width} columns")
            return
        try:
            time = instant_of(row[self._time])
        except ValueError as problem:
            self._leave_out(line, str(problem), "time")
            return
        name = row[self._tag]
        if not name:
            self._leave_out(line, "is missing", "tag", "write device.tag")
            return
        self._placed += 1
        self._names.count(name, 1)
        position = self._names.position(name)
        if position == OTHERS:
            self._names.saw_others(time, time)
        if position >= 0:
            self._tags.append(position)
            self._times.append(time)
            value, quality = self._judge(line, row, position)
            self._values.append(value)
            self._qualities.append(quality)

    def _judge(self, line: int, row: Sequence[str], position: int) -> tuple[float, int]:
        """Value and quality of a sample."""
        written = row[self._quality] if self._quality >= 0 else ""
        quality = QUALITIES.get(written.strip().lower())
        value = value_of(self._names, position, row[self._value], GOOD if quality is None else quality)
        if value is None:
            message, hint = no_number(self._names, position)
            self._mark(Place(self._file, message, line, "value", row[self._value], hint))
            return _NAN, bad(Reason.NOT_A_NUMBER)
        if quality is None:
            self._mark(Place(self._file, "is no quality", line, "quality", written, "write good, uncertain or bad"))
            return value, bad(Reason.DEVICE)
        return value, quality

    def _mark(self, place: Place) -> None:
        self._names.found.marked.add(place)

    def _leave_out(self, line: int, message: str, column: str = "", hint: str = "") -> None:
        place = Place(self._file, message, line, column, hint=hint)
        self._left_out.add(place)
        self._names.found.left_out.add(place)


def value_of(names: Names, position: int, text: str, quality: int) -> float | None:
    """A value as the core wants it; None if it must be a number and is none."""
    if not names.holds_text(position):
        return history.number(text)
    if text == "" and (quality or position in names.plan.open):
        return _NAN
    if position in names.plan.open and (value := history.number(text)) is not None:
        text = history.plain(value)
    return names.code(position, text)


def no_number(names: Names, position: int) -> tuple[str, str]:
    """What to say of a value that should be a number: message and hint."""
    tag = names.table[position]
    return f"is no number, and {tag.id} has numbers ({tag.kind.name.lower()})", "write the value as it is published"


@lru_cache(4096)
def instant_of(text: str) -> int:
    """The time of a sample: integer ns UTC, or ISO 8601 with offset. ValueError says what would be right."""
    if not is_integer(text):
        time = instant_with_offset(text)
    elif abs(time := int(text)) < EARLIEST:
        raise ValueError(f"{text!r} is too small for nanoseconds since 1970; write all 19 digits, or ISO 8601")
    if not -_LATEST < time < _LATEST:
        raise ValueError(f"{text!r} is not between the years 1678 and 2262")
    return time


def is_integer(text: str) -> bool:
    """Whether a time is written as a number."""
    digits = text.strip().lstrip("+-")
    return digits.isascii() and digits.isdigit()
