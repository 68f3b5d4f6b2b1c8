"""What a machine makes: its registers, pulses or run edges on one side, facts about pieces on the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, Protocol

from edge_agent.core.counters import Counter
from edge_agent.core.cycles import Cycles, Judged
from edge_agent.core.register import Booked, Register
from edge_agent.core.run_edges import Ideal, RunEdges
from edge_agent.core.steps import Steps
from edge_agent.core.tags import Tag
from edge_agent.core.timeline import Known

INSPECTION: Final = frozenset({"inspected", "first_pass"})
"""Sources that tell of inspected pieces, and nothing of how many were made."""

# From here on a float does not tell two whole numbers apart; no register that counts pieces gets there.
EXACT: Final = 2.0**53


class Note(Protocol):
    """Takes a fact: a method of the ledger and its arguments; `again`: it takes the place of an earlier one."""

    def __call__(self, method: str, arguments: list[Any], /, again: bool = False) -> None: ...


class Counting:
    """The counts of one machine: `tags` by source, each with a fresh counter from `counters`.

    `runs`: the total is not counted but inferred from when the machine runs, see `run_edges`. `grain_ns`: how
    coarsely strokes are read in time.
    """

    def __init__(
        self, tags: Mapping[str, Tag], counters: Mapping[str, Callable[[], Counter]], note: Note, runs: bool,
        grain_ns: int = 0,
    ) -> None:  # fmt: skip
        self._tags = tags
        self._note = note
        self._sources = frozenset(tags) | ({"total"} if runs else frozenset())
        self._registers = {source: Register(make(), tags[source].stale_ns) for source, make in counters.items()}
        self._edges: RunEdges | None = None
        self.cycles = Cycles(grain_ns)
        stroke = self._registers.get("total") or self._registers.get("good")
        if stroke is not None:
            stroke.judged = self._judged

    def _judged(self, time: int, raw: int | None, made: int, since: int | None) -> None:
        self.cycles.judged(Judged(time, None if raw is None else made, since is not None))

    def infer(self, steps: Callable[[], Steps[Known]], ideal: Ideal) -> None:
        """Count run edges among these states."""
        self._edges = RunEdges(steps, ideal)

    def take(self, source: str, time: int, value: float, usable: bool) -> bool:
        """A sample of a count; whether a restart must know something that is no fact."""
        register = self._registers[source]
        self._book(source, register.take(time, int(value) if usable and abs(value) < EXACT else None))
        is_news, register.is_news = register.is_news, False
        return is_news

    def ran(self, since: int) -> None:
        """What the machine did from `since` on, or should have made, is known anew."""
        if self._edges is not None:
            self._book("total", self._edges.take(since))

    def take_doubts(self) -> dict[int, int]:
        """Of each counter's tag, by position, how many readings since the last call were not plausible."""
        doubts: dict[int, int] = defaultdict(int)
        for source, register in self._registers.items():
            doubts[self._tags[source].position] += register.doubted
            register.doubted = 0
        return {position: n for position, n in doubts.items() if n}

    def gaps(self) -> list[int]:
        """Since when registers have not been readable, of those that are not."""
        return [register.gap for register in self._registers.values() if register.gap is not None]

    def was_away(self, ended: int) -> None:
        """Nothing was read from `ended` on."""
        for register in self._registers.values():
            register.take(max(ended, register.counter.known_at + 1), None)

    def _book(self, source: str, booked: Iterable[Booked]) -> None:
        for one in booked:
            if source in INSPECTION:
                told = [one.increment, 0] if source == "inspected" else [0, one.increment]
                self._note("inspected", [one.time, source, *told], again=one.again)
                continue
            for counted, made in pieces(source, one.increment, self._sources).items():
                self._note("count", [one.time, counted, *made, one.since], again=one.again)

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe."""
        return {
            "counters": {
                source: [_register(self._tags[source]), register.counter.snapshot()]
                for source, register in self._registers.items()
            },
            "gaps": {source: one.gap for source, one in self._registers.items() if one.gap is not None},
            **({} if self._edges is None else {"edges": self._edges.snapshot()}),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """What `snapshot` gave."""
        for source, (register, snapshot) in data["counters"].items():
            # Another register's history would make pieces out of the difference between the two.
            if source in self._registers and register == _register(self._tags[source]):
                self._registers[source].restore(snapshot, data["gaps"].get(source))
        if self._edges is not None and "edges" in data:
            self._edges.restore(data["edges"])


def _register(tag: Tag) -> list[Any]:
    """What makes a counter's register the same one after a change of the configuration."""
    return [tag.id, tag.scale, tag.offset]


def pieces(source: str, n: int, configured: Collection[str]) -> dict[str, tuple[int, int, int]]:
    """What an increment of `n` on one counter adds to (total, scrap, rework), by ledger source.

    Good is not stored: it is total - scrap - rework (ISO 22400-2, GQ), so a good counter beside a
    total counter *takes away* from the scrap that the total's increment put on account.
    """
    has_good, has_total = "good" in configured, "total" in configured
    if source == "total":
        return {"total": (n, n if has_good else 0, 0)}
    if source == "good":
        return {"good": (0, -n, 0) if has_total else (n, 0, 0)}
    if source == "scrap":
        return {"scrap": (0, n, 0) if has_total else (n, n, 0)}
    if has_total:
        return {"rework": (0, -n if has_good else 0, n)}
    return {"rework": (n, 0, n)}
