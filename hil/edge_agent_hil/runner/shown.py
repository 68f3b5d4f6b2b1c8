"""What the machines showed, from the truth file: each signal's values and when they began to be shown. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Value = int | str | bool
COUNTERS = ("total", "good", "scrap", "rework")


@dataclass(frozen=True, slots=True)
class Shown:
    """The story of one signal: `values[i]` was shown from `times[i]` (ns UTC) until the next."""

    times: list[int]
    values: list[Value]

    def changes(self, start: int, end: int) -> list[tuple[int, Value]]:
        """(time, value) of what began to be shown in (start, end]."""
        low, high = bisect_right(self.times, start), bisect_right(self.times, end)
        return list(zip(self.times[low:high], self.values[low:high], strict=True))

    def between(self, start: int, end: int) -> list[Value]:
        """All that was shown at some time in [start, end]."""
        first = max(0, bisect_right(self.times, start) - 1)
        return self.values[first : bisect_right(self.times, end)]

    def until(self, start: int) -> int:
        """When what began at `start` was over; far away if it never was."""
        place = bisect_right(self.times, start)
        return self.times[place] if place < len(self.times) else 1 << 62


def shown(truth: Mapping[str, Any], said: Mapping[str, Any], start: int) -> dict[str, Shown]:
    """Signal → what it showed, for each tag of a machine that can be compared.

    `truth` is the machine's part of the truth file, `said` its part of the ready file.
    """
    codes = {state: code for code, state in said["states"].items()}
    by_name = all(code == state for code, state in said["states"].items())
    states: list[tuple[int, str]] = [(t, state) for t, state, _ in truth["states"]]
    products: list[tuple[int, str]] = [(t, product) for t, product in truth["products"]]
    stories: dict[str, Iterable[tuple[int, Value]]] = {
        "state": ((t, state if by_name else int(codes[state])) for t, state in states),
        "running": ((t, state == "RUN") for t, state in states),
        "fault": ((t, state == "FAULT") for t, state in states),
        "program": products,
        "product": ((t, said["products"][product]["code"]) for t, product in products),
    }
    for signal, counter in said["counters"].items():
        assert signal in COUNTERS, signal
        stories[signal] = _counted(truth["pieces"], signal, counter["start"], counter["bits"], start)
    tags = set(said["tags"])
    return {signal: story(told) for signal, told in stories.items() if signal in tags}


def _counted(pieces: Iterable[Any], signal: str, first: int, bits: int, start: int) -> Iterable[tuple[int, Value]]:
    count, mask = first, (1 << bits) - 1
    yield start, count & mask
    for t, _, kind in pieces:
        if signal == "total" or kind == signal:
            count += 1
            yield t, count & mask


def story(told: Iterable[tuple[int, Value]]) -> Shown:
    """Without what changes nothing."""
    times: list[int] = []
    values: list[Value] = []
    for t, value in told:
        if not values or values[-1] != value:
            times.append(t)
            values.append(value)
    return Shown(times, values)
