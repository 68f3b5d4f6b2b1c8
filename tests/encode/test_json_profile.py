"""The profile `json` against the published contract of its topics and payloads."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.batch import Batch, concat, row
from edge_agent.core.cell import Cell
from edge_agent.core.quality import GOOD, UNCERTAIN, Reason, bad, uncertain
from edge_agent.core.report import Report, Samples, StateChange, Status, Window
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind
from edge_agent.encode.json_profile import JsonProfile, root_topic
from edge_agent.encode.message import Message

MS = 1_000_000
S = 1_000_000_000
T0 = 1_795_384_800 * S  # 2026-11-23T06:00:00+08:00
PROFILE = JsonProfile("edge/acme/suzhou/machining/gw-01", "gw-01", "0.1.0")
KINDS = (Kind.FLOAT, Kind.INT, Kind.BOOL, Kind.TEXT)
NAMES = ("temp", "total", "running", "program")


def said(message: Message) -> Any:
    return orjson.loads(message.payload)


def batch_of(*samples: tuple[int, int, float, int]) -> Batch:
    tag, time, value, quality = zip(*samples, strict=True)
    return Batch(
        np.array(tag, np.int32), np.array(time, np.int64), np.array(value, float), np.array(quality, np.uint8)
    )


def told(batch: Batch, *, texts: dict[int, dict[int, str]] | None = None, **more: Any) -> dict[str, Any]:
    samples = Samples(7, "press-1", NAMES, KINDS, batch, texts or {}, **more)
    (message,) = PROFILE.samples(samples)
    assert (message.topic, message.qos, message.retain) == (
        "edge/acme/suzhou/machining/gw-01/press-1/tags", 1, False,
    )  # fmt: skip
    found: dict[str, Any] = said(message)
    return found


# -- topics -----------------------------------------------------------------------------------


def test_the_root_names_the_place_and_the_agent() -> None:
    place = {"enterprise": "acme", "site": "suzhou", "area": "machining"}
    assert root_topic(place, "gw-01") == "edge/acme/suzhou/machining/gw-01"


def test_levels_that_are_missing_are_left_out_of_the_root() -> None:
    assert root_topic({"site": "suzhou"}, "gw-01") == "edge/suzhou/gw-01"
    assert root_topic({"enterprise": None, "area": ""}, "gw-01") == "edge/gw-01"


@pytest.mark.parametrize("name", ["a/b", "a+", "#"])
def test_a_place_that_would_break_the_topic_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="level of a topic"):
        root_topic({"site": name}, "gw-01")


# -- status, state, digital --------------------------------------------------------------------


def test_the_birth_and_the_will_share_a_retained_topic() -> None:
    (birth,) = PROFILE.hello(Status(True, T0 + 5 * MS, {"press-1": "connected"}))
    will = PROFILE.will()
    assert birth.topic == will.topic == "edge/acme/suzhou/machining/gw-01/status"
    assert birth.retain
    assert will.retain
    told_at_birth = {
        "v": 1, "online": True, "t": T0 // MS + 5, "agent": "gw-01", "version": "0.1.0",
        "devices": {"press-1": "connected"},
    }  # fmt: skip
    assert told_at_birth.items() <= said(birth).items()
    assert said(will) == {
        "v": 1, "online": False, "t": None, "agent": "gw-01", "version": "0.1.0", "devices": {},
    }  # fmt: skip


def test_a_state_change_is_retained_and_says_since_when() -> None:
    (message,) = PROFILE.state(StateChange("press-1", MachineState.FAULT, "E17", T0 + 1))
    assert message.topic.endswith("/gw-01/press-1/state")
    assert message.retain
    assert said(message) == {
        "v": 1,
        "machine": "press-1",
        "state": "FAULT",
        "reason": "E17",
        "since": T0 // MS,
    }


def test_a_state_without_a_reason_has_null() -> None:
    assert said(PROFILE.state(StateChange("m", MachineState.RUN, "", T0))[0])["reason"] is None


def test_digital_indices_are_retained_and_take_fractions() -> None:
    payload = {
        "indices": {"a": Fraction(2, 3), "b": Fraction(1)},
        "levels": {"press-1": 3},
        "none": None,
    }
    (message,) = PROFILE.digital(payload, T0)
    assert message.topic.endswith("/gw-01/digital")
    assert message.retain
    assert said(message) == {
        "v": 1, "t": T0 // MS, "indices": {"a": 2 / 3, "b": 1}, "levels": {"press-1": 3}, "none": None,
    }  # fmt: skip


# -- samples ----------------------------------------------------------------------------------


def test_samples_of_one_time_are_one_group_with_values_by_kind() -> None:
    scan = row(np.arange(4, dtype=np.int32), T0, np.array([21.5, 1234.0, 1.0, 2.0]))
    assert told(scan, texts={3: {2: "程序 7"}}, historical=True) == {
        "v": 1, "seq": 7, "device": "press-1", "historical": True,
        "samples": [
            {"t": T0 // MS, "values": {"temp": 21.5, "total": 1234, "running": True, "program": "程序 7"}},
        ],
    }  # fmt: skip


def test_whole_numbers_of_an_integer_tag_are_json_integers_and_others_are_not() -> None:
    batch = batch_of(
        (1, 0, 5.0, GOOD), (1, 1 * MS, 5.5, GOOD), (0, 2 * MS, 5.0, GOOD), (1, 3 * MS, 1e30, GOOD)
    )
    (message,) = PROFILE.samples(Samples(1, "d", NAMES, KINDS, batch))
    assert b'"total":5}' in message.payload
    assert b'"total":5.5}' in message.payload
    assert b'"temp":5.0}' in message.payload
    assert b'"total":1e+30}' in message.payload


def test_an_integer_keeps_all_digits_a_float_has() -> None:
    assert told(batch_of((1, 0, 2.0**53, GOOD)))["samples"][0]["values"]["total"] == 2**53


def test_groups_stand_in_time_order_even_when_samples_came_late() -> None:
    batch = batch_of(
        (0, 30 * MS, 3.0, GOOD), (0, 10 * MS, 1.0, GOOD), (1, 30 * MS, 4.0, GOOD), (0, -10 * MS, 0.0, GOOD)
    )
    assert told(batch)["samples"] == [
        {"t": -10, "values": {"temp": 0.0}},
        {"t": 10, "values": {"temp": 1.0}},
        {"t": 30, "values": {"temp": 3.0, "total": 4}},
    ]


def test_quality_names_only_what_is_not_good() -> None:
    batch = batch_of(
        (0, 0, 1.0, GOOD),
        (1, 0, 2.0, bad(Reason.OUT_OF_RANGE)),
        (2, 0, 1.0, UNCERTAIN),
        (0, MS, 1.0, int(Reason.CLOCK)),
        (1, MS, 1.0, uncertain(Reason.CLOCK)),
        (0, 2 * MS, 1.0, GOOD),
    )
    groups = told(batch)["samples"]
    assert groups[0]["quality"] == {"total": "bad", "running": "uncertain"}
    assert groups[0]["values"]["total"] == 2
    assert groups[1]["quality"] == {"total": "uncertain"}
    assert "quality" not in groups[2]


@pytest.mark.parametrize("tag", [0, 1, 2, 3])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_null_and_bad(tag: int, value: float) -> None:
    (group,) = told(batch_of((tag, 0, value, GOOD)), texts={3: {0: "x"}})["samples"]
    assert group == {"t": 0, "values": {NAMES[tag]: None}, "quality": {NAMES[tag]: "bad"}}


def test_a_text_that_is_not_known_is_null_and_bad() -> None:
    (group,) = told(batch_of((3, 0, 5.0, GOOD)), texts={3: {4: "x"}})["samples"]
    assert group == {"t": 0, "values": {"program": None}, "quality": {"program": "bad"}}


def test_a_text_with_stray_half_characters_does_not_stop_the_others() -> None:
    batch = batch_of((3, 0, 0.0, GOOD), (0, 0, 1.0, GOOD))
    assert told(batch, texts={3: {0: "A\udc80B"}})["samples"][0]["values"] == {"program": "A?B", "temp": 1.0}


def test_a_tag_that_stands_twice_at_one_time_loses_nothing() -> None:
    batch = batch_of(
        (0, 5, 1.0, GOOD),
        (1, 5, 9.0, GOOD),
        (0, 5, 2.0, bad(Reason.DEVICE)),
        (0, 5, 3.0, GOOD),
        (0, MS, 4.0, GOOD),
    )
    assert told(batch)["samples"] == [
        {"t": 0, "values": {"temp": 1.0, "total": 9}},
        {"t": 0, "values": {"temp": 2.0}, "quality": {"temp": "bad"}},
        {"t": 0, "values": {"temp": 3.0}},
        {"t": 1, "values": {"temp": 4.0}},
    ]


def test_no_samples_are_no_message() -> None:
    assert PROFILE.samples(Samples(1, "d", NAMES, KINDS, concat([]))) == []


def many(n_tags: int, n_scans: int) -> Samples:
    names = tuple(f"tag-{i}" for i in range(n_tags))
    rng = np.random.default_rng(1)
    tags = np.arange(n_tags, dtype=np.int32)
    scans = [
        row(tags, T0 + i * S, rng.normal(size=n_tags), None if i else np.full(n_tags, UNCERTAIN, np.uint8))
        for i in range(n_scans)
    ]
    return Samples(9, "d", names, (Kind.FLOAT,) * n_tags, concat(scans))


@pytest.mark.parametrize(
    ("n_tags", "n_scans", "limit"), [(10, 50, 1000), (300, 2, 1000), (40, 40, 20_000), (3, 3, 200)]
)
def test_a_large_record_is_split_and_every_part_carries_its_sequence_number(
    n_tags: int, n_scans: int, limit: int
) -> None:
    samples = many(n_tags, n_scans)
    whole = said(JsonProfile("r", "a", "1", max_payload=10**9).samples(samples)[0])
    messages = JsonProfile("r", "a", "1", max_payload=limit).samples(samples)
    assert len(messages) > 1
    assert all(len(message.payload) <= limit for message in messages)
    parts = [said(message) for message in messages]
    assert [part["part"] for part in parts] == list(range(1, len(parts) + 1))
    assert {(part["seq"], part["parts"], part["device"]) for part in parts} == {(9, len(parts), "d")}
    assert flat(group for part in parts for group in part["samples"]) == flat(whole["samples"])


def flat(groups: Any) -> list[tuple[int, str, float, str]]:
    return [
        (g["t"], name, value, g.get("quality", {}).get(name, "good"))
        for g in groups
        for name, value in g["values"].items()
    ]


def test_a_message_that_is_not_split_says_nothing_of_parts() -> None:
    assert set(said(PROFILE.samples(many(10, 5))[0])) == {"v", "seq", "device", "historical", "samples"}


def test_a_single_sample_too_large_for_a_message_goes_alone() -> None:
    batch = batch_of((3, 0, 0.0, GOOD), (0, 0, 1.0, GOOD), (0, MS, 2.0, GOOD))
    samples = Samples(1, "d", NAMES, KINDS, batch, {3: {0: "x" * 500}})
    messages = JsonProfile("r", "a", "1", max_payload=200).samples(samples)
    assert [list(said(m)["samples"][0]["values"]) for m in messages] == [["program"], ["temp"]]


sample = st.tuples(
    st.integers(0, 3),
    st.integers(-3, 3).map(lambda i: T0 + i * MS // 2),
    st.one_of(st.sampled_from([0.0, 1.0, 2.0, 0.5, 2.0**63]), st.floats(allow_nan=True, allow_infinity=True)),
    st.sampled_from([GOOD, UNCERTAIN, bad(Reason.DEVICE)]),
)
TEXTS = {3: {0: "zero", 1: "one"}}


def expected(tag: int, value: float, quality: int) -> tuple[Any, str]:
    """One sample's value and class, in so many words."""
    shown: Any = value
    if not math.isfinite(value) or (tag == 3 and TEXTS[3].get(value) is None):
        return None, "bad"
    if tag == 1 and value.is_integer() and abs(value) < 2**63:
        shown = int(value)
    elif tag == 2:
        shown = value != 0
    elif tag == 3:
        shown = TEXTS[3][int(value)]
    return shown, ("good", "uncertain", "bad")[quality >> 6]


