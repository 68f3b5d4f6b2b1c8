"""The profile `line-protocol`, read back by a reader that knows nothing of the encoder."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.batch import Batch
from edge_agent.core.cell import Cell
from edge_agent.core.quality import GOOD, Reason, bad
from edge_agent.core.report import Report, Samples, StateChange, Window
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind
from edge_agent.encode import line_protocol_samples, line_protocol_text
from edge_agent.encode.line_protocol import MEASUREMENTS, LineProtocolProfile
from edge_agent.encode.message import Message
from edge_agent.encode.profile import Scene
from tests.encode.line_protocol_reader import Field, Point, read
from tests.encode.scene import ALARMS, DIGITAL, FINAL, GAP, KINDS, NAMES, OPEN, ROLLUP, SCENE, SHIFT, T0, S, batch, told

ROOT = "edge/acme/suzhou/machining/gw-01"
PROFILE = LineProtocolProfile(ROOT, SCENE)
PLACE = {"agent": "gw-01", "enterprise": "acme", "site": "suzhou", "area": "machining"}
BARE = Scene("db", "gw", "0.1.0")


def points(messages: list[Message]) -> list[Point]:
    return [point for message in messages for point in read(message.payload)]


def of_device(points: list[Point]) -> list[tuple[int | None, dict[str, Field]]]:
    return [(point.time, point.fields) for point in points]


# -- names and texts ---------------------------------------------------------------------------


@given(st.text(min_size=1), st.text(min_size=1), st.text(), st.text(min_size=1))
def test_a_point_of_any_names_is_one_line_and_comes_back(name: str, tag: str, text: str, value: str) -> None:
    said = line_protocol_text.line(name, {tag: value}, {tag: text, "n": 1, "x": 0.5}, 7)
    (found,) = read(said.encode("utf-8", "replace"))
    assert found.fields["n"] == 1
    assert found.time == 7
    plain = "".join(c for c in text if c not in "\0").replace("\n", "\\n").replace("\r", "\\r")
    assert next(iter(found.fields.values())) == plain.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("value", ["a b", "a,b", "a=b", "C:\\temp\\", "\\", "a\\ b", "程序", "line\nbreak"])
def test_what_the_protocol_cannot_carry_in_a_tag_is_written_as_near_as_can_be(value: str) -> None:
    (found,) = read(line_protocol_text.line("m", {"t": value, "u": "after"}, {"f": True}, None).encode())
    assert found.tags == {"t": value.replace("\\", "/").replace("\n", " "), "u": "after"}


def test_a_measurement_that_would_be_a_comment_is_none() -> None:
    assert line_protocol_text.measurement("#1") == "_#1"


def test_a_point_without_any_value_is_no_line() -> None:
    assert line_protocol_text.line("m", {}, {"a": None, "b": math.nan, "c": math.inf}, 1) == ""


def test_fields_keep_the_type_they_are_given() -> None:
    fields = {"i": 3, "f": 3.0, "b": True, "t": "3"}
    (found,) = read(line_protocol_text.line("m", {"empty": ""}, fields, 1).encode())
    assert found.tags == {}
    assert {name: type(value) for name, value in found.fields.items()} == {"i": int, "f": float, "b": bool, "t": str}


# -- samples -----------------------------------------------------------------------------------

CODES = {3: {0: "A 100", 1: 'say "so"\\', 2: "程序\n7"}}
WRITTEN = {code: text.replace("\n", "\\n") for code, text in CODES[3].items()}
QUALITY = st.sampled_from([GOOD, 1, 64, 69, 128, bad(Reason.COMM_LOST), 192])
VALUE = st.one_of(
    st.floats(), st.integers(-3, 3).map(float), st.integers(-(2**63), 2**63).map(float), st.just(math.nan)
)
SAMPLE = st.tuples(st.integers(0, 3), st.one_of(st.integers(T0, T0 + 3), st.integers(0, 2**62)), VALUE, QUALITY)


def expected(kind: Kind, value: float) -> tuple[str, Field | None]:
    """The name's ending, and the value; written without regard to speed."""
    if not math.isfinite(value):
        return "", None
    if kind is Kind.FLOAT:
        return "", value
    if kind is Kind.BOOL:
        return "", value != 0
    if kind is Kind.TEXT:
        return "", WRITTEN.get(value)  # type: ignore[call-overload]
    if value.is_integer() and -(2**63) < value < 2**63:
        return "", int(value)
    return ".float", value


