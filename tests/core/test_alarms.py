"""From what devices tell of their conditions to spans: repeated, refreshed, lost from sight, restarted."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.alarms import AlarmChange, AlarmMark, Alarms, AlarmSpan

S = 1_000_000_000
BEGIN, END, LOST = AlarmMark.BEGIN, AlarmMark.END, AlarmMark.LOST
ALWAYS = (-(10**30), 10**30)


def change(active: bool | None, at: int, key: str = "hot", **more: Any) -> AlarmChange:
    """A change at `at` seconds, heard half a second later; `since` and `acked` are seconds, too."""
    for name in ("since", "acked"):
        if name in more:
            more[f"{name}_ns"] = more.pop(name) * S
    told = {"severity": 500, "reason": f"told at {at}", "source": "Spindle", "type": "LimitAlarmType", **more}
    return AlarmChange(key, at * S, at * S + S // 2, active, **told)


def on(at: int, key: str = "hot", **more: Any) -> AlarmChange:
    return change(True, at, key, **more)


def off(at: int, key: str = "hot", **more: Any) -> AlarmChange:
    return change(False, at, key, **more)


def after(*told: AlarmChange | AlarmMark, now: int = 100, alarms: Alarms | None = None) -> Alarms:
    alarms = alarms or Alarms()
    alarms.take("cnc", told, now * S)
    return alarms


def shown(alarms: Alarms) -> list[tuple[Any, ...]]:
    """(key, start, end, notes) of all spans; notes: ? lost from sight, ~ its end is uncertain."""
    return [
        (
            span.key, span.start // S, None if span.end is None else span.end // S,
            "?" * (not span.known) + "~" * span.end_uncertain,
        )
        for span in alarms.spans(*ALWAYS)
    ]  # fmt: skip


def only(alarms: Alarms) -> AlarmSpan:
    [span] = alarms.spans(*ALWAYS)
    return span


# -- one condition, told in order ------------------------------------------------------------------


def test_an_alarm_is_a_span_from_active_to_inactive() -> None:
    alarms = after(on(10))
    assert shown(alarms) == [("hot", 10, None, "")]
    after(off(25), alarms=alarms)
    assert shown(alarms) == [("hot", 10, 25, "")]


def test_the_devices_own_times_of_turning_count_before_those_of_telling() -> None:
    assert shown(after(on(12, since=10), off(30, since=25))) == [("hot", 10, 25, "")]


def test_the_highest_severity_and_the_reason_of_the_active_time_stay() -> None:
    span = only(after(on(10, severity=300), on(12, severity=900, reason="too hot"), on(14, severity=400), off(20)))
    assert (span.severity, span.reason) == (900, "told at 14")


def test_acknowledging_is_told_with_its_time_and_comment_while_active_and_after() -> None:
    early = only(after(on(10, acknowledged=False), on(15, acknowledged=True, comment="seen"), off(20)))
    assert (early.acknowledged, early.acknowledged_at, early.comment) == (True, 15 * S, "seen")
    late = only(
        after(on(10, acknowledged=False), off(20, acknowledged=False), off(31, since=20, acknowledged=True, acked=30))
    )
    assert (late.end, late.acknowledged, late.acknowledged_at) == (20 * S, True, 30 * S)


def test_since_when_one_first_seen_acknowledged_is_so_is_only_known_from_the_device() -> None:
    assert only(after(on(10, acknowledged=True))).acknowledged_at is None
    assert only(after(on(10, acknowledged=True, acked=8))).acknowledged_at == 8 * S


def test_an_alarm_that_comes_back_is_a_new_span() -> None:
    assert shown(after(on(10), off(20), on(30), off(40))) == [("hot", 10, 20, ""), ("hot", 30, 40, "")]


def test_an_alarm_gone_as_it_came_and_back_at_once_is_seen_twice() -> None:
    assert shown(after(on(10), off(10), on(12), off(15), on(15))) == [
        ("hot", 10, 10, ""), ("hot", 12, 15, ""), ("hot", 15, None, ""),
    ]  # fmt: skip


def test_what_was_never_seen_active_makes_no_span() -> None:
    assert shown(after(off(10), off(11, key="other", acknowledged=True))) == []


def test_an_event_is_a_point_and_counts_once() -> None:
    alarms = after(change(None, 10, "e1"), change(None, 10, "e2"), change(None, 10, "e1"))
    assert shown(alarms) == [("e1", 10, 10, ""), ("e2", 10, 10, "")]
    assert all(span.point for span in alarms.spans(*ALWAYS))


def test_devices_do_not_mix() -> None:
    alarms = after(on(10))
    alarms.take("press", [off(20), BEGIN, END, LOST], 50 * S)
    assert shown(alarms) == [("hot", 10, None, "")]


def test_what_a_device_dates_anew_with_every_change_is_still_one_alarm() -> None:
    assert shown(after(on(10, since=10), on(15, since=15), off(20, since=20))) == [("hot", 10, 20, "")]


def test_an_alarm_that_ended_unacknowledged_is_acknowledged_by_its_branch() -> None:
    alarms = after(on(10, since=10, acknowledged=False))
    branch = {"since": 10, "past": True}
    # As servers tell it: the branch first, then the condition, which has nothing to be acknowledged any more.
    after(on(11, acknowledged=False, **branch), off(20, since=20, acknowledged=True), alarms=alarms)
    assert shown(alarms) == [("hot", 10, 20, "")]
    assert only(alarms).acknowledged is False
    after(on(30, since=30, acknowledged=False), alarms=alarms)
    after(on(11, acknowledged=True, comment="seen", **branch), alarms=alarms)
    first, second = alarms.spans(*ALWAYS)
    assert (first.acknowledged, first.acknowledged_at, first.comment) == (True, 11 * S + S // 2, "seen")
    assert (second.acknowledged, second.end) == (False, None)
    alarms.take_changes()
    after(on(11, acknowledged=False, **branch), on(11, acknowledged=True, **branch), alarms=alarms)
    after(on(5, key="never seen", acknowledged=True, past=True), alarms=alarms)
    assert alarms.take_changes() == {}


def test_a_branch_in_a_refresh_does_not_keep_the_condition_open() -> None:
    alarms = after(on(10, since=10, acknowledged=False), LOST, now=20)
    after(BEGIN, on(10, since=10, acknowledged=False, past=True), END, now=30, alarms=alarms)
    assert shown(alarms) == [("hot", 10, 30, "~")]


# -- repeated --------------------------------------------------------------------------------------


@st.composite
def histories(draw: st.DrawFn) -> list[AlarmChange]:
    """Changes of two conditions and events in time order, at different times; turning times told or not."""
    told: list[AlarmChange] = []
    at, since = 0, {"a": 0, "b": 0}
    active = {"a": False, "b": False}
    dated = draw(st.booleans())
    for _ in range(draw(st.integers(1, 12))):
        at += draw(st.integers(1, 3))
        key = draw(st.sampled_from("ab"))
        if draw(st.integers(0, 5)) == 0:
            told.append(change(None, at, f"event{at}"))
            continue
        now = draw(st.booleans())
        if now != active[key]:
            active[key], since[key] = now, at
        more = {"since": since[key]} if dated else {}
        acknowledged = draw(st.sampled_from([None, False, True]))
        severity = draw(st.integers(1, 1000))
        told.append(change(now, at, key, severity=severity, acknowledged=acknowledged, **more))
    return told


def without_revision(alarms: Alarms) -> list[dict[str, Any]]:
    return [{**span.to_dict(), "revision": 0} for span in alarms.spans(*ALWAYS)]


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_whatever_was_told_before_may_be_told_again_at_any_time(data: st.DataObject) -> None:
    told = data.draw(histories())
    once = after(*told)
    repeated: list[AlarmChange] = []
    for i, one in enumerate(told):
        repeated.append(one)
        repeated += data.draw(st.lists(st.sampled_from(told[: i + 1]), max_size=2))
    again = after(*repeated)
    assert without_revision(again) == without_revision(once)
    again.take_changes()
    after(*told, alarms=again)
    assert again.take_changes() == {}


@settings(max_examples=200, deadline=None)
@given(histories())
def test_spans_of_one_condition_never_overlap_and_at_most_one_is_open(told: list[AlarmChange]) -> None:
    spans = after(*told).spans(*ALWAYS)
    for key in {span.key for span in spans}:
        own = [span for span in spans if span.key == key]
        assert all(a.end is not None and a.end <= b.start for a, b in pairwise(own))
        assert all(span.end is None or span.end >= span.start for span in own)


def test_an_alarm_gone_as_it_came_is_one_however_often_it_is_told() -> None:
    assert shown(after(on(10), off(10), on(10))) == [("hot", 10, 10, "")]


# -- lost from sight, and refreshed ------------------------------------------------------------------


def test_a_lost_session_leaves_open_alarms_unknown_since_then() -> None:
    span = only(after(on(10), LOST, now=50))
    assert (span.end, span.known, span.unknown_since) == (None, False, 50 * S)
    assert only(after(LOST, alarms=after(on(10), LOST, now=50), now=70)).unknown_since == 50 * S


def test_a_refresh_makes_what_it_tells_known_and_ends_what_it_leaves_out() -> None:
    alarms = after(on(10), on(11, "jam"), off(12, "gone"), LOST, now=50)
    after(BEGIN, on(10), END, now=80, alarms=alarms)
    assert shown(alarms) == [("hot", 10, None, ""), ("jam", 11, 80, "~")]


def test_an_end_that_is_told_in_a_refresh_is_exact() -> None:
    alarms = after(on(10), LOST, now=50)
    after(BEGIN, off(55, acknowledged=False), END, now=80, alarms=alarms)
    assert shown(alarms) == [("hot", 10, 55, "")]


def test_what_came_back_while_out_of_sight_is_two_alarms() -> None:
    alarms = after(on(10, since=10), LOST, now=50)
    after(BEGIN, on(60, since=60), END, now=80, alarms=alarms)
    assert shown(alarms) == [("hot", 10, 60, "~"), ("hot", 60, None, "")]


def test_a_change_during_a_refresh_counts_as_told() -> None:
    alarms = after(on(10), LOST, now=50)
    after(BEGIN, on(70, "jam"), on(10), off(71, "jam"), END, now=80, alarms=alarms)
    assert shown(alarms) == [("hot", 10, None, ""), ("jam", 70, 71, "")]


def test_a_refresh_that_breaks_ends_nothing() -> None:
    alarms = after(on(10), on(11, "jam"), now=50)
    after(BEGIN, on(10), LOST, END, now=80, alarms=alarms)
    assert shown(alarms) == [("hot", 10, None, "?"), ("jam", 11, None, "?")]


def test_an_end_without_a_beginning_ends_nothing() -> None:
    assert shown(after(on(10), END)) == [("hot", 10, None, "")]


def test_the_exact_end_of_an_alarm_that_was_found_gone_is_taken_when_it_is_told_later() -> None:
    alarms = after(on(10), LOST, BEGIN, END, now=80)
    after(off(40), alarms=alarms)
    assert shown(alarms) == [("hot", 10, 40, "")]


def test_what_a_refresh_tells_is_the_present_whatever_the_devices_clock_says() -> None:
    alarms = after(on(10), LOST, now=20)
    after(BEGIN, on(4), END, now=30, alarms=alarms)
    assert shown(alarms) == [("hot", 10, None, "")]
    after(BEGIN, off(5), END, now=40, alarms=alarms)
    assert shown(alarms) == [("hot", 10, 10, "~")]      # heard at 5.5, by the same clock


def test_an_alarm_that_was_taken_for_gone_and_is_told_of_again_goes_on() -> None:
    alarms = after(on(10), BEGIN, END, now=30)
    after(BEGIN, on(10), END, now=40, alarms=alarms)
    assert shown(alarms) == [("hot", 10, None, "")]
    after(off(50), alarms=alarms)
    assert shown(alarms) == [("hot", 10, 50, "")]


# -- out, bounded ------------------------------------------------------------------------------------


def test_changed_spans_come_out_once_each_as_they_are_with_growing_revisions() -> None:
    alarms = after(on(10), on(11, "jam"))
    assert [(span.key, span.revision) for span in alarms.take_changes()["cnc"]] == [("hot", 1), ("jam", 1)]
    assert alarms.take_changes() == {}
    after(on(12, severity=900), off(20), on(30), alarms=alarms)
    changed = [(span.start // S, span.end and span.end // S, span.revision) for span in alarms.take_changes()["cnc"]]
    assert changed == [(10, 20, 3), (30, None, 1)]


def test_spans_are_found_by_time_device_activity_and_any_other_wish() -> None:
    alarms = after(on(10), off(20), on(30), change(None, 15, "e"), on(12, "jam"), off(12, "jam"))
    alarms.take("press", [on(11)], 0)

    def found(start: int, end: int, **more: Any) -> list[tuple[str, int]]:
        return [(span.device + "." + span.key, span.start // S) for span in alarms.spans(start * S, end * S, **more)]

    everything = [("cnc.hot", 10), ("press.hot", 11), ("cnc.jam", 12), ("cnc.e", 15), ("cnc.hot", 30)]
    assert found(0, 100) == everything
    assert found(20, 30) == [("press.hot", 11)]
    assert found(12, 13) == everything[:3]
    assert found(13, 15, device="cnc") == [("cnc.hot", 10)]
    assert found(15, 16, device="cnc") == [("cnc.hot", 10), ("cnc.e", 15)]
    assert found(0, 100, active=True) == [("press.hot", 11), ("cnc.hot", 30)]
    assert found(0, 100, active=False, wanted=lambda span: span.key == "hot") == [("cnc.hot", 10)]


def test_memory_is_bounded_the_oldest_closed_go_and_too_many_open_are_counted() -> None:
    alarms = Alarms(closed_kept=5, open_at_once=3)
    for i in range(20):
        after(on(i, f"k{i}"), off(i + 1, f"k{i}"), change(None, i, f"e{i}"), alarms=alarms)
    assert len(alarms.spans(*ALWAYS)) == 5
    assert len(alarms._last) == 5
    after(*(on(100, f"o{i}") for i in range(5)), alarms=alarms)
    assert (len(alarms.spans(*ALWAYS, active=True)), alarms.turned_away) == (3, 2)
    assert len(alarms.take_changes()["cnc"]) <= 8


# -- restart -----------------------------------------------------------------------------------------


def through_json(spans: Iterable[AlarmSpan]) -> list[AlarmSpan]:
    return [AlarmSpan.from_dict(json.loads(json.dumps(span.to_dict()))) for span in spans]


@settings(max_examples=200, deadline=None)
@given(histories(), st.integers(0, 12), st.randoms())
def test_checkpoint_and_journal_give_the_same_alarms_again_in_any_order(
    told: list[AlarmChange], at: int, random: Any
) -> None:
    alarms, records = Alarms(), []
    snapshot: dict[str, Any] = {"spans": []}
    for i, one in enumerate(told):
        after(one, alarms=alarms)
        if i == at:
            snapshot = json.loads(json.dumps(alarms.snapshot()))
            records = []            # what stands before the checkpoint is not read again; what waits follows it
        records += [span for spans in alarms.take_changes().values() for span in spans]
    again = Alarms()
    again.restore(snapshot)
    again.replay(through_json(records))
    assert again.spans(*ALWAYS) == alarms.spans(*ALWAYS)
    shuffled = list(records)
    random.shuffle(shuffled)
    mixed = Alarms()
    mixed.replay(through_json(shuffled))
    mixed.restore(snapshot)
    assert mixed.spans(*ALWAYS) == alarms.spans(*ALWAYS)
    for one in (again, mixed):
        after(*told, alarms=one)
        assert one.take_changes() == {}


def test_an_alarm_that_is_open_is_not_replaced_by_the_beginning_of_one_before_it() -> None:
    alarms, records = Alarms(), []
    for one in (on(10), off(20), on(30)):
        after(one, alarms=alarms)
        records += alarms.take_changes()["cnc"]
    opened, closed, later = records
    again = Alarms()
    again.replay([later, opened, closed])
    assert shown(again) == [("hot", 10, 20, ""), ("hot", 30, None, "")]


def test_open_alarms_are_unknown_from_when_the_agent_ended_and_goes_on_with_them() -> None:
    again = Alarms()
    again.restore(after(on(10), on(11, "jam"), now=40).snapshot())
    again.begin(50 * S, {"cnc"})
    assert {span.unknown_since for span in again.spans(*ALWAYS)} == {50 * S}
    after(BEGIN, on(10), END, now=70, alarms=again)
    assert shown(again) == [("hot", 10, None, ""), ("jam", 11, 70, "~")]


def test_alarms_of_a_device_that_tells_none_any_more_have_ended_for_us() -> None:
    again = Alarms()
    again.restore(after(on(10)).snapshot())
    again.begin(50 * S, {"press"})
    assert shown(again) == [("hot", 10, 50, "~")]
    assert list(again.take_changes()) == ["cnc"]


@pytest.mark.parametrize("name", ["key", "start", "severity", "newest_ns"])
def test_a_span_that_is_none_is_not_taken(name: str) -> None:
    told = only(after(on(10))).to_dict()
    del told[name]
    with pytest.raises((KeyError, TypeError)):
        AlarmSpan.from_dict(told)
    with pytest.raises(TypeError):
        AlarmSpan.from_dict({**told, "start": "x", name: "y"} if name == "key" else {**told, name: "y"})