@settings(max_examples=200, deadline=None)
@given(st.lists(sample, min_size=1, max_size=30))
def test_any_samples_are_told_as_if_one_by_one(drawn: list[tuple[int, int, float, int]]) -> None:
    groups = told(batch_of(*drawn), texts=TEXTS)["samples"]
    assert [g["t"] for g in groups] == sorted(g["t"] for g in groups)
    found = [
        (name, g["t"], repr(value), g.get("quality", {}).get(name, "good"))
        for g in groups
        for name, value in g["values"].items()
    ]
    wanted = []
    for tag, time, value, quality in sorted(drawn, key=lambda s: s[1]):
        shown, cls = expected(tag, value, quality)
        wanted.append((NAMES[tag], time // MS, repr(shown), cls))
    for name in NAMES:
        assert [f for f in found if f[0] == name] == [w for w in wanted if w[0] == name]


# -- reports ----------------------------------------------------------------------------------

SHIFT = Window("shift", "day", T0, T0 + 8 * 3600 * S, date(2026, 11, 23), "Asia/Shanghai")
CELL = Cell(
    ct=28800 * S, pdot=900 * S, apt=25000 * S, micro=100 * S, aust=1800 * S, adet_fault=1000 * S,
    unk_raw=S // 2, pq=1000, gq=990, sq=10,
    ipt=Fraction(1000) * Fraction(6, 5), igt=Fraction(990) * Fraction(6, 5),
)  # fmt: skip


def record(cell: Cell = CELL, window: Window = SHIFT, **more: Any) -> dict[str, Any]:
    settings = {"revision": 0, "final": True, "as_of": T0 + 29400 * S, "config_hash": "abc", **more}
    (message,) = PROFILE.report(Report("press-1", window, cell=cell, **settings))
    assert (message.topic, message.retain) == (
        f"edge/acme/suzhou/machining/gw-01/press-1/kpi/{window.kind}",
        True,
    )
    found: dict[str, Any] = said(message)
    return found


def test_what_has_waited_says_so_and_an_older_window_is_not_retained_over_a_newer_one() -> None:
    made = JsonProfile("edge/gw", "gw-01", "0")
    later = replace(SHIFT, start=SHIFT.end, end=SHIFT.end + 8 * 3600 * S)
    settings: dict[str, Any] = {"as_of": T0, "config_hash": "abc", "cell": CELL}
    told = [
        Report("press-1", later, 0, False, **settings),
        Report("press-1", SHIFT, 0, True, **settings, historical=True),     # drained after the open one was shown
        Report("press-1", SHIFT, 1, True, **settings),                      # restated
        Report("press-2", SHIFT, 0, True, **settings, historical=True),     # the newest that there is of this machine
        Report("press-1", later, 0, True, **settings),
    ]
    messages = [message for one in told for message in made.report(one)]
    assert [message.retain for message in messages] == [True, False, False, True, True]
    assert ["historical" in said(message) for message in messages] == [False, True, False, True, False]
    (state,) = made.state(StateChange("m", MachineState.RUN, "", T0, historical=True))
    assert said(state)["historical"] is True
    assert state.retain


def test_a_report_has_the_keys_of_the_contract() -> None:
    found = record(flags=("LOW_CONFIDENCE",))
    assert list(found) == [
        "v", "machine", "window", "rev", "final", "as_of", "config_hash", "time_s", "counts", "ideal_s",
        "losses_s", "six_losses_s", "semi_e10_s", "kpi", "capped", "bounds", "flags",
    ]  # fmt: skip
    assert found["window"] == {
        "kind": "shift", "name": "day", "production_date": "2026-11-23",
        "start": "2026-11-23T06:00:00+08:00", "end": "2026-11-23T14:00:00+08:00",
    }  # fmt: skip
    assert (found["machine"], found["rev"], found["final"]) == ("press-1", 0, True)
    assert (found["as_of"], found["config_hash"]) == ("2026-11-23T14:10:00+08:00", "abc")
    assert found["flags"] == ["LOW_CONFIDENCE"]
    assert set(found["time_s"]) == {
        "ct", "pot", "pbt", "nst", "pdot", "apt", "micro", "aust", "adet_fault", "adet_other", "maint",
        "adot", "unk", "unk_raw", "promoted", "credited",
    }  # fmt: skip
    assert {
        "oee", "availability_classic", "performance_classic", "availability_iso", "effectiveness_iso",
        "quality_count", "quality_time", "ooe", "teep", "nee", "data_coverage",
    } <= set(found["kpi"])  # fmt: skip


def test_whole_numbers_of_a_report_are_integers_and_others_floats() -> None:
    found = record()
    assert found["time_s"]["pbt"] == 27900
    assert isinstance(found["time_s"]["pbt"], int)
    assert found["time_s"]["unk_raw"] == 0.5
    assert {name: n for name, n in found["counts"].items() if n} == {"pq": 1000, "gq": 990, "sq": 10}
    assert {"rq", "n_stop", "n_micro", "fe", "n_ttr_closed"} < set(found["counts"])
    assert found["ideal_s"] == {"ipt": 1200, "igt": 1188}
    assert found["kpi"]["quality_count"] == 0.99
    assert abs(Fraction(found["kpi"]["oee"]) - Fraction(1188, 27900)) < Fraction(1, 10**12)
    assert found["bounds"]["oee"] == [found["kpi"]["oee"], found["kpi"]["oee"]]


def test_an_undefined_kpi_is_null() -> None:
    found = record(Cell())
    assert found["kpi"]["oee"] is None
    assert {name for name, value in found["kpi"].items() if value is not None} == {
        "mtbf_s_fe_plus_1", "mttr_s_fe_plus_1",     # nothing in one interval: 0
    }  # fmt: skip
    assert found["bounds"] == {}


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", "2026-11-22T23:00:00+01:00"),
        ("UTC", "2026-11-22T22:00:00+00:00"),
        ("America/St_Johns", "2026-11-22T18:30:00-03:30"),
    ],
)
def test_times_of_a_window_carry_the_offset_of_its_zone(zone: str, start: str) -> None:
    window = Window("hour", "hour", T0, T0 + 3600 * S, date(2026, 11, 22), zone)
    assert record(window=window)["window"]["start"] == start


