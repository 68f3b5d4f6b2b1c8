"""One machine: turns the samples of its tags into the facts of its ledger.

Facts, not samples, are what the journal keeps for a machine: the raw value of a counter is judged
once, when it comes, by the counter's own history, and everything after that is a sum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from edge_agent.core.batch import Batch
from edge_agent.core.cell import NO_IDEAL
from edge_agent.core.counting import EXACT, Counting
from edge_agent.core.dwell import Step
from edge_agent.core.facts import Facts
from edge_agent.core.finals import Finals
from edge_agent.core.inputs import AWAY, Row
from edge_agent.core.ledger import MINUTE, Ledger
from edge_agent.core.machine_spec import MachineSpec
from edge_agent.core.models import UNMAPPED, Value
from edge_agent.core.overrides import Entry
from edge_agent.core.quality import REASON, UNCERTAIN, Reason
from edge_agent.core.quantity import SECOND
from edge_agent.core.readings import Found, Readings
from edge_agent.core.report import OPEN, StateChange
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind, Tag
from edge_agent.core.timeline import Span
from edge_agent.core.unnamed import UnnamedValues

__all__ = ["Machine", "MachineSpec"]


class Machine:
    """The live side of a `MachineSpec`: feed it samples, take its facts.

    Samples normally come in time order. One that comes late gets its place in the ledger, as if it had
    come in time, and leaves alone what is current: exactly so within the last samples that `Inputs` remembers.
    """

    def __init__(self, spec: MachineSpec) -> None:
        self.spec = spec
        self._tags = {tag.position: tag for tag in spec.tags()}
        self._sources: dict[int, list[str]] = {}
        for source, tag in spec.counts.items():
            self._sources.setdefault(tag.position, []).append(source)
        self._ideals = {str(product): ideal for product, ideal in spec.products.items()}
        self.clear()

    def clear(self) -> None:
        """Know nothing, as at the very beginning."""
        spec = self.spec
        ledger = Ledger(spec.calendar, spec.policy, spec.versions)
        self.facts = Facts(ledger, self._rated, spec.ideal, self._planned_scrap, self.units)
        self.current = StateChange(spec.id, MachineState.UNKNOWN, "", 0)
        self.settled: dict[str, int] = {}           # window kind → end of its latest final window
        self.finals = Finals()
        self.touched = OPEN                         # what was learned lately may change its cells from then on
        self._counting = Counting(spec.counts, spec.counters, self._note, spec.runs, spec.grain_ns)
        self.cycles = self._counting.cycles
        if spec.job is None and spec.ideal is None:
            ledger.job(0, "", None, units=spec.units)
        if spec.runs:
            self._counting.infer(lambda: self.ledger.told, self.ledger.stroke)
        self._inputs = spec.state_of()
        self.unnamed = UnnamedValues(spec.id)
        self._nameless: tuple[tuple[Tag, Value], ...] = ()      # what came last, if it names no state
        self._readings = Readings(spec.meters, spec.gauges)
        self._newest = {"state": -1}
        self._clock_minute = -1
        self._noted = -1                            # newest instant of which the ledger was told a state
        self._turn = self._turn_taken = 0           # grows with everything a restart must know
        self._changes: list[StateChange] = []
        self._said: tuple[MachineState, str] | None = None      # shown last while operators say something

    @property
    def ledger(self) -> Ledger:
        """Where the facts are added up."""
        return self.facts.ledger

    # -- samples in ------------------------------------------------------------------------

    def feed(self, batch: Batch) -> None:
        """Take the samples of this machine's tags; other tags are passed over."""
        told: list[Row] = []
        for position, time, value, quality in zip(
            batch.tag.tolist(), batch.time.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True
        ):
            tag = self._tags.get(position)
            if tag is None:
                continue
            if quality & REASON == Reason.CLOCK:
                self._note_clock(time)
            key = key_of(tag, value) if quality < UNCERTAIN and value == value else None
            for at in self._inputs.positions.get(position, ()):
                exactly = repr(value) if at in self._inputs.exact and key is not None else key
                told.append((time, at, self._inputs.sample(exactly, quality)))
            self._sample(tag, time, value, key)
        if told:
            self._state_samples(told)
        if self._readings:
            self._read(self._readings.feed(batch))
        if self.cycles.is_due:
            self._settle_cycles()

    def _read(self, found: Iterable[Found]) -> None:
        for method, arguments, again in found:
            self._note(method, [*arguments, self._turn + 1] if again else arguments)
        if self._readings.take_news():
            self._turn += 1

    def _settle_cycles(self) -> None:
        """Look at counts that nothing changes any more; the states of their time have been told by now."""
        self._turn += 1
        for time, product, stroke in self.cycles.settle():
            self._note("estimate", [time, product, str(Fraction(stroke, SECOND) / self.units(product))])
        if self.facts.forgets:
            self.cycles.take_fresh()

    def _note_clock(self, time: int) -> None:
        minute = time // MINUTE * MINUTE
        if minute != self._clock_minute:
            self._clock_minute = minute
            self._note("clock", [minute])

    def _sample(self, tag: Tag, time: int, value: float, key: Value | None) -> None:
        for source in self._sources.get(tag.position, ()):
            if self._counting.take(source, time, value, key is not None):
                self._turn += 1
        # A product told again changes nothing; but of samples that come late nobody knows which were told again.
        if tag is self.spec.job and key is not None:
            ideal = self.spec.products.get(key)
            self._note("job", [time, str(key), None if ideal is None else str(ideal)])
            self._counting.ran(time)
            self.cycles.product(time, str(key))
            if ideal is None:
                self.unnamed.add("product", tag, key)
        if tag is self.spec.order and key is not None:
            self._note("order", [time, bool(value)])
        if tag is self.spec.number and key is not None:
            self._note("number", [time, str(key)])

    def _state_samples(self, told: list[Row]) -> None:
        before = self._inputs.now
        for steps in self._inputs.take(told):
            if steps and steps[0][0] >= self._newest["state"]:
                self._look_for_name(steps[0][2])
            self._take_steps(steps)
        if not self._inputs.is_one and self._inputs.now != before:
            self._turn += 1     # one input changes, and a restart must know of it to judge the next change of another

    def _look_for_name(self, reason: str) -> None:
        """Count the values that have just come, if together they name no state."""
        told = tuple(self._inputs.told()) if reason == UNMAPPED else ()
        if told != self._nameless:
            self._nameless = told
            for tag, value in told:
                self.unnamed.add("state", tag, value)

    def confirm(self, time: int) -> None:
        """What the state rests on is known to be unchanged up to `time`: a change that has lasted is accepted.

        It counts from its first sample on (back-dated), not from when it was believed.
        """
        self._take_steps(self._inputs.confirm(time))

    def _take_steps(self, steps: Iterable[Step]) -> None:
        newest, late = self._newest["state"], None
        for step in steps:
            if step[0] <= newest:
                late = step[0] if self._past_state(*step) else late
                continue
            if late is not None:
                self._correct_current(late)     # else the next would be compared with what is no longer so
                late = None
            self._next_state(*step)
        if late is not None:
            self._correct_current(self._inputs.since())

    def _next_state(self, time: int, state: MachineState, reason: str) -> None:
        self._newest["state"] = time
        if (state, reason) != (self.current.state, self.current.reason):
            self._enter(time, state, reason)

    def accept(self, change: StateChange) -> None:
        """A change that has to last is believed, if one of this time waits for it: as it was when it came first."""
        self._take_steps(self._inputs.accept(change.since))

    def deciding(self) -> list[Tag]:
        """The tags on which the present state rests."""
        return self._inputs.deciding()

    def _enter(self, time: int, state: MachineState, reason: str) -> None:
        self._note_state(time, state, reason)
        self.current = StateChange(self.spec.id, state, reason, time)
        self._changes.append(self.current)

    def operate(self, entry: Entry) -> None:
        """An operator says something of the machine."""
        self._note("operator", entry.fact())

    def _past_state(self, time: int, state: MachineState, reason: str) -> bool:
        """What was told before of this instant, or of the time since, may be wrong; whether it was."""
        if self._told(time) == (state, reason):
            return False
        self._note_state(time, state, reason)
        return True

    def _correct_current(self, since: int) -> None:
        told = self._told(self._newest["state"])
        if told != (self.current.state, self.current.reason):
            self.current = StateChange(self.spec.id, *told, since)
            self._changes.append(self.current)

    def _told(self, time: int) -> tuple[MachineState, str]:
        known = self.ledger.told.at(time)
        return (MachineState.UNKNOWN, "") if known is None else (known.state, known.reason)

    def _note_state(self, time: int, state: MachineState, reason: str) -> None:
        again, self._noted = time <= self._noted, max(time, self._noted)
        self._note("state", [time, int(state), reason], again)
        self.cycles.state(time, state)
        self._counting.ran(time)

    def _note(self, method: str, arguments: list[Any], again: bool = False) -> None:
        self._turn += 1
        # A revision takes the place of what was told of this instant.
        self.facts.note(method, [*arguments, self._turn] if again else arguments)

    def _rated(self, product: str, before: Fraction | None) -> Fraction | None:
        """The ideal cycle of a job noted earlier: as now configured; as it was, if no longer named."""
        return self._ideals.get(product, before)

    def _planned_scrap(self, product: str) -> Fraction:
        return self.spec.planned_scrap.get(product, NO_IDEAL)

    def is_rated(self, product: str) -> bool:
        """Whether somebody gives the product an ideal cycle."""
        return self.spec.ideal is not None or product in self._ideals

    def ideal(self, product: str, t: int) -> Fraction | None:
        """The ideal cycle that the site file gives it at `t`, seconds; None: it gives none."""
        given = self._ideals.get(product, self.spec.ideal)
        return None if given is None else self.ledger.ideal(product, t, given)

    def units(self, product: str) -> int:
        """Pieces of one stroke of the product."""
        return self.spec.units_of.get(product, self.spec.units)

    # -- facts out, and back in after a restart ----------------------------------------------

    def take_changes(self, now: int | None = None) -> list[StateChange]:
        """State changes since the last call; `now`: what operators say ends by then.

        While operators say something, what the machine tells is under it, and not to be shown.
        """
        changes, self._changes = self._changes, []
        if not self.ledger.overrides.entries and not self._said:
            return changes
        since, state, reason = self.ledger.at(max(now or 0, self.current.since))
        counts = StateChange(self.spec.id, state, reason, since)
        changes = [one if one == counts else replace(one, shown=False) for one in changes]
        if (state, reason) != self._said and counts not in changes:
            changes.append(counts)
        self._said = (state, reason) if self.ledger.overrides.entries else None
        return changes

    def take_doubts(self) -> dict[int, int]:
        """Of each counter's tag, how many readings since the last call were not plausible."""
        return self._counting.take_doubts()

    def shown(self, now: int) -> Span:
        """What the machine is in `now`, whoever says so; it began at `start`."""
        [span] = self.ledger.spans(now, now + 1)
        return span._replace(start=self.ledger.at(now)[0])

    def take_events(self) -> dict[str, Any] | None:
        """What the journal must keep of everything since the last call; None if nothing happened."""
        if self._turn == self._turn_taken:
            return None
        self._turn_taken = self._turn
        fresh = self.cycles.take_fresh()
        more = {"cycles": fresh} if fresh else {}
        return {"machine": self.spec.id, "facts": self.facts.take(), "now": self._position(), **more}

    def checkpoint(self) -> tuple[dict[str, Any], bytes]:
        """Everything: a JSON-safe part and a packed one."""
        packed, since = self.facts.checkpoint()
        told = {"machine": self.spec.id, "facts": since, "now": self._position(), "finals": self.finals.snapshot(),
                "cycles": self.cycles.snapshot()}  # fmt: skip
        return told, packed

    def _position(self) -> dict[str, Any]:
        return {
            "turn": self._turn,
            "state": [int(self.current.state), self.current.reason, self.current.since],
            "newest": dict(self._newest),
            **self._counting.snapshot(),
            "settled": dict(self.settled),
            "inputs": self._inputs.snapshot(),
            **({"meters": self._readings.snapshot()} if self.spec.meters else {}),
        }

    def restore(self, told: Mapping[str, Any], packed: bytes) -> None:
        """Take up where `checkpoint` was made. Leaves the machine half restored if that raises."""
        self.facts.restore(packed, told["facts"])
        self.finals.restore(told.get("finals", ()))     # checkpoints of 0.1 have none
        if "cycles" in told:        # checkpoints of 0.1 have none
            self.cycles.restore(told["cycles"])
        self._take_position(told["now"])

    def replay(self, events: Mapping[str, Any]) -> None:
        """Take events of the journal again, in any order, any number of times."""
        self.facts.again(events["facts"])
        if fresh := events.get("cycles"):
            self.cycles.again(fresh)
        # A checkpoint may be newer than events that stand behind it: never go back to an older place.
        if events["now"]["turn"] > self._turn:
            self._take_position(events["now"])

    def _take_position(self, now: Mapping[str, Any]) -> None:
        state, reason, since = now["state"]
        self.current = StateChange(self.spec.id, MachineState(state), reason, since)
        self._newest = {"state": now["newest"]["state"]}
        self._noted = self._newest["state"]
        self._inputs.restore(now.get("inputs", {}), self._newest["state"])
        self._counting.restore(now)
        self._readings.restore(now.get("meters", {}))
        self.cycles.forget_lately(self.current.state, self.ledger.product)
        self.settled = dict(now["settled"])
        self._turn = self._turn_taken = now["turn"]

    def forget_lately(self) -> None:
        """Forget what a restart forgets: samples kept to put late ones between."""
        self._take_position(self._position())

    def gaps(self) -> list[int]:
        """Since when counts and meters have not been readable, of those that are not."""
        return [*self._counting.gaps(), *self._readings.gaps()]

    def was_away(self, ended: int) -> None:
        """The agent did not run from `ended` on: nothing is known until the next sample."""
        self.confirm(ended)
        since = max(ended, self.current.since, self._newest["state"])
        self._newest["state"] = since
        self._inputs.was_away(since)
        self._enter(since, MachineState.UNKNOWN, AWAY)
        self._counting.was_away(since)
        self._read(self._readings.was_away(since))


def key_of(tag: Tag, value: float) -> int | str:
    """A value as maps of states and products have it: a whole number or a text."""
    if tag.kind is Kind.TEXT:
        return tag.vocabulary.proper(value)
    return int(value) if abs(value) < EXACT else repr(value)
