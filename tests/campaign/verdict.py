"""What came out of a run, and how it is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Verdict:
    """How a run went; `faults` names everything that must not be."""

    answered: int = 0
    heard: int = 0
    kills: int = 0
    uncommitted: int = 0
    """answers that died with the process, uncommitted"""
    oldest_ms: float = 0.0
    """how long before the kill the oldest of them had been given, at most"""
    destroyed: int = 0
    """answers that a gap told: destroyed before they were heard, or evicted"""
    doubled: int = 0
    """records heard again, with their seq"""
    historical: int = 0
    """numbers heard first as historical"""
    told: int = 0
    """states and final KPI records heard, each the one that was committed"""
    finals: int = 0
    """final KPI records compared: with the answers, with those of a replay, with those of a twin"""
    happened: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def blame(self, what: str, which: Iterable[object]) -> None:
        """A fault, if there is any of that."""
        if found := list(which):
            self.faults.append(f"{what}: {len(found)}, such as {found[:5]}")

    @property
    def lost(self) -> int:
        """What must not be missing, and is."""
        return self.answered - self.heard - self.uncommitted - self.destroyed


HEAD = (
    "run", "seed", "minutes", "kills", "given", "heard", "lost", "uncommitted", "oldest", "gaps", "late", "twice",
    "events", "finals",
)  # fmt: skip


def row(name: str, seed: int, seconds: float, verdict: Verdict) -> tuple[str, ...]:
    """A line of the table."""
    numbers = (verdict.kills, verdict.answered, verdict.heard, verdict.lost, verdict.uncommitted)
    oldest = f"{verdict.oldest_ms:.0f} ms"
    rest = (verdict.destroyed, verdict.historical, verdict.doubled, verdict.told, verdict.finals)
    happened = ", ".join(f"{times} {what}" for what, times in sorted(verdict.happened.items()))
    return (name, str(seed), f"{seconds / 60:.1f}", *map(str, numbers), oldest, *map(str, rest), happened)


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """All runs, aligned."""
    lines = [(*HEAD, "what happened"), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
