"""A host application for tests: hears an edge node, and holds all it says against the specification.

`faults` names requirements of Sparkplug 3.0 by their ids (without `tck-id-`); what it reads payloads with is checked
elsewhere against a library that is not ours.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.encode.sparkplug.datatype import FIELD, DataType
from edge_agent.encode.sparkplug.metric import Metric, read, write
from edge_agent.encode.sparkplug.topic import kind_and_device
from edge_agent.encode.sparkplug.wire import Payload, parsed


@dataclass
class Said:
    """One message of an edge node."""

    topic: str
    raw: bytes
    qos: int
    retain: bool
    kind: str = ""
    device: str = ""
    payload: Any = None

    def __post_init__(self) -> None:
        self.kind, self.device = kind_and_device(self.topic)
        if self.kind != "STATE" and not self.topic.startswith("STATE"):
            self.payload = parsed(self.raw)

    def metric(self, name: str) -> Metric:
        """One by name, as of a birth."""
        return read(next(one for one in self.payload.metrics if one.name == name))

    @property
    def names(self) -> list[str]:
        """Of all its metrics."""
        return [one.name for one in self.payload.metrics]

    @property
    def bdseq(self) -> int:
        """Of NBIRTH and NDEATH."""
        return int(next(one.long_value for one in self.payload.metrics if one.name == "bdSeq"))


class Host:
    """Everything that is said below `spBv1.0`, in order; says itself what a host says."""

    def __init__(self, port: int, name: str = "scada") -> None:
        self.name = name
        self.said: list[Said] = []
        self._lock = threading.Lock()
        ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.max_queued_messages_set(0)
        self._client.reconnect_delay_set(1, 1)
        options = SubscribeOptions(1, retainAsPublished=True)
        self._client.on_connect = lambda client, *_: client.subscribe([("spBv1.0/+/+/#", options)])
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_message = self._take
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert ready.wait(60)

    def close(self) -> None:
        """Go."""
        self._client.disconnect()
        self._client.loop_stop()

    def __enter__(self) -> Host:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def of(self, kind: str, device: str | None = None) -> list[Said]:
        """All messages of a kind."""
        with self._lock:
            return [one for one in self.said if one.kind == kind and device in (None, one.device)]

    def heard(self) -> list[Said]:
        """All so far."""
        with self._lock:
            return list(self.said)

    def state(self, online: bool, time_ms: int) -> None:
        """Say whether it is online, as a primary host does."""
        payload = json.dumps({"online": online, "timestamp": time_ms})
        self._client.publish(f"spBv1.0/STATE/{self.name}", payload, 1, True).wait_for_publish(10)

    def say(self, topic: str, payload: bytes, retain: bool = False) -> None:
        """Anything."""
        self._client.publish(topic, payload, 1, retain).wait_for_publish(10)

    def command(self, topic: str, *metrics: Metric, time_ms: int | None = None, typed: bool = True) -> None:
        """NCMD or DCMD; `typed` false: without datatypes, as the specification wants it."""
        payload = Payload()
        if time_ms is not None:
            payload.timestamp = time_ms
        for metric in metrics:
            write(payload.metrics.add(), metric, birth=typed)
        self.say(topic, payload.SerializeToString())

    def rebirth(self, group: str = "acme", node: str = "gw-01") -> None:
        """Ask for births."""
        self.command(f"spBv1.0/{group}/NCMD/{node}", Metric("Node Control/Rebirth", DataType.BOOLEAN, True))

    def faults(self) -> list[str]:
        """See `faults`."""
        return faults(self.heard())

    def _take(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if message.topic.startswith("spBv1.0/STATE") or "CMD/" in message.topic:
            return
        with self._lock:
            self.said.append(Said(message.topic, message.payload, message.qos, message.retain))


@dataclass
class _Node:
    """What a host holds of an edge node."""

    seq: int | None = None
    bdseq: int = -1
    metrics: dict[str, dict[str, int]] = field(default_factory=dict)      # of each device: name → datatype
    aliases: dict[int, tuple[str, str]] = field(default_factory=dict)
    newest: dict[tuple[str, str], int] = field(default_factory=dict)


def faults(said: Sequence[Said]) -> list[str]:
    """What is wrong with the words of one edge node, in their order; each begins with the requirement's id."""
    node = _Node()
    return [f"{fault} ({n}: {one.topic})" for n, one in enumerate(said) for fault in _faults(node, one)]


def values(said: Sequence[Said]) -> Iterator[tuple[str, str, int, Any, bool]]:
    """(device, metric, time in ms, value, is it history) of all data, names found by the last birth."""
    names: dict[tuple[str, int], str] = {}
    types: dict[tuple[str, str], int] = {}
    for one in said:
        if one.kind in ("NBIRTH", "DBIRTH"):
            for metric in one.payload.metrics:
                names[one.device, metric.alias] = metric.name
                types[one.device, metric.name] = metric.datatype
        elif one.kind in ("NDATA", "DDATA"):
            for metric in one.payload.metrics:
                name = metric.name or names[one.device, metric.alias]
                found = read(metric, types[one.device, name])
                yield one.device, name, metric.timestamp, found.value, metric.is_historical