def of_tag(point: Point, name: str) -> dict[str, Field]:
    """Its fields by what stands behind the tag's name."""
    return {field[len(name) :]: value for field, value in point.fields.items() if field.split(".")[0] == name}


@given(st.lists(SAMPLE, max_size=40), st.sampled_from([1, 1000, 10**6]))
def test_every_sample_comes_back_in_order_with_its_value_type_and_quality(
    samples: list[tuple[int, int, float, int]], unit: int
) -> None:
    precision = {1: "ns", 1000: "us", 10**6: "ms"}[unit]
    profile = LineProtocolProfile("edge/gw", BARE, precision)
    encoded = profile.samples(Samples(1, "press-1", NAMES, KINDS, batch(*samples), CODES)) if samples else []
    found = points(encoded)
    assert [point.time for point in found] == sorted(point.time for point in found if point.time is not None)
    assert all(point.measurement == "press-1" for point in found)
    assert all(point.tags == {"agent": "gw", "device": "press-1"} for point in found)
    for tag, (name, kind) in enumerate(zip(NAMES, KINDS, strict=True)):
        mine = sorted((one for one in samples if one[0] == tag), key=lambda one: one[1])
        back = [(point.time, of_tag(point, name)) for point in found if of_tag(point, name)]
        assert len(back) == len(mine), "none is lost, none overwrites another"
        last = -1
        for (_, time, value, quality), (at, read_back) in zip(mine, back, strict=True):
            last = max(time // unit, last + 1)
            assert at == last
            ending, plain = expected(kind, value)
            ending = ending or (".bad" if quality >= 128 else "")
            good = plain is not None and quality >> 6 == 0
            wanted = {} if plain is None else {ending: plain}
            if not good:
                wanted[".quality"] = 0 if plain is None or quality >= 128 else 64
            assert read_back == wanted
            assert {k: type(v) for k, v in read_back.items()} == {k: type(v) for k, v in wanted.items()}


def test_a_bad_value_is_kept_where_no_mean_takes_it_for_a_measurement() -> None:
    both = batch((0, T0, 21.0, GOOD), (0, T0 + 1, 3276.7, bad(Reason.OUT_OF_RANGE)), (0, T0 + 2, 22.0, 64))
    found = points(PROFILE.samples(Samples(1, "press-1", NAMES, KINDS, both)))
    assert [point.fields for point in found] == [
        {"temp": 21.0}, {"temp.bad": 3276.7, "temp.quality": 0}, {"temp": 22.0, "temp.quality": 64},
    ]  # fmt: skip


def test_a_scan_is_one_line_with_a_field_a_tag() -> None:
    scan = batch((0, T0, 36.6, GOOD), (1, T0, 17.0, GOOD), (2, T0, 1.0, GOOD), (3, T0, 0.0, GOOD))
    (message,) = PROFILE.samples(Samples(1, "press-1", NAMES, KINDS, scan, {3: {0: "A 100"}}))
    assert message.topic == f"{ROOT}/lines/press-1"
    assert message.payload == (
        b"press-1,agent=gw-01,area=machining,device=press-1,enterprise=acme,site=suzhou "
        b'temp=36.6,total=17i,running=true,program="A 100" %d' % T0
    )


def test_a_wide_scan_goes_on_in_another_line_of_the_same_time() -> None:
    n = 1201
    names = tuple(f"t{i}" for i in range(n))
    scan = Batch(np.arange(n, dtype=np.int32), np.full(n, T0), np.arange(n) / 2, np.zeros(n, np.uint8))
    found = points(PROFILE.samples(Samples(1, "d", names, (Kind.FLOAT,) * n, scan)))
    assert [len(point.fields) for point in found] == [500, 500, 201]
    assert {(point.series, point.time) for point in found} == {(found[0].series, T0)}
    assert {name: value for point in found for name, value in point.fields.items()} == {
        name: i / 2 for i, name in enumerate(names)
    }


def test_a_field_is_never_called_as_a_tag_of_its_line_or_time() -> None:
    names = ("time", "site", "time_", "agent", "temp")
    scan = Batch(np.arange(5, dtype=np.int32), np.full(5, T0), np.arange(5.0), np.zeros(5, np.uint8))
    (found,) = points(PROFILE.samples(Samples(1, "d", names, (Kind.FLOAT,) * 5, scan)))
    assert found.fields == {"time_": 0.0, "site_": 1.0, "time__": 2.0, "agent_": 3.0, "temp": 4.0}


def test_a_device_that_is_called_as_another_measurement_keeps_apart() -> None:
    one = Samples(1, "state", ("a",), (Kind.FLOAT,), batch((0, T0, 1.0, GOOD)))
    (found,) = points(PROFILE.samples(one))
    assert found.measurement == "state_"
    assert found.tags["device"] == "state"


def test_all_devices_can_share_a_measurement() -> None:
    profile = LineProtocolProfile("edge/gw", BARE, measurement="samples")
    found = points([
        message
        for device in ("a", "b")
        for message in profile.samples(Samples(1, device, ("x",), (Kind.FLOAT,), batch((0, T0, 1.0, GOOD))))
    ])
    assert [(point.measurement, point.tags["device"]) for point in found] == [("samples", "a"), ("samples", "b")]


def test_what_is_too_large_for_a_message_is_cut_between_lines() -> None:
    n = 20_000
    many = Batch(np.zeros(n, np.int32), T0 + np.arange(n), np.arange(float(n)), np.zeros(n, np.uint8))
    messages = PROFILE.samples(Samples(1, "press-1", NAMES, KINDS, many))
    assert len(messages) > 3
    assert all(len(message.payload) <= PROFILE.limits.payload for message in messages)
    assert [point.fields["temp"] for point in points(messages)] == list(range(n))
    assert len({(message.topic, message.about) for message in messages}) == len(messages)


def test_a_line_too_large_for_a_message_goes_alone() -> None:
    texts = {3: {0: "x" * 150_000, 1: "y" * 300_000, 2: "z"}}
    three = batch((3, T0, 0.0, GOOD), (3, T0 + 1, 1.0, GOOD), (3, T0 + 2, 2.0, GOOD))
    messages = PROFILE.samples(Samples(1, "press-1", NAMES, KINDS, three, texts))
    assert [str(point.fields["program"])[0] for point in points(messages)] == ["x", "y", "z"]
    assert len(messages) == 3


def test_the_same_record_gives_the_same_bytes_whenever_it_is_sent() -> None:
    record = Samples(1, "press-1", NAMES, KINDS, batch((0, T0, 1.0, GOOD), (0, T0, 2.0, GOOD)))
    assert PROFILE.samples(record) == PROFILE.samples(replace(record, historical=True, seq=99))


# -- states, KPIs, alarms and the rest -----------------------------------------------------------


def test_nothing_is_retained_and_every_point_has_the_place_and_a_known_measurement() -> None:
    for _, messages in told(PROFILE):
        assert not any(message.retain for message in messages)
        for point in points(messages):
            assert PLACE.items() <= point.tags.items()
            assert point.measurement in MEASUREMENTS | {"press-1", "meter-1"}


def test_a_point_is_told_once_a_series_and_time() -> None:
    for name, messages in told(PROFILE):
        named = [(point.series, point.time) for point in points(messages)]
        assert len(named) == len(set(named)), name


def test_a_state_stands_at_its_beginning_with_a_number_for_servers_without_texts() -> None:
    (found,) = points(PROFILE.state(StateChange("press-1", MachineState.FAULT, "E17", T0)))
    assert found.tags == {**PLACE, "machine": "press-1", "line": "line-a"}
    assert found.fields == {"state": "FAULT", "code": 5, "reason": "E17"}
    assert found.time == T0


def test_a_revision_replaces_the_point_of_its_window() -> None:
    first, second = (points(PROFILE.report(replace(FINAL, revision=rev)))[0] for rev in (0, 1))
    assert (first.series, first.time) == (second.series, second.time)
    assert first.time == SHIFT.start
    assert (first.fields["rev"], second.fields["rev"]) == (0, 1)


def test_an_open_window_is_a_curve_of_its_own() -> None:
    (found,) = points(PROFILE.report(OPEN))
    assert found.measurement == "kpi_open"
    assert found.time == OPEN.as_of
    assert found.fields["oee"] == 0.0
    assert found.fields["pq"] == 20


def test_the_numbers_of_a_record_are_floats_but_for_counts() -> None:
    (found,) = points(PROFILE.report(FINAL))
    whole = {name for name, value in found.fields.items() if type(value) is int}
    assert whole == {
        "pq", "gq", "sq", "rq", "ip", "gp", "n_stop", "n_micro", "fe", "n_ttr_closed", "rev", "end_ms", "as_of_ms",
    }  # fmt: skip
    assert found.fields["time_s_apt"] == 25000.0
    assert found.fields["bounds_oee_low"] == pytest.approx(0.0425, abs=1e-3)
    assert found.fields["flags"] == "LOW_CONFIDENCE"


def test_products_have_points_of_their_own() -> None:
    found = points(PROFILE.report(replace(FINAL, products={"A 100": Cell(pq=3, gq=3), "B": Cell(pq=4, gq=4)})))
    assert [(point.measurement, point.tags.get("product")) for point in found] == [
        ("kpi", None), ("kpi_product", "A 100"), ("kpi_product", "B"),
    ]  # fmt: skip
    assert found[1].fields["pq"] == 3


def test_a_job_is_named_by_its_product_and_its_order_is_no_series() -> None:
    job = Window("job", "A100", T0, T0 + S, date(2026, 11, 23), "Asia/Shanghai", "4711")
    (found,) = points(PROFILE.report(Report("press-1", job, 0, True, T0 + S, "abc", Cell())))
    assert found.tags["product"] == "A100"
    assert found.fields["order"] == "4711"
    assert "4711" not in found.tags.values()


def test_a_roll_up_is_named_by_its_scope() -> None:
    (found,) = points(PROFILE.rollup(ROLLUP))
    assert found.measurement == "rollup"
    assert found.tags == {**PLACE, "scope": "line", "id": "line-a", "window": "shift", "shift": "day"}
    assert found.fields["machines"] == 2.0 or found.fields["machines"] == 2
    (open_,) = points(PROFILE.rollup(replace(ROLLUP, final=False)))
    assert (open_.measurement, open_.time) == ("rollup_open", ROLLUP.as_of)


def test_an_alarm_that_ends_replaces_what_was_told_of_it() -> None:
    going = ALARMS[0]
    ended = replace(going, end=going.start + 5 * S, revision=2)
    first, second = points(PROFILE.alarms(1, "press-1", [going])) + points(PROFILE.alarms(2, "press-1", [ended]))
    assert (first.series, first.time) == (second.series, second.time)
    assert (first.fields["active"], second.fields["active"]) == (True, False)
    assert second.fields["duration_s"] == 5.0
    assert second.tags["id"] == "oil-low"


def test_events_of_one_instant_stay_apart_without_a_series_each() -> None:
    events = [AlarmSpan("d", key, T0, T0, 1, key, "s", "t", point=True) for key in ("aa", "ab", "ac")]
    found = points(PROFILE.alarms(1, "d", events))
    assert len({point.time for point in found}) == 3
    assert len({point.series for point in found}) == 1
    assert all(point.time is not None and T0 <= point.time < T0 + 100 for point in found)


def test_indices_are_floats_and_assets_have_points_of_their_own() -> None:
    plant, press, _meter = points(PROFILE.digital(DIGITAL, T0))
    assert plant.fields["indices_connected_rate"] == 1.0
    assert type(plant.fields["indices_connected_rate"]) is float
    assert "indices_networking_rate" not in plant.fields
    assert press.fields == {"connected": True, "cloud": True, "online_ratio": 0.75, "level": 3, "declared_level": 3}


def test_a_gap_stands_where_it_ends() -> None:
    (found,) = points(PROFILE.gap(GAP))
    assert found.time == GAP.end
    assert found.fields["records"] == 120
    (found,) = points(PROFILE.gap(replace(GAP, start=0, end=0)))
    assert found.time is None


def test_the_will_has_no_time_because_nobody_knows_it() -> None:
    (found,) = points([PROFILE.will()])
    assert found.fields == {"online": False}
    assert found.time is None


def test_names_are_worked_out_once_a_device() -> None:
    before = line_protocol_samples._names.cache_info().misses
    for n in range(3):
        PROFILE.samples(Samples(n, "once", ("a", "b"), (Kind.FLOAT,) * 2, batch((0, T0 + n, 1.0, GOOD))))
    assert line_protocol_samples._names.cache_info().misses == before + 1
