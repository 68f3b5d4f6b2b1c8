"""The profile `tencent-iot`: Tencent IoT Explorer, thing-model topics (cloud.tencent.com/document/product/1081).

All QoS 1, nothing retained, no will; `{p}/{d}` is the product and name of the gateway or of the sub-device:

    $thing/up/property/{p}/{d}      {"method": "report", "clientToken", "timestamp", "params"}; one time a message
    $thing/up/event/{p}/{d}         {"method": "event_post", "clientToken", "eventId", "type", "timestamp", "params"}
    $gateway/operation/{p}/{d}      sub-devices bound, online and offline; answered on $gateway/operation/result/{p}/{d}
    $thing/down/property/{p}/{d}    `control` comes from the platform, and its answers to what we send
    $thing/down/action/{p}/{d}      `action` comes from the platform

What is said counts when the platform has answered it: code 0, or why not. The topics of a sub-device can be heard only
once it is online; and it is to be online whenever something is said of it, also of the past: so all are as long as the
link stands, and whether their device is connected is the property `connected`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from edge_agent.core.command import Outcome
from edge_agent.core.report import Status
from edge_agent.encode.cloud_names import Names, Rule
from edge_agent.encode.cloud_points import Group, pieces
from edge_agent.encode.cloud_signing import tencent_binding
from edge_agent.encode.cloud_thing import TOLD, ThingProfile, objects, read
from edge_agent.encode.message import Message, Received
from edge_agent.encode.profile import Answer, Asked, Credentials, Limits, Scene

RULE: Final = Rule(32)
"""identifiers of a thing model: letters, digits, _, at most 32"""

LIMITS: Final = Limits(payload=16_000, messages_s=20, firm=True)
"""a message has at most 16 KB; 20 to 30 a second"""

BOUND: Final = (0, 806, 809)
"""bound, or bound before"""

_NO_LIMIT: Final = 1 << 30
_TOKEN: Final = b'"clientToken":"'
_TOKEN_DIGITS: Final = 8
_RETRIED: Final = -2
"""the platform's own trouble with a sub-device"""


@dataclass(frozen=True, slots=True)
class TencentThing:
    """A device of the platform. psk: of a sub-device that is to be bound to the gateway, '' if it is already."""

    product: str
    device: str
    psk: str = field(default="", repr=False)

    @property
    def path(self) -> str:
        """The end of its topics."""
        return f"{self.product}/{self.device}"


