"""The profile `aliyun-iot`: Alibaba Cloud IoT Platform, Alink JSON (help.aliyun.com, 设备属性、事件、服务).

Below `/sys/{product}/{device}` of the gateway, QoS 1; nothing is retained and there is no will:

    thing/event/property/post           properties of the gateway, {"params": {identifier: {"value", "time"}}}
    thing/event/property/pack/post      of a sub-device, {"params": {"subDevices": [{"identity", "properties"}]}}
    thing/event/property/history/post   of both, what is a backlog or not the newest of its batch: it does not take
                                        the place of what is there, {"params": [{"identity", "properties": [{…}, …]}]}
    thing/event/alarm/post, gap/post    events of the gateway; those of sub-devices are in pack/post
    thing/topo/add, /ext/session/{product}/{device}/combine/batch_login, batch_logout     sub-devices
    thing/service/property/set          comes from the platform, for the gateway or a sub-device

Every request is answered on `{topic}_reply`, and that answer, not PUBACK, is what counts: 200, or why not. A
sub-device may be told of, present or past, only while it is logged in: so all are, as long as the link stands, and
whether their device is connected is the property `connected`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from edge_agent.core.command import Outcome
from edge_agent.core.report import Status
from edge_agent.encode.aliyun_json import alink, listed, request, timed
from edge_agent.encode.cloud_names import Names, Rule
from edge_agent.encode.cloud_points import Group, packed, pieces
from edge_agent.encode.cloud_signing import aliyun_signature
from edge_agent.encode.cloud_thing import TOLD, ThingProfile, read
from edge_agent.encode.message import Message, Received
from edge_agent.encode.profile import Answer, Asked, Credentials, Limits, Scene

RULE: Final = Rule(50, frozenset({"set", "get", "post", "property", "event", "time", "value"}))
"""identifiers of a thing model, and those no identifier may be"""

LIMITS: Final = Limits(payload=200_000, messages_s=50, firm=True)
"""a message has at most 256 KB; how many a second is up to the instance, which answers 429 to what is too many"""

POINTS: Final = 200
"""properties in one message"""
LOGINS: Final = 50
"""sub-devices in one login"""
ADDED: Final = 30
"""sub-devices in one addition to the topology"""

DONE: Final = 200
LATER: Final = frozenset({429, 500, 502, 503, 504})
"""too many requests, or the platform's own trouble"""
NO_SESSION: Final = 520
"""the sub-device is not, or no longer, logged in: a new link logs it in again, unless the platform refuses that"""
NOT_OURS: Final = 6401
"""the sub-device is not in our topology; at a login: not yet, for it was to be added just before"""
NOT_DONE: Final = 100_001
"""what we answer to a command that was not carried out; 100000 to 110000 are for devices"""


@dataclass(frozen=True, slots=True)
class AliyunThing:
    """A device of the platform; the secret is of sub-devices, which the gateway signs for."""

    product: str
    device: str
    secret: str = field(default="", repr=False)

    @property
    def identity(self) -> dict[str, str]:
        """As requests name it."""
        return {"productKey": self.product, "deviceName": self.device}

    @property
    def root(self) -> str:
        """Where its topics are."""
        return f"/sys/{self.product}/{self.device}/thing"


