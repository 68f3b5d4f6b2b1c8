"""The profile `uns`: a unified namespace by ISA-95, one value a topic, its newest retained.

`{path}` is filled as `isa95` says; a device's path is that of the machine it belongs to.

    {path}/tags/{tag}                    a sample; {path}/tags/{device}/{tag} where the device is not its machine
    {path}/state                         of a machine: RUN, FAULT …, with its `reason`
    {path}/kpi/{window}/{figure}         of the open window of a machine, a line, an area, the site
    {path}/kpi/{window}/last/{figure}    of the last one that is final; `last/record` has the whole record
    {path}/alarms/{alarm}                true while it holds; with all that is known of it
    {path}/events                        what has no duration, not retained
    {path}/digital/level                 of a device or an asset; {agent}/digital/{index}
    {agent}/status, {agent}/gap          of the agent itself; the will says false
    {agent}/command/{device}, {agent}/reply/{id}     as in the profile `json`

Payload: `{"value": …, "timestamp_ms": …, "quality": 192, "unit": "Cel", "id": "gw-01:7:0"}`. `quality` is that of OPC
Classic: 192 good, 64 uncertain, 0 bad; a value that is none is null and bad. `id` is the same each time a value is sent
again. History is sent to the same topics, but retained only where it is newer than all that was sent before: what a
broker retains never goes back in time. At each link the newest of all is sent first: a broker may have forgotten it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.report import Gap, Report, Samples, StateChange, Status
from edge_agent.core.rollup import Rollup
from edge_agent.encode import chosen_kpis, json_alarms, json_samples
from edge_agent.encode.isa95 import Tree
from edge_agent.encode.json_command import JsonCommanded
from edge_agent.encode.kpi_record import exact, kpi_record
from edge_agent.encode.message import Message
from edge_agent.encode.rollup_record import rollup_record

OPC_QUALITY: Final = (192, 64, 0)
"""Of good, uncertain and bad (OPC DA 3.00, 6.8)."""

_GOOD: Final = OPC_QUALITY[0]
_BAD: Final = OPC_QUALITY[2]
_MS: Final = 1_000_000
# What an alarm's id, which is a device's own text, can have and a level of a topic cannot.
_NO_LEVEL: Final = re.compile(r"[^\w.;=:,@ -]")
_LONGEST_ID: Final = 64


class UnsProfile(JsonCommanded):
    """Encodes for a unified namespace. Pure but for one thing: it keeps the newest of what each topic retains."""

    def __init__(self, tree: Tree, kpis: Sequence[str] = chosen_kpis.DEFAULT) -> None:
        """ValueError if a name cannot be a level of a topic, or two tags would share one."""
        self._tree = tree
        self._kpis = tuple(kpis)
        self._agent = tree.scene.agent
        self._root = tree.agent()
        self._units = {(tag.device, tag.name): tag.unit or None for tag in tree.scene.tags}
        self._newest: dict[str, int] = {}
        self._held: dict[str, Message] = {}     # a message each for the tags, states, alarms and last windows there are
        self._topics: dict[tuple[str, str], str] = {}
        for device, name in self._units:
            self._topic(device, name)
        _without_doubles(self._topics, "tags")
        _without_doubles({name: tree.machine(name) for name in tree.scene.machines}, "machines")

    # -- the agent ---------------------------------------------------------------------------

    def will(self) -> Message:
        """The agent's status is false."""
        return self._said(f"{self._root}/status", False, None, self._agent)

    def hello(self, status: Status) -> list[Message]:
        """The status, and the newest of all that is retained."""
        return [*self.status(status), *self._held.values()]

    def status(self, status: Status) -> list[Message]:
        """True while the agent is there; devices, backlog and counts beside it."""
        more = {"devices": dict(status.devices), "backlog": dict(status.backlog), "counts": dict(status.counts)}
        troubles = {name: text for name, text in (("journal", status.journal), ("audit", status.audit)) if text}
        id = f"{self._agent}:{status.time // _MS}"
        return [self._said(f"{self._root}/status", status.online, status.time, id, more={**more, **troubles})]

    def gap(self, gap: Gap) -> list[Message]:
        """Records that can no longer be delivered: how many."""
        more = {
            "lane": gap.lane, "from_seq": gap.first, "to_seq": gap.last, "from_ms": gap.start // _MS or None,
            "to_ms": gap.end // _MS or None, "why": gap.why,
        }  # fmt: skip
        id = f"{self._agent}:{gap.first}:{gap.last}"
        return [self._said(f"{self._root}/gap", gap.records, gap.end, id, more=more, retain=False)]

    def digital(self, payload: Mapping[str, Any], time_ns: int) -> list[Message]:
        """Each index, and each device's or asset's level."""
        told = [
            self._said(f"{self._root}/digital/{name}", value, time_ns, f"{self._agent}:{time_ns // _MS}", unit="1")
            for name, value in payload["indices"].items()
        ]
        for name, one in payload["devices"].items():
            more = {key: one[key] for key in ("name", "declared_level", "connected", "cloud") if key in one}
            topic = f"{self._asset(name)}/digital/level"
            id = f"{self._agent}:{name}:{time_ns // _MS}"
            told.append(self._said(topic, one["level"], time_ns, id, more=more))
        return told

    def _asset(self, name: str) -> str:
        if name in self._tree.scene.tags.devices():
            return self._of_device(name)
        if name in self._tree.scene.machines:
            return self._tree.machine(name)
        return f"{self._root}/assets/{name}"

    # -- equipment ---------------------------------------------------------------------------

    def samples(self, samples: Samples) -> list[Message]:
        """A message each, in time order."""
        batch, values, classes = json_samples.plain(samples)
        topics = [self._topic(samples.device, name) for name in samples.names]
        units = [self._units.get((samples.device, name)) for name in samples.names]
        told = []
        id, live, newest, held = f"{self._agent}:{samples.seq}", not samples.historical, self._newest, self._held
        for row, (tag, time_ns, value) in enumerate(zip(batch.tag.tolist(), batch.time.tolist(), values, strict=True)):
            topic = topics[tag]
            before = newest.get(topic)
            retain = time_ns >= before if before is not None else live
            quality = OPC_QUALITY[classes[row]] if classes else _GOOD
            said = {
                "value": value, "timestamp_ms": time_ns // _MS, "quality": quality, "unit": units[tag],
                "id": f"{id}:{row}",
            }  # fmt: skip
            message = Message(topic, orjson.dumps(said), retain=retain)
            if retain:
                newest[topic], held[topic] = time_ns, message
            told.append(message)
        return told

    def state(self, change: StateChange) -> list[Message]:
        """A machine's new state."""
        topic = f"{self._tree.machine(change.machine)}/state"
        id = f"{self._agent}:{change.machine}:{change.since // _MS}"
        more = {"reason": change.reason or None}
        # Not by `since`: a correction may begin earlier than what it corrects.
        retain = self._is_newest(topic, change.seq)
        return self._kept([self._said(topic, change.state.name, change.since, id, more=more, retain=retain)])

    def alarms(self, seq: int, device: str, spans: Sequence[AlarmSpan]) -> list[Message]:
        """Each alarm that has changed; events, of which there is no end, are not retained."""
        told = []
        for row, span in enumerate(spans):
            said = json_alarms.alarm(span)
            place = "events" if span.point else f"alarms/{self._tree.level(_as_level(span.key))}"
            topic = f"{self._of_device(device)}/{place}"
            retain = not span.point and self._is_newest(topic, span.newest_ns)
            id = f"{self._agent}:{seq}:{row}"
            told.append(self._said(topic, said["active"], span.newest_ns, id, more={"alarm": said}, retain=retain))
        return self._kept(told)

    # -- figures -----------------------------------------------------------------------------

    def report(self, report: Report) -> list[Message]:
        """A machine's figures in one window."""
        return self._figures(self._tree.machine(report.machine), report.machine, report, kpi_record(report))

    def rollup(self, rollup: Rollup) -> list[Message]:
        """The figures of a line, an area or the site in one window."""
        path = self._tree.rollup(rollup.kind, rollup.id)
        return self._figures(path, f"{rollup.kind}/{rollup.id}", rollup, rollup_record(rollup))

    def _figures(self, path: str, whose: str, told: Report | Rollup, record: Mapping[str, Any]) -> list[Message]:
        window = told.window
        topic = f"{path}/kpi/{window.kind}" + "/last" * told.final
        version = told.revision if told.final else told.as_of // _MS
        id = f"{self._agent}:{whose}:{window.kind}:{window.start // _MS}:{version}"
        retain = self._is_newest(topic, window.start)
        made = [
            self._said(f"{topic}/{name}", value, told.as_of, id, unit=chosen_kpis.unit(name), retain=retain)
            for name, value in chosen_kpis.chosen(record, self._kpis).items()
        ]
        if not told.final:
            return made         # told again and again as long as it is open
        return self._kept([*made, self._said(f"{topic}/record", record, told.as_of, id, retain=retain)])

    # -- topics and payloads -----------------------------------------------------------------

    def _topic(self, device: str, name: str) -> str:
        """Of a tag; kept, for there is one with each sample."""
        known = self._topics.get((device, name))
        if known is None:
            steps = (self._tree.device(device), "tags", self._tree.within(device), self._tree.level(name))
            known = self._topics[device, name] = "/".join(step for step in steps if step)
        return known

    def _of_device(self, device: str) -> str:
        within = self._tree.within(device)
        return f"{self._tree.device(device)}/{within}" if within else self._tree.device(device)

    def _is_newest(self, topic: str, time_ns: int) -> bool:
        if time_ns < self._newest.get(topic, time_ns):
            return False
        self._newest[topic] = time_ns
        return True

    def _kept(self, messages: list[Message]) -> list[Message]:
        self._held.update((message.topic, message) for message in messages if message.retain)
        return messages

    def _said(
        self, topic: str, value: object, time_ns: int | None, id: str, *, unit: str | None = None,
        more: Mapping[str, object] | None = None, retain: bool = True,
    ) -> Message:  # fmt: skip
        said = {
            "value": value, "timestamp_ms": None if time_ns is None else time_ns // _MS,
            "quality": _BAD if value is None else _GOOD, "unit": unit, "id": id, **(more or {}),
        }  # fmt: skip
        return Message(topic, orjson.dumps(said, default=exact, option=orjson.OPT_NON_STR_KEYS), retain=retain)


def _as_level(key: str) -> str:
    """An alarm's id as a level: itself, or made readable and told apart by a checksum."""
    if not _NO_LEVEL.search(key) and len(key) <= _LONGEST_ID:
        return key
    return f"{_NO_LEVEL.sub('_', key)[:_LONGEST_ID]}-{zlib.crc32(key.encode('utf-8', 'replace')):08x}"


def _without_doubles(paths: Mapping[Any, str], what: str) -> None:
    whose: dict[str, Any] = {}
    for name, path in paths.items():
        if (other := whose.setdefault(path, name)) != name:
            both = " and ".join(".".join(one) if isinstance(one, tuple) else one for one in (other, name))
            raise ValueError(f"gives the {what} {both} the same topic, {path}")
