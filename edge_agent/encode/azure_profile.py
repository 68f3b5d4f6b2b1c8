"""The profile `azure-iothub`: the JSON of the profile `json` as device-to-cloud messages of one IoT Hub device.

    devices/{device}/messages/events/$.ct=application%2Fjson&$.ce=utf-8&$.mid=…&topic=press-1%2Ftags

`topic` is what comes behind the root in the profile `json`: an application property, by which routes choose; `$.mid`
is the same when the same is said again (of what is told once: samples, states, alarms), so that duplicates are known.
Nothing is retained; the will is an event as well. Direct methods come on `$iothub/methods/POST/{name}/?$rid={id}` and
are answered on `$iothub/methods/res/{status}/?$rid={id}` (Microsoft: Communicate with an IoT hub using MQTT).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.command import Outcome
from edge_agent.core.report import Gap, Report, Samples, StateChange, Status
from edge_agent.core.rollup import Rollup
from edge_agent.encode.cloud_thing import read
from edge_agent.encode.json_command import write_reply
from edge_agent.encode.json_profile import JsonProfile
from edge_agent.encode.message import Message, Received
from edge_agent.encode.profile import Asked, Credentials, Limits, Profile
from edge_agent.encode.repeats import Repeats

LIMITS: Final = Limits(payload=250_000, firm=True)
"""a message has at most 256 KB with its properties, which are a few hundred bytes; how many a second, the tier says"""

WRITE: Final = "write"
"""the direct method by which a tag is written: {"tag": "press-1.setpoint", "value": 23.4}"""

_METHODS: Final = "$iothub/methods/POST/"
_DONE, _NOT_DONE = 200, 400


class AzureProfile(Profile):
    """`credentials(now_ns)` is asked at each connection."""

    limits = LIMITS

    def __init__(
        self, device: str, agent: str, version: str, sign: Callable[[int], Credentials], destination: str = ""
    ) -> None:
        self._json: Profile = JsonProfile("", agent, version, LIMITS.payload)
        self._events = f"devices/{quote(device, safe='')}/messages/events/"
        self._sign = sign
        self._repeats = Repeats(destination)

    def hello(self, status: Status) -> list[Message]:
        """The birth. Direct methods are numbered anew with each link, and wait for none."""
        self._repeats.forget()
        return self.status(status)

    def credentials(self, now_ns: int) -> Credentials:
        """A token that ends some time after `now_ns`."""
        return self._sign(now_ns)

    def fit(self, payload: int | None) -> None:
        """See `Profile.fit`."""
        super().fit(payload)
        self._json.fit(payload)

    def _sent(self, messages: Sequence[Message], *, once: bool = False) -> list[Message]:
        return [self._event(message, once=once) for message in messages]

    def _event(self, message: Message, *, once: bool) -> Message:
        below = message.topic[1:]
        said = "$.ct=application%2Fjson&$.ce=utf-8"
        if once:
            said += f"&$.mid={sha256(below.encode() + message.payload).hexdigest()[:32]}"
        return replace(message, topic=f"{self._events}{said}&topic={quote(below, safe='')}", retain=False)

    def will(self) -> Message:
        """An event like any other."""
        said = self._json.will()
        assert said is not None, "the profile json has one"
        return self._event(said, once=False)

    def status(self, status: Status) -> list[Message]:
        """The birth, and the status from then on."""
        self._repeats.now_ns = status.time
        return self._sent(self._json.status(status))

    def samples(self, samples: Samples) -> list[Message]:
        """One device's samples."""
        return self._sent(self._json.samples(samples), once=True)

    def alarms(self, seq: int, device: str, spans: Sequence[AlarmSpan]) -> list[Message]:
        """One device's alarms that have changed."""
        return self._sent(self._json.alarms(seq, device, spans), once=True)

    def state(self, change: StateChange) -> list[Message]:
        """A machine's new state."""
        return self._sent(self._json.state(change), once=True)

    def report(self, report: Report) -> list[Message]:
        """A machine's KPIs in one window."""
        return self._sent(self._json.report(report))

    def rollup(self, rollup: Rollup) -> list[Message]:
        """Those of a line, an area or the site."""
        return self._sent(self._json.rollup(rollup))

    def digital(self, payload: Mapping[str, Any], time_ns: int) -> list[Message]:
        """How digital the plant is."""
        return self._sent(self._json.digital(payload, time_ns))

    def gap(self, gap: Gap) -> list[Message]:
        """Records that can no longer be delivered."""
        return self._sent(self._json.gap(gap), once=True)

    def command_topics(self) -> Sequence[str]:
        """Direct methods."""
        return (f"{_METHODS}#",)

    def command(self, received: Received) -> Asked | None:
        """The method `write`; any other is none of ours, and told so."""
        name, _, rid = received.topic.removeprefix(_METHODS).partition("/?$rid=")
        if not rid:
            return None
        id = self._repeats.id(received)
        if name != WRITE:
            return Asked(id, "", error=f"there is no method {name[:64]!r}; write is one")
        said = read(received.payload)
        device, _, tag = said["tag"].partition(".") if isinstance(said.get("tag"), str) else ("", "", "")
        if not tag or said.keys() != {"tag", "value"}:
            return Asked(id, device, error='write takes {"tag": "press-1.setpoint", "value": 23.4}')
        return Asked(id, device, tag, said["value"])

    def reply(self, asked: Asked, outcome: Outcome, received: Received) -> Message:
        """200 is done, 400 is not."""
        status = _DONE if outcome.ok else _NOT_DONE
        _, _, rid = received.topic.partition("?$rid=")
        return Message(f"$iothub/methods/res/{status}/?$rid={rid}", write_reply(asked.id, outcome))
