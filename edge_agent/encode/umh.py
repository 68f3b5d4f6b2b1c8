"""The profile `umh`: the United Manufacturing Hub's historian, as UMH classic takes it (docs.umh.app, data model
`_historian`; UMH Core reads the same messages over its bridge).

    umh/v1/{enterprise}/{site}/{area}/{line}/{machine}/_historian[/{group}]

Payload: `{"timestamp_ms": …, "tag": value, …}` with numbers and texts; truth values are 1 and 0. UMH knows a row by tag
and time, so a value that is sent again changes nothing; nothing is retained. Groups: none for the tags of the machine's
own device, the device's name for those of others, `quality` for what is not good (`{"temp": "bad"}`), `state`,
`kpi/{window}` for final windows (revision n stands n ms later, or UMH would pass it over), `digital`. What UMH has no
form for goes where it is not processed: `_local/status` (retained, the will says online 0), `_local/alarms`,
`_local/gap`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.report import Gap, Report, Samples, StateChange, Status
from edge_agent.core.rollup import Rollup
from edge_agent.encode import chosen_kpis, json_alarms, json_samples
from edge_agent.encode.isa95 import Tree, portable
from edge_agent.encode.kpi_record import exact, kpi_record
from edge_agent.encode.message import Message
from edge_agent.encode.profile import Profile
from edge_agent.encode.rollup_record import rollup_record

ROOT: Final = "umh/v1"

_MS: Final = 1_000_000
_HISTORIAN: Final = "_historian"


class UmhProfile(Profile):
    """Encodes for the `_historian` of UMH; pure."""

    def __init__(self, tree: Tree, kpis: Sequence[str] = chosen_kpis.DEFAULT) -> None:
        """ValueError if UMH cannot take a name, or two tags would be one. `tree` makes portable names."""
        self._tree = tree
        self._kpis = tuple(kpis)
        self._agent = self._path(tree.agent())
        self._keys: dict[tuple[str, str], str] = {}
        whose: dict[tuple[str, str], str] = {}
        for tag in tree.scene.tags:
            self._keys[tag.device, tag.name] = portable(tag.name)
            other = whose.setdefault((self._historian(tag.device), portable(tag.name)), tag.id)
            if other != tag.id:
                raise ValueError(f"makes {other} and {tag.id} one tag, {portable(tag.name)}")
        for name in tree.scene.machines:
            self._path(tree.machine(name))

    def will(self) -> Message:
        """The agent's status is offline."""
        return self._local("status", {"timestamp_ms": None, "online": 0}, retain=True)

    def status(self, status: Status) -> list[Message]:
        """The agent's own status."""
        said = {
            "timestamp_ms": status.time // _MS, "online": int(status.online), "devices": dict(status.devices),
            "backlog": dict(status.backlog), "counts": dict(status.counts),
        }  # fmt: skip
        return [self._local("status", said, retain=True)]

    def samples(self, samples: Samples) -> list[Message]:
        """A message for each source time, and one for what is not good then."""
        if not len(samples.batch):
            return []
        topic = self._historian(samples.device)
        keys = {name: self._keys.get((samples.device, name)) or portable(name) for name in samples.names}
        told: list[Message] = []
        for group in json_samples.rows(samples):
            values = {keys[name]: _plain(value) for name, value in group["values"].items() if value is not None}
            told += self._rows(topic, group["t"], values)
            not_good = {keys[name]: quality for name, quality in group.get("quality", {}).items()}
            told += self._rows(f"{topic}/quality", group["t"], not_good)
        return told

    def state(self, change: StateChange) -> list[Message]:
        """A machine's new state, as text."""
        topic = f"{self._path(self._tree.machine(change.machine))}/{_HISTORIAN}/state"
        return self._rows(topic, change.since // _MS, {"state": change.state.name, "reason": change.reason or "-"})

    def report(self, report: Report) -> list[Message]:
        """A machine's figures in one window, once final; a row stands at the end of its window."""
        return self._figures(self._tree.machine(report.machine), report, kpi_record(report)) if report.final else []

    def rollup(self, rollup: Rollup) -> list[Message]:
        """The figures of a line, an area or the site in one window, once final."""
        path = self._tree.rollup(rollup.kind, rollup.id)
        return self._figures(path, rollup, rollup_record(rollup)) if rollup.final else []

    def _figures(self, path: str, told: Report | Rollup, record: Mapping[str, Any]) -> list[Message]:
        figures = chosen_kpis.chosen(record, self._kpis)
        topic = f"{self._path(path)}/{_HISTORIAN}/kpi/{told.window.kind}"
        time_ms = told.window.end // _MS + told.revision
        return self._rows(topic, time_ms, {k: v for k, v in figures.items() if v is not None})

    def digital(self, payload: Mapping[str, Any], time_ns: int) -> list[Message]:
        """The indices, and each level."""
        indices = {name: value for name, value in payload["indices"].items() if value is not None}
        levels = {portable(name): one["level"] for name, one in payload["devices"].items()}
        topic = f"{self._agent}/{_HISTORIAN}/digital"
        made = self._rows(topic, time_ns // _MS, indices)
        return made + self._rows(f"{topic}/level", time_ns // _MS, levels)

    def alarms(self, seq: int, device: str, spans: Sequence[AlarmSpan]) -> list[Message]:
        """Alarms as they are now; UMH has no form for them."""
        topic = f"{self._path(self._tree.device(device))}/_local/alarms"
        payloads = json_alarms.payloads({"seq": seq, "device": device}, spans, self.limits.payload)
        return [Message(topic, payload) for payload in payloads]

    def gap(self, gap: Gap) -> list[Message]:
        """Records that can no longer be delivered."""
        said = {
            "timestamp_ms": gap.end // _MS, "lane": gap.lane, "from_seq": gap.first, "to_seq": gap.last,
            "records": gap.records, "from_ms": gap.start // _MS or None, "why": gap.why,
        }  # fmt: skip
        return [self._local("gap", said)]

    def _path(self, path: str) -> str:
        """Below `umh/v1`; ValueError if UMH would take a level for something else."""
        for level in path.split("/"):
            if level.startswith("_"):
                raise ValueError(f"has the level {level}; UMH takes none that begins with _, so give it a Latin name")
        return f"{ROOT}/{path}"

    def _historian(self, device: str) -> str:
        within = self._tree.within(device)
        return f"{self._path(self._tree.device(device))}/{_HISTORIAN}" + (f"/{within}" if within else "")

    def _rows(self, topic: str, time_ms: int, values: dict[str, Any]) -> list[Message]:
        """In one message if that is not too large; none without values."""
        if not values:
            return []
        payload = orjson.dumps({"timestamp_ms": time_ms, **values}, default=exact)
        if len(payload) <= self.limits.payload or len(values) == 1:
            return [Message(topic, payload)]
        items = list(values.items())
        halves = (dict(items[: len(items) // 2]), dict(items[len(items) // 2 :]))
        return [message for half in halves for message in self._rows(topic, time_ms, half)]

    def _local(self, name: str, said: dict[str, Any], *, retain: bool = False) -> Message:
        return Message(f"{self._agent}/_local/{name}", orjson.dumps(said), retain=retain)


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value