class TencentProfile(ThingProfile[TencentThing]):
    """`credentials(now_ns)` is asked at each connection."""

    limits = LIMITS

    def __init__(
        self,
        scene: Scene,
        gateway: TencentThing,
        things: Mapping[str, TencentThing],
        names: Names,
        sign: Callable[[int], Credentials],
        told: Collection[str] = TOLD,
    ) -> None:
        super().__init__(scene, gateway, things, names, told)
        self._sign = sign
        self._subs = tuple(dict.fromkeys(things.values()))

    def credentials(self, now_ns: int) -> Credentials:
        """Signed with the time at which they end."""
        return self._sign(now_ns)

    # -- sub-devices -------------------------------------------------------------------------

    def hello(self, status: Status) -> list[Message]:
        """Sub-devices are the gateway's, and online; before that nothing may be said of them."""
        binding = [self._operation("bind", one, status.time) for one in self._subs if one.psk]
        return [*binding, *(self._operation("online", one) for one in self._subs)]

    def goodbye(self, status: Status) -> list[Message]:
        """Sub-devices are offline."""
        return [self._operation("offline", one) for one in self._subs]

    def _operation(self, kind: str, thing: TencentThing, bound_ns: int = 0) -> Message:
        said: dict[str, Any] = {"product_id": thing.product, "device_name": thing.device}
        if bound_ns:
            time_s = bound_ns // 1_000_000_000
            nonce = bound_ns % 1_000_000
            said |= {
                "signature": tencent_binding(thing.product, thing.device, thing.psk, nonce, time_s),
                "random": nonce, "timestamp": time_s, "signmethod": "hmacsha1", "authtype": "psk",
            }  # fmt: skip
        payload = orjson.dumps({"type": kind, "payload": {"devices": [said]}})
        return Message(f"$gateway/operation/{self.gateway.path}", payload, answer=f"{kind}:{thing.path}")

    # -- what the agent knows ----------------------------------------------------------------

    def post(
        self, thing: TencentThing, groups: Sequence[Group], *, past: bool = False, about: str = ""
    ) -> list[Message]:
        """A message for each time; what is older than what the platform has goes into its history only."""

        def report(group: Group) -> bytes:
            return _tokened("report", thing, {"timestamp": group.time, "params": _plain(group.values)})

        made = []
        for n, (payload, _) in enumerate(pieces(groups, report, self.limits.payload, _NO_LIMIT)):
            topic = f"$thing/up/property/{thing.path}"
            made.append(Message(topic, payload, answer=_token(payload), about=about and f"{about}/{n}"))
        return made

    def event(
        self, thing: TencentThing, name: str, values: Mapping[str, Any], time_ms: int
    ) -> list[Message]:
        """An event of the thing model, of the kind that people are told of."""
        said = {"eventId": name, "type": "alert", "timestamp": time_ms, "params": _plain(values)}
        payload = _tokened("event_post", thing, said)
        return [Message(f"$thing/up/event/{thing.path}", payload, answer=_token(payload))]

    # -- what is heard -----------------------------------------------------------------------

    def answer_topics(self) -> Sequence[str]:
        """Of the gateway itself."""
        return (*_down(self.gateway), *((f"$gateway/operation/result/{self.gateway.path}",) if self._subs else ()))

    def later_answer_topics(self) -> Sequence[str]:
        """Of sub-devices: to be heard once they are online."""
        return tuple(topic for thing in self._subs for topic in _down(thing))

    def answered(self, received: Received) -> Answer | None:
        """`code` 0, or `result` 0 of a sub-device; else what the platform says."""
        said = read(received.payload)
        if received.topic.startswith("$gateway/"):
            return _of_a_sub_device(said)
        if said.get("method") not in ("report_reply", "event_reply"):
            return None
        code = said.get("code")
        refusal = "" if code == 0 else f"{code}: {said.get('status') or 'no reason given'}"
        return Answer(str(said.get("clientToken")), refusal, later=code == 429 or code in range(500, 600))

    def command_topics(self) -> Sequence[str]:
        """Of the gateway and every sub-device."""
        return tuple(
            f"$thing/down/{kind}/{thing.path}"
            for thing in (self.gateway, *self._subs)
            for kind in ("property", "action")
        )

    def command(self, received: Received) -> Asked | None:
        """`params` of `control` or `action`: identifier → value."""
        said = read(received.payload)
        if said.get("method") not in ("control", "action"):
            return None
        path = received.topic.removeprefix("$thing/down/").partition("/")[2]
        thing = next((one for one in (self.gateway, *self._subs) if one.path == path), None)
        return self.asked(received, thing, said.get("params"))

    def reply(self, asked: Asked, outcome: Outcome, received: Received) -> Message:
        """`code` 0 is done, 1 is not."""
        came = read(received.payload)
        said = {
            "method": f"{came.get('method')}_reply", "clientToken": came.get("clientToken"),
            "code": int(not outcome.ok), "status": outcome.error or "success",
        }  # fmt: skip
        if came.get("method") == "action":
            said |= {"actionId": came.get("actionId"), "response": {"read_back": outcome.read_back}}
        return Message(received.topic.replace("$thing/down/", "$thing/up/", 1), orjson.dumps(said))


def _of_a_sub_device(said: Mapping[str, Any]) -> Answer | None:
    payload = said.get("payload")
    devices = objects(payload.get("devices")) if isinstance(payload, dict) else []
    if len(devices) != 1:
        return None
    (one,) = devices
    kind, result = said.get("type"), one.get("result")
    good = result in BOUND if kind == "bind" else result == 0
    refusal = "" if good else f"{kind} of {one.get('device_name')}: result {result}"
    return Answer(f"{kind}:{one.get('product_id')}/{one.get('device_name')}", refusal, later=result == _RETRIED)


def _down(thing: TencentThing) -> tuple[str, str]:
    return f"$thing/down/property/{thing.path}", f"$thing/down/event/{thing.path}"


def _token(payload: bytes) -> str:
    return payload.partition(_TOKEN)[2][:_TOKEN_DIGITS].decode()


def _tokened(method: str, thing: TencentThing, said: Mapping[str, Any]) -> bytes:
    """With a token that is the same each time the same is said of the same thing, and of no other."""
    token = f"{zlib.crc32(orjson.dumps(said), zlib.crc32(f'{method} {thing.path}'.encode())):08x}"
    return orjson.dumps({"method": method, "clientToken": token, **said})


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Truth values are 0 and 1."""
    return {name: int(value) if isinstance(value, bool) else value for name, value in values.items()}
