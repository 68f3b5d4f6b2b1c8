"""What platforms with thing models (物模型) have in common: devices and machines as properties of sub-devices.

A device or machine that the site file names as a sub-device is told as that, all others as properties of the gateway
itself. How a platform is told, its own profile says; here is what it is told, and what it may ask for.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

import orjson

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.report import Gap, Report, Samples, StateChange, Status
from edge_agent.core.rollup import Rollup
from edge_agent.core.tags import Kind, Tag
from edge_agent.encode import json_alarms
from edge_agent.encode.cloud_names import Names
from edge_agent.encode.cloud_points import (
    Group,
    digital_group,
    report_group,
    rollup_group,
    state_group,
    tag_groups,
)
from edge_agent.encode.message import Message, Received
from edge_agent.encode.profile import Asked, Profile, Scene
from edge_agent.encode.repeats import Repeats

TOLD: Final = ("tags", "state", "kpi", "alarms", "digital", "status")
"""What can be told; `told` of a profile names which of it is."""

CONNECTED: Final = "connected"
BACKLOG: Final = "backlog"

T = TypeVar("T")


class ThingProfile(Profile, Generic[T]):
    """`T` is how a platform identifies a thing, hashable; `gateway` is the agent itself."""

    def __init__(
        self, scene: Scene, gateway: T, things: Mapping[str, T], names: Names, told: Collection[str] = TOLD
    ) -> None:
        self.gateway = gateway
        self.things = dict(things)
        self.names = names
        self._told = frozenset(told)
        self._destination = scene.destination
        self._now_ms = 0        # of the newest status
        self._repeats = Repeats(scene.destination)
        # Of what kind a tag is, its driver may learn later.
        self._writable: dict[tuple[T, str], Tag] = {
            (self.thing(tag.device), names.of(tag.device, tag.name)): tag
            for tag in scene.tags
            if tag.id in scene.writable
        }

    def thing(self, owner: str) -> T:
        """Whom a device, a machine, or a scope such as `line/line-a` is told as."""
        return self.things.get(owner, self.gateway)

    @abstractmethod
    def post(self, thing: T, groups: Sequence[Group], *, past: bool = False, about: str = "") -> list[Message]:
        """Properties of a thing; `past`: they must not take the place of newer ones."""

    @abstractmethod
    def event(self, thing: T, name: str, values: Mapping[str, Any], time_ms: int) -> list[Message]:
        """Something that happened to a thing."""

    # -- what the agent knows ----------------------------------------------------------------

    def status(self, status: Status) -> list[Message]:
        """Which devices are connected, and how many records wait for this destination."""
        self._now_ms = status.time // 1_000_000
        self._repeats.now_ns = status.time
        if "status" not in self._told:
            return []
        said: dict[T, dict[str, Any]] = {self.gateway: {BACKLOG: status.backlog.get(self._destination, 0)}}
        for device, state in status.devices.items():
            of = said.setdefault(self.thing(device), {})
            of[self.names.of(device, CONNECTED)] = state == "connected"
        return [
            message
            for n, (thing, values) in enumerate(said.items())
            for message in self.post(thing, [Group(self._now_ms, values)], about=f"status/{n}")
        ]

    def samples(self, samples: Samples) -> list[Message]:
        """One device's samples."""
        if not len(samples.batch) or "tags" not in self._told:
            return []
        # In messages of their own: a model without `not_good` must not cost the values.
        both = tag_groups(samples, self.names)
        thing, past = self.thing(samples.device), samples.historical
        return [message for groups in both if groups for message in self.post(thing, groups, past=past)]

    def state(self, change: StateChange) -> list[Message]:
        """A machine's new state."""
        if "state" not in self._told:
            return []
        return self.post(self.thing(change.machine), [state_group(change, self.names)])

    def report(self, report: Report) -> list[Message]:
        """A machine's KPIs in one window."""
        if "kpi" not in self._told:
            return []
        about = f"kpi/{report.machine}/{report.window.kind}"
        group = report_group(report, self.names)
        return self.post(self.thing(report.machine), [group], about=about)

    def rollup(self, rollup: Rollup) -> list[Message]:
        """Those of a line, an area or the site."""
        if "kpi" not in self._told:
            return []
        owner = f"{rollup.kind}/{rollup.id}"
        about = f"kpi/{owner}/{rollup.window.kind}"
        return self.post(self.thing(owner), [rollup_group(rollup, self.names)], about=about)

    def digital(self, payload: Mapping[str, Any], time_ns: int) -> list[Message]:
        """The plant's indices, properties of the gateway."""
        group = digital_group(payload, time_ns, self.names)
        if "digital" not in self._told or not group.values:
            return []
        return self.post(self.gateway, [group], about="digital")

    def alarms(self, seq: int, device: str, spans: Sequence[AlarmSpan]) -> list[Message]:
        """Each alarm that has changed is an event `alarm`."""
        if "alarms" not in self._told:
            return []
        return [
            message
            for span in spans
            for message in self.event(self.thing(device), "alarm", _alarm(span), span.newest_ns // 1_000_000)
        ]

    def gap(self, gap: Gap) -> list[Message]:
        """Records that can no longer be delivered are an event `gap` of the gateway."""
        if "status" not in self._told:
            return []
        said: dict[str, Any] = {
            "lane": gap.lane, "from_seq": gap.first, "to_seq": gap.last, "records": gap.records, "why": gap.why,
        }  # fmt: skip
        if gap.end:     # else nobody knows
            said |= {"from": gap.start // 1_000_000, "to": gap.end // 1_000_000}
        return self.event(self.gateway, "gap", said, gap.end // 1_000_000 or self._now_ms)

    # -- what is asked -----------------------------------------------------------------------

    def asked(self, received: Received, thing: T | None, values: Any) -> Asked:
        """A property to be set; `values`: identifier → value, as the platform sends them."""
        id = self._repeats.id(received)
        if thing is None:
            return Asked(id, "", error="there is no such device here")
        if not isinstance(values, dict) or len(values) != 1:
            return Asked(id, "", error="a command sets one property: {identifier: value}")
        ((identifier, value),) = values.items()
        if isinstance(value, dict) and value.keys() == {"value"}:
            value = value["value"]
        tag = self._writable.get((thing, identifier))
        if tag is None:
            return Asked(id, "", str(identifier)[:64], error=f"{str(identifier)[:64]!r} is no property to be written")
        if tag.kind is Kind.BOOL and value in (0, 1):
            value = bool(value)     # thing models have no true and false
        return Asked(id, tag.device, tag.name, value)


def _alarm(span: AlarmSpan) -> dict[str, Any]:
    """The record of the profile `json`; what nobody knows has no value in a thing model."""
    return {name: value for name, value in json_alarms.alarm(span).items() if value is not None}


def read(payload: bytes) -> dict[str, Any]:
    """A JSON object; {} if it is none."""
    try:
        said = orjson.loads(payload)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def objects(said: Any) -> list[dict[str, Any]]:
    """The objects of a JSON array; none if it is no array."""
    return [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []
