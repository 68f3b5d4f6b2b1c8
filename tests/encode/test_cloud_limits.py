"""What platforms take at most holds for every message, and every sample is in exactly one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.batch import Batch
from edge_agent.core.quality import BAD, GOOD, UNCERTAIN
from edge_agent.core.report import Samples, Status
from edge_agent.core.tags import Kind, Tag, TagTable
from edge_agent.encode.cloud_names import Rule
from edge_agent.encode.message import Message
from tests.encode import scene
from tests.encode.cloud_profiles import PLUGINS, PSK, THINGS, profile, wide
from tests.encode.scene import T0

MS = 1_000_000
S = 1_000_000_000
PAYLOAD = {
    "huawei-iotda": 64 * 1024, "aliyun-iot": 256 * 1024, "tencent-iot": 16 * 1024, "aws-iot": 128 * 1024,
    "azure-iothub": 256 * 1024,
}  # fmt: skip
POINTS = {"aliyun-iot": 200}


def plant(tags: int) -> TagTable:
    kinds = (Kind.FLOAT, Kind.INT, Kind.TEXT, Kind.BOOL)
    return TagTable([Tag(n, "press-1", f"a-tag-with-quite-a-name-{n}", kinds[n % 4]) for n in range(tags)])


def made(tags: int, scans: int, step: int, seed: int, *, historical: bool) -> Samples:
    """`scans` of all tags, `step` ns apart; some samples are not good, some texts are long."""
    dice = np.random.default_rng(seed)
    n = tags * scans
    table = plant(tags)
    kinds = tuple(tag.kind for tag in table)
    text = np.array([kind in (Kind.TEXT, Kind.BOOL) for kind in kinds], bool)
    tag = np.tile(np.arange(tags, dtype=np.int32), scans)
    value = np.where(text[tag], dice.integers(0, 2, n), np.round(dice.normal(0, 1000, n), 3))
    value[np.array([kind is Kind.INT for kind in kinds], bool)[tag]] //= 1
    quality = dice.choice(np.array([GOOD, UNCERTAIN, BAD], np.uint8), n, p=[0.9, 0.05, 0.05])
    batch = Batch(tag, np.repeat(T0 + step * np.arange(scans), tags), value.astype(float), quality)
    texts = {n: {0: "设备停机" * 20, 1: "b"} for n in range(tags) if kinds[n] is Kind.TEXT}
    return Samples(7, "press-1", tuple(one.name for one in table), kinds, batch, texts, historical)


def points(name: str, message: Message) -> Iterator[tuple[str, int, Any]]:
    """Identifier, ms and value of all properties of a message."""
    said = orjson.loads(message.payload)
    if name == "huawei-iotda":
        services = said["services"] if "services" in said else said["devices"][0]["services"]
        for service in services:
            for identifier, value in service["properties"].items():
                yield identifier, service["event_time"], value
    elif name == "aliyun-iot":
        params = said["params"]
        held = params if isinstance(params, list) else params.get("subDevices", [{"properties": params}])
        for one in held:
            groups = one["properties"] if isinstance(one["properties"], list) else [one["properties"]]
            for group in groups:
                for identifier, value in group.items():
                    yield identifier, value["time"], value["value"]
    elif name == "tencent-iot":
        for identifier, value in said["params"].items():
            yield identifier, said["timestamp"], value


@pytest.mark.parametrize("name", THINGS)
@settings(max_examples=30, deadline=None)
@given(
    tags=st.integers(1, 300), scans=st.integers(1, 5), step=st.sampled_from([0, 1, 100_000, MS, S]),
    seed=st.integers(0, 9), historical=st.booleans(),
)  # fmt: skip
def test_every_sample_is_told_once_within_the_limits(
    name: str, tags: int, scans: int, step: int, seed: int, historical: bool
) -> None:
    samples = made(tags, scans, step, seed, historical=historical)
    # To the millisecond, to see which is which.
    more = {"event_time": "ms"} if name == "huawei-iotda" else {}
    messages = profile(name, wide(plant(tags)), **more).samples(samples)
    found = [point for message in messages for point in points(name, message)]
    for message in messages:
        assert len(message.payload) <= PAYLOAD[name]
        assert len(list(points(name, message))) <= POINTS.get(name, 1 << 30)
        assert not message.retain
        assert message.qos == 1
    # A property has one value a millisecond.
    assert max(Counter((identifier, time) for identifier, time, _ in found).values()) == 1
    values = Counter(identifier for identifier, _, _ in found if identifier != "not_good")
    doubted = Counter(
        one.partition("=")[0] for identifier, _, text in found if identifier == "not_good" for one in text.split(",")
    )
    batch, names = samples.batch, [name.replace("-", "_") for name in samples.names]
    told = Counter(names[tag] for tag in batch.tag[batch.quality < BAD].tolist())
    assert values == told
    assert doubted == Counter(names[tag] for tag in batch.tag[batch.quality >= UNCERTAIN].tolist())
    for identifier, text in ((i, v) for i, _, v in found if i == "not_good"):
        assert len(text.encode()) <= 2048, identifier


@pytest.mark.parametrize("name", THINGS)
def test_a_value_that_is_too_large_by_itself_takes_no_other_with_it(name: str) -> None:
    table = TagTable([Tag(0, "press-1", "long", Kind.TEXT), Tag(1, "press-1", "short", Kind.INT)])
    batch = Batch(
        np.array([0, 1], np.int32), np.array([T0, T0], np.int64), np.array([0.0, 5.0]), np.zeros(2, np.uint8)
    )
    samples = Samples(1, "press-1", ("long", "short"), (Kind.TEXT, Kind.INT), batch, {0: {0: "x" * 300_000}})
    messages = profile(name, wide(table)).samples(samples)
    large, small = sorted(messages, key=lambda one: -len(one.payload))
    assert [identifier for identifier, _, _ in points(name, large)] == ["long"]
    assert [identifier for identifier, _, _ in points(name, small)] == ["short"]


@pytest.mark.parametrize("name", PLUGINS)
def test_the_limits_told_to_the_follower_are_within_the_platforms(name: str) -> None:
    assert 0 < profile(name).limits.payload <= PAYLOAD[name]


def test_alibabas_history_is_older_than_what_is_present() -> None:
    samples = made(3, 4, S, 1, historical=False)
    messages = profile("aliyun-iot", wide(plant(3))).samples(samples)
    newest: dict[str, int] = {}
    for message in messages:
        for identifier, time, _ in points("aliyun-iot", message):
            newest[identifier] = max(time, newest.get(identifier, 0))
    for message in messages:
        for identifier, time, _ in points("aliyun-iot", message):
            assert (time == newest[identifier]) == message.topic.endswith("pack/post")


def test_a_backlog_of_alibaba_never_takes_the_place_of_what_is_there() -> None:
    messages = profile("aliyun-iot", wide(plant(3))).samples(made(3, 4, S, 1, historical=True))
    assert {message.topic.rpartition("/thing/")[2] for message in messages} == {"event/property/history/post"}


def test_floats_of_alibaba_have_a_decimal_point() -> None:
    for value, written in ((10.0, b"10.0"), (1e30, b"1.0e+30"), (1e-7, b"1.0e-07"), (1.5e300, b"1.5e+300")):
        batch = Batch(np.zeros(1, np.int32), np.array([T0]), np.array([value]), np.zeros(1, np.uint8))
        (message,) = profile("aliyun-iot").samples(Samples(1, "press-1", ("temp",), (Kind.FLOAT,), batch))
        assert b'"value":' + written + b"," in message.payload
        assert orjson.loads(message.payload)["params"]["subDevices"][0]["properties"]["temp"]["value"] == value


def test_many_sub_devices_are_told_of_in_messages_of_their_own() -> None:
    devices = [f"m-{n}" for n in range(120)]
    many = wide(TagTable([Tag(n, device, "x") for n, device in enumerate(devices)]))
    status = Status(True, T0, dict.fromkeys(devices, "connected"))
    huawei = profile("huawei-iotda", many, sub_devices={one: {"product": "p", "node": one} for one in devices})
    events = [orjson.loads(m.payload)["services"][0] for m in huawei.hello(status) if m.topic.endswith("events/up")]
    adding = [len(one["paras"]["devices"]) for one in events if one["event_type"] == "add_sub_device_request"]
    telling = [len(one["paras"]["device_statuses"]) for one in events if "device_statuses" in one["paras"]]
    assert adding == telling == [100, 20]
    keys = {one: {"product_key": "p", "device_name": one, "secret": "s"} for one in devices}
    alibaba = profile("aliyun-iot", many, sub_devices=keys).hello(status)
    said = [(message.topic.rpartition("/")[2], orjson.loads(message.payload)["params"]) for message in alibaba]
    assert [len(params) for what, params in said if what == "add"] == [30, 30, 30, 30]
    assert [len(params["deviceList"]) for what, params in said if what == "batch_login"] == [50, 50, 20]
    named = {one: {"product_id": "p", "device_name": one, "secret": PSK} for one in devices}
    tencent = profile("tencent-iot", many, sub_devices=named).hello(status)
    assert len({message.answer for message in tencent if message.topic.startswith("$gateway")}) == 240


def test_sub_devices_of_huawei_are_online_while_their_device_is_connected() -> None:
    made = profile("huawei-iotda")
    for state, told in (("connected", "ONLINE"), ("lost", "OFFLINE"), ("connecting", "OFFLINE")):
        messages = made.status(Status(True, T0, {"press-1": state}))
        (event,) = (orjson.loads(m.payload)["services"][0] for m in messages if m.topic.endswith("events/up"))
        statuses = {one["device_id"]: one["status"] for one in event["paras"]["device_statuses"]}
        assert statuses == {"prod_press-1": told, "prod_press-2": "ONLINE"}


@pytest.mark.parametrize("name", THINGS)
def test_what_is_not_to_be_told_is_not(name: str) -> None:
    made = profile(name, report=["tags"])
    assert made.samples(scene.SAMPLES)
    assert not made.state(scene.STATE)
    assert not made.report(scene.FINAL)
    assert not made.rollup(scene.ROLLUP)
    assert not made.alarms(1, "press-1", scene.ALARMS)
    assert not made.digital(scene.DIGITAL, T0)
    assert not made.gap(scene.GAP)
    assert all("connected" not in message.payload.decode() for message in made.status(scene.STATUS))


@given(st.text(min_size=1, max_size=80), st.integers(10, 64))
def test_the_rule_makes_an_identifier_of_any_name(name: str, longest: int) -> None:
    rule = Rule(longest, frozenset({"time", "value"}))
    assert rule.mistake(rule.made(name)) == ""


def test_two_long_names_stay_two() -> None:
    rule = Rule(32)
    first, second = rule.made("a" * 40 + "1"), rule.made("a" * 40 + "2")
    assert first != second
    assert first[:25] == "a" * 25




@pytest.mark.parametrize("name", PLUGINS)
def test_what_is_newest_takes_the_place_of_its_own_only(name: str) -> None:
    made = profile(name)
    hour = replace(scene.OPEN.window, kind="hour")
    reports = [
        replace(scene.OPEN, machine=machine, window=window)
        for machine in ("press-1", "press-2", "press-3")
        for window in (scene.SHIFT, hour)
    ]
    messages = [
        *made.status(scene.STATUS), *made.digital(scene.DIGITAL, T0), *made.rollup(scene.ROLLUP),
        *(message for report in reports for message in made.report(report)),
    ]  # fmt: skip
    places = [(message.topic, message.about) for message in messages]
    assert len(set(places)) == len(places)
    again = made.status(replace(scene.STATUS, time=T0 + 60 * S))
    assert [(one.topic, one.about) for one in again] == places[: len(again)]
    # What is final takes the place of what was open.
    opened, final = made.report(scene.OPEN), made.report(scene.FINAL)
    assert [(one.topic, one.about) for one in opened] == [(one.topic, one.about) for one in final]


@pytest.mark.parametrize("name", PLUGINS)
def test_a_link_that_takes_smaller_messages_gets_smaller_ones(name: str) -> None:
    samples = made(100, 5, S, 3, historical=False)
    samples = replace(samples, texts={tag: {0: "a", 1: "b"} for tag in samples.texts})
    whole = profile(name, wide(plant(100)))
    whole.fit(2_000)
    messages = whole.samples(samples)
    whole.fit(None)
    assert max(len(message.payload) for message in messages) <= 2_000
    assert len(messages) > len(whole.samples(samples))
