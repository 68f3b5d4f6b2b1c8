"""AWS IoT Core: topics within its limits, Basic Ingest, and entries for SiteWise."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest

from edge_agent.core.batch import Batch
from edge_agent.core.quality import GOOD, Reason, bad
from edge_agent.core.report import Samples, Status
from edge_agent.core.tags import Kind
from edge_agent.encode.message import Message
from tests.encode.cloud_profiles import profile
from tests.encode.scene import ROLLUP, SAMPLES, T0, told

S = 1_000_000_000
DAY = 86_400 * S


@pytest.mark.parametrize("keys", [{}, {"root": "plant-1/hall-2/line-3/gw"}, {"basic_ingest": "all", "sitewise": True}])
def test_topics_are_within_the_limits(keys: dict[str, Any]) -> None:
    for _, messages in told(profile("aws-iot", **keys)):
        for message in messages:
            counted = message.topic.removeprefix("$aws/rules/all/")
            assert counted.count("/") <= 7
            assert len(counted.encode()) <= 256


def test_the_deepest_topic_of_the_deepest_root_just_fits() -> None:
    longest = replace(ROLLUP, id="x" * 63, window=replace(ROLLUP.window, kind="production_day"))
    (message,) = profile("aws-iot", root="a/b/c/" + "d" * 162).rollup(longest)
    assert message.topic.count("/") == 7
    assert len(message.topic) == 256


def test_basic_ingest_takes_all_but_the_status_and_retains_nothing() -> None:
    made = profile("aws-iot", basic_ingest="all")
    for what, messages in told(made):
        for message in messages:
            plain = what in ("will", "hello", "status", "goodbye")
            assert message.topic.startswith("$aws/rules/all/edge/gw-01/") is not plain
            assert message.retain is plain


def entries(messages: list[Message]) -> dict[str, list[dict[str, Any]]]:
    """By alias; within the limits of a request."""
    found: dict[str, list[dict[str, Any]]] = {}
    for message in messages:
        if message.topic.endswith("/sitewise"):
            said = orjson.loads(message.payload)["entries"]
            assert 0 < len(said) <= 10
            assert len({entry["entryId"] for entry in said}) == len(said)
            for entry in said:
                assert 0 < len(entry["propertyValues"]) <= 10
                found.setdefault(entry["propertyAlias"], []).extend(entry["propertyValues"])
    return found


def rest(messages: list[Message]) -> list[dict[str, Any]]:
    """What is told as JSON instead."""
    return [
        group for one in messages if one.topic.endswith("/tags") for group in orjson.loads(one.payload)["samples"]
    ]


def test_sitewise_gets_values_by_type_with_quality_and_exact_times() -> None:
    messages = profile("aws-iot", sitewise=True).samples(SAMPLES)
    found = entries(messages)
    stamp = {"timeInSeconds": T0 // S, "offsetInNanos": 0}
    place = "/acme/suzhou/machining/press-1"
    assert found[f"{place}/temp"] == [
        {"value": {"doubleValue": 21.5}, "timestamp": stamp, "quality": "GOOD"},
        {"value": {"doubleValue": 500.0}, "timestamp": {**stamp, "timeInSeconds": T0 // S + 2}, "quality": "BAD"},
    ]
    assert found[f"{place}/running"] == [{"value": {"booleanValue": True}, "timestamp": stamp, "quality": "GOOD"}]
    assert found[f"{place}/program"] == [{"value": {"stringValue": "程序 7"}, "timestamp": stamp, "quality": "GOOD"}]
    assert [one["quality"] for one in found[f"{place}/total"]] == ["GOOD", "UNCERTAIN"]
    # The one without a value.
    assert rest(messages) == [{"t": T0 // 1_000_000 + 1000, "values": {"temp": None}, "quality": {"temp": "bad"}}]


def test_what_sitewise_would_not_take_is_told_as_json() -> None:
    made = profile("aws-iot", sitewise=True)
    made.hello(Status(True, T0))
    times = np.array([T0 - 8 * DAY, T0 - 6 * DAY, T0, T0 + 9 * 60 * S, T0 + 11 * 60 * S])
    batch = Batch(np.zeros(5, np.int32), times, np.arange(5.0), np.zeros(5, np.uint8))
    messages = made.samples(Samples(1, "press-1", ("temp",), (Kind.FLOAT,), batch))
    (values,) = entries(messages).values()
    assert [one["value"]["doubleValue"] for one in values] == [1.0, 2.0, 3.0]
    assert [group["values"]["temp"] for group in rest(messages)] == [0.0, 4.0]


def test_a_long_text_and_one_that_is_empty_are_told_as_json() -> None:
    batch = Batch(np.zeros(3, np.int32), T0 + np.arange(3), np.arange(3.0), np.array([GOOD, GOOD, bad(Reason.STUCK)]))
    texts = {0: {0: "x" * 1025, 1: "", 2: "short"}}
    messages = profile("aws-iot", sitewise=True).samples(Samples(1, "d", ("s",), (Kind.TEXT,), batch, texts))
    (values,) = entries(messages).values()
    assert [(one["value"], one["quality"]) for one in values] == [({"stringValue": "short"}, "BAD")]
    assert [group["values"]["s"] for group in rest(messages)] == ["x" * 1025, ""]


def test_each_sample_is_in_exactly_one_request() -> None:
    tags, scans = 37, 23
    batch = Batch(
        np.tile(np.arange(tags, dtype=np.int32), scans), np.repeat(T0 + S * np.arange(scans), tags),
        np.arange(tags * scans, dtype=float), np.zeros(tags * scans, np.uint8),
    )  # fmt: skip
    names = tuple(f"t-{n}" for n in range(tags))
    messages = profile("aws-iot", sitewise=True).samples(Samples(1, "d", names, (Kind.FLOAT,) * tags, batch))
    values = [one["value"]["doubleValue"] for found in entries(messages).values() for one in found]
    assert sorted(values) == batch.value.tolist()
    assert not rest(messages)