class AliyunProfile(ThingProfile[AliyunThing]):
    """`credentials(now_ns)` is asked at each connection."""

    limits = LIMITS

    def __init__(
        self,
        scene: Scene,
        gateway: AliyunThing,
        things: Mapping[str, AliyunThing],
        names: Names,
        sign: Callable[[int], Credentials],
        told: Collection[str] = TOLD,
    ) -> None:
        super().__init__(scene, gateway, things, names, told)
        self._sign = sign
        self._subs = tuple(dict.fromkeys(things.values()))
        self._session = f"/ext/session/{gateway.product}/{gateway.device}/combine"
        self._login_refused = False     # over this link: to ask again over another would keep back all others

    def credentials(self, now_ns: int) -> Credentials:
        """Signed with the time."""
        return self._sign(now_ns)

    # -- sub-devices -------------------------------------------------------------------------

    def hello(self, status: Status) -> list[Message]:
        """Sub-devices are the gateway's, and logged in; before that nothing may be said of them."""
        self._login_refused = False
        stamp = str(status.time // 1_000_000)
        adding = [
            request(f"{self.gateway.root}/topo/add", "thing.topo.add", listed(part))
            for part in _in_parts([_signed(one, stamp, "signmethod") for one in self._subs], ADDED)
        ]
        login = [      # the platform takes these at QoS 0 only; it answers all the same
            request(
                f"{self._session}/batch_login", "combine.batch_login",
                b'{"signMethod":"hmacSha256","deviceList":' + listed(part) + b"}", qos=0,
            )
            for part in _in_parts([_signed(one, stamp, "") for one in self._subs], LOGINS)
        ]  # fmt: skip
        return [*adding, *login]

    def goodbye(self, status: Status) -> list[Message]:
        """Sub-devices are logged out."""
        return [
            request(f"{self._session}/batch_logout", "combine.batch_logout", listed(part), qos=0)
            for part in _in_parts([orjson.dumps(one.identity) for one in self._subs], LOGINS)
        ]

    # -- what the agent knows ----------------------------------------------------------------

    def post(
        self, thing: AliyunThing, groups: Sequence[Group], *, past: bool = False, about: str = ""
    ) -> list[Message]:
        """The newest value of each property as present, unless all are `past`; all others as history."""
        present: dict[str, tuple[Any, int]] = {}
        history: list[Group] = []
        for group in reversed(groups):
            older = group.values if past else {}
            if not past:
                older = {name: value for name, value in group.values.items() if name in present}
                present |= {n: (v, group.time) for n, v in group.values.items() if n not in present}
            if older:
                history.append(Group(group.time, older))
        return [*self._history(thing, history[::-1]), *self._present(thing, present, about)]

    def _present(self, thing: AliyunThing, values: Mapping[str, tuple[Any, int]], about: str) -> list[Message]:
        encoded = (
            (orjson.dumps(name) + b":" + orjson.dumps({"value": alink(value), "time": time_ms}), 1)
            for name, (value, time_ms) in values.items()
        )
        if thing == self.gateway:
            topic, method, before, after = "property/post", "thing.event.property.post", b"{", b"}"
        else:
            topic, method = "property/pack/post", "thing.event.property.pack.post"
            before = b'{"subDevices":[{"identity":' + orjson.dumps(thing.identity) + b',"properties":{'
            after = b"}}]}"
        room = self._room(method, before + after)
        return [
            request(
                f"{self.gateway.root}/event/{topic}", method, before + b",".join(part) + after,
                about=about and f"{about}/{n}",
            )
            for n, part in enumerate(packed(encoded, room, POINTS))
        ]  # fmt: skip

    def _history(self, thing: AliyunThing, groups: Sequence[Group]) -> list[Message]:
        method = "thing.event.property.history.post"
        before = b'[{"identity":' + orjson.dumps(thing.identity) + b',"properties":['
        room = self._room(method, before + b"]}]")
        encoded = pieces(groups, lambda group: orjson.dumps(timed(group.values, group.time)), room, POINTS)
        return [
            request(f"{self.gateway.root}/event/property/history/post", method, before + b",".join(part) + b"]}]")
            for part in packed(encoded, room, POINTS)
        ]

    def _room(self, method: str, frame: bytes) -> int:
        return self.limits.payload - len(request("", method, frame).payload) - len(str(1 << 32))

    def event(
        self, thing: AliyunThing, name: str, values: Mapping[str, Any], time_ms: int
    ) -> list[Message]:
        """An event of the thing model."""
        said = {"value": {key: alink(value) for key, value in values.items()}, "time": time_ms}
        root = f"{self.gateway.root}/event"
        if thing == self.gateway:
            return [request(f"{root}/{name}/post", f"thing.event.{name}.post", orjson.dumps(said))]
        params = {"subDevices": [{"identity": thing.identity, "events": {name: said}}]}
        return [request(f"{root}/property/pack/post", "thing.event.property.pack.post", orjson.dumps(params))]

    # -- what is heard -----------------------------------------------------------------------

    def answer_topics(self) -> Sequence[str]:
        """The replies to everything above."""
        events = ("property/post", "property/history/post", "property/pack/post", "alarm/post", "gap/post")
        found = [f"{self.gateway.root}/event/{one}_reply" for one in events]
        if self._subs:
            found += [f"{self.gateway.root}/topo/add_reply", f"{self._session}/batch_login_reply"]
        return tuple(found)

    def answered(self, received: Received) -> Answer | None:
        """200, or the platform's code and words."""
        said = read(received.payload)
        code = said.get("code")
        if not received.topic.endswith("_reply") or not isinstance(code, int):
            return None
        asked = received.topic.removesuffix("_reply")
        key = f"{asked}:{said.get('id')}"
        if code == DONE:
            return Answer(key)
        login = asked.endswith("/batch_login")
        later = code in LATER or (login and code == NOT_OURS) or (code == NO_SESSION and not self._login_refused)
        self._login_refused = self._login_refused or (login and not later)
        return Answer(key, f"{code}: {said.get('message') or 'no reason given'}", later, anew=code == NO_SESSION)

    def command_topics(self) -> Sequence[str]:
        """Of the gateway and every sub-device."""
        return tuple(f"{thing.root}/service/property/set" for thing in (self.gateway, *self._subs))

    def command(self, received: Received) -> Asked | None:
        """`params`: identifier → value."""
        said = read(received.payload)
        things = (self.gateway, *self._subs)
        thing = next((one for one in things if received.topic == f"{one.root}/service/property/set"), None)
        if thing is None or "params" not in said:
            return None
        return self.asked(received, thing, said["params"])

    def reply(self, asked: Asked, outcome: Outcome, received: Received) -> Message:
        """200, or why not."""
        said = {"code": DONE, "data": {}} if outcome.ok else {"code": NOT_DONE, "data": {}, "message": outcome.error}
        return Message(f"{received.topic}_reply", orjson.dumps({"id": read(received.payload).get("id"), **said}))


def _signed(thing: AliyunThing, stamp: str, named: str) -> bytes:
    client = f"{thing.product}.{thing.device}"
    said = {**thing.identity, "clientId": client, "timestamp": stamp}
    more = {named: "hmacSha256"} if named else {"cleanSession": "true"}
    return orjson.dumps({**said, "sign": aliyun_signature(said, thing.secret), **more})


def _in_parts(encoded: Iterable[bytes], most: int) -> Iterable[list[bytes]]:
    return packed(((one, 1) for one in encoded), 1 << 30, most)
