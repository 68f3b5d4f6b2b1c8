"""The profile `aws-iot`: the JSON of the profile `json` on topics that AWS IoT Core takes.

A topic has at most 7 slashes and 256 bytes, a message 128 KB, a connection 100 messages and 512 KB a second (AWS IoT
Core endpoints and quotas). `$aws/rules/{rule}/` before a topic hands the message to a rule and to nobody else (Basic
Ingest): neither counts for the topic's limits, and nothing is retained there. The status and the will go without it.

With `sitewise` numbers, truth values and texts are told on `{root}/{device}/sitewise` as AWS IoT SiteWise wants them
(BatchPutAssetPropertyValue): at most 10 entries of at most 10 values, of the last 7 days and the next 10 minutes. What
SiteWise would not take (older, without a value, a text over 1024 bytes) is told on `{root}/{device}/tags` instead, so
that a rule can keep it for a bulk import. The time is that of the newest status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.quality import CLASS_NAMES
from edge_agent.core.report import Gap, Report, Samples, StateChange, Status
from edge_agent.core.rollup import Rollup
from edge_agent.core.tags import Kind
from edge_agent.encode.cloud_points import packed
from edge_agent.encode.json_profile import JsonProfile
from edge_agent.encode.message import Message
from edge_agent.encode.profile import Limits

LIMITS: Final = Limits(payload=128_000, messages_s=90, bytes_s=500_000, firm=True)
"""a tenth of the messages is kept for acknowledgements and answers"""

SLASHES: Final = 7
TOPIC_BYTES: Final = 256
DEEPEST: Final = "/line/{id}/kpi/production_day"
"""What stands behind the root at most."""

ENTRIES: Final = 10
VALUES: Final = 10
TEXT_BYTES: Final = 1024

_SECOND: Final = 1_000_000_000
_MINUTE: Final = 60 * _SECOND
# A status is at most a minute old; what is as good as too old already must not be refused on the way.
_PAST: Final = 7 * 86_400 * _SECOND - 5 * _MINUTE
_FUTURE: Final = 10 * _MINUTE

Alias = Callable[[str, str], str]
"""`alias(device, tag)`: the property's alias in SiteWise."""


class AwsProfile(JsonProfile):
    """`rule`: of Basic Ingest, '' for none."""

    may_be_packed = False       # rules and SiteWise read JSON

    def __init__(self, root: str, agent: str, version: str, rule: str = "", alias: Alias | None = None) -> None:
        super().__init__(root, agent, version, LIMITS.payload)
        self.limits = LIMITS
        self._before = f"$aws/rules/{rule}/" if rule else ""
        self._alias = alias
        self._now = 0

    def _ingested(self, messages: list[Message]) -> list[Message]:
        if not self._before:
            return messages
        return [replace(one, topic=self._before + one.topic, retain=False) for one in messages]

    def status(self, status: Status) -> list[Message]:
        """The birth, and the status from then on."""
        self._now = max(self._now, status.time)
        return super().status(status)

    def samples(self, samples: Samples) -> list[Message]:
        """One device's samples."""
        if self._alias is None or not len(samples.batch):
            return self._ingested(super().samples(samples))
        taken = self._taken(samples)
        left = replace(samples, batch=samples.batch.where(~taken))
        asked = _sitewise(replace(samples, batch=samples.batch.where(taken)), self._alias, self.limits.payload)
        topic = f"{self._root}/{samples.device}/sitewise"
        return self._ingested([*(Message(topic, one) for one in asked), *super().samples(left)])

    def _taken(self, samples: Samples) -> NDArray[np.bool_]:
        """Mask, shape (n,): what SiteWise takes."""
        batch = samples.batch
        taken = np.isfinite(batch.value)
        if self._now:
            taken &= (batch.time > self._now - _PAST) & (batch.time < self._now + _FUTURE)
        texts = np.array([kind is Kind.TEXT for kind in samples.kinds], bool)[batch.tag] & taken
        for place in texts.nonzero()[0].tolist():
            text = samples.texts.get(int(batch.tag[place]), {}).get(int(batch.value[place]), "")
            taken[place] = 0 < len(text.encode("utf-8", "replace")) <= TEXT_BYTES
        return taken

    def alarms(self, seq: int, device: str, spans: Sequence[AlarmSpan]) -> list[Message]:
        """One device's alarms that have changed."""
        return self._ingested(super().alarms(seq, device, spans))

    def state(self, change: StateChange) -> list[Message]:
        """A machine's new state."""
        return self._ingested(super().state(change))

    def report(self, report: Report) -> list[Message]:
        """A machine's KPIs in one window."""
        return self._ingested(super().report(report))

    def rollup(self, rollup: Rollup) -> list[Message]:
        """Those of a line, an area or the site."""
        return self._ingested(super().rollup(rollup))

    def digital(self, payload: Mapping[str, Any], time_ns: int) -> list[Message]:
        """How digital the plant is."""
        return self._ingested(super().digital(payload, time_ns))

    def gap(self, gap: Gap) -> list[Message]:
        """Records that can no longer be delivered."""
        return self._ingested(super().gap(gap))


def _sitewise(samples: Samples, alias: Alias, room: int) -> Iterator[bytes]:
    """Payloads of at most `room` bytes, each tag's samples in their order."""
    entries = (orjson.dumps(entry) for entry in _entries(samples, alias))
    frame = b'{"entries":[', b"]}"
    for part in packed(((entry, 1) for entry in entries), room - sum(map(len, frame)), ENTRIES):
        yield frame[0] + b",".join(part) + frame[1]


def _entries(samples: Samples, alias: Alias) -> Iterator[dict[str, Any]]:
    number = 0
    for tag in dict.fromkeys(samples.batch.tag.tolist()):
        values = list(_values(samples, tag))
        name = alias(samples.device, samples.names[tag])
        for start in range(0, len(values), VALUES):
            said = {"propertyAlias": name, "propertyValues": values[start : start + VALUES]}
            yield {"entryId": str(number), **said}
            number += 1


def _values(samples: Samples, tag: int) -> Iterator[dict[str, Any]]:
    batch = samples.batch.where(samples.batch.tag == tag)
    kind, texts = samples.kinds[tag], samples.texts.get(tag, {})
    for time, value, quality in zip(batch.time.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True):
        said: dict[str, Any] = {"doubleValue": value}
        if kind is Kind.BOOL:
            said = {"booleanValue": bool(value)}
        elif kind is Kind.TEXT:
            said = {"stringValue": texts[int(value)].encode("utf-8", "replace").decode()}
        seconds, ns = divmod(time, _SECOND)
        stamp = {"timeInSeconds": seconds, "offsetInNanos": ns}
        yield {"value": said, "timestamp": stamp, "quality": CLASS_NAMES[min(quality >> 6, 2)].upper()}
