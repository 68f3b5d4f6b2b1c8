"""What the journal held, looked at from outside after every life of the agent: what is promised to arrive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from edge_agent.encode import columns, json_profile
from edge_agent.journal import RecordKind, records
from edge_agent.north.encoding import messages_of
from tests.campaign.verdict import Verdict

DESTINATION = "platform"
TOLD = frozenset({RecordKind.STATE, RecordKind.REPORT, RecordKind.GAP})

Messages = Sequence[tuple[str, dict[str, Any]]]
"""As they were heard: topics below the agent's, and payloads."""
Said = tuple[str, bytes]
"""The end of a topic, below the agent's, and a payload, with its keys in order."""


def said(topic: str, payload: Mapping[str, Any]) -> Said:
    """To compare what was heard with what was committed, which does not know whether it will have to wait."""
    known = {key: value for key, value in payload.items() if key != "historical"}
    return topic, orjson.dumps(known, option=orjson.OPT_SORT_KEYS)


@dataclass(slots=True)
class Committed:
    """Everything that was ever found in it."""

    numbers: dict[int, int] = field(default_factory=dict)
    """number of an answer → seq"""
    events: dict[int, Said] = field(default_factory=dict)
    """seq → what a destination is told"""
    destroyed: set[int] = field(default_factory=set)
    """seqs, of both, that damage took"""
    due: set[int] = field(default_factory=set)
    """those of `events` that had all the time in the world"""
    _until: list[int] = field(default_factory=lambda: [0, 0])
    _turn: Lock = field(default_factory=Lock)

    def read(self, folder: Path) -> None:
        """Add what is new; an agent may be writing."""
        with self._turn:
            before_samples, before_events = self._until
            for seq, number in numbers_in(folder, before_samples):
                self.numbers[number] = seq
                self._until[0] = seq
            for seq, one in _events_in(folder, before_events):
                self.events[seq] = one
                self._until[1] = seq

    def waiting(self, messages: Messages) -> list[object]:
        """What is not heard yet, and was not told to be gone."""
        seqs = {payload["seq"] for topic, payload in messages if topic.endswith("/tags")}
        heard = {said(*one) for one in messages if _is_told(*one)}
        gaps = [gap for topic, gap in messages if topic == "/gap"]
        gone, lost = list(spans_of(gaps)), list(spans_of(gaps, "events"))
        left: list[object] = [
            seq for seq in sorted(set(self.numbers.values()) - seqs - self.destroyed)
            if not any(first <= seq <= last for first, last in gone)
        ]  # fmt: skip
        left += [
            one for seq, one in self.events.items()
            if one not in heard and seq not in self.destroyed and not any(first <= seq <= last for first, last in lost)
        ]  # fmt: skip
        return left

    def untold_orders(self, messages: Messages) -> set[str]:
        """Those of whose final KPI records one was not heard, and a gap tells it."""
        heard = {said(*one) for one in messages if _is_told(*one)}
        lost = list(spans_of((gap for topic, gap in messages if topic == "/gap"), "events"))
        return {
            orjson.loads(one[1])["window"]["order"] for seq, one in self.events.items()
            if one[0].endswith("/kpi/job") and one not in heard and any(first <= seq <= last for first, last in lost)
        }  # fmt: skip

    def missing(self, folder: Path) -> None:
        """Note what a fault has just taken out of it."""
        there = {seq for seq, _ in numbers_in(folder)} | {seq for seq, _ in _events_in(folder)}
        self.destroyed |= {*self.numbers.values(), *self.events} - there


def numbers_in(folder: Path, after: int = 0) -> Iterator[tuple[int, int]]:
    """(seq, number) of every number of the first tag in intact records behind seq `after`."""
    for record in records(folder, kinds={RecordKind.SAMPLES}):
        if record.seq > after and record.definition is not None:
            place = orjson.loads(record.definition)["names"].index("n0")
            batch, _ = columns.unpack(record.body)
            for value in batch.value[(batch.tag == place) & (batch.quality < 128)].tolist():
                yield record.seq, int(value)


def _events_in(folder: Path, after: int = 0) -> Iterator[tuple[int, Said]]:
    """(seq, what is told of it) of every state, final KPI record and gap behind seq `after`."""
    profile = json_profile.JsonProfile("", "gw-1", "")
    for record in records(folder, kinds=TOLD):
        if record.seq > after:
            for message in messages_of(profile, record, 0, DESTINATION):
                yield record.seq, said(message.topic, orjson.loads(message.payload))


def spans_of(gaps: Iterable[Mapping[str, Any]], lane: str = "samples") -> Iterator[tuple[int, int]]:
    """From which seq to which they tell that records of a lane are gone."""
    for gap in gaps:
        if gap["lane"] == lane:
            yield gap["from_seq"], gap["to_seq"]


def _is_told(topic: str, payload: Mapping[str, Any]) -> bool:
    return topic.endswith(("/state", "/gap")) or ("/kpi/" in topic and payload["final"])


def judge_events(messages: Messages, committed: Committed, verdict: Verdict, *, forgets: bool) -> None:
    """States, final KPI records and gaps: all that were committed were heard, in their order, and nothing else was.

    What was told twice in the same words is one. `forgets`: see `Plan`.
    """
    first: dict[Said, int] = {}
    for place, one in enumerate(messages):
        if _is_told(*one):
            first.setdefault(said(*one), place)
    verdict.told = len(first)
    lost = list(spans_of((payload for topic, payload in messages if topic == "/gap"), "events"))
    told = {seq for seq in committed.due if any(low <= seq <= high for low, high in lost)} if forgets else set()
    due = {seq: committed.events[seq] for seq in sorted(committed.due - committed.destroyed - told)}
    verdict.blame("committed, not heard", [(seq, *one) for seq, one in due.items() if one not in first])
    unknown = first.keys() - set(committed.events.values())
    verdict.blame("heard, never committed", () if forgets else unknown)
    # What was destroyed is told again in the same words, later, if it was not heard.
    again = {committed.events[seq] for seq in committed.destroyed & committed.events.keys()}
    again |= {committed.events[seq] for seq in told & committed.events.keys() if committed.events[seq][0] == "/gap"}
    latest, known = -1, set()
    for seq, one in sorted(committed.events.items()):
        if one in first and one not in known | again:
            verdict.blame("events out of order", [(seq, *one)] if first[one] < latest else [])
            latest = max(latest, first[one])
            known.add(one)
