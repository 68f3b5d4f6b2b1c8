"""The profile `thingsboard`: the gateway API of ThingsBoard (thingsboard.io/docs/reference/gateway-mqtt-api).

    v1/gateway/connect, /disconnect    a device came or went; all that are there at each link, with their type
    v1/gateway/telemetry               {"press-1": [{"ts": ms, "values": {"temp": 21.5}}, …]}
    v1/gateway/attributes              {"press-1": {"temp.unit": "Cel", "temp.high": 400, "digital_level": 3}}
    v1/devices/me/telemetry            of the agent itself: counts, backlog, digital indices, gaps
    v1/devices/me/attributes           its version
    v1/gateway/rpc                     see `thingsboard_rpc`

A key and its time are a point: what is sent again changes nothing. There is no null and no quality: a value that is
none is left out, and what is not good is told beside it, `"temp.quality": "bad"`. States are the text `state`, with
`state_reason`; figures of a window have its kind before them (`shift_oee`), once final `shift_final_oee` at its end,
with the whole record as `shift_record`. Alarms are `alarm.{id}`, what has no duration is in the list `events`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.command import Outcome
from edge_agent.core.report import Gap, Report, Samples, StateChange, Status
from edge_agent.core.rollup import Rollup
from edge_agent.core.tags import Tag
from edge_agent.encode import chosen_kpis, json_alarms, json_samples
from edge_agent.encode.kpi_record import exact, kpi_record
from edge_agent.encode.message import Message, Received
from edge_agent.encode.profile import Asked, Limits, Profile, Scene
from edge_agent.encode.rollup_record import rollup_record
from edge_agent.encode.thingsboard_names import DEVICE, MACHINE, Names
from edge_agent.encode.thingsboard_rpc import TOPIC as RPC
from edge_agent.encode.thingsboard_rpc import Calls, answer

TELEMETRY: Final = "v1/gateway/telemetry"
ATTRIBUTES: Final = "v1/gateway/attributes"
OWN_TELEMETRY: Final = "v1/devices/me/telemetry"
OWN_ATTRIBUTES: Final = "v1/devices/me/attributes"

PAYLOAD: Final = 65_536
"""bytes; what a server takes unless its NETTY_MAX_PAYLOAD_SIZE says otherwise: it hangs up on more"""

# The server counts the whole packet: its header, the topic, the packet's number.
_PACKET: Final = 64
_MS: Final = 1_000_000

Row = tuple[int, dict[str, Any]]
"""A time in ms, and values by key."""


class ThingsboardProfile(Profile):
    """Encodes for a ThingsBoard gateway. Pure but for two things it remembers: which devices were there when the link
    was opened, and the calls it heard lately."""

    def __init__(
        self, scene: Scene, names: Names | None = None, kpis: Sequence[str] = chosen_kpis.DEFAULT,
        limits: Limits | None = None,
    ) -> None:  # fmt: skip
        self._scene = scene
        self._names = names or Names(scene, DEVICE, MACHINE, "equipment", "machine")
        self._kpis = tuple(kpis)
        limits = limits or Limits(PAYLOAD)
        self.limits = replace(limits, payload=limits.payload - _PACKET, firm=True)
        self._calls = Calls(self._names, scene.destination)
        self._at_hello: Mapping[str, str] = {}
        self._turned: set[str] = set()

    # -- who is there ------------------------------------------------------------------------

    def hello(self, status: Status) -> list[Message]:
        """All that are there, and what describes them; a machine is there as long as the agent is."""
        self._at_hello, self._turned = dict(status.devices), set()
        names = self._names
        there = [name for own, name in names.devices.items() if status.devices.get(own) == "connected"]
        there += names.machines.values()
        told = [self._connect(name) for name in dict.fromkeys(there)]
        of_device = {name: _of_tags(self._scene.tags.device_tags(own)) for own, name in names.devices.items()}
        for own, name in names.machines.items():
            area, line = self._scene.machines[own]
            area = area or self._scene.place.get("area", "")
            of_device[name] = {**of_device.get(name, {}), **{k: v for k, v in (("area", area), ("line", line)) if v}}
        told += self._attributes(of_device, "description")
        told.append(Message(OWN_ATTRIBUTES, orjson.dumps({"version": self._scene.version, "agent": self._scene.agent})))
        return told + self.status(status)

    def goodbye(self, status: Status) -> list[Message]:
        """Nothing: the server takes all devices of a link that ends for gone."""
        return []

    def status(self, status: Status) -> list[Message]:
        """Which devices came or went since the link was opened, and what the agent counts."""
        self._calls.repeats.now_ns = status.time
        told = []
        for own, name in self._names.devices.items():
            now = status.devices.get(own)
            if now != self._at_hello.get(own):
                self._turned.add(own)       # from now on told with each status: the newest may be all that is sent
            if own in self._turned:
                told.append(self._connect(name) if now == "connected" else self._disconnect(name))
        values = {
            "backlog": status.backlog.get(self._scene.destination, 0),
            "devices_connected": sum(state == "connected" for state in status.devices.values()),
            "devices": len(status.devices), **status.counts,
            **{name: text for name, text in (("journal", status.journal), ("audit", status.audit)) if text},
        }  # fmt: skip
        return [*told, self._own(status.time, values, "status")]

    def _connect(self, name: str) -> Message:
        said = {"device": name, "type": self._names.types[name]}
        return Message("v1/gateway/connect", orjson.dumps(said), about=name)

    def _disconnect(self, name: str) -> Message:
        return Message("v1/gateway/disconnect", orjson.dumps({"device": name}), about=name)

    # -- equipment ---------------------------------------------------------------------------

    def samples(self, samples: Samples) -> list[Message]:
        """One device's samples, in as few messages as the server takes."""
        if not len(samples.batch):
            return []
        name = self._names.devices.get(samples.device, samples.device)
        rows: list[Row] = []
        for group in json_samples.rows(samples):
            values = {tag: value for tag, value in group["values"].items() if value is not None}
            values |= {f"{tag}.quality": quality for tag, quality in group.get("quality", {}).items()}
            rows.append((group["t"], values))
        return self._telemetry(name, rows)

    def state(self, change: StateChange) -> list[Message]:
        """A machine's new state."""
        values = {"state": change.state.name, "state_reason": change.reason}
        return self._telemetry(self._machine(change.machine), [(change.since // _MS, values)])

    def alarms(self, seq: int, device: str, spans: Sequence[AlarmSpan]) -> list[Message]:
        """Alarms as they are now."""
        rows: list[Row] = []
        events: dict[int, list[Any]] = {}
        for span in spans:
            if span.point:
                events.setdefault(span.start // _MS, []).append(json_alarms.alarm(span))
            else:
                rows.append((span.newest_ns // _MS, {f"alarm.{span.key}": json_alarms.alarm(span)}))
        rows += [(time_ms, {"events": told}) for time_ms, told in events.items()]
        return self._telemetry(self._names.devices.get(device, device), rows)

    # -- figures -----------------------------------------------------------------------------

    def report(self, report: Report) -> list[Message]:
        """A machine's figures in one window."""
        about = f"{report.machine} {report.window.kind}"
        return self._telemetry(self._machine(report.machine), [self._figures(report, kpi_record(report))], about)

    def rollup(self, rollup: Rollup) -> list[Message]:
        """The figures of a line, an area or the site: the agent's own, with its kind and id before them."""
        time_ms, values = self._figures(rollup, rollup_record(rollup))
        whose = f"{rollup.kind}.{rollup.id}"
        values = {f"{whose}.{key}": value for key, value in values.items()}
        return self._rows(OWN_TELEMETRY, None, [(time_ms, values)], f"{whose} {rollup.window.kind}")

    def _figures(self, told: Report | Rollup, record: Mapping[str, Any]) -> Row:
        kind = told.window.kind
        figures = {k: v for k, v in chosen_kpis.chosen(record, self._kpis).items() if v is not None}
        if not told.final:
            return told.as_of // _MS, {f"{kind}_{name}": value for name, value in figures.items()}
        return told.window.end // _MS, {
            **{f"{kind}_final_{name}": value for name, value in figures.items()}, f"{kind}_record": record,
        }  # fmt: skip

    def digital(self, payload: Mapping[str, Any], time_ns: int) -> list[Message]:
        """Levels are attributes of each device; indices are the agent's own."""
        levels = {}
        for own, one in payload["devices"].items():
            name = self._names.devices.get(own) or self._names.machines.get(own)
            if name:
                said = {f"digital_{key}": one[key] for key in ("level", "declared_level", "cloud", "online_ratio")}
                levels[name] = said
        indices = {f"digital.{name}": value for name, value in payload["indices"].items() if value is not None}
        return [*self._attributes(levels, "digital"), self._own(time_ns, indices, "digital")]

    def gap(self, gap: Gap) -> list[Message]:
        """Records that can no longer be delivered."""
        said = {
            "lane": gap.lane, "from_seq": gap.first, "to_seq": gap.last, "records": gap.records,
            "from": gap.start // _MS or None, "to": gap.end // _MS or None, "why": gap.why,
        }  # fmt: skip
        return [self._own(gap.end or self._calls.repeats.now_ns, {"gap": said}, "")]

    # -- calls -------------------------------------------------------------------------------

    def command_topics(self) -> Sequence[str]:
        """Where calls come, and answers go."""
        return (RPC,)

    def command(self, received: Received) -> Asked | None:
        """See `thingsboard_rpc`."""
        return self._calls.read(received)

    def reply(self, asked: Asked, outcome: Outcome, received: Received) -> Message | None:
        """See `thingsboard_rpc`."""
        return answer(outcome, received)

    # -- payloads ----------------------------------------------------------------------------

    def _machine(self, name: str) -> str:
        return self._names.machines.get(name, name)

    def _own(self, time_ns: int, values: Mapping[str, Any], about: str) -> Message:
        said = {"ts": time_ns // _MS, "values": values}
        return Message(OWN_TELEMETRY, orjson.dumps(said, default=exact), about=about)

    def _telemetry(self, name: str, rows: Iterable[Row], about: str = "") -> list[Message]:
        return self._rows(TELEMETRY, name, rows, about)

    def _rows(self, topic: str, name: str | None, rows: Iterable[Row], about: str) -> list[Message]:
        """Rows of a device, or (None) the agent's own, in as few messages as the server takes."""
        begin, end = (b"[", b"]") if name is None else (b"{" + orjson.dumps(name) + b":[", b"]}")
        room = self.limits.payload - len(begin) - len(end)
        parts = _packed([entry for row in rows for entry in _entries(row, room)], room)
        return [
            Message(topic, begin + b",".join(part) + end, about=f"{about}:{n}" if about else "")
            for n, part in enumerate(parts)
        ]

    def _attributes(self, of_device: Mapping[str, Mapping[str, Any]], about: str) -> list[Message]:
        """Attributes of several devices, in as few messages as the server takes."""
        room = self.limits.payload - 2
        entries: list[bytes] = []
        for name, values in of_device.items():
            for half in _halved(dict(values), room - len(name.encode()) * 6 - 4) if values else ():
                entries.append(orjson.dumps({name: half})[1:-1])
        # A part replaces the same part of the last time: what is in it may move, all of them together say all.
        return [
            Message(ATTRIBUTES, b"{" + b",".join(part) + b"}", about=f"{about}:{n}")
            for n, part in enumerate(_apart(entries, room))
        ]


def _of_tags(tags: Iterable[Tag]) -> dict[str, Any]:
    """What describes them, by key."""
    said: dict[str, Any] = {}
    for tag in tags:
        limits = {"low": tag.low, "high": tag.high}
        said |= {f"{tag.name}.unit": tag.unit} if tag.unit else {}
        said |= {f"{tag.name}.{key}": limit for key, limit in limits.items() if math.isfinite(limit)}
    return said


def _entries(row: Row, room: int) -> list[bytes]:
    time_ms, values = row
    return [
        orjson.dumps({"ts": time_ms, "values": half}, default=exact)
        for half in (_halved(values, room - len(b'{"ts":,"values":}') - 20) if values else ())
    ]


def _halved(values: dict[str, Any], room: int) -> list[dict[str, Any]]:
    """In as many halves of halves as make each one fit; a single value too large goes alone."""
    if len(values) == 1 or len(orjson.dumps(values, default=exact)) <= room:
        return [values]
    items = list(values.items())
    middle = len(items) // 2
    return [*_halved(dict(items[:middle]), room), *_halved(dict(items[middle:]), room)]


def _packed(entries: Sequence[bytes], room: int) -> list[list[bytes]]:
    parts: list[list[bytes]] = []
    filled = room + 1
    for entry in entries:
        if filled + len(entry) + 1 > room:
            parts.append([])
            filled = 0
        parts[-1].append(entry)
        filled += len(entry) + 1
    return parts


def _apart(entries: Sequence[bytes], room: int) -> list[list[bytes]]:
    """As `_packed`, and no name twice in one: JSON would keep the last only."""
    parts: list[list[bytes]] = []
    for part in _packed(entries, room):
        parts.append([])
        for entry in part:
            if parts[-1] and entry.split(b":", 1)[0] == parts[-1][-1].split(b":", 1)[0]:
                parts.append([])
            parts[-1].append(entry)
    return parts
