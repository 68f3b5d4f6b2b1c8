"""The profile `json`: what the agent publishes, readable by anyone (topics and keys: docs).

`{root}` is `edge/{enterprise}/{site}/{area}/{agent}`, unless the site file says another. All messages have QoS 1.

    {root}/status                    retained; the will says online: false
    {root}/{device}/tags             samples, one group for each source time
    {root}/{device}/alarms           alarms, each time one changes, see `json_alarms`
    {root}/{machine}/state           retained
    {root}/{machine}/kpi/{window}    the window's kind: shift, hour, day …; retained but for older windows
    {root}/{scope}/{id}/kpi/{window} the same of a line, an area, the site: see `rollup_record`
    {root}/digital                   retained
    {root}/command/{device}, {root}/reply/{id}    see `json_command`

`seq` is the journal's number of the record and, with the agent's id, the key by which a receiver
knows duplicates; a record too large for one message is several with the same `seq`, numbered
`part` of `parts`. States and KPIs that have waited in the journal say `historical: true`. Times are
integer ms UTC, windows ISO 8601 with the offset of their zone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.report import Gap, Report, Samples, StateChange, Status
from edge_agent.core.rollup import Rollup
from edge_agent.encode import json_alarms, json_samples
from edge_agent.encode.isa95 import check_level, fill
from edge_agent.encode.json_command import JsonCommanded
from edge_agent.encode.kpi_record import exact, kpi_record
from edge_agent.encode.message import Message
from edge_agent.encode.profile import Limits
from edge_agent.encode.rollup_record import rollup_record

VERSION: Final = 1
"""The `v` of every payload; grows only when a key changes its meaning or goes."""

MAX_PAYLOAD: Final = 200_000
"""Bytes; the message limits of common cloud brokers start at 256 kB."""

# What is said of an asset where there are too many to say all.
_LEVEL: Final = ("level", "declared_level", "connected", "cloud", "online_ratio")
_MS: Final = 1_000_000

ROOT: Final = "edge/{enterprise}/{site}/{area}/{agent}"
ROOT_LEVELS: Final = ("enterprise", "site", "area", "agent")


def root_topic(place: Mapping[str, str | None], agent: str, template: str = ROOT) -> str:
    """The template filled; levels that `place` does not name are left out. ValueError if one cannot be a level."""
    named = {level: name for level, name in place.items() if name} | {"agent": agent}
    return fill(template, {level: check_level(name) for level, name in named.items()})


class JsonProfile(JsonCommanded):
    """Encodes for everyone who reads JSON. Pure but for one thing: it knows the newest window of each topic."""

    content_type = "application/json"
    may_be_packed = True
    heeds = "agent"

    def __init__(self, root: str, agent: str, version: str, max_payload: int = MAX_PAYLOAD) -> None:
        self._root = root
        self._agent = agent
        self._version = version
        self.limits = Limits(payload=max_payload)
        self._newest: dict[str, int] = {}       # start of the newest window each topic has told of

    def will(self) -> Message:
        """What the broker says when the agent is gone; when that will be is not known, so `t` is null."""
        return self._status(online=False, time_ms=None, devices={})

    def status(self, status: Status) -> list[Message]:
        """The birth, and the status from then on."""
        more: dict[str, object] = {"backlog": dict(status.backlog), "counts": dict(status.counts)}
        if status.commands:
            more["commands"] = dict(status.commands)
        if status.draining:
            more["draining"] = {name: dict(said) for name, said in status.draining.items()}
        for name, trouble in (("journal", status.journal), ("audit", status.audit)):
            if trouble:
                more[name] = trouble
        time_ms = status.time // _MS
        return [self._status(online=status.online, time_ms=time_ms, devices=status.devices, **more)]

    def _status(
        self, *, online: bool, time_ms: int | None, devices: Mapping[str, str], **more: object
    ) -> Message:
        said = {"v": VERSION, "online": online, "t": time_ms, "agent": self._agent, "version": self._version}
        return self._retained("status", {**said, "devices": dict(devices), **more})

    def samples(self, samples: Samples) -> list[Message]:
        """One device's samples, in one message if that is not too large; none if there are none."""
        if not len(samples.batch):
            return []
        topic = f"{self._root}/{samples.device}/tags"
        said: dict[str, Any] = {
            "v": VERSION, "seq": samples.seq, "device": samples.device, "historical": samples.historical,
        }  # fmt: skip
        groups = json_samples.groups(samples)
        payload = orjson.dumps({**said, "samples": groups})
        if len(payload) <= self.limits.payload:
            return [Message(topic, payload)]
        frame = len(orjson.dumps({**said, "part": 10**9, "parts": 10**9, "samples": []}))
        cut = json_samples.parts(groups, self.limits.payload - frame)
        if len(cut) == 1:
            return [Message(topic, payload)]
        return [
            Message(topic, _joined({**said, "part": number, "parts": len(cut)}, encoded))
            for number, encoded in enumerate(cut, 1)
        ]

    def alarms(self, seq: int, device: str, spans: Sequence[AlarmSpan]) -> list[Message]:
        """One device's alarms that have changed, as they are now; in one message if that is not too large."""
        said = {"v": VERSION, "seq": seq, "device": device}
        topic = f"{self._root}/{device}/alarms"
        return [Message(topic, payload) for payload in json_alarms.payloads(said, spans, self.limits.payload)]

    def state(self, change: StateChange) -> list[Message]:
        """A machine's new state."""
        said = {
            "v": VERSION,
            "machine": change.machine,
            "state": change.state.name,
            "reason": change.reason or None,
            "since": change.since // _MS,
            **_past(change),
        }
        return [self._retained(f"{change.machine}/state", said)]

    def report(self, report: Report) -> list[Message]:
        """A machine's KPIs in one window."""
        return [self._figures(f"{report.machine}/kpi/{report.window.kind}", report, kpi_record(report))]

    def rollup(self, rollup: Rollup) -> list[Message]:
        """The KPIs of a line, an area or the site in one window."""
        topic = f"{rollup.kind}/{rollup.id}/kpi/{rollup.window.kind}"
        return [self._figures(topic, rollup, rollup_record(rollup))]

    def _figures(self, below: str, told: Report | Rollup, record: Mapping[str, Any]) -> Message:
        """Retained unless a newer window was told of: what has waited, or is revised, must not stand in its place."""
        message = self._retained(below, {**record, **_past(told)})
        start = told.window.start
        newest = self._newest[below] = max(start, self._newest.get(below, start))
        return message if start == newest else replace(message, retain=False)

    def digital(self, payload: Mapping[str, Any], time_ns: int) -> list[Message]:
        """Plant indices and device levels, as of `time_ns`; of many assets only what the message holds."""
        said = {"v": VERSION, "t": time_ns // _MS, **payload}
        message = self._retained("digital", said)
        if len(message.payload) > self.limits.payload:
            levels = {name: {key: one[key] for key in _LEVEL} for name, one in payload["devices"].items()}
            message = self._retained("digital", {**said, "brief": True, "sources": {}, "devices": levels})
        if len(message.payload) > self.limits.payload:
            message = self._retained("digital", {**said, "brief": True, "sources": {}, "devices": {}, "sme": {}})
        return [message]

    def gap(self, gap: Gap) -> list[Message]:
        """Records that can no longer be delivered."""
        said = {
            "v": VERSION, "lane": gap.lane, "from_seq": gap.first, "to_seq": gap.last, "records": gap.records,
            "from": gap.start // _MS or None, "to": gap.end // _MS or None, "why": gap.why,
        }  # fmt: skip
        return [Message(f"{self._root}/gap", orjson.dumps(said))]

    def _retained(self, below: str, said: Mapping[str, Any]) -> Message:
        payload = orjson.dumps(said, default=exact, option=orjson.OPT_NON_STR_KEYS)
        return Message(f"{self._root}/{below}", payload, retain=True)


def _past(told: StateChange | Report | Rollup) -> dict[str, bool]:
    return {"historical": True} if told.historical else {}


def _joined(said: Mapping[str, Any], groups: list[bytes]) -> bytes:
    return orjson.dumps(said)[:-1] + b',"samples":[' + b",".join(groups) + b"]}"
