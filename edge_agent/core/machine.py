"""One machine: turns the samples of its tags into the events of its ledger.

Events, not samples, are what the journal keeps for a machine: the raw value of a counter is
judged once, when it comes, by the counter's own history, and everything after that is a sum. The
events are idempotent (the ledger takes them in any order, any number of times), so a restart
simply feeds the journal's events again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from edge_agent.core.batch import Batch
from edge_agent.core.calendar import Calendar
from edge_agent.core.counters import Counter
from edge_agent.core.ledger import Ledger, Policy
from edge_agent.core.quality import BAD, UNCERTAIN, reason_name
from edge_agent.core.report import StateChange
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind, Tag

Clue = tuple[str, list[Any]]
"""An event as the journal keeps it: the name of a ledger method and its arguments."""


@dataclass(frozen=True, slots=True)
class MachineSpec:
    """What the configuration says of one machine; tags are positions in the tag table."""

    id: str
    state: Tag
    states: Mapping[int | str, MachineState]
    calendar: Calendar
    policy: Policy
    counts: Mapping[str, Tag]                       # two of total, good, scrap; optional rework
    line: str = ""
    otherwise: MachineState | None = None           # for values that `states` does not name
    dwell_ns: int = 0
    counters: Mapping[str, Callable[[], Counter]] = field(default_factory=dict)     # a fresh one per count
    job: Tag | None = None
    products: Mapping[int | str, Fraction] = field(default_factory=dict)    # ideal cycle, seconds
    ideal: Fraction | None = None                   # for a machine without a job tag
    order: Tag | None = None
    zone: str = "UTC"
    config_hash: str = ""
    min_coverage: float = 0.9

    def tags(self) -> list[Tag]:
        """Every tag the machine draws from."""
        named = [self.state, *self.counts.values(), self.job, self.order]
        return [tag for tag in named if tag is not None]


class Machine:
    """The live side of a `MachineSpec`: feed it samples in time order, take its events."""

    def __init__(self, spec: MachineSpec) -> None:
        self.spec = spec
        self.ledger = Ledger(spec.calendar, spec.policy)
        self.current = StateChange(spec.id, MachineState.UNKNOWN, "", 0)
        self.settled: dict[str, int] = {}           # window kind → end of its latest final window
        self._counters = {source: make() for source, make in spec.counters.items()}
        self._gap_since: dict[str, int] = {}        # counters whose line broke, and when
        self._pending: tuple[int, MachineState, str] | None = None
        self._order: bool | None = None
        self._product: int | str | None = None
        self._clues: list[Clue] = []
        self._changes: list[StateChange] = []
        self._tags = {tag.position: tag for tag in spec.tags()}
        self._source = {tag.position: source for source, tag in spec.counts.items()}
        if spec.ideal is not None:
            self.ledger.job(0, "", spec.ideal)

    # -- samples in ------------------------------------------------------------------------

    def feed(self, batch: Batch) -> None:
        """Take the samples of this machine's tags; other tags are passed over."""
        for position, time, value, quality in zip(
            batch.tag.tolist(), batch.time.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True
        ):
            tag = self._tags.get(position)
            if tag is not None:
                self._sample(tag, time, value, quality)

    def _sample(self, tag: Tag, time: int, value: float, quality: int) -> None:
        usable = quality < UNCERTAIN and value == value
        if tag is self.spec.state:
            self._state_sample(time, self._meaning(tag, value) if usable else None, quality)
        source = self._source.get(tag.position)
        if source is not None:
            self._count_sample(source, time, value, usable, quality)
        if tag is self.spec.job and usable:
            self._job_sample(time, _key(tag, value))
        if tag is self.spec.order and usable:
            self._order_sample(time, bool(value))

    def _meaning(self, tag: Tag, value: float) -> tuple[MachineState, str]:
        state = self.spec.states.get(_key(tag, value), self.spec.otherwise)
        return (state, "") if state is not None else (MachineState.UNKNOWN, "UNMAPPED")

    def _state_sample(self, time: int, meaning: tuple[MachineState, str] | None, quality: int) -> None:
        state, reason = meaning or (MachineState.UNKNOWN, reason_name(quality).upper())
        if (state, reason) == (self.current.state, self.current.reason):
            self._pending = None
            return
        # Losing sight of a machine is no state it could flicker into: no dwell then.
        if self.spec.dwell_ns and state is not MachineState.UNKNOWN:
            if self._pending is None or self._pending[1:] != (state, reason):
                self._pending = (time, state, reason)
            self.confirm(time)
            return
        self._pending = None
        self._enter(time, state, reason)

    def confirm(self, time: int) -> None:
        """The state tag is known to be unchanged up to `time`: a change that has dwelt is accepted.

        It counts from its first sample on (back-dated), not from when it was believed.
        """
        if self._pending is not None and time - self._pending[0] >= self.spec.dwell_ns:
            since, state, reason = self._pending
            self._pending = None
            self._enter(since, state, reason)

    def _enter(self, time: int, state: MachineState, reason: str) -> None:
        time = max(time, self.current.since)
        self._note("state", [time, int(state), reason])
        self.current = StateChange(self.spec.id, state, reason, time)
        self._changes.append(self.current)

    def _count_sample(self, source: str, time: int, value: float, usable: bool, quality: int) -> None:
        if not usable:
            if quality >= BAD:
                self._gap_since.setdefault(source, time)
            return
        increment, _flag = self._counters[source].feed(time, int(value))
        since = self._gap_since.pop(source, None)
        if increment:
            for counted, (total, scrap, rework) in _pieces(source, increment, self.spec.counts).items():
                self._note("count", [time, counted, total, scrap, rework, since])

    def _job_sample(self, time: int, product: int | str) -> None:
        if product == self._product:
            return
        self._product = product
        ideal = self.spec.products.get(product)
        self._note("job", [time, str(product), None if ideal is None else str(ideal)])

    def _order_sample(self, time: int, active: bool) -> None:
        if active != self._order:
            self._order = active
            self._note("order", [time, active])

    def _note(self, method: str, arguments: list[Any]) -> None:
        self._clues.append((method, arguments))
        self._apply(method, arguments)

    def _apply(self, method: str, a: list[Any]) -> None:
        if method == "state":
            self.ledger.state(a[0], MachineState(a[1]), a[2])
        elif method == "order":
            self.ledger.order(a[0], a[1])
        elif method == "count":
            self.ledger.count(a[0], a[1], total=a[2], scrap=a[3], rework=a[4], since=a[5])
        elif method == "job":
            self.ledger.job(a[0], a[1], None if a[2] is None else Fraction(a[2]))

    # -- events out, and back in after a restart ---------------------------------------------

    def take_changes(self) -> list[StateChange]:
        """State changes since the last call."""
        changes, self._changes = self._changes, []
        return changes

    def take_events(self) -> dict[str, Any] | None:
        """What the journal must keep of everything since the last call; None if nothing happened."""
        if not self._clues:
            return None
        clues, self._clues = self._clues, []
        return {"machine": self.spec.id, "clues": clues, "now": self._position()}

    def snapshot(self) -> dict[str, Any]:
        """Everything, JSON-safe: what `restore` needs."""
        return {
            "machine": self.spec.id,
            "ledger": self.ledger.snapshot(),
            "now": self._position(),
        }

    def _position(self) -> dict[str, Any]:
        return {
            "state": [int(self.current.state), self.current.reason, self.current.since],
            "counters": {source: counter.snapshot() for source, counter in self._counters.items()},
            "gaps": dict(self._gap_since),
            "product": self._product,
            "order": self._order,
            "settled": dict(self.settled),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up where `snapshot` was made."""
        self.ledger.restore(snapshot["ledger"])
        if self.spec.ideal is not None:
            self.ledger.job(0, "", self.spec.ideal)
        self._take_position(snapshot["now"])

    def replay(self, events: Mapping[str, Any]) -> None:
        """Feed journalled events again."""
        for method, arguments in events["clues"]:
            self._apply(method, arguments)
        self._take_position(events["now"])

    def _take_position(self, now: Mapping[str, Any]) -> None:
        state, reason, since = now["state"]
        self.current = StateChange(self.spec.id, MachineState(state), reason, since)
        for source, snapshot in now["counters"].items():
            if source in self._counters:
                self._counters[source].restore(snapshot)
        self._gap_since = dict(now["gaps"])
        self._product, self._order = now["product"], now["order"]
        self.settled = dict(now["settled"])

    def was_away(self, since: int) -> None:
        """The agent did not run from `since` on: nothing is known until the next sample."""
        self._enter(since, MachineState.UNKNOWN, "AGENT_DOWN")
        for source in self.spec.counts:
            self._gap_since.setdefault(source, since)


def _key(tag: Tag, value: float) -> int | str:
    return tag.vocabulary.text(value) if tag.kind is Kind.TEXT else int(value)


def _pieces(source: str, n: int, configured: Iterable[str]) -> dict[str, tuple[int, int, int]]:
    """What an increment of `n` on one counter adds to (total, scrap, rework), by ledger source.

    Good is not stored: it is total − scrap − rework (ISO 22400-2, GQ), so a good counter beside a
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
