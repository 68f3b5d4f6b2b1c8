"""The profile `uns`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.quality import GOOD
from edge_agent.core.report import Samples
from edge_agent.core.tags import Kind, Tag, TagTable
from edge_agent.encode.isa95 import DEFAULT, Tree, check_template, fill
from edge_agent.encode.message import Message, Received
from edge_agent.encode.uns import UnsProfile
from tests.encode.scene import (
    ALARMS,
    FINAL,
    HISTORY,
    MS,
    OPEN,
    ROLLUP,
    RUN,
    SAMPLES,
    SCENE,
    STATE,
    STATUS,
    T0,
    S,
    batch,
    compare_with_golden,
)

PRESS = "acme/suzhou/machining/line-a/press-1"
BELONGING = replace(SCENE, devices={"press-1": "press-1", "meter-1": "press-1"})


def profile(**more: Any) -> UnsProfile:
    return UnsProfile(Tree(replace(BELONGING, **more)))


def said(message: Message) -> Any:
    return orjson.loads(message.payload)


def test_the_golden_payloads_are_what_the_profile_says() -> None:
    compare_with_golden("uns", profile())


def test_a_tag_stands_below_its_machine_and_says_what_it_is() -> None:
    first = profile().samples(SAMPLES)[0]
    assert (first.topic, first.retain) == (f"{PRESS}/tags/temp", True)
    assert first.payload == (
        b'{"value":21.5,"timestamp_ms":1795384800000,"quality":192,"unit":"Cel","id":"gw-01:7:0"}'
    )


def test_a_second_device_of_a_machine_stands_below_it_and_one_of_none_beside_it() -> None:
    meter = Samples(8, "meter-1", ("power",), (Kind.FLOAT,), batch((0, T0, 3.25, GOOD)))
    assert profile().samples(meter)[0].topic == f"{PRESS}/tags/meter-1/power"
    assert profile(devices={}).samples(meter)[0].topic == "acme/suzhou/machining/meter-1/tags/power"


def test_history_is_sent_and_never_retained_over_what_is_newer() -> None:
    made = profile()
    assert not any(message.retain for message in made.samples(HISTORY))     # what the broker has is not known
    assert all(message.retain for message in made.samples(SAMPLES))
    assert not any(message.retain for message in made.samples(HISTORY))


def test_what_changed_last_while_there_was_no_link_is_retained_although_it_is_history() -> None:
    made = profile()
    made.samples(SAMPLES)
    late = replace(HISTORY, seq=9, batch=batch((0, T0 + 60 * S, 20.0, GOOD)))
    assert [message.retain for message in made.samples(late)] == [True]


@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1))
def test_what_is_retained_never_goes_back_in_time(sent: list[tuple[int, bool]]) -> None:
    made, kept = profile(), []
    for seq, (ms, historical) in enumerate(sent):
        one = Samples(seq, "press-1", ("temp",), (Kind.FLOAT,), batch((0, ms * MS, 1.0, GOOD)), {}, historical)
        kept += [said(message)["timestamp_ms"] for message in made.samples(one) if message.retain]
    assert kept == sorted(kept)


def test_the_same_value_has_the_same_id_each_time_it_is_sent() -> None:
    made = profile()
    first, again = made.samples(SAMPLES), made.samples(replace(SAMPLES, historical=True))
    assert [message.payload for message in first] == [message.payload for message in again]
    assert len({said(message)["id"] for message in first}) == len(first)


def test_at_each_link_the_newest_of_all_is_told_for_a_broker_may_have_forgotten_it() -> None:
    made = profile()
    sent = [*made.samples(SAMPLES), *made.state(STATE), *made.samples(HISTORY), *made.report(FINAL)]
    made.report(OPEN)
    hello = made.hello(STATUS)
    assert hello[0].topic == "acme/suzhou/machining/gw-01/status"
    assert {one.topic: one for one in hello[1:]} == {one.topic: one for one in sent if one.retain}


def test_an_older_state_is_told_and_not_retained_over_a_newer_one() -> None:
    made = profile()
    told = [replace(one, seq=seq) for one, seq in ((STATE, 1), (RUN, 2), (STATE, 1))]
    assert [made.state(one)[0].retain for one in told] == [True, True, False]


def test_a_correction_that_begins_earlier_than_what_it_corrects_is_retained() -> None:
    made = profile()
    wrong, right = replace(RUN, seq=7), replace(STATE, seq=8, since=RUN.since - 60 * S)
    assert [made.state(one)[0].retain for one in (wrong, right)] == [True, True]


def test_open_and_final_windows_have_topics_of_their_own() -> None:
    made = profile()
    assert {message.topic.rpartition("/")[0] for message in made.report(OPEN)} == {f"{PRESS}/kpi/shift"}
    final = made.report(FINAL)
    assert {message.topic.rpartition("/")[0] for message in final} == {f"{PRESS}/kpi/shift/last"}
    oee = next(message for message in final if message.topic.endswith("/oee"))
    assert (said(oee)["value"], said(oee)["unit"]) == (pytest.approx(0.0425806, rel=1e-5), "1")
    assert said(final[-1])["value"]["machine"] == "press-1"


def test_a_figure_that_is_not_defined_is_null_and_bad() -> None:
    empty = replace(OPEN, cell=type(OPEN.cell)())
    oee = next(one for one in profile().report(empty) if one.topic.endswith("/oee"))
    assert (said(oee)["value"], said(oee)["quality"]) == (None, 0)


@pytest.mark.parametrize(
    ("kind", "path"),
    [("line", "acme/suzhou/machining/line-a"), ("area", "acme/suzhou/line-a"), ("site", "acme/suzhou")],
)
def test_a_roll_up_stands_where_its_line_area_or_site_does(kind: str, path: str) -> None:
    made = profile().rollup(replace(ROLLUP, kind=kind))
    assert {message.topic.rpartition("/kpi/")[0] for message in made} == {path}


def test_a_machine_in_an_area_of_its_own_stands_there() -> None:
    made = profile(machines={"press-1": ("paint", "line-a")})
    assert made.state(STATE)[0].topic == "acme/suzhou/paint/line-a/press-1/state"
    assert made.rollup(ROLLUP)[0].topic.startswith("acme/suzhou/paint/line-a/kpi/")


def test_an_alarm_has_a_topic_and_an_event_is_not_retained() -> None:
    odd = replace(ALARMS[0], key="ns=2;s=Oil/Level+#", point=True)
    lasting = replace(odd, point=False)
    first, second = profile().alarms(9, "press-1", (odd, lasting))
    assert (first.topic, first.retain) == (f"{PRESS}/events", False)
    assert (second.topic, second.retain) == (f"{PRESS}/alarms/ns=2;s=Oil_Level__-9d97225c", True)


def test_a_command_is_heard_below_the_agent() -> None:
    made = profile()
    assert made.command_topics() == ("acme/suzhou/machining/gw-01/command/+",)
    asked = made.command(Received("acme/suzhou/machining/gw-01/command/press-1", b'{"id":"1","tag":"temp","value":5}'))
    assert (asked.device, asked.tag, asked.value, asked.error) == ("press-1", "temp", 5, "")


def test_a_tag_that_no_topic_can_name_is_refused_or_made_portable() -> None:
    table = TagTable([Tag(0, "press-1", "a/b")])
    with pytest.raises(ValueError, match="cannot be a level"):
        profile(tags=table)
    made = UnsProfile(Tree(replace(BELONGING, tags=table), DEFAULT, portable=True))
    assert made.samples(replace(SAMPLES, names=("a/b",), batch=batch((0, T0, 1.0, GOOD))))[0].topic == (
        f"{PRESS}/tags/a_b"
    )


def test_two_tags_that_portable_names_make_one_are_refused() -> None:
    table = TagTable([Tag(0, "press-1", "a.b"), Tag(1, "press-1", "a-b"), Tag(2, "press-1", "a:b")])
    with pytest.raises(ValueError, match=r"the tags press-1.a.b and press-1.a:b the same topic"):
        UnsProfile(Tree(replace(BELONGING, tags=table), DEFAULT, portable=True))


def test_a_path_that_does_not_tell_machines_apart_is_refused() -> None:
    with pytest.raises(ValueError, match="the machines press-1 and press-2 the same topic"):
        UnsProfile(Tree(BELONGING, "{enterprise}/{line}"))


@pytest.mark.parametrize(
    ("template", "wrong"),
    [
        ("{plant}/{site}", r"no level \{plant\}; known are \{enterprise\}"),
        ("{site", "bracket"),
        ("{site}//x", "empty step"),
        ("/{site}", "empty step"),
        ("", "empty step"),
        ("a+/{site}", r"\+ #"),
        ("$SYS/{site}", "broker"),
        ("{site}/\u0001", "control"),
    ],
)
def test_a_template_that_is_none_says_what_is_wrong(template: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        check_template(template)


def test_a_step_without_its_level_is_left_out() -> None:
    levels = {"site": "s", "machine": "m"}
    assert fill("{enterprise}/{site}/at-{line}/{machine}-x", levels) == "s/m-x"
