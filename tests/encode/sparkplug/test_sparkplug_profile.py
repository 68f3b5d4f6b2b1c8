"""What the profile says of a small plant: births, data, what is history, and what is said no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.api import Kind, Received
from edge_agent.core.batch import Batch
from edge_agent.core.command import Outcome
from edge_agent.core.quality import BAD, GOOD, Reason, bad, uncertain
from edge_agent.core.report import Report, Samples, StateChange
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Tag, TagTable
from edge_agent.encode.message import Message
from edge_agent.encode.sparkplug.datatype import DataType
from edge_agent.encode.sparkplug.metric import Metric, Property, read
from edge_agent.encode.sparkplug.payload import as_history, body_of, stamped
from edge_agent.encode.sparkplug.profile import SparkplugProfile
from edge_agent.encode.sparkplug.topic import EdgeNode
from edge_agent.encode.sparkplug.wire import Payload, parsed
from tests.encode.scene import (
    ALARMS,
    FINAL,
    GAP,
    METER,
    MS,
    NO_SAMPLES,
    OPEN,
    SAMPLES,
    SCENE,
    STATE,
    STATUS,
    T0,
    S,
    batch,
    compare_with_golden,
    told,
)

NODE = EdgeNode("acme", "gw-01")
NEVER = int(np.iinfo(np.int64).min)
MODES = pytest.mark.parametrize(
    "mode", [{}, {"aliases": True}, {"templates": True}, {"aliases": True, "templates": True}]
)


def plant(*tags: Tag) -> TagTable:
    return TagTable(tags)


def made(latest: Batch | None = None, scene: Any = None, **keys: Any) -> SparkplugProfile:
    fresh = TagTable([replace(tag) for tag in SCENE.tags])
    fresh[3].vocabulary.code("程序 7")
    profile = SparkplugProfile(NODE, scene or replace(SCENE, tags=fresh, windows=("shift",)), **keys)
    profile.now = lambda: T0
    profile.latest = lambda: latest
    profile.alive.update(profile.devices)
    return profile


def metrics(message: Message, *born: Message) -> list[Metric]:
    types = {key: one.datatype for m in born for one in parsed(m.payload).metrics for key in (one.name, one.alias)}
    return [read(one, types.get(one.name or one.alias, 0)) for one in parsed(message.payload).metrics]


def of(message: Message) -> dict[str, Metric]:
    return {one.name: one for one in metrics(message)}


LATEST = batch(
    (0, T0, 21.5, GOOD), (1, T0 + S, 1234.0, GOOD), (2, T0, 0.0, GOOD), (3, T0, 0.0, GOOD), (4, NEVER, np.nan, BAD)
)  # fmt: skip


def test_the_golden_payloads_are_what_the_profile_says() -> None:
    compare_with_golden("sparkplug", made())


def test_the_golden_payloads_with_aliases_and_templates() -> None:
    compare_with_golden("sparkplug-compact", made(aliases=True, templates=True))


@MODES
def test_topics_nbirth_metric_reqs_a_birth_names_whatever_will_be_told(mode: dict[str, bool]) -> None:
    profile = made(LATEST, **mode)
    everything = [message for _, messages in told(profile) for message in messages]
    births = [profile.birth(), *map(profile.device_birth, profile.devices)]
    assert not profile.book.grew
    names = {
        (message.topic.partition("gw-01")[2], key)
        for message in births
        for one in parsed(message.payload).metrics
        for key in (one.name, one.alias if one.HasField("alias") else None)
    }  # fmt: skip
    for message in everything:
        if "DATA" in message.topic:
            for one in parsed(message.payload).metrics:
                key = one.alias if one.HasField("alias") else one.name
                assert (message.topic.partition("gw-01")[2], key) in names


@MODES
def test_payloads_alias_uniqueness_no_number_stands_for_two_metrics(mode: dict[str, bool]) -> None:
    profile = made(LATEST, **mode)
    list(told(profile))
    births = [profile.birth(), *map(profile.device_birth, profile.devices)]
    found = [one for message in births for one in parsed(message.payload).metrics]
    aliases = [one.alias for one in found if one.HasField("alias")]
    assert len(aliases) == len(set(aliases)) == (len(found) - 2 if mode.get("aliases") else 0)
    assert all(one.name for one in found)


def test_topics_nbirth_bdseq_and_rebirth_metrics() -> None:
    profile = made()
    numbers = iter([7, 8])
    profile.next_bdseq = lambda: next(numbers)
    will = profile.will()
    birth = of(profile.birth())
    assert (will.qos, will.retain, will.topic) == (1, False, "spBv1.0/acme/NDEATH/gw-01")
    assert (birth["bdSeq"].value, birth["bdSeq"].datatype) == (7, DataType.INT64)
    assert birth["Node Control/Rebirth"].value is False
    assert of(profile.birth())["bdSeq"].value == 7      # a rebirth is of the same connection
    assert of(profile.goodbye(STATUS)[0])["bdSeq"].value == 7
    profile.will()
    assert of(profile.birth())["bdSeq"].value == 8


def test_a_device_is_born_with_values_units_ranges_and_what_is_not_good() -> None:
    born = of(made(LATEST).device_birth("press-1"))
    assert born["temp"].properties == {
        "engUnit": Property(DataType.STRING, "Cel"), "engLow": Property(DataType.DOUBLE, -40.0),
        "engHigh": Property(DataType.DOUBLE, 400.0),
    }  # fmt: skip
    found = [(one.name, one.datatype, one.value, one.time) for one in born.values()]
    assert found == [
        ("temp", 10, 21.5, T0 // MS), ("total", 4, 1234, T0 // MS + 1000), ("running", 11, False, T0 // MS),
        ("program", 12, "程序 7", T0 // MS),
    ]  # fmt: skip
    power = of(made(LATEST).device_birth("meter-1"))["power"]
    assert (power.value, power.time, power.properties["Quality"].value) == (None, T0 // MS - 6000, 500)


@pytest.mark.parametrize(
    ("quality", "said"),
    [
        (GOOD, None), (GOOD | Reason.CLOCK, None), (uncertain(Reason.STUCK), 500), (bad(Reason.OUT_OF_RANGE), 0),
        (bad(Reason.COMM_LOST), 500), (bad(Reason.DEVICE), 0), (bad(Reason.STALE), 500),
    ],
)
def test_payloads_propertyset_quality_value_only_what_is_not_good_says_so(quality: int, said: int | None) -> None:
    profile = made()
    [message] = profile.samples(replace(SAMPLES, batch=batch((0, T0, 1.5, quality))))
    [metric] = metrics(message, profile.device_birth("press-1"))
    wanted = {} if said is None else {"Quality": Property(DataType.INT32, said)}
    assert (metric.value, metric.properties) == (1.5, wanted)


def test_a_value_that_is_no_number_is_null_and_bad() -> None:
    profile = made()
    [message] = profile.samples(replace(SAMPLES, batch=batch((0, T0, np.nan, GOOD))))
    [metric] = metrics(message, profile.device_birth("press-1"))
    assert (metric.value, metric.properties["Quality"].value) == (None, 0)


def test_is_historical_what_is_older_than_the_birth_and_what_was_drained() -> None:
    profile = made(LATEST)
    born = profile.device_birth("press-1")
    early = batch((1, T0, 1233.0, GOOD), (1, T0 + S, 1234.0, GOOD), (1, T0 + 2 * S, 1235.0, GOOD))
    [message] = profile.samples(replace(SAMPLES, batch=early))
    assert [one.historical for one in metrics(message, born)] == [True, False, False]
    [message] = profile.samples(replace(SAMPLES, batch=early.part(slice(2, 3)), historical=True))
    assert [(one.historical, one.time) for one in metrics(message, born)] == [(True, T0 // MS + 2000)]


def test_samples_that_come_late_are_history_and_all_others_in_order() -> None:
    profile = made()
    born = profile.device_birth("press-1")
    for time, old in ((5, False), (3, True), (5, False), (6, False), (4, True)):
        [message] = profile.samples(replace(SAMPLES, batch=batch((0, T0 + time * S, 1.0, GOOD))))
        assert [one.historical for one in metrics(message, born)] == [old]
    mixed = batch((0, T0 + 9 * S, 9.0, GOOD), (0, T0 + 8 * S, 8.0, GOOD), (1, T0 + 7 * S, 7.0, GOOD))
    [message] = profile.samples(replace(SAMPLES, batch=mixed))
    assert [one.value for one in metrics(message, born)] == [7, 8.0, 9.0]


def test_what_was_encoded_before_a_birth_is_history_behind_it_and_the_newest_is_not_said_twice() -> None:
    profile = made(LATEST)
    profile.birth()
    profile.device_birth("press-1")
    [data], [open_], [final] = profile.samples(SAMPLES), profile.report(OPEN), profile.report(FINAL)
    open_ = replace(open_, passing=True)
    assert [profile.as_of_birth(one) for one in (data, open_, final)] == [data, open_, final]
    profile.device_birth("press-1")
    later = profile.as_of_birth(data)
    assert later is not None
    assert all(one.is_historical for one in parsed(later.payload).metrics)
    assert profile.as_of_birth(open_) == open_
    profile.birth()
    assert profile.as_of_birth(open_) is None
    later = profile.as_of_birth(final)
    assert later is not None
    assert all(one.is_historical for one in parsed(later.payload).metrics)


def test_windows_that_are_over_do_not_overwrite_the_one_that_is_open() -> None:
    profile = made()
    [first] = profile.report(FINAL)
    assert not any(one.is_historical for one in parsed(first.payload).metrics)
    assert {one.timestamp for one in parsed(first.payload).metrics} == {FINAL.window.end // MS}
    after = replace(OPEN.window, start=OPEN.window.end, end=OPEN.window.end + 8 * 3600 * S)
    profile.report(Report("press-1", after, 0, False, after.start + 60 * S, "abc", OPEN.cell))
    [again] = profile.report(replace(FINAL, revision=1, as_of=after.start + 120 * S))
    assert all(one.is_historical for one in parsed(again.payload).metrics)
    assert of(profile.birth())["Machines/press-1/shift/counts/total"].value == OPEN.cell.pq


def test_a_state_that_was_unknown_since_ever_is_followed_by_any_other() -> None:
    profile = made()
    profile.state(StateChange("press-1", MachineState.UNKNOWN, "", 0))
    assert of(profile.birth())["Machines/press-1/state"].time == T0 // MS - 5000
    [message] = profile.state(replace(STATE, since=T0 - 60 * S))
    assert not any(one.is_historical for one in parsed(message.payload).metrics)


def test_figures_that_were_never_told_are_null_at_birth_and_older_ones_are_history() -> None:
    profile = made()
    assert of(profile.birth())["Machines/press-1/shift/oee"].value is None
    profile.now = lambda: T0 + 100 * 3600 * S
    profile = made()
    profile.now = lambda: T0 + 100 * 3600 * S
    profile.birth()
    [message] = profile.report(FINAL)
    assert all(one.is_historical for one in parsed(message.payload).metrics)


def test_a_tag_that_vanished_is_not_sent_under_the_alias_of_another_and_is_counted() -> None:
    profile = made(aliases=True)
    born = profile.device_birth("press-1")
    old = Samples(
        1, "press-1", ("gone", "total", "temp"), (Kind.FLOAT, Kind.INT, Kind.FLOAT),
        batch((0, T0, 5.0, GOOD), (1, T0, 6.0, GOOD), (2, T0, 7.0, GOOD), (0, T0 + S, 5.0, GOOD)),
    )  # fmt: skip
    [message] = profile.samples(old)
    names = {one.alias: one.name for one in parsed(born.payload).metrics}
    assert [(names[one.alias], one.value) for one in metrics(message, born)] == [("total", 6), ("temp", 7.0)]
    assert profile.samples(replace(old, device="gone")) == []
    assert profile.samples(replace(old, batch=old.batch.where(old.batch.tag == 0))) == []
    assert profile.take_vanished() == {"press-1.gone": 4, "gone": 4}
    assert profile.take_vanished() == {}


def test_a_kind_that_was_learned_asks_for_a_birth_and_older_values_say_their_own_type() -> None:
    profile = made()
    profile.device_birth("meter-1")
    [tag] = profile.devices["meter-1"].tags
    tag.kind = Kind.TEXT
    assert profile.devices["meter-1"].is_outdated
    born = profile.device_birth("meter-1")
    assert not profile.devices["meter-1"].is_outdated
    old = Samples(1, "meter-1", ("power",), (Kind.FLOAT,), batch((0, T0, 5.5, GOOD)))
    [message] = profile.samples(old)
    [wire] = parsed(message.payload).metrics
    assert (wire.datatype, read(wire).value) == (DataType.DOUBLE, 5.5)
    tag.kind = Kind.FLOAT
    born = profile.device_birth("meter-1")
    [message] = profile.samples(replace(old, kinds=(Kind.INT,), batch=batch((0, T0, 5.0, GOOD))))
    assert [one.value for one in metrics(message, born)] == [5.0]


@MODES
@pytest.mark.parametrize("number", [2.0**64 - 2048, 2.0**63, -(2.0**63), -1e30, 1.5])
def test_a_whole_number_that_int64_cannot_hold_is_born_and_told_as_a_double(
    mode: dict[str, bool], number: float
) -> None:
    latest = replace(LATEST, value=np.array([21.5, number, 0.0, 0.0, np.nan]))
    profile = made(latest, **mode)
    born = profile.device_birth("press-1")
    assert [(one.datatype, one.value) for one in metrics(born)][1] == (DataType.DOUBLE, number)
    data = replace(SAMPLES, batch=batch((1, T0 + 2 * S, number, GOOD), (1, T0 + 3 * S, 5.0, GOOD)))
    [message] = profile.samples(data)
    assert [one.value for one in metrics(message, born)] == [number, 5.0]
    assert not profile.devices["press-1"].is_outdated


@MODES
def test_a_number_that_becomes_too_large_says_its_own_type_until_the_next_birth(mode: dict[str, bool]) -> None:
    profile = made(LATEST, commands=True, **mode)
    born = profile.device_birth("press-1")
    asked = command(profile, Metric("total", 8, 2**64 - 1), birth=True)
    reply = profile.reply(asked, Outcome(True, "", 2**64 - 1, "done"), Received("t", b""))
    assert reply is not None
    assert [(one.datatype, one.value) for one in metrics(reply, born)] == [(DataType.DOUBLE, 2.0**64)]
    [message] = profile.samples(replace(SAMPLES, batch=batch((1, T0 + 2 * S, 1e19, GOOD))))
    assert [(one.datatype, one.value) for one in metrics(message, born)] == [(DataType.DOUBLE, 1e19)]
    assert profile.devices["press-1"].is_outdated
    born = profile.device_birth("press-1")
    assert [(one.datatype, one.value) for one in metrics(born)][1] == (DataType.DOUBLE, 1234.0)
    assert not profile.devices["press-1"].is_outdated


def test_a_bad_reading_does_not_change_the_type_of_its_tag() -> None:
    value, quality = LATEST.value.copy(), LATEST.quality.copy()
    value[1], quality[1] = 1e30, bad(Reason.OUT_OF_RANGE)
    profile = made(replace(LATEST, value=value, quality=quality))
    born = profile.device_birth("press-1")
    total = of(born)["total"]
    assert (total.datatype, total.value, total.properties["Quality"].value) == (DataType.INT64, None, 0)
    [message] = profile.samples(replace(SAMPLES, batch=batch((1, T0 + 2 * S, 1e30, bad(Reason.OUT_OF_RANGE)))))
    assert [(one.datatype, one.value) for one in metrics(message, born)] == [(DataType.DOUBLE, 1e30)]
    assert not profile.devices["press-1"].is_outdated


@MODES
def test_what_was_encoded_as_of_another_kind_says_its_type_behind_the_birth(mode: dict[str, bool]) -> None:
    profile = made(LATEST, **mode)
    profile.device_birth("meter-1")
    [message] = profile.samples(METER)
    profile.devices["meter-1"].tags[0].kind = Kind.INT
    born = profile.device_birth("meter-1")
    later = profile.as_of_birth(message)
    assert later is not None
    assert [(one.datatype, one.value) for one in metrics(later, born)] == [(DataType.DOUBLE, 3.25)]


def test_several_changes_of_a_metric_in_one_message_have_times_of_their_own_and_stand_in_order() -> None:
    quick = batch((0, T0, 1.0, GOOD), (0, T0 + 1, 2.0, GOOD), (1, T0 + 2, 7.0, GOOD), (0, T0 + MS, 3.0, GOOD))
    [message] = made().samples(replace(SAMPLES, batch=quick))
    found = [(one.name, one.timestamp - T0 // MS) for one in parsed(message.payload).metrics]
    assert found == [("temp", 0), ("total", 0), ("temp", 1), ("temp", 2)]


def test_a_time_before_1970_costs_no_other_sample() -> None:
    profile = made()
    [message] = profile.samples(replace(SAMPLES, batch=batch((0, -5 * S, 1.0, GOOD), (0, T0, 2.0, GOOD))))
    assert [one.timestamp for one in parsed(message.payload).metrics] == [0, T0 // MS]


def test_the_end_of_a_line_is_said_by_the_death_of_its_device_alone() -> None:
    profile = made()
    lost = replace(SAMPLES, batch=batch((0, T0, np.nan, bad(Reason.COMM_LOST)), (1, T0, 5.0, bad(Reason.STALE))))
    assert len(profile.samples(lost)) == 1
    profile.alive.clear()
    assert profile.samples(lost) == []
    assert len(profile.samples(SAMPLES)) == 1
    assert profile.samples(NO_SAMPLES) == []


@given(count=st.integers(1, 400), largest=st.integers(10, 2000))
def test_a_large_record_is_cut_and_nothing_is_lost(count: int, largest: int) -> None:
    profile = made()
    profile.limits = replace(profile.limits, payload=largest)
    tags = np.arange(count, dtype=np.int32) % 3
    many = Batch(tags, T0 + np.arange(count), np.arange(count, dtype=float), np.zeros(count, np.uint8))
    found = profile.samples(replace(SAMPLES, batch=many))
    sent = [stamped(as_history(one.payload), T0 // MS, 255) for one in found]
    assert all(len(one) <= largest or len(parsed(one).metrics) == 1 for one in sent)
    assert sum(len(parsed(one.payload).metrics) for one in found) == count


def test_alarms_of_before_the_birth_are_history() -> None:
    profile = made()
    for old in (False, True):
        [message] = profile.alarms(1, "press-1", ALARMS)
        assert [one.is_historical for one in parsed(message.payload).metrics] == [old]
        profile.now = lambda: T0 + 60 * S
        profile.birth()


def test_gaps_are_a_table_of_the_node() -> None:
    profile = made()
    [message] = profile.gap(GAP)
    table = metrics(message, profile.birth())[0].value
    assert dict(zip(table.columns, table.rows[0], strict=True)) == {
        "lane": "samples", "from_seq": 100, "to_seq": 249, "records": 120, "from_ms": GAP.start // MS,
        "to_ms": GAP.end // MS, "why": "space",
    }  # fmt: skip


def test_payloads_template_definition_stands_before_its_instances_and_names_all_their_members() -> None:
    profile = made(templates=True)
    list(told(profile))
    found = metrics(profile.birth())
    names = [one.name for one in found]
    definition, instances = names.index("_types_/Machine"), [n for n, one in enumerate(names) if "Machines/" in one]
    assert instances == [definition + 1, definition + 2]
    members = {one.name for one in found[definition].value.members}
    for instance in instances:
        assert found[instance].value.ref == "_types_/Machine"
        assert {one.name for one in found[instance].value.members} <= members
    assert {"state", "reason", "shift/oee", "shift/counts/good", "shift/time/apt"} <= members


def test_payloads_template_instance_members_birth_every_machine_has_what_any_has() -> None:
    profile = made(templates=True)
    profile.birth()
    profile.book.note_machine("press-1", [Metric("shift/energy/e_total", DataType.DOUBLE, 7.5, T0 // MS)])
    assert profile.book.grew
    definition, *instances = [one for one in metrics(profile.birth()) if one.datatype == DataType.TEMPLATE]
    names = {one.name for one in definition.value.members}
    assert [{one.name for one in instance.value.members} for instance in instances] == [names, names]
    values = [{one.name: one.value for one in instance.value.members} for instance in instances]
    assert [one["shift/energy/e_total"] for one in values] == [7.5, None]
    profile.book.note_machine("press-2", [Metric("shift/energy/e_total", DataType.DOUBLE, 1.0, T0 // MS + 1)])
    assert not profile.book.grew


def command(
    profile: SparkplugProfile, *said: Metric, device: str = "press-1", time: int | None = None, birth: bool = False
) -> Any:
    body = body_of(said, birth=birth)
    payload = body if time is None else stamped(body, time, None)
    return profile.command(Received(f"spBv1.0/acme/DCMD/gw-01/{device}", payload, token=b"id-1"))


def test_dcmd_names_a_metric_by_name_or_alias_with_or_without_its_datatype() -> None:
    for aliases in (False, True):
        profile = made(aliases=aliases, commands=True)
        for birth in (False, True):
            asked = command(profile, Metric("total", 4, -5), birth=birth, time=12)
            assert (asked.id, asked.device, asked.tag) == ("id-1", "press-1", "total")
            assert (asked.value, asked.time_ms) == (-5, 12)
    asked = command(profile, Metric("", 10, 2.5, alias=0))
    assert (asked.tag, asked.value, asked.error, asked.time_ms) == ("temp", 2.5, "", None)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (Metric("nothing", 4, 1), "nothing is no metric of press-1"),
        (Metric("", 4, 1, alias=99), "alias 99 is no metric of press-1"),
        (Metric("total", 12, "x"), "no value of datatype 4"),
        (Metric("total", 10, 1.5), "no value of datatype 4"),
    ],
)
def test_operational_behavior_data_commands_dcmd_metric_value_what_does_not_fit_is_refused(
    said: Metric, error: str
) -> None:
    profile = made(aliases=True, commands=True)
    assert error in command(profile, said).error
    assert "is no metric of nobody" in command(profile, said, device="nobody").error
    garbage = profile.command(Received("spBv1.0/acme/DCMD/gw-01/press-1", b"{", token=b"i"))
    assert garbage is not None
    assert garbage.error


@given(st.data())
def test_whatever_is_sent_to_a_device_is_a_command_or_says_why_not(data: st.DataObject) -> None:
    profile = made(aliases=True, commands=True)

    def fill(into: Any, depth: int = 0) -> None:
        for field in into.DESCRIPTOR.fields:
            if depth > 3 or not data.draw(st.booleans()):
                continue
            if field.message_type:
                fill(getattr(into, field.name).add() if field.is_repeated else getattr(into, field.name), depth + 1)
                continue
            kinds: dict[int, st.SearchStrategy[Any]] = {
                field.CPPTYPE_UINT32: st.integers(0, 40), field.CPPTYPE_UINT64: st.integers(0, 40),
                field.CPPTYPE_FLOAT: st.floats(width=32), field.CPPTYPE_DOUBLE: st.floats(),
                field.CPPTYPE_BOOL: st.booleans(),
                field.CPPTYPE_STRING: st.binary(max_size=9) if field.type == field.TYPE_BYTES
                else st.sampled_from(["temp", "total", "program", "x"]),
            }  # fmt: skip
            value = data.draw(kinds[field.cpp_type])
            if field.is_repeated:
                getattr(into, field.name).append(value)
            else:
                setattr(into, field.name, value)

    payload = Payload()
    fill(payload.metrics.add())
    asked = profile.command(Received("spBv1.0/acme/DCMD/gw-01/press-1", payload.SerializeToString(), token=b"id"))
    assert asked.error or asked.tag in ("temp", "total", "running", "program")


def test_a_name_that_is_no_text_names_nothing() -> None:
    raw = b"\x12\x05\x0a\x03\xff\xfe\xfd"
    asked = made(commands=True).command(Received("spBv1.0/acme/DCMD/gw-01/press-1", raw, token=b"id"))
    assert (asked.tag, asked.error) == ("", "no command: the name of its metric is no text")


def test_a_command_is_answered_by_what_the_tag_holds() -> None:
    profile = made(commands=True)
    asked = command(profile, Metric("temp", 10, 20.0))
    reply = profile.reply(asked, Outcome(True, "", 20.0, "done"), Received("t", b""))
    assert reply is not None
    assert (reply.topic, metrics(reply, profile.device_birth("press-1"))[0].value) == (
        "spBv1.0/acme/DDATA/gw-01/press-1", 20.0,
    )  # fmt: skip
    assert profile.reply(asked, Outcome(False, "no"), Received("t", b"")) is None
    profile.latest = lambda: LATEST
    for tag, outcome, value in (
        ("temp", Outcome(False, "no"), 21.5), ("total", Outcome(True, "", 5.0, "done"), 5),
        ("running", Outcome(False, "no"), False), ("program", Outcome(False, "no"), "程序 7"),
    ):  # fmt: skip
        reply = profile.reply(replace(asked, tag=tag), outcome, Received("t", b""))
        assert reply is not None
        assert metrics(reply, profile.device_birth("press-1"))[0].value == value
    assert profile.reply(replace(asked, tag="total"), Outcome(True, "", 5.5, "done"), Received("t", b"")) is None
    assert profile.reply(replace(asked, device="nobody"), Outcome(True), Received("t", b"")) is None


def test_commands_come_only_where_they_are_asked_for() -> None:
    assert made().command_topics() == ()
    assert made(commands=True).command_topics() == ("spBv1.0/acme/DCMD/gw-01/+",)
