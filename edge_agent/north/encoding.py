"""From a record of the journal to the messages of one destination."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import orjson

from edge_agent.api import Kind, Message, Profile
from edge_agent.core.report import Samples
from edge_agent.encode import columns, records
from edge_agent.encode.rollup_body import unpack_rollup
from edge_agent.journal import Record, RecordKind


def messages_of(profile: Profile, record: Record, historical: bool, destination: str) -> list[Message]:
    """What `profile` makes of the record for `destination`. `historical`: it has waited for the link."""
    return profile.numbered(record.seq, _messages_of(profile, record, historical, destination))


def _messages_of(profile: Profile, record: Record, historical: bool, destination: str) -> list[Message]:
    if record.kind == RecordKind.SAMPLES:
        return profile.samples(samples_of(record, historical=historical))
    if record.kind == RecordKind.STATE:
        change = replace(records.unpack_state(record.body), seq=record.seq, historical=historical)
        return profile.state(change) if change.shown else []
    if record.kind == RecordKind.REPORT:
        return profile.report(replace(records.unpack_report(record.body), historical=historical))
    if record.kind == RecordKind.ROLLUP:
        return profile.rollup(replace(unpack_rollup(record.body), historical=historical))
    if record.kind == RecordKind.ALARM:
        return profile.alarms(record.seq, *records.unpack_alarms(record.body))
    if record.kind == RecordKind.GAP:
        gap = records.unpack_gap(record.body)
        return profile.gap(gap) if gap.destination == destination else []
    return []


def samples_of(record: Record, *, historical: bool) -> Samples:
    """The samples of a record of that kind."""
    assert record.definition is not None, "samples are appended with the key of their device"
    device, names, kinds = _device(record.definition)
    batch, texts = columns.unpack(record.body)
    return Samples(record.seq, device, names, kinds, batch, texts, historical)


@lru_cache(1024)
def _device(definition: bytes) -> tuple[str, tuple[str, ...], tuple[Kind, ...]]:
    """A device and the names and kinds of its tags; the same definition stands before many records."""
    said = orjson.loads(definition)
    return said["device"], tuple(said["names"]), tuple(map(Kind, said["kinds"]))
