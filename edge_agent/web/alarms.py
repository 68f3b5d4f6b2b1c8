"""What the API shows of the past: alarms, and the spans of a machine's states beside its alarms."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final, Literal, NamedTuple, cast

from edge_agent.api import Clock
from edge_agent.config import Site
from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.engine import Engine
from edge_agent.core.quantity import SECOND
from edge_agent.core.states import MachineState
from edge_agent.core.tiles import CalendarKind
from edge_agent.web.answers import Answer, StateName
from edge_agent.web.times import FOREVER, Times

DAY: Final = 86_400 * SECOND
# Some 5 ms of the event loop and 1 MB of JSON: what a page draws.
MOST: Final = 5_000
_NEAR: Final = 5
_LIKENED: Final = 500


class AlarmAnswer(Answer):
    """An alarm: it held from start to end, or an event, which has no length."""

    device: str
    id: str
    """of the condition on its device; an event has one of its own"""
    rev: int
    """grows with each change of this alarm"""
    source: str
    type: str
    active: bool | None
    """null for an event"""
    known: bool
    """false: the device is out of sight, and whether the alarm still holds is not known"""
    unknown_since: str | None
    severity: int
    """the highest it had, from 1 to 1000"""
    reason: str
    start: str
    end: str | None
    end_uncertain: bool
    """it ended unseen, at `end` or before"""
    acknowledged: bool | None
    """null where the device has no such idea"""
    acknowledged_at: str | None
    confirmed: bool | None
    comment: str | None


class AlarmPage(Answer):
    """The latest alarms, by their start, the newest first."""

    total: int
    """alarms in memory that match"""
    limit: int
    turned_away: int
    """alarms that were not taken because too many were open, since the agent started"""
    alarms: list[AlarmAnswer]


class SpanAnswer(Answer):
    """A machine was in one state; end null: it still is."""

    start: str
    end: str | None
    state: StateName
    reason: str | None
    order: bool
    """whether an order was active"""
    source: Literal["operator"] | None = None
    """who says so, where it is not the machine itself"""


class PlanAnswer(Answer):
    """What the calendar says of a stretch of time."""

    start: str
    end: str
    kind: Literal["busy", "planned_down", "not_scheduled"]
    label: str | None
    """name of the shift or of the break"""


class SpansAnswer(Answer):
    """A machine's states, which follow each other without a gap, and the alarms that concern it."""

    machine: str
    start: str
    """as asked for, or the earliest that is still in memory"""
    end: str
    """as asked for, or now"""
    complete: bool
    """false: there are more; ask again from the end of the last one on"""
    spans: list[SpanAnswer]
    plan: list[PlanAnswer]
    """what was planned meanwhile, and what is to come up to the end that was asked for, a day from now at most"""
    alarms: list[AlarmAnswer]
    """of the device that `alarms:` of the machine names; those that overlap, by their start"""


class Stand(NamedTuple):
    """[start, end), ns UTC; `end` None: it goes on."""

    start: int
    end: int | None


_KINDS: Final[Mapping[CalendarKind, Literal["busy", "planned_down", "not_scheduled"]]] = {
    CalendarKind.BUSY: "busy", CalendarKind.PLANNED_DOWN: "planned_down", CalendarKind.NON_SCHEDULED: "not_scheduled",
}  # fmt: skip
# Running and unknown time have no reasons.
_NO_REASONS: Final = frozenset({MachineState.RUN, MachineState.UNKNOWN})


class AlarmsView:
    """Reads alarms and ledgers and changes nothing; every method is quick and does no I/O."""

    def __init__(self, site: Site, engine: Engine, clock: Clock, times: Times) -> None:
        self._site = site
        self._engine = engine
        self._clock = clock
        self._times = times
        self._iso = times.iso

    def alarms(
        self, device: str | None, active: bool | None, start: str | None, end: str | None, limit: int
    ) -> AlarmPage:
        """The newest `limit` of those that overlap [start, end)."""
        low, high = self._times.stretch(start, end, (0, FOREVER))
        found = self._engine.alarms.spans(low, high, device, active)
        return AlarmPage(
            total=len(found),
            limit=limit,
            turned_away=self._engine.alarms.turned_away,
            alarms=[self._alarm(span) for span in found[: -limit - 1 : -1]],
        )

    def has_machine(self, name: str) -> bool:
        """True for a machine of the site file."""
        return name in self._engine.machines

    def near(self, name: str) -> list[str]:
        """Machines that may have been meant."""
        return get_close_matches(name, list(self._engine.machines)[:_LIKENED], _NEAR, 0.4)

    def spans(self, name: str, start: str | None, end: str | None) -> SpansAnswer:
        """The machine's states during [start, end), at most `MOST`; without times, the last 24 hours."""
        now = self._clock()
        wanted = now if end is None else min(self._times.instant("end", end), now + DAY)
        until = min(wanted, now)
        low, high = self._times.stretch(start, end, (until - DAY, now))
        ledger = self._engine.machines[name].ledger
        low, high = max(low, ledger.remembered_from or low), min(high, now)
        found = ledger.spans(low, high) if low < high else []
        shown, complete = found[:MOST], len(found) <= MOST
        until = high if complete else shown[-1].end
        planned = max(until, wanted) if complete else until
        alarms = self._engine.alarms.spans(low, until, wanted=lambda span: self._concerns(name, span))
        return SpansAnswer(
            machine=name,
            start=self._iso(low),
            end=self._iso(max(low, until)),
            complete=complete and len(alarms) <= MOST,
            spans=[
                SpanAnswer(
                    start=self._iso(span.start),
                    end=None if span.end >= now else self._iso(span.end),
                    state=cast(StateName, span.state.name),
                    reason=span.reason or None,
                    order=span.order,
                    source="operator" if span.source else None,
                )
                for span in shown
            ],
            plan=[
                PlanAnswer(
                    start=self._iso(one.start),
                    end=self._iso(one.end),
                    kind=_KINDS[one.kind],
                    label=one.label or None,
                )
                for one in (ledger.calendar.spans(low, planned) if low < planned else [])[:MOST]
            ],
            alarms=[self._alarm(span) for span in alarms[:MOST]],
        )

    def span_at(self, name: str, t: int) -> Stand | None:
        """The stretch in which the machine does not run, at `t`; None: it runs then, or nothing is known of it."""
        ledger, now = self._engine.machines[name].ledger, self._clock()
        low = max(t, ledger.remembered_from or 0)
        if not low <= t < now or not (found := ledger.spans(t, t + 1)) or found[0].state in _NO_REASONS:
            return None
        since = max(ledger.at(t)[0], ledger.remembered_from or 0)
        until = next((span.end for span in ledger.spans(since, now)), now)
        return Stand(since, until if until < now else None)

    def _concerns(self, name: str, span: AlarmSpan) -> bool:
        whose = self._site.machines[name].alarms
        return whose is not None and whose.concern(span.device, span.source)

    def _alarm(self, span: AlarmSpan) -> AlarmAnswer:
        return AlarmAnswer(
            device=span.device,
            id=span.key,
            rev=span.revision,
            source=span.source,
            type=span.type,
            active=None if span.point else span.end is None,
            known=span.known,
            unknown_since=self._times.or_null(span.unknown_since),
            severity=span.severity,
            reason=span.reason,
            start=self._iso(span.start),
            end=self._times.or_null(span.end),
            end_uncertain=span.end_uncertain,
            acknowledged=span.acknowledged,
            acknowledged_at=self._times.or_null(span.acknowledged_at),
            confirmed=span.confirmed,
            comment=span.comment or None,
        )
