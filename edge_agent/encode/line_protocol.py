"""The profile `line-protocol`: for InfluxDB, and for whatever else reads its line protocol (Telegraf, VictoriaMetrics).

Over MQTT the topics are `{root}/lines/…`, see below; a database knows no topics. Every measurement has the tags `agent`
and what the site file says of the place: `enterprise`, `site`, `area`.

    measurement            tags besides                 topic            what
    {device}               device                       {device}         samples, see `line_protocol_samples`
    state                  machine, area, line          {machine}/state  each state, at its beginning
    kpi, kpi_open, spc, …  see `line_protocol_records`  {machine}/kpi/{window}, {scope}/{id}/kpi/{window}
    alarm                  device, source, type, id     {device}/alarms  each alarm, at its start, again as it changes
    digital                                             digital          plant indices, each minute
    digital_asset          asset                        digital          level and evidence of an asset
    agent                                               status           online, counts, backlog
    connection             device                       status           whether a device is connected
    gap                    lane, why                    gap              records that can no longer be delivered

A point is named by measurement, tags and time, so what is sent twice is stored once; what changes after it was told (a
revised KPI, an alarm that ends) is told under the same name and replaces what was there. A device whose id is the name
of another measurement has a _ behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from zlib import crc32

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.report import Gap, Report, Samples, StateChange, Status
from edge_agent.core.rollup import Rollup
from edge_agent.encode import line_protocol_samples
from edge_agent.encode.line_protocol_records import Point, flat, report_points, rollup_points
from edge_agent.encode.line_protocol_text import Value, head, line
from edge_agent.encode.message import Message
from edge_agent.encode.profile import Limits, Profile, Scene

PRECISIONS: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": 1_000_000_000}
"""ns of one step of a time stamp, by the name that InfluxDB has for it."""

MEASUREMENTS: Final = frozenset({
    "agent", "alarm", "connection", "digital", "digital_asset", "gap", "kpi", "kpi_open", "kpi_product", "rollup",
    "rollup_open", "spc", "state", "station",
})  # fmt: skip

MAX_PAYLOAD: Final = 200_000
"""Bytes; the message limits of common cloud brokers start at 256 kB."""

# Device clocks tick in 100 ns: within one tick, events that a device tells of at one instant stay apart.
_TICK_NS: Final = 100
_MS: Final = 1_000_000
_INDICES: Final = ("indices", "declared", "by_value", "by_planned_time")
_OF_ASSET: Final = ("connected", "cloud", "online_ratio")


class LineProtocolProfile(Profile):
    """Encodes points; pure."""

    content_type = "text/plain; charset=utf-8"      # what InfluxDB itself calls it
    may_be_packed = True        # Telegraf and Vector can be told to unpack
    heeds = "machines"

    def __init__(self, root: str, scene: Scene, precision: str = "ns", measurement: str = "") -> None:
        """`measurement`: of all samples; '' gives each device its own."""
        self.limits = Limits(payload=MAX_PAYLOAD)
        self._root = f"{root}/lines"
        self._unit = PRECISIONS[precision]
        self._measurement = measurement
        self._version = scene.version
        self._machines = scene.machines
        self._tags = {"agent": scene.agent, **{level: name for level, name in scene.place.items() if name}}
        self._reserved = frozenset({"time", "device", *self._tags})

    def will(self) -> Message:
        """What the broker says when the agent is gone; when that will be is not known: the time is the reader's."""
        return Message(f"{self._root}/status", line("agent", self._tags, {"online": False}, None).encode())

    def status(self, status: Status) -> list[Message]:
        """The agent, and its devices."""
        fields: dict[str, Value] = {
            "online": status.online,
            "version": self._version,
            "journal": status.journal,
            "audit": status.audit,
            **dict(status.counts),
            **{f"backlog_{name}": records for name, records in status.backlog.items()},
        }
        points: list[Point] = [("agent", {}, fields, status.time)]
        for device, state in status.devices.items():
            told: dict[str, Value] = {"state": state, "connected": state == "connected"}
            points.append(("connection", {"device": device}, told, status.time))
        return self._messages("status", points)

    def samples(self, samples: Samples) -> list[Message]:
        """One device's samples; none if there are none."""
        name = self._measurement or _unlike(samples.device)
        start = head(name, {**self._tags, "device": samples.device})
        payload = line_protocol_samples.encode(samples, start, self._reserved, self._unit)
        return self._cut(samples.device, payload)

    def state(self, change: StateChange) -> list[Message]:
        """A machine's new state, at its beginning."""
        fields: dict[str, Value] = {
            "state": change.state.name, "code": int(change.state), "reason": change.reason,
        }  # fmt: skip
        point = ("state", self._of_machine(change.machine), fields, change.since)
        return self._messages(f"{change.machine}/state", [point])

    def report(self, report: Report) -> list[Message]:
        """A machine's KPIs in one window."""
        where = self._of_machine(report.machine)
        points = [(name, where | tags, fields, time) for name, tags, fields, time in report_points(report)]
        return self._messages(f"{report.machine}/kpi/{report.window.kind}", points)

    def rollup(self, rollup: Rollup) -> list[Message]:
        """The KPIs of a line, an area or the site in one window."""
        return self._messages(f"{rollup.kind}/{rollup.id}/kpi/{rollup.window.kind}", rollup_points(rollup))

    def digital(self, payload: Mapping[str, Any], time_ns: int) -> list[Message]:
        """Plant indices and device levels, as of `time_ns`."""
        fields = flat({group: payload[group] for group in _INDICES if group in payload})
        levels = {f"level_{level}": count for level, count in enumerate(payload.get("levels", ()))}
        points: list[Point] = [("digital", {}, fields | levels, time_ns)]
        for name, said in payload.get("devices", {}).items():
            told = flat({key: said.get(key) for key in _OF_ASSET})
            counted = {key: said.get(key) for key in ("level", "declared_level")}
            points.append(("digital_asset", {"asset": name}, told | counted, time_ns))
        return self._messages("digital", points)

    def alarms(self, seq: int, device: str, spans: Sequence[AlarmSpan]) -> list[Message]:
        """One device's alarms that have changed, as they are now."""
        return self._messages(f"{device}/alarms", map(_alarm, spans))

    def gap(self, gap: Gap) -> list[Message]:
        """Records that can no longer be delivered."""
        fields: dict[str, Value] = {"records": gap.records, "from_seq": gap.first, "to_seq": gap.last}
        if gap.start and gap.end:
            fields |= {"from_ms": gap.start // _MS, "to_ms": gap.end // _MS}
        tags = {**self._tags, "lane": gap.lane, "why": gap.why}
        known = gap.end or gap.start
        return self._cut("gap", line("gap", tags, fields, known // self._unit if known else None).encode())

    def _of_machine(self, machine: str) -> dict[str, str]:
        area, of_line = self._machines.get(machine, ("", ""))
        return {"machine": machine, "line": of_line} | ({"area": area} if area else {})

    def _messages(self, below: str, points: Iterable[Point]) -> list[Message]:
        lines = [line(name, self._tags | tags, fields, time // self._unit) for name, tags, fields, time in points]
        return self._cut(below, "\n".join(filter(None, lines)).encode("utf-8", "replace"))

    def _cut(self, below: str, payload: bytes) -> list[Message]:
        topic = f"{self._root}/{below}"
        parts = enumerate(_parts(payload, self.limits.payload))
        return [Message(topic, part, about=str(number) if number else "") for number, part in parts]


def _unlike(device: str) -> str:
    return f"{device}_" if device in MEASUREMENTS else device


def _alarm(span: AlarmSpan) -> Point:
    """An event's key is its alone, as a tag it would be one more series; it moves the event within a tick instead."""
    tags = {"device": span.device, "source": span.source, "type": span.type}
    if not span.point:
        tags["id"] = span.key
    fields: dict[str, Value] = {
        "active": None if span.point else span.end is None,
        "known": span.known,
        "severity": span.severity,
        "reason": span.reason,
        "end_ms": None if span.end is None else span.end // _MS,
        "duration_s": None if span.end is None or span.point else (span.end - span.start) / 1e9,
        "end_uncertain": span.end_uncertain,
        "acknowledged": span.acknowledged,
        "acknowledged_at_ms": None if span.acknowledged_at is None else span.acknowledged_at // _MS,
        "confirmed": span.confirmed,
        "comment": span.comment,
        "rev": span.revision,
    }
    return "alarm", tags, fields, span.start + (crc32(span.key.encode()) % _TICK_NS if span.point else 0)


def _parts(payload: bytes, most: int) -> Iterator[bytes]:
    """As few parts of whole lines as `most` bytes each allow; a line too large alone goes alone."""
    start = 0
    while len(payload) - start > most:
        end = payload.rfind(b"\n", start, start + most + 1)
        if end < 0:
            end = payload.find(b"\n", start)
        if end < 0:
            break
        yield payload[start:end]
        start = end + 1
    if start < len(payload):
        yield payload[start:]
