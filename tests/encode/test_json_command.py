"""Commands and replies of the profile json."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.command import Outcome
from edge_agent.encode.json_command import read_command, reply_topic
from edge_agent.encode.json_profile import JsonProfile
from edge_agent.encode.message import Received
from edge_agent.encode.profile import Asked

ROOT = "edge/acme/gw-1"
PROFILE = JsonProfile(ROOT, "gw-1", "0")
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner), max_leaves=3)


def commanded(payload: bytes) -> Asked:
    return PROFILE.command(Received(f"{ROOT}/command/press-1", payload))


def test_a_command_says_what_to_write_where() -> None:
    asked = commanded(b'{"id":"c-1","tag":"temp","value":23.4,"t":5}')
    assert (asked.id, asked.device, asked.tag, asked.value) == ("c-1", "press-1", "temp", 23.4)
    assert (asked.time_ms, asked.error) == (5, "")
    assert PROFILE.command_topics() == (f"{ROOT}/command/+",)


def test_what_an_operator_says_of_a_machine_comes_on_the_same_topic_without_a_tag() -> None:
    asked = commanded(b'{"id":"s-1","state":"MAINT","who":"anna","t":5}')
    assert (asked.id, asked.device, asked.time_ms, asked.error) == ("s-1", "press-1", 5, "")
    assert asked.said == {"state": "MAINT", "who": "anna"}
    assert "id must be" in commanded(b'{"state":"MAINT"}').error
    assert commanded(b'{"id":"1","tag":"x","value":1,"state":2}').said is None


def test_a_reply_says_what_became_of_it() -> None:
    heard = Received("t", b"", token=b"beside")
    message = PROFILE.reply(Asked("c-1", "press-1"), Outcome(True, "", 23.4, "done"), heard)
    assert message is not None
    assert (message.topic, message.qos, message.retain, message.token) == (f"{ROOT}/reply/c-1", 1, False, b"beside")
    assert orjson.loads(message.payload) == {"id": "c-1", "ok": True, "error": None, "read_back": 23.4}
    assert PROFILE.reply(Asked("", "press-1"), Outcome(False, "why"), Received("t", b"")) is None


@given(st.binary() | st.dictionaries(st.sampled_from(["id", "tag", "value", "t", "x", "state"]) | st.text(), JSON))
def test_whatever_is_sent_is_a_command_or_has_an_error_and_its_id_is_safe_in_a_topic(said: object) -> None:
    try:
        payload = said if isinstance(said, bytes) else orjson.dumps(said)
    except TypeError:
        return
    asked = read_command(f"{ROOT}/command/press-1", payload)
    assert not set(asked.id) & set("/+#\0 ")
    assert asked.error or (asked.id and (asked.tag or asked.said is not None))
    assert len(asked.error) < 200


@pytest.mark.parametrize(
    ("wanted", "topic"),
    [
        ("mine/answers", "mine/answers"),
        (f"{ROOT}/reply/anna", f"{ROOT}/reply/anna"),
        ("", f"{ROOT}/reply/c-1"),
        ("mine/#", f"{ROOT}/reply/c-1"),
        ("+", f"{ROOT}/reply/c-1"),
        ("a\0b", f"{ROOT}/reply/c-1"),
        ("$SYS/x", f"{ROOT}/reply/c-1"),
        (ROOT, f"{ROOT}/reply/c-1"),
        (f"{ROOT}/status", f"{ROOT}/reply/c-1"),
        (f"{ROOT}/command/press-1", f"{ROOT}/reply/c-1"),
        ("x" * 600, f"{ROOT}/reply/c-1"),
    ],
)
def test_an_answer_goes_to_the_topic_wanted_unless_it_would_do_harm_there(wanted: str, topic: str) -> None:
    assert reply_topic(ROOT, "c-1", wanted) == topic
