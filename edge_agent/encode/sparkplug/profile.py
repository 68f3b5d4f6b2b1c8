"""The profile `sparkplug`: an edge node whose devices are the agent's devices; machines are metrics of the node.

    NBIRTH, NDATA    bdSeq, Node Control/Rebirth; Agent/…, Machines/…, Lines/…, Areas/…, Site/…, Digital/…, Alarms/…
    DBIRTH, DDATA    each device's tags; DDEATH while there is no session to it

A machine's state and KPIs are the node's because they go on while the device is lost, and a device and a machine may
have the same id. What is encoded here has neither time nor number: both belong to the sending (see `payload`), and
births to the conversation. Besides names, a profile remembers what the host was told last, so that a birth can say
it again and what is older is told as history.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.batch import Batch
from edge_agent.core.command import Outcome
from edge_agent.core.report import Gap, Report, Samples, StateChange, Status
from edge_agent.core.rollup import Rollup
from edge_agent.core.writing import held
from edge_agent.encode.message import Message, Received
from edge_agent.encode.profile import Asked, Limits, Profile, Scene
from edge_agent.encode.sparkplug import figures
from edge_agent.encode.sparkplug.book import Book
from edge_agent.encode.sparkplug.datatype import DataType
from edge_agent.encode.sparkplug.metric import Metric, read
from edge_agent.encode.sparkplug.payload import as_history, body_of, death_of
from edge_agent.encode.sparkplug.quality import LINE_LOST
from edge_agent.encode.sparkplug.tags import DeviceTags
from edge_agent.encode.sparkplug.topic import EdgeNode, kind_and_device
from edge_agent.encode.sparkplug.wire import parsed

REBIRTH: Final = "Node Control/Rebirth"
LARGEST: Final = 200_000
"""Bytes of a payload; the message limits of common cloud brokers start at 256 kB."""

_MS: Final = 1_000_000


class SparkplugProfile(Profile):
    """One edge node. What belongs to an instant is asked for: see `latest`, `now`, `next_bdseq`."""

    def __init__(
        self, node: EdgeNode, scene: Scene, *, aliases: bool = False, templates: bool = False, commands: bool = False,
        datatypes: bool = False,
    ) -> None:  # fmt: skip
        self.node = node
        self.limits = Limits(payload=LARGEST)
        self.bdseq = 0
        """of the connection that was asked for last"""
        self.next_bdseq: Callable[[], int] = self._count_on
        """the number of the next CONNECT"""
        self.latest: Callable[[], Batch | None] = lambda: None
        """the last sample of every tag of the site, in their order"""
        self.now: Callable[[], int] = lambda: 0
        """ns UTC"""
        self.alive: set[str] = set()
        """devices whose last word was no death"""
        self._births = Counter[str]()       # of each device, and of the node: what data were encoded after
        self._destination = scene.destination
        self._commands = commands
        self._typed = datatypes
        self._slices = {device: scene.tags.device_slice(device) for device in scene.tags.devices()}
        self.devices = {
            device: DeviceTags(
                scene.tags.device_tags(device), place.start if aliases else None, typed=datatypes
            )
            for device, place in self._slices.items()
        }
        self.strangers = Counter[str]()
        """samples of devices that the site file no longer has"""
        self.book = Book(len(scene.tags.places) if aliases else None, templates=templates, by_devices=figures.STATE)
        self.book.note([
            Metric("Agent/id", DataType.STRING, scene.agent), Metric("Agent/version", DataType.STRING, scene.version),
        ])  # fmt: skip
        for machine, (area, line) in scene.machines.items():
            self.book.note_machine(machine, figures.of_machine(area, line, scene.windows))

    # -- births and deaths -------------------------------------------------------------------

    def will(self) -> Message:
        """NDEATH, with a number of its own for each CONNECT."""
        self.bdseq = self.next_bdseq()
        return Message(self.node.topic("NDEATH"), death_of(self.bdseq), qos=1)

    def hello(self, status: Status) -> list[Message]:
        """Nothing more: the births were sent when the conversation was opened."""
        return []

    def goodbye(self, status: Status) -> list[Message]:
        """NDEATH, as in the will."""
        return [Message(self.node.topic("NDEATH"), death_of(self.bdseq, status.time // _MS), qos=0)]

    def birth(self) -> Message:
        """NBIRTH, without time and number."""
        self._births[""] += 1
        now_ms = self.now() // _MS
        own = (Metric("bdSeq", DataType.INT64, self.bdseq, now_ms), Metric(REBIRTH, DataType.BOOLEAN, False, now_ms))
        return self._message("NBIRTH", "", body_of((*own, *self.book.birth(now_ms)), birth=True))

    def device_birth(self, device: str) -> Message:
        """DBIRTH, without time and number."""
        self._births[device] += 1
        latest = self.latest()
        mine = None if latest is None else latest.part(self._slices[device])
        return self._message("DBIRTH", device, self.devices[device].birth(mine, self.now() // _MS))

    def device_death(self, device: str) -> Message:
        """DDEATH, without time and number."""
        return self._message("DDEATH", device, b"")

    def as_of_birth(self, message: Message) -> Message | None:
        """Data as they are to be sent now: what was encoded before the last birth is history, for the birth has said
        something newer; None: it has said this."""
        kind, device = kind_and_device(message.topic)
        if kind not in ("NDATA", "DDATA") or message.token == self._token(device):
            return message
        born = self.devices[device].born_as if device else None
        return None if message.passing else replace(message, payload=as_history(message.payload, born))

    # -- data --------------------------------------------------------------------------------

    def status(self, status: Status) -> list[Message]:
        """The agent's own status."""
        return self._told(figures.of_status(status, self._destination), "status")

    def samples(self, samples: Samples) -> list[Message]:
        """One device's samples."""
        device = self.devices.get(samples.device)
        if device is None:
            self.strangers[samples.device] += len(samples.batch)
            return []
        if samples.device not in self.alive and LINE_LOST[samples.batch.quality].all():
            return []       # the death of the device has said it
        return [self._message("DDATA", samples.device, body) for body in device.data(samples, self.limits.payload)]

    def state(self, change: StateChange) -> list[Message]:
        """A machine's new state."""
        return self._node_data(self.book.note_machine(change.machine, figures.of_state(change)), change.machine)

    def report(self, report: Report) -> list[Message]:
        """A machine's KPIs in one window."""
        said = self.book.note_machine(report.machine, figures.of_report(report))
        return self._node_data(said, f"{report.machine}/{report.window.kind}")

    def rollup(self, rollup: Rollup) -> list[Message]:
        """The KPIs of a line, an area or the site in one window."""
        about = f"{rollup.kind}/{rollup.id}/{rollup.window.kind}"
        return self._told(figures.of_rollup(rollup), about)

    def digital(self, payload: Mapping[str, Any], time_ns: int) -> list[Message]:
        """How digital the plant is."""
        return self._told(figures.of_digital(payload, time_ns), "digital")

    def alarms(self, seq: int, device: str, spans: Sequence[AlarmSpan]) -> list[Message]:
        """One device's alarms that have changed, as a table; history if that was before the birth."""
        said = self.book.note([figures.of_alarms(device, spans)])
        return self._node_data([replace(one, historical=(one.time or 0) < self.book.born_ms) for one in said], device)

    def gap(self, gap: Gap) -> list[Message]:
        """Records that can no longer be delivered, as a table."""
        return self._told([figures.of_gap(gap, self.now())], "gap")

    # -- commands ----------------------------------------------------------------------------

    def command_topics(self) -> Sequence[str]:
        """The filter of the commands to devices; NCMD is always heard, see the conversation."""
        return (self.node.topic("DCMD", "+"),) if self._commands else ()

    def command(self, received: Received) -> Asked:
        """A message with one metric; its `token` is the id it was given when it was heard."""
        device = kind_and_device(received.topic)[1]
        id = received.token.decode()
        of = self.devices.get(device)
        try:
            payload = parsed(received.payload)
            [wire] = payload.metrics
            if not isinstance(wire.name, str):      # protobuf hands out as bytes what is no UTF-8
                return Asked(id, device, error="no command: the name of its metric is no text")
            tag = None if of is None else of.named(wire)
            if of is None or tag is None:
                called = wire.name or f"alias {wire.alias}"
                return Asked(id, device, wire.name, error=f"{called[:64]} is no metric of {device}")
            value = read(wire, of.datatype(tag)).value
        except ValueError as error:
            return Asked(id, device, error=f"no command: {error}")
        time_ms = payload.timestamp if payload.HasField("timestamp") else None
        return Asked(id, device, tag.name, value, time_ms)

    def reply(self, asked: Asked, outcome: Outcome, received: Received) -> Message | None:
        """DDATA with what the tag holds now, also where nothing was written; None where that is not known."""
        of, latest = self.devices.get(asked.device), self.latest()
        tag = None if of is None else of.tag(asked.tag)
        if of is None or tag is None:
            return None
        value = outcome.read_back
        if value is None and latest is not None:
            value = held(tag, float(latest.value[tag.position]), int(latest.quality[tag.position]))
        if isinstance(value, float) and of.datatype(tag) == DataType.INT64:
            value = int(value) if value.is_integer() else None
        return None if value is None else self._message("DDATA", asked.device, of.now(tag, value, self.now()))

    # ----------------------------------------------------------------------------------------

    def take_vanished(self) -> dict[str, int]:
        """Samples of tags and devices that the site file no longer has, which no birth names, since the last call."""
        found = dict(self.strangers)
        self.strangers.clear()
        for device, of in self.devices.items():
            found |= {f"{device}.{name}": count for name, count in of.vanished.items()}
            of.vanished.clear()
        return found

    def _told(self, said: Iterable[Metric], about: str) -> list[Message]:
        return self._node_data(self.book.note(said), about)

    def _node_data(self, said: list[Metric], about: str) -> list[Message]:
        return [replace(self._message("NDATA", "", body_of(said, birth=False, typed=self._typed)), about=about)]

    def _message(self, kind: str, device: str, body: bytes) -> Message:
        return Message(self.node.topic(kind, device), body, qos=0, token=self._token(device))

    def _token(self, device: str) -> bytes:
        """After which birth a message was encoded; not sent."""
        return b"%d" % self._births[device]

    def _count_on(self) -> int:
        return 0 if not self.bdseq else (self.bdseq + 1) % 256
