"""The profile `huawei-iotda`: Huawei Cloud IoTDA, device-side MQTT interface (support.huaweicloud.com, "MQTT APIs").

Below `$oc/devices/{gateway}/sys`, all QoS 1, never retained, no will (the platform has neither):

    properties/report                        {"services": [{"service_id", "properties", "event_time"}, …]}
    gateway/sub_devices/properties/report    {"devices": [{"device_id", "services": […]}]}
    messages/up                              an alarm or a gap, {"object_device_id", "name", "id", "content": {…}}
    events/up                                sub-devices added, and told online and offline; answered on events/down
    commands/…, properties/set/…             come from the platform; answered on …/response/…

What the product model does not have the platform drops later, without a word; PUBACK says only "received".
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from edge_agent.core.command import Outcome
from edge_agent.core.report import Status
from edge_agent.encode.cloud_names import Names, Rule
from edge_agent.encode.cloud_points import Group, packed, pieces
from edge_agent.encode.cloud_thing import TOLD, ThingProfile, objects, read
from edge_agent.encode.message import Message, Received
from edge_agent.encode.profile import Answer, Asked, Credentials, Limits, Scene

RULE: Final = Rule(longest=64)
"""property names of a product model: letters, digits, _ (and more, which other platforms do not take)"""

LIMITS: Final = Limits(payload=64_000, messages_s=50, bytes_s=125_000, firm=True)
"""a property message has at most 64 KB; 50 messages a second and 1 Mbit/s a connection"""

SUB_DEVICES: Final = 100
"""in one message, whether of properties or of their status"""

_MANAGER: Final = "$sub_device_manager"
_NO_LIMIT: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class HuaweiThing:
    """A device of the platform, and the service of its product model that has our properties.

    product, node: by which the gateway adds it to the platform, '' if it is there already
    """

    id: str
    service: str
    product: str = ""
    node: str = ""


class HuaweiProfile(ThingProfile[HuaweiThing]):
    """`credentials(now_ns)` is asked at each connection."""

    limits = LIMITS

    def __init__(
        self,
        scene: Scene,
        gateway: HuaweiThing,
        things: Mapping[str, HuaweiThing],
        names: Names,
        sign: Callable[[int], Credentials],
        *,
        milliseconds: bool = False,
        told: Collection[str] = TOLD,
    ) -> None:
        super().__init__(scene, gateway, things, names, told)
        self._sign = sign
        self._time = _to_the_millisecond if milliseconds else _to_the_second
        self._root = f"$oc/devices/{gateway.id}/sys"
        self._by_id = {thing.id: thing for thing in (*things.values(), gateway)}

    def credentials(self, now_ns: int) -> Credentials:
        """Client id and password are of the hour."""
        return self._sign(now_ns)

    # -- sub-devices -------------------------------------------------------------------------

    def hello(self, status: Status) -> list[Message]:
        """Sub-devices the platform may not know yet are added; who is there is told."""
        new = [thing for thing in dict.fromkeys(self.things.values()) if thing.product]
        added = [
            {"name": thing.node, "node_id": thing.node, "product_id": thing.product, "device_id": thing.id}
            for thing in new
        ]
        adding = self._events("add_sub_device_request", "devices", added, status.time)
        return [*adding, *self.status(status)]

    def goodbye(self, status: Status) -> list[Message]:
        """Nobody is there behind a gateway that is gone."""
        return self._told_of(status, there=False)

    def status(self, status: Status) -> list[Message]:
        """Sub-devices are online while their device is connected."""
        return [*self._told_of(status, there=True), *super().status(status)]

    def _told_of(self, status: Status, *, there: bool) -> list[Message]:
        seen: dict[str, bool] = {}
        for owner, thing in self.things.items():
            connected = status.devices.get(owner, "connected") == "connected"
            seen[thing.id] = there and seen.get(thing.id, True) and connected
        said = [{"device_id": id, "status": "ONLINE" if online else "OFFLINE"} for id, online in seen.items()]
        return self._events("sub_device_update_status", "device_statuses", said, status.time)

    def _events(self, kind: str, key: str, said: Sequence[Mapping[str, Any]], time_ns: int) -> list[Message]:
        made = []
        for n, start in enumerate(range(0, len(said), SUB_DEVICES)):
            id = f"{kind}-{time_ns // 1_000_000}-{n}"
            entry = {
                "service_id": _MANAGER,
                "event_type": kind,
                "event_time": _to_the_second(time_ns // 1_000_000),
                "event_id": id,
                "paras": {key: said[start : start + SUB_DEVICES]},
            }
            payload = orjson.dumps({"services": [entry]})
            made.append(Message(f"{self._root}/events/up", payload, answer=id, about=f"{kind}/{n}"))
        return made

    def answer_topics(self) -> Sequence[str]:
        """Where the platform says what became of sub-devices."""
        return (f"{self._root}/events/down",) if self.things else ()

    def answered(self, received: Received) -> Answer | None:
        """Sub-devices that were not taken."""
        for entry in objects(read(received.payload).get("services")):
            paras = entry.get("paras")
            failed = objects(paras.get("failed_devices")) if isinstance(paras, dict) else []
            reasons = [f"{one.get('device_id')}: {one.get('error_code')} {one.get('error_msg')}" for one in failed]
            if id := entry.get("event_id"):
                return Answer(str(id), "; ".join(reasons))
        return None

    # -- what the agent knows ----------------------------------------------------------------

    def post(
        self, thing: HuaweiThing, groups: Sequence[Group], *, past: bool = False, about: str = ""
    ) -> list[Message]:
        """Each time is an entry of its own; the platform orders them by `event_time`."""
        topic = "properties/report" if thing == self.gateway else "gateway/sub_devices/properties/report"

        def entry(group: Group) -> bytes:
            return orjson.dumps(
                {"service_id": thing.service, "properties": group.values, "event_time": self._time(group.time)}
            )

        room = self.limits.payload - len(self._wrapped(thing, ()))
        parts = packed(pieces(groups, entry, room, _NO_LIMIT), room, _NO_LIMIT)
        return [
            Message(f"{self._root}/{topic}", self._wrapped(thing, part), about=about and f"{about}/{n}")
            for n, part in enumerate(parts)
        ]

    def _wrapped(self, thing: HuaweiThing, entries: Iterable[bytes]) -> bytes:
        services = b'{"services":[' + b",".join(entries) + b"]}"
        if thing == self.gateway:
            return services
        return b'{"devices":[{"device_id":' + orjson.dumps(thing.id) + b"," + services[1:] + b"]}"

    def event(
        self, thing: HuaweiThing, name: str, values: Mapping[str, Any], time_ms: int
    ) -> list[Message]:
        """A message of the device; thing models of this platform have no events."""
        content = {**values, "event_time": _to_the_millisecond(time_ms)}
        id = f"{values.get('id', name)}-{values.get('rev', time_ms)}"
        said = {"object_device_id": thing.id, "name": name, "id": id, "content": content}
        return [Message(f"{self._root}/messages/up", orjson.dumps(said))]

    # -- what is asked -----------------------------------------------------------------------

    def command_topics(self) -> Sequence[str]:
        """Commands, and properties to be set."""
        return f"{self._root}/commands/#", f"{self._root}/properties/set/#"

    def command(self, received: Received) -> Asked | None:
        """`paras` of a command, `properties` of a setting: identifier → value."""
        below, _, id = received.topic.removeprefix(f"{self._root}/").partition("/request_id=")
        if not id or below not in ("commands", "properties/set"):
            return None
        said = read(received.payload)
        thing = self._by_id.get(str(said.get("object_device_id") or self.gateway.id))
        if below == "commands":
            return self.asked(received, thing, said.get("paras"))
        services = objects(said.get("services"))
        return self.asked(received, thing, services[0].get("properties") if len(services) == 1 else None)

    def reply(self, asked: Asked, outcome: Outcome, received: Received) -> Message:
        """`result_code` 0 is done, 1 is not."""
        below, _, id = received.topic.removeprefix(f"{self._root}/").partition("/request_id=")
        why = outcome.error or "success"
        said: dict[str, Any] = {"result_code": int(not outcome.ok)}
        if below == "commands":
            name = read(received.payload).get("command_name")
            said |= {"response_name": f"{name}_response", "paras": {"result": why, "read_back": outcome.read_back}}
        else:
            said |= {"result_desc": why}
        return Message(f"{self._root}/{below}/response/request_id={id}", orjson.dumps(said))


def _to_the_second(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y%m%dT%H%M%SZ")


def _to_the_millisecond(time_ms: int) -> str:
    second = datetime.fromtimestamp(time_ms // 1000, UTC)
    return f"{second:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03}Z"