def _faults(node: _Node, one: Said) -> Iterator[str]:
    payload, death = one.payload, one.kind == "NDEATH"
    if one.retain:
        yield f"payloads-{one.kind.lower()}-retain: it is retained"
    if one.qos and not death:
        yield f"payloads-{one.kind.lower()}-qos: {one.qos}"
    if death:
        if payload.HasField("seq"):
            yield "payloads-ndeath-seq: it has one"
        if one.names != ["bdSeq"]:
            yield f"topics-ndeath-payload: {one.names}"
        if one.bdseq == node.bdseq:         # else it is of a connection that has no birth, or one before the last
            node.seq = None
            node.metrics.clear()
        return
    if not payload.HasField("timestamp"):
        yield f"payloads-{one.kind.lower()}-timestamp: it has none"
    if not payload.HasField("seq"):
        yield "payloads-sequence-num-always-included: it has none"
    elif one.kind == "NBIRTH":
        if payload.seq != 0:
            yield f"topics-nbirth-seq-num: {payload.seq}"
        yield from _node_birth(node, one)
    elif node.seq is None:
        yield f"payloads-{one.kind.lower()}-order: no birth of the node before it"
    elif payload.seq != (node.seq + 1) % 256:
        yield f"payloads-sequence-num-incrementing: {payload.seq} after {node.seq}"
    node.seq = payload.seq
    yield from _metrics(node, one)


def _node_birth(node: _Node, one: Said) -> Iterator[str]:
    node.metrics.clear()
    node.aliases.clear()
    node.newest.clear()
    bdseq = [metric for metric in one.payload.metrics if metric.name == "bdSeq"]
    if [metric.datatype for metric in bdseq] != [DataType.INT64]:
        yield "payloads-nbirth-bdseq: it has none, or of another datatype"
    node.bdseq = one.bdseq
    control = [metric for metric in one.payload.metrics if metric.name == "Node Control/Rebirth"]
    if [(one.datatype, one.boolean_value, one.HasField("alias")) for one in control] != [(11, False, False)]:
        yield "payloads-nbirth-rebirth-req"


def _metrics(node: _Node, one: Said) -> Iterator[str]:
    if one.kind in ("NBIRTH", "DBIRTH"):
        born: dict[str, int] = {}
        for metric in one.payload.metrics:
            if metric.name in born:
                yield f"a metric twice: {metric.name}"
            if not metric.name or not metric.datatype:
                yield f"topics-{one.kind.lower()}-metrics: {metric.name} has no name or datatype"
            here = one.device, metric.name
            if metric.HasField("alias") and node.aliases.setdefault(metric.alias, here) != here:
                yield f"payloads-alias-uniqueness: {metric.alias}"
            held = metric.WhichOneof("value")
            if metric.is_null == (held is not None) or (held is not None and held != FIELD[metric.datatype]):
                yield f"operational-behavior-data-publish-{one.kind.lower()}-values: {metric.name}"
            if not metric.HasField("timestamp"):
                yield f"payloads-name-birth-data-requirement: {metric.name}"
            born[metric.name] = metric.datatype
            node.newest[one.device, metric.name] = metric.timestamp
        node.metrics[one.device] = born
    elif one.kind == "DDEATH":
        if one.device not in node.metrics:
            yield "operational-behavior-device-ddeath: it was dead"
        node.metrics.pop(one.device, None)
        if one.payload.metrics:
            yield "operational-behavior-device-ddeath: it has metrics"
    elif one.device not in node.metrics:
        yield f"payloads-{one.kind.lower()}-order: no birth before it"
    else:
        yield from _data(node, one)


def _data(node: _Node, one: Said) -> Iterator[str]:
    if not one.payload.metrics:
        yield f"topics-{one.kind.lower()}-payload: nothing"
    for metric in one.payload.metrics:
        name = metric.name
        if metric.HasField("alias"):
            if name:
                yield f"payloads-alias-data-cmd-requirement: {name} has its name, too"
            of, name = node.aliases.get(metric.alias, ("", ""))
            if of != one.device:
                yield f"payloads-alias-data-cmd-requirement: {metric.alias} is of {of!r}"
        if name not in node.metrics[one.device]:
            yield f"topics-{one.kind.lower()}-metric-reqs: {name!r} is in no birth"
            continue
        if metric.HasField("datatype"):
            yield f"payloads-metric-datatype-not-req: {name}"
        elif not metric.is_null and metric.WhichOneof("value") != FIELD[node.metrics[one.device][name]]:
            yield f"payloads-metric-datatype-value: {name}"
        if not metric.HasField("timestamp"):
            yield f"payloads-name-birth-data-requirement: {name}"
        if not metric.is_historical:
            if metric.timestamp < node.newest.get((one.device, name), 0):
                yield f"operational-behavior-data-publish-{one.kind.lower()}-order: {name}"
            node.newest[one.device, name] = metric.timestamp
