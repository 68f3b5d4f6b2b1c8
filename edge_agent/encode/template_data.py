"""What templates of the profile `template` are given: names and plain values, by kind of record. Times are ms UTC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.report import OPEN, Gap, Report, Samples, StateChange, Status
from edge_agent.core.rollup import Rollup
from edge_agent.encode import json_alarms, json_samples
from edge_agent.encode.kpi_record import exact, kpi_record
from edge_agent.encode.profile import Scene
from edge_agent.encode.rollup_record import rollup_record

Data = dict[str, Any]

COMMON: Final = ("agent", "version", "destination", "enterprise", "site", "area")
_DEVICE: Final = (*COMMON, "device", "machine", "line", "seq")
_FIGURES: Final = (*COMMON, "window", "name", "start", "end", "production_date", "final", "revision", "as_of", "kpi",
                   "counts", "time_s", "flags", "record")  # fmt: skip
NAMES: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("samples", "device"): (*_DEVICE, "historical", "groups", "samples", "units"),
    ("samples", "group"): (*_DEVICE, "historical", "t", "values", "quality", "units"),
    ("samples", "tag"): (*_DEVICE, "historical", "t", "tag", "value", "quality", "unit"),
    ("state", ""): (*COMMON, "machine", "line", "state", "reason", "since"),
    ("report", ""): (*_FIGURES, "machine", "line"),
    ("rollup", ""): (*_FIGURES, "scope", "id"),
    ("digital", ""): (*COMMON, "t", "indices", "devices", "digital"),
    ("alarms", "device"): (*_DEVICE, "alarms"),
    ("alarms", "alarm"): (*_DEVICE, "alarm"),
    ("status", ""): (*COMMON, "online", "t", "devices", "backlog", "counts"),
    ("gap", ""): (*COMMON, "lane", "first", "last", "records", "start", "end", "why"),
}
"""Kind of record and what there is a message for → the names its templates may use; the first one is the usual one."""

_MS: Final = 1_000_000


class Facts:
    """Makes the data; knows the plant."""

    def __init__(self, scene: Scene) -> None:
        place = {level: scene.place.get(level, "") for level in ("enterprise", "site", "area")}
        self._scene = scene
        self._common = {
            "agent": scene.agent, "version": scene.version, "destination": scene.destination, **place,
        }  # fmt: skip
        self._units: dict[str, dict[str, str]] = {}
        for tag in scene.tags:
            self._units.setdefault(tag.device, {})[tag.name] = tag.unit

    def samples(self, samples: Samples, each: str) -> list[Data]:
        """A device's samples: all together, by source time, or one by one."""
        if not len(samples.batch):
            return []
        groups = [{"quality": {}, **group} for group in json_samples.groups(samples)]
        units = self._units.get(samples.device, {})
        common = {**self._device(samples.device), "seq": samples.seq, "historical": samples.historical}
        if each == "device":
            return [{**common, "units": units, "groups": groups}]
        if each == "group":
            return [{**common, "units": units, **group} for group in groups]
        return [{**common, **one} for one in points(groups, units)]

    def state(self, change: StateChange) -> list[Data]:
        """A machine's new state."""
        said = {"state": change.state.name, "reason": change.reason, "since": change.since // _MS}
        return [{**self._machine(change.machine), **said}]

    def report(self, report: Report) -> list[Data]:
        """A machine's figures in one window."""
        return [{**self._machine(report.machine), **_figures(report, kpi_record(report))}]

    def rollup(self, rollup: Rollup) -> list[Data]:
        """The figures of a line, an area or the site."""
        said = {"scope": rollup.kind, "id": rollup.id}
        return [{**self._common, **said, **_figures(rollup, rollup_record(rollup))}]

    def digital(self, payload: Mapping[str, Any], time_ns: int) -> list[Data]:
        """How digital the plant is."""
        plain = orjson.loads(orjson.dumps(payload, default=exact, option=orjson.OPT_NON_STR_KEYS))
        said = {"t": time_ns // _MS, "indices": plain["indices"], "devices": plain["devices"], "digital": plain}
        return [{**self._common, **said}]

    def alarms(self, seq: int, device: str, spans: Sequence[AlarmSpan], each: str) -> list[Data]:
        """A device's alarms that have changed."""
        told = [json_alarms.alarm(span) for span in spans]
        common = {**self._device(device), "seq": seq}
        return [{**common, "alarms": told}] if each == "device" else [{**common, "alarm": one} for one in told]

    def status(self, status: Status) -> list[Data]:
        """The agent's own status."""
        said = {
            "online": status.online, "t": status.time // _MS, "devices": dict(status.devices),
            "backlog": dict(status.backlog), "counts": dict(status.counts),
        }  # fmt: skip
        return [{**self._common, **said}]

    def will(self) -> Data:
        """The status when the agent is gone: when that will be, and what it will have counted, nobody knows."""
        [said] = self.status(Status(online=False, time=0))
        return {**said, "t": None}

    def gap(self, gap: Gap) -> list[Data]:
        """Records that can no longer be delivered."""
        said = {
            "lane": gap.lane, "first": gap.first, "last": gap.last, "records": gap.records,
            "start": gap.start // _MS or None, "end": gap.end // _MS or None, "why": gap.why,
        }  # fmt: skip
        return [{**self._common, **said}]

    def _device(self, device: str) -> Data:
        machine = self._scene.devices.get(device, "")
        area, line = self._scene.machines.get(machine, ("", ""))
        return {**self._common, "device": device, "machine": machine, "line": line, **({"area": area} if area else {})}

    def _machine(self, machine: str) -> Data:
        area, line = self._scene.machines.get(machine, ("", ""))
        return {**self._common, "machine": machine, "line": line, **({"area": area} if area else {})}


def points(groups: Sequence[Mapping[str, Any]], units: Mapping[str, str]) -> list[Data]:
    """The samples of groups one by one: `t`, `tag`, `value`, `quality` (good, uncertain, bad), `unit`."""
    return [
        {"t": group["t"], "tag": tag, "value": value, "quality": group["quality"].get(tag, "good"),
         "unit": units.get(tag, "")}
        for group in groups
        for tag, value in group["values"].items()
    ]  # fmt: skip


def _figures(told: Report | Rollup, record: Mapping[str, Any]) -> Data:
    plain = orjson.loads(orjson.dumps(record, default=exact))
    window = told.window
    return {
        "window": window.kind, "name": window.name, "start": window.start // _MS,
        "end": None if window.end >= OPEN else window.end // _MS, "production_date": window.production_date.isoformat(),
        "final": told.final, "revision": told.revision, "as_of": told.as_of // _MS, "kpi": plain["kpi"],
        "counts": plain["counts"], "time_s": plain["time_s"], "flags": plain["flags"], "record": plain,
    }  # fmt: skip
