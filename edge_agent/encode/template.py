"""The profile `template`: messages as a user's templates say, see `template_language` and `template_data`.

A rule says for one kind of record to which topic which payload goes; there may be several for a kind. A payload of
which nothing is left but blanks is not sent; one that is said to be JSON is checked and written without blanks. One too
large is made again of half of the record, and so on; history is never retained.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.report import Gap, Report, Samples, StateChange, Status
from edge_agent.core.rollup import Rollup
from edge_agent.encode.message import Message
from edge_agent.encode.profile import Limits, Profile, Scene
from edge_agent.encode.template_data import Data, Facts, points
from edge_agent.encode.template_language import Renderer

_NO_TOPIC: Final = re.compile(r"[+#\x00-\x1f\ud800-\udfff]|^\$SYS|^$")
LONGEST_TOPIC: Final = 65_535
"""bytes (MQTT 3.1.1, 1.5.3)"""


class Unusable(ValueError):
    """What came out of a template is no topic, or not the JSON it is said to be; `part` is which of both."""

    def __init__(self, part: str, why: str) -> None:
        super().__init__(f"{part}: {why}")
        self.part = part
        self.why = why


@dataclass(frozen=True, slots=True)
class Rule:
    """What becomes of a kind of record. `each`: what there is a message for, see `template_data.NAMES`."""

    kind: str
    each: str
    topic: Renderer
    payload: Renderer
    qos: int = 1
    retain: bool = False
    is_json: bool = True
    will: bool = False

    @property
    def needs(self) -> frozenset[str]:
        """The names it uses."""
        return self.topic.needs | self.payload.needs

    def message(self, data: Mapping[str, Any]) -> Message | None:
        """The message; None if there is nothing to say. Raises `Unusable`."""
        payload = self._made(self.payload, "payload", data)
        if not payload.strip():
            return None
        topic = self._made(self.topic, "topic", data).strip()
        if _NO_TOPIC.search(topic) or len(topic.encode()) > LONGEST_TOPIC:
            raise Unusable("topic", f"{topic[:80]!r} is no topic to publish to")
        return Message(topic, self._encoded(payload), self.qos, self.retain and not data.get("historical"))

    def _made(self, renderer: Renderer, part: str, data: Mapping[str, Any]) -> str:
        try:
            return renderer.render(data)
        except ValueError as error:
            raise Unusable(part, str(error)) from error

    def _encoded(self, text: str) -> bytes:
        if not self.is_json:
            return text.strip().encode("utf-8", "replace")
        try:
            return orjson.dumps(orjson.loads(text.encode("utf-8", "replace")))
        except ValueError as error:
            at = getattr(error, "pos", 0)
            raise Unusable("payload", f"is no JSON ({error}), near {text[max(0, at - 20) : at + 20]!r}") from error


class TemplateProfile(Profile):
    """Encodes as the rules say; pure."""

    def __init__(self, scene: Scene, rules: Iterable[Rule], limits: Limits) -> None:
        self.limits = limits
        self._facts = Facts(scene)
        self._rules: dict[str, list[Rule]] = {}
        for rule in rules:
            self._rules.setdefault(rule.kind, []).append(rule)

    def will(self) -> Message | None:
        """The status of the rule that says `will: true`, offline and without a time."""
        for rule in self._rules.get("status", ()):
            if rule.will:
                return rule.message(self._facts.will())
        return None

    def hello(self, status: Status) -> list[Message]:
        """The status; if that cannot be said it is told, and counted, with the next one."""
        try:
            return self.status(status)
        except ValueError:
            return []

    def goodbye(self, status: Status) -> list[Message]:
        """As the will."""
        try:
            return super().goodbye(status)
        except ValueError:
            return []

    def status(self, status: Status) -> list[Message]:
        """See `Profile.status`; raises `Unusable`, as do all others."""
        return self._made("status", "", self._facts.status(status))

    def samples(self, samples: Samples) -> list[Message]:
        """See `Profile.samples`."""
        told: list[Message] = []
        for rule in self._rules.get("samples", ()):
            for data in self._facts.samples(samples, rule.each):
                told += self._fitting(rule, data)
        return told

    def state(self, change: StateChange) -> list[Message]:
        """See `Profile.state`."""
        return self._made("state", change.machine, self._facts.state(change))

    def report(self, report: Report) -> list[Message]:
        """See `Profile.report`."""
        return self._made("report", f"{report.machine} {report.window.kind}", self._facts.report(report))

    def rollup(self, rollup: Rollup) -> list[Message]:
        """See `Profile.rollup`."""
        about = f"{rollup.kind}/{rollup.id} {rollup.window.kind}"
        return self._made("rollup", about, self._facts.rollup(rollup))

    def digital(self, payload: Mapping[str, Any], time_ns: int) -> list[Message]:
        """See `Profile.digital`."""
        return self._made("digital", "", self._facts.digital(payload, time_ns)) if "digital" in self._rules else []

    def alarms(self, seq: int, device: str, spans: Sequence[AlarmSpan]) -> list[Message]:
        """See `Profile.alarms`."""
        rules = self._rules.get("alarms", ())
        made = [rule.message(data) for rule in rules for data in self._facts.alarms(seq, device, spans, rule.each)]
        return [message for message in made if message]

    def gap(self, gap: Gap) -> list[Message]:
        """See `Profile.gap`."""
        return self._made("gap", "", self._facts.gap(gap))

    def _made(self, kind: str, about: str, given: Sequence[Data]) -> list[Message]:
        """`about` tells apart, where they share a topic, what is only of interest while it is new."""
        made: list[Message] = []
        for number, rule in enumerate(self._rules.get(kind, ())):
            for data in given:
                if one := rule.message(data):
                    name = f"{kind} {about} {number}"
                    made.append(Message(one.topic, one.payload, one.qos, one.retain, about=name))
        return made

    def _fitting(self, rule: Rule, data: Data) -> Iterator[Message]:
        """The message; of halves of the samples if it is too large. A single one too large goes as it is."""
        full = {**data, "samples": points(data["groups"], data["units"])} if "samples" in rule.needs else data
        message = rule.message(full)
        if message is None:
            return
        halves = _halves(data) if len(message.payload) > self.limits.payload else []
        if not halves:
            yield message
        for half in halves:
            yield from self._fitting(rule, half)


def _halves(data: Data) -> list[Data]:
    """Of the groups, or of the tags of the only one; none if there is nothing to halve."""
    if "groups" not in data:
        parts = _parted(data) if "values" in data else []
        return [{**data, **part} for part in parts]
    groups = data["groups"]
    if len(groups) > 1:
        middle = len(groups) // 2
        return [{**data, "groups": groups[:middle]}, {**data, "groups": groups[middle:]}]
    return [{**data, "groups": [part]} for part in _parted(groups[0])]


def _parted(group: Mapping[str, Any]) -> list[Data]:
    items = list(group["values"].items())
    if len(items) < 2:
        return []
    middle = len(items) // 2
    return [
        {
            "t": group["t"], "values": dict(half),
            "quality": {name: group["quality"][name] for name, _ in half if name in group["quality"]},
        }
        for half in (items[:middle], items[middle:])
    ]  # fmt: skip
