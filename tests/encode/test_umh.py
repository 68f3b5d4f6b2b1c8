"""The profile `umh`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest

from edge_agent.core.quality import BAD, GOOD
from edge_agent.core.tags import Tag, TagTable
from edge_agent.encode.isa95 import DEFAULT, Tree
from edge_agent.encode.umh import UmhProfile
from tests.encode.scene import FINAL, METER, MS, OPEN, SAMPLES, SCENE, STATE, T0, batch, compare_with_golden

PRESS = "umh/v1/acme/suzhou/machining/line-a/press-1/_historian"
BELONGING = replace(SCENE, devices={"press-1": "press-1", "meter-1": "press-1"})


def profile(**more: Any) -> UmhProfile:
    return UmhProfile(Tree(replace(BELONGING, **more), DEFAULT, portable=True))


def test_the_golden_payloads_are_what_the_profile_says() -> None:
    compare_with_golden("umh", profile())


def test_one_message_a_source_time_has_numbers_and_texts_only() -> None:
    first = profile().samples(SAMPLES)[0]
    assert (first.topic, first.retain) == (PRESS, False)
    assert orjson.loads(first.payload) == {
        "timestamp_ms": 1795384800000, "temp": 21.5, "total": 1234, "running": 1, "program": "程序 7",
    }  # fmt: skip


def test_two_samples_within_a_millisecond_are_two_rows() -> None:
    nothing = float("nan")
    quick = replace(SAMPLES, batch=batch((0, T0, 1.0, GOOD), (0, T0 + 1, 2.0, GOOD), (0, T0 + 2, nothing, BAD)))
    told = [orjson.loads(message.payload) for message in profile().samples(quick)]
    assert told == [
        {"timestamp_ms": T0 // MS, "temp": 1.0}, {"timestamp_ms": T0 // MS + 1, "temp": 2.0},
        {"timestamp_ms": T0 // MS + 2, "temp": "bad"},
    ]  # fmt: skip


def test_what_is_not_good_is_told_in_a_group_of_its_own() -> None:
    told = [(one.topic, orjson.loads(one.payload)) for one in profile().samples(SAMPLES)[1:3]]
    assert told[0] == (PRESS, {"timestamp_ms": 1795384801000, "total": 1235})
    assert told[1] == (
        f"{PRESS}/quality", {"timestamp_ms": 1795384801000, "temp": "bad", "total": "uncertain"},
    )  # fmt: skip


def test_another_device_of_the_machine_is_a_group() -> None:
    assert profile().samples(METER)[0].topic == f"{PRESS}/meter-1"


def test_figures_are_told_once_final_at_the_end_of_their_window() -> None:
    assert profile().report(OPEN) == []
    (message,) = profile().report(FINAL)
    said = orjson.loads(message.payload)
    assert (message.topic, said["timestamp_ms"]) == (f"{PRESS}/kpi/shift", FINAL.window.end // 1_000_000)
    assert None not in said.values()


def test_a_revision_is_a_row_of_its_own_for_one_of_the_same_time_would_be_passed_over() -> None:
    times = [
        orjson.loads(profile().report(replace(FINAL, revision=n))[0].payload)["timestamp_ms"] for n in range(2)
    ]
    assert times == [FINAL.window.end // MS, FINAL.window.end // MS + 1]


def test_a_group_too_large_is_split() -> None:
    made = profile()
    made.limits = replace(made.limits, payload=50)
    assert len(made.samples(replace(SAMPLES, batch=SAMPLES.batch.part(slice(0, 4))))) == 4


def test_names_are_made_portable_and_levels_that_umh_cannot_take_refused() -> None:
    table = TagTable([Tag(0, "press-1", "öl.temp")])
    samples = replace(SAMPLES, names=("öl.temp",), batch=SAMPLES.batch.part(slice(0, 1)))
    assert b'"_l_temp":21.5' in profile(tags=table).samples(samples)[0].payload
    assert profile(place={"enterprise": "Acme & Co"}).state(STATE)[0].topic.startswith("umh/v1/Acme___Co/line-a/")
    with pytest.raises(ValueError, match=r"none that begins with _"):
        profile(place={"enterprise": "海尔"})


def test_two_tags_that_would_be_one_are_refused() -> None:
    table = TagTable([Tag(0, "press-1", "a.b"), Tag(1, "press-1", "a:b")])
    with pytest.raises(ValueError, match=r"press-1.a.b and press-1.a:b one tag"):
        profile(tags=table)
