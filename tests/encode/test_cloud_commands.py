"""Commands as each platform sends them, and the answers it expects; what the platforms answer to us."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.command import Outcome
from edge_agent.core.tags import Kind, Tag, TagTable
from edge_agent.encode.cloud_points import Group
from edge_agent.encode.message import Message, Received
from edge_agent.encode.profile import Answer, Asked, Profile, Scene
from edge_agent.encode.tencent_profile import TencentProfile
from tests.encode.cloud_profiles import PLUGINS, profile
from tests.encode.scene import METER, SAMPLES, SCENE, STATUS, T0, S

TAGS = TagTable(
    [Tag(0, "press-1", "temp"), Tag(1, "press-1", "running", Kind.BOOL), Tag(2, "meter-1", "limit")]
)
PLANT = Scene(
    "cloud", "gw-01", "0", tags=TAGS, machines=SCENE.machines,
    writable=frozenset({"press-1.temp", "press-1.running", "meter-1.limit"}),
)  # fmt: skip
DONE, FAILED = Outcome(True, "", 23.4, "done"), Outcome(False, "the device said no", None, "failed")

ALINK = "/sys/{}/thing/service/property/set"
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "huawei-command": (
        "$oc/devices/gw/sys/commands/request_id=r-1",
        {"object_device_id": "prod_press-1", "service_id": "edge", "command_name": "set", "paras": {"temp": 23.4}},
    ),
    "huawei-setting": (
        "$oc/devices/gw/sys/properties/set/request_id=r-1",
        {"object_device_id": "prod_press-1", "services": [{"service_id": "edge", "properties": {"temp": 23.4}}]},
    ),
    "aliyun-setting": (
        ALINK.format("a1press/press-1"),
        {"id": "12", "version": "1.0", "params": {"temp": 23.4}, "method": "thing.service.property.set"},
    ),
    "tencent-control": (
        "$thing/down/property/PRESSPROD1/press-1",
        {"method": "control", "clientToken": "t-1", "params": {"temp": 23.4}},
    ),
    "tencent-action": (
        "$thing/down/action/PRESSPROD1/press-1",
        {"method": "action", "clientToken": "t-1", "actionId": "heat", "params": {"temp": 23.4}},
    ),
    "azure-method": ("$iothub/methods/POST/write/?$rid=7", {"tag": "press-1.temp", "value": 23.4}),
}


def of(way: str) -> Profile:
    """The profile a way belongs to."""
    return profile(next(name for name in PLUGINS if name.startswith(way.partition("-")[0])), PLANT)


def asked(way: str, change: dict[str, Any] | None = None) -> tuple[Profile, Received, Asked | None]:
    topic, said = WAYS[way]
    made, received = of(way), Received(topic, orjson.dumps({**said, **(change or {})}))
    return made, received, made.command(received)


@pytest.mark.parametrize("way", WAYS)
def test_a_property_that_is_set_is_a_command(way: str) -> None:
    _, _, command = asked(way)
    assert command is not None
    assert (command.device, command.tag, command.value, command.error) == ("press-1", "temp", 23.4, "")
    assert 0 < len(command.id) <= 64


@pytest.mark.parametrize("way", WAYS)
def test_a_command_that_comes_twice_is_known_by_its_id_and_another_is_another(way: str) -> None:
    made, received, first = asked(way)
    again = made.command(received)
    other = made.command(Received(received.topic, received.payload.replace(b"23.4", b"23.5")))
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.id == again.id != other.id


@pytest.mark.parametrize("way", WAYS)
def test_the_same_command_later_is_another_for_platforms_number_theirs_anew(way: str) -> None:
    made, received, _ = asked(way)
    made.status(STATUS)
    first = made.command(received)
    made.status(replace(STATUS, time=STATUS.time + 90 * S))
    assert made.command(received) == first
    made.status(replace(STATUS, time=STATUS.time + 600 * S))
    later = made.command(received)
    assert first is not None
    assert later is not None
    assert (later.tag, later.value) == (first.tag, first.value)
    assert later.id != first.id


def test_a_direct_method_of_another_link_is_another_though_it_has_the_number_of_one_before() -> None:
    made, received, first = asked("azure-method")
    made.hello(STATUS)
    again = made.command(received)
    assert first is not None
    assert again is not None
    assert again.id != first.id


REPLIES: dict[str, tuple[str, Any, Any]] = {
    "huawei-command": (
        "$oc/devices/gw/sys/commands/response/request_id=r-1",
        {"result_code": 0, "response_name": "set_response", "paras": {"result": "success", "read_back": 23.4}},
        {"result_code": 1, "response_name": "set_response", "paras": {"result": FAILED.error, "read_back": None}},
    ),
    "huawei-setting": (
        "$oc/devices/gw/sys/properties/set/response/request_id=r-1",
        {"result_code": 0, "result_desc": "success"}, {"result_code": 1, "result_desc": FAILED.error},
    ),
    "aliyun-setting": (
        ALINK.format("a1press/press-1") + "_reply",
        {"id": "12", "code": 200, "data": {}}, {"id": "12", "code": 100001, "data": {}, "message": FAILED.error},
    ),
    "tencent-control": (
        "$thing/up/property/PRESSPROD1/press-1",
        {"method": "control_reply", "clientToken": "t-1", "code": 0, "status": "success"},
        {"method": "control_reply", "clientToken": "t-1", "code": 1, "status": FAILED.error},
    ),
    "tencent-action": (
        "$thing/up/action/PRESSPROD1/press-1",
        {"method": "action_reply", "clientToken": "t-1", "code": 0, "status": "success", "actionId": "heat",
         "response": {"read_back": 23.4}},
        {"method": "action_reply", "clientToken": "t-1", "code": 1, "status": FAILED.error, "actionId": "heat",
         "response": {"read_back": None}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("way", REPLIES)
def test_the_answer_is_in_the_platforms_form(way: str) -> None:
    made, received, command = asked(way)
    assert command is not None
    topic, good, bad = REPLIES[way]
    for outcome, said in ((DONE, good), (FAILED, bad)):
        reply = made.reply(command, outcome, received)
        assert reply is not None
        assert (reply.topic, reply.qos, reply.retain, reply.answer) == (topic, 1, False, "")
        assert orjson.loads(reply.payload) == said


def test_the_answer_to_a_direct_method_has_its_status_in_the_topic() -> None:
    made, received, command = asked("azure-method")
    assert command is not None
    for outcome, status in ((DONE, 200), (FAILED, 400)):
        reply = made.reply(command, outcome, received)
        assert reply is not None
        assert reply.topic == f"$iothub/methods/res/{status}/?$rid=7"
        assert orjson.loads(reply.payload)["ok"] is outcome.ok


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("huawei-command", {"object_device_id": "somebody"}, "no such device"),
    ("huawei-command", {"paras": {"temp": 1, "running": 0}}, "sets one property"),
    ("huawei-command", {"paras": None}, "sets one property"),
    ("huawei-setting", {"services": []}, "sets one property"),
    ("huawei-setting", {"services": [7]}, "sets one property"),
    ("aliyun-setting", {"params": {"total": 1}}, "no property to be written"),
    ("aliyun-setting", {"params": "temp"}, "sets one property"),
    ("tencent-control", {"params": {}}, "sets one property"),
    ("azure-method", {"tag": "press"}, "write takes"),
    ("azure-method", {"more": 1}, "write takes"),
]


@pytest.mark.parametrize(("way", "change", "words"), WRONG)
def test_what_is_no_command_is_answered_why(way: str, change: dict[str, Any], words: str) -> None:
    made, received, command = asked(way, change)
    assert command is not None
    assert words in command.error
    assert made.reply(command, Outcome(False, command.error), received) is not None


def test_another_direct_method_is_answered_too() -> None:
    made = profile("azure-iothub")
    command = made.command(Received("$iothub/methods/POST/reboot/?$rid=7", b"{}"))
    assert command is not None
    assert "no method 'reboot'" in command.error


def test_truth_values_come_as_numbers() -> None:
    _, _, command = asked("aliyun-setting", {"params": {"running": 1}})
    assert command is not None
    assert command.value is True


def test_tags_of_a_device_without_a_sub_device_are_set_at_the_gateway() -> None:
    topic = ALINK.format("a1gw/gw-01")
    command = of("aliyun").command(Received(topic, b'{"id":"1","params":{"meter_1_limit":5}}'))
    assert command is not None
    assert (command.device, command.tag, command.value) == ("meter-1", "limit", 5)


@pytest.mark.parametrize("name", PLUGINS)
@pytest.mark.parametrize("payload", [b"", b"[]", b"no json", b"\xff", b"{}"])
def test_what_is_nothing_is_no_command_and_no_answer(name: str, payload: bytes) -> None:
    made = profile(name, PLANT)
    for topic in (*made.command_topics(), *made.answer_topics()):
        received = Received(topic.replace("#", "x").replace("+", "x"), payload)
        assert made.answered(received) is None
        command = made.command(received)
        assert command is None or command.error


KEYS = (
    "services", "paras", "failed_devices", "event_id", "params", "method", "clientToken", "code", "id", "payload",
    "devices", "type", "result", "object_device_id", "properties", "tag", "value", "product_id", "device_name",
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 600) | st.floats() | st.sampled_from(["temp", "control"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@pytest.mark.parametrize("name", PLUGINS)
@settings(max_examples=150, deadline=None)
@given(said=st.dictionaries(st.sampled_from(KEYS), JSON), data=st.data())
def test_nothing_that_comes_ends_anything(name: str, said: dict[str, Any], data: st.DataObject) -> None:
    made = profile(name, PLANT)
    topics = (*made.command_topics(), *made.answer_topics(), *(topic for topic, _ in WAYS.values()))
    received = Received(data.draw(st.sampled_from(topics)), orjson.dumps(said))
    made.answered(received)
    command = made.command(received)
    if command is not None:
        made.reply(command, FAILED, received)


def test_our_own_answers_are_no_commands() -> None:
    made, received, command = asked("huawei-command")
    assert command is not None
    reply = made.reply(command, DONE, received)
    assert reply is not None
    assert made.command(Received(reply.topic, reply.payload)) is None


def alink(made: Profile, sent: Message, **said: Any) -> Answer | None:
    id = orjson.loads(sent.payload)["id"]
    return made.answered(Received(f"{sent.topic}_reply", orjson.dumps({"id": id, "data": {}, **said})))


def test_alibaba_answers_by_the_id_of_the_request() -> None:
    made = profile("aliyun-iot")
    (message,) = made.samples(METER)
    assert alink(made, message, code=200) == Answer(message.answer)
    assert alink(made, message, code=460, message="wrong") == Answer(message.answer, "460: wrong")
    assert alink(made, message, code=429) == Answer(message.answer, "429: no reason given", later=True)
    anew = Answer(message.answer, "520: session", later=True, anew=True)
    assert alink(made, message, code=520, message="session") == anew


def test_a_sub_device_that_alibaba_does_not_let_in_keeps_no_other_back() -> None:
    made = profile("aliyun-iot")
    added, login = made.hello(STATUS)
    told = made.samples(SAMPLES)[0]

    def is_to_come_again(sent: Message, code: int) -> bool:
        answer = alink(made, sent, code=code)
        assert answer is not None
        assert answer.refusal
        return answer.later

    assert not is_to_come_again(added, 6402)
    assert is_to_come_again(login, 6401)        # added a moment ago, and not yet known
    assert is_to_come_again(told, 520)          # logged in, but no longer
    assert not is_to_come_again(login, 6287)
    assert not is_to_come_again(told, 520)      # not let in: this one is refused, and the others go on
    made.hello(STATUS)
    assert is_to_come_again(told, 520)


def test_tencent_answers_by_the_token_and_of_sub_devices_by_their_name() -> None:
    made = profile("tencent-iot")
    (message,) = made.samples(METER)
    topic = "$thing/down/property/GWPRODUCT1/gw-01"
    said: dict[str, Any] = {"method": "report_reply", "clientToken": message.answer, "code": 0}
    assert made.answered(Received(topic, orjson.dumps(said))) == Answer(message.answer)
    said |= {"code": 406, "status": "no such property"}
    assert made.answered(Received(topic, orjson.dumps(said))) == Answer(message.answer, "406: no such property")
    assert made.answered(Received(topic, orjson.dumps({**said, "method": "control"}))) is None
    results = {"bind": (0, 806, 809, 803), "online": (0, -1, -2)}
    bind, online = made.hello(STATUS)[:2]
    for asking, kind in ((bind, "bind"), (online, "online")):
        for result in results[kind]:
            device = {"product_id": "PRESSPROD1", "device_name": "press-1", "result": result}
            payload = orjson.dumps({"type": kind, "payload": {"devices": [device]}})
            answer = made.answered(Received("$gateway/operation/result/GWPRODUCT1/gw-01", payload))
            assert answer is not None
            assert answer.key == asking.answer
            assert bool(answer.refusal) is (result not in (0, 806, 809))
            assert answer.later is (result == -2)


def test_what_tencent_is_told_of_two_things_at_once_has_two_tokens() -> None:
    made = profile("tencent-iot")
    assert isinstance(made, TencentProfile)
    values = [Group(T0 // 1_000_000, {"running": True})]
    [of_gateway], [of_press] = (made.post(thing, values) for thing in (made.gateway, made.things["press-1"]))
    assert of_gateway.answer != of_press.answer
    assert made.post(made.gateway, values) == [of_gateway]
    [event], [other] = (made.event(thing, "gap", {}, 1) for thing in (made.gateway, made.things["press-1"]))
    assert event.answer != other.answer


def test_huawei_says_which_sub_devices_it_did_not_take() -> None:
    made = profile("huawei-iotda")
    adding = made.hello(STATUS)[0]
    failed = [{"device_id": "prod_press-2", "error_code": "IOTDA.014016", "error_msg": "exists"}]
    for paras, refusal in (({}, ""), ({"failed_devices": failed}, "prod_press-2: IOTDA.014016 exists")):
        entry = {"event_type": "add_sub_device_response", "event_id": adding.answer, "paras": paras}
        payload = orjson.dumps({"services": [entry]})
        assert made.answered(Received("$oc/devices/gw/sys/events/down", payload)) == Answer(adding.answer, refusal)
