"""The profile `thingsboard`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.batch import concat, row
from edge_agent.core.command import Outcome
from edge_agent.core.quality import GOOD
from edge_agent.core.report import Samples
from edge_agent.core.tags import Kind, Tag, TagTable
from edge_agent.encode.message import Message, Received
from edge_agent.encode.profile import Limits
from edge_agent.encode.thingsboard import ThingsboardProfile
from edge_agent.encode.thingsboard_names import DEVICE, MACHINE, Names
from tests.encode.scene import ALARMS, FINAL, MS, SAMPLES, SCENE, STATE, STATUS, T0, S, batch, compare_with_golden


def profile(limits: Limits | None = None, **more: Any) -> ThingsboardProfile:
    return ThingsboardProfile(replace(SCENE, **more), limits=limits)


def said(message: Message) -> Any:
    return orjson.loads(message.payload)


def calls(made: ThingsboardProfile, data: object, device: str = "press-1") -> Any:
    return made.command(Received("v1/gateway/rpc", orjson.dumps({"device": device, "data": data})))


def test_the_golden_payloads_are_what_the_profile_says() -> None:
    compare_with_golden("thingsboard", profile())


def test_samples_are_rows_of_their_device_and_what_is_not_good_is_told_beside_it() -> None:
    (message,) = profile().samples(SAMPLES)
    assert message.topic == "v1/gateway/telemetry"
    assert said(message) == {"press-1": [
        {"ts": 1795384800000, "values": {"temp": 21.5, "total": 1234, "running": True, "program": "程序 7"}},
        {"ts": 1795384801000, "values": {"total": 1235, "temp.quality": "bad", "total.quality": "uncertain"}},
        {"ts": 1795384802000, "values": {"temp": 500.0, "temp.quality": "bad"}},
    ]}  # fmt: skip


def test_two_samples_within_a_millisecond_are_both_kept_by_a_server_that_knows_no_less() -> None:
    times = (T0, T0 + 100, T0 + 200, T0 + MS)
    quick = replace(SAMPLES, batch=batch(*((0, time, float(n), GOOD) for n, time in enumerate(times))))
    [message] = profile().samples(quick)
    assert [(row["ts"] - T0 // MS, row["values"]) for row in said(message)["press-1"]] == [
        (n, {"temp": float(n)}) for n in range(4)
    ]


def test_at_each_link_what_is_there_is_connected_and_described() -> None:
    hello = profile().hello(STATUS)
    there = [said(message) for message in hello if message.topic == "v1/gateway/connect"]
    assert there == [
        {"device": "press-1", "type": "equipment"},
        {"device": "press-1 machine", "type": "machine"},
        {"device": "press-2 machine", "type": "machine"},
    ]
    (attributes,) = [said(message) for message in hello if message.topic == "v1/gateway/attributes"]
    assert attributes["press-1"] == {"temp.unit": "Cel", "temp.low": -40, "temp.high": 400}
    assert attributes["press-1 machine"] == {"area": "machining", "line": "line-a"}


def turns(made: ThingsboardProfile, **devices: str) -> list[tuple[str, str]]:
    status = replace(STATUS, devices={name.replace("_", "-"): state for name, state in devices.items()})
    return [
        (message.topic.rpartition("/")[2], said(message)["device"])
        for message in made.status(status)
        if "connect" in message.topic
    ]


def test_a_device_that_comes_or_goes_is_told_with_each_status_from_then_on() -> None:
    made = profile()
    made.hello(STATUS)
    assert turns(made, press_1="connected", meter_1="lost") == []
    assert turns(made, press_1="lost", meter_1="lost") == [("disconnect", "press-1")]
    assert turns(made, press_1="connected", meter_1="connected") == [("connect", "press-1"), ("connect", "meter-1")]
    assert turns(made, press_1="connected", meter_1="connected") == [("connect", "press-1"), ("connect", "meter-1")]
    made.hello(STATUS)
    assert turns(made, press_1="connected", meter_1="lost") == []


@given(
    n=st.integers(1, 40), scans=st.integers(1, 5), room=st.integers(200, 3000), text=st.text(max_size=30)
)
def test_no_message_is_larger_than_the_server_takes_and_nothing_is_lost(
    n: int, scans: int, room: int, text: str
) -> None:
    names = tuple(f"tag-{number}" for number in range(n))
    batches = [row(np.arange(n, dtype=np.int32), T0 + S * scan, np.zeros(n)) for scan in range(scans)]
    table = TagTable([Tag(number, "d", name, Kind.TEXT) for number, name in enumerate(names)])
    made = profile(Limits(room + 64), tags=table)
    samples = Samples(1, "d", names, (Kind.TEXT,) * n, concat(batches), {tag: {0: text} for tag in range(n)})
    told = made.samples(samples)
    assert all(len(message.payload) <= room for message in told)
    found = [
        (entry["ts"], name) for message in told for entry in said(message)["d"] for name in entry["values"]
    ]
    assert sorted(found) == sorted((T0 // 1_000_000 + 1000 * scan, name) for scan in range(scans) for name in names)


@given(st.integers(1, 60), st.integers(300, 2000))
def test_attributes_are_split_and_complete(n: int, room: int) -> None:
    table = TagTable([Tag(number, "d", f"tag-{number}", unit="Cel") for number in range(n)])
    hello = profile(Limits(room + 64), tags=table).hello(STATUS)
    told = [message for message in hello if message.topic == "v1/gateway/attributes"]
    assert all(len(message.payload) <= room for message in told)
    found = [key for message in told for key in said(message).get("d", ())]
    assert sorted(found) == sorted(f"tag-{number}.unit" for number in range(n))


def test_open_and_final_figures_and_the_record_have_keys_of_their_own() -> None:
    (row_,) = said(profile().report(FINAL)[0])["press-1 machine"]
    assert row_["ts"] == FINAL.window.end // 1_000_000
    assert row_["values"]["shift_final_pq"] == 1000
    assert row_["values"]["shift_record"]["machine"] == "press-1"
    (row_,) = said(profile().report(replace(FINAL, final=False))[0])["press-1 machine"]
    assert row_["values"]["shift_pq"] == 1000
    assert "shift_record" not in row_["values"]


def test_events_of_one_instant_do_not_overwrite_each_other() -> None:
    one, other = (replace(span, point=True, start=T0) for span in ALARMS)
    (row_,) = said(profile().alarms(9, "press-1", (one, other))[0])["press-1"]
    assert [event["id"] for event in row_["values"]["events"]] == ["oil-low", "door"]


# -- calls ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [{"id": 7, "method": "write", "params": {"tag": "temp", "value": 5}}, {"id": 7, "method": "temp", "params": 5}],
)
def test_a_call_is_a_command_and_is_answered_on_its_topic(data: dict[str, Any]) -> None:
    made = profile()
    received = Received("v1/gateway/rpc", orjson.dumps({"device": "press-1", "data": data}))
    asked = made.command(received)
    assert asked is not None
    assert (asked.device, asked.tag, asked.value, asked.error) == ("press-1", "temp", 5, "")
    good = made.reply(asked, Outcome(True, "", 5.0, "done"), received)
    wrong = made.reply(asked, Outcome(False, "too hot"), received)
    assert good is not None
    assert wrong is not None
    assert (good.topic, said(good)) == (
        "v1/gateway/rpc", {"device": "press-1", "id": 7, "data": {"success": True, "read_back": 5.0}},
    )  # fmt: skip
    assert said(wrong)["data"] == {"success": False, "error": "too hot"}
    assert made.command(Received("v1/gateway/rpc", good.payload)) is None


def test_what_an_operator_says_of_a_machine_is_a_call_to_the_machine() -> None:
    asked = calls(profile(), {"id": 1, "method": "state", "params": {"state": "MAINT"}}, "press-1 machine")
    assert (asked.device, asked.said, asked.error) == ("press-1", {"state": "MAINT"}, "")


@pytest.mark.parametrize(
    ("device", "data", "error"),
    [
        ("nobody", {"id": 1, "method": "temp", "params": 5}, "'nobody' is no device that takes 'temp'"),
        ("press-1 machine", {"id": 1, "method": "temp", "params": 5}, "is no device"),
        ("press-1", {"id": 1, "method": "write", "params": 5}, "params must be such as"),
        ("press-1", {"id": 1, "method": "write", "params": {"tag": "temp"}}, "params must be such as"),
        ("press-1 machine", {"id": 1, "method": "state", "params": None}, "params must be such as"),
        ("press-1", {"id": 1, "method": "temp", "params": "x" * 5000}, "at most 4096 bytes"),
    ],
)
def test_a_call_that_asks_for_nothing_possible_says_why(device: str, data: object, error: str) -> None:
    assert error in calls(profile(), data, device).error


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"device":1,"data":{"id":1,"method":"x"}}', b'{"data":{}}', b"\xff"])
def test_what_is_no_call_is_none(payload: bytes) -> None:
    assert profile().command(Received("v1/gateway/rpc", payload)) is None


def test_a_call_that_is_sent_again_is_the_same_one_and_later_another_one() -> None:
    made = profile()
    made.status(STATUS)
    data = {"id": 0, "method": "temp", "params": 5}
    first, again, other = calls(made, data), calls(made, data), calls(made, {**data, "id": 1})
    assert first.id == again.id != other.id
    made.status(replace(STATUS, time=STATUS.time + 300 * S))
    assert calls(made, data).id not in (first.id, other.id)


# -- names ------------------------------------------------------------------------------------


def test_a_device_and_a_machine_may_be_one() -> None:
    names = Names(SCENE, DEVICE, "{machine}", "equipment", "machine")
    made = ThingsboardProfile(SCENE, names)
    assert "press-1" in said(made.state(STATE)[0])
    assert names.types == {"press-1": "machine", "meter-1": "equipment", "press-2": "machine"}


def test_names_may_say_where_things_stand() -> None:
    names = Names(SCENE, "{site}-{device}", "{agent}/{line}/{machine}", "", "")
    assert names.devices["press-1"] == "suzhou-press-1"
    assert names.machines["press-1"] == "gw-01/line-a/press-1"


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="gives press-1 and meter-1 the same name, suzhou"):
        Names(SCENE, "{site}", MACHINE, "", "")