def test_the_offset_follows_daylight_saving_inside_a_window() -> None:
    day = Window("day", "day", 1_792_879_200 * S, 1_792_969_200 * S, date(2026, 10, 25), "Europe/Berlin")
    found = record(window=day)["window"]
    assert (found["start"], found["end"]) == ("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00")


def test_fractions_of_a_second_show_only_where_there_are_any() -> None:
    assert record(as_of=T0 + 250 * MS)["as_of"] == "2026-11-23T06:00:00.250000+08:00"


def test_of_more_assets_than_a_message_holds_the_levels_are_told_or_only_the_indices() -> None:
    level = {"level": 3, "declared_level": 3, "connected": True, "cloud": True, "online_ratio": 0.97}
    one = {**level, "missing": ["x" * 99]}
    said = {"indices": {"oee_managed_rate": 0.5}, "sme": {"q2": ["y" * 9]}, "sources": {}}

    def told(n: int) -> dict[str, Any]:
        profile = JsonProfile("edge/gw", "gw", "1", max_payload=20_000)
        [message] = profile.digital({**said, "devices": {f"asset-{at}": one for at in range(n)}}, 0)
        assert len(message.payload) <= 20_000
        found: dict[str, Any] = orjson.loads(message.payload)
        assert found["indices"] == {"oee_managed_rate": 0.5}
        return found

    assert "missing" in told(50)["devices"]["asset-49"]
    assert "brief" not in told(50)
    assert told(150)["devices"]["asset-149"] == level
    assert told(150)["brief"] is True
    assert told(5000)["devices"] == {}
