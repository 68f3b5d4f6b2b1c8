"""The keys of an edge node in a site file: what is right, and every mistake in its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.core.report import Status
from edge_agent.encode.sparkplug.profile import SparkplugProfile
from edge_agent.encode.sparkplug.wire import parsed
from tests.config.test_open_profiles import LINE, mistake, prepared


def test_group_is_enough_and_the_agent_is_the_node(tmp_path: Path) -> None:
    profile = prepared(tmp_path, "profile: sparkplug, group: acme")
    assert isinstance(profile, SparkplugProfile)
    assert profile.birth().topic == "spBv1.0/acme/NBIRTH/gw-1"
    assert profile.device_birth("press-1").topic == "spBv1.0/acme/DBIRTH/gw-1/press-1"
    assert list(profile.command_topics()) == []
    listening = prepared(tmp_path, "profile: sparkplug, group: acme, node: n, commands: true")
    assert list(listening.command_topics()) == ["spBv1.0/acme/DCMD/n/+"]


@pytest.mark.parametrize("typed", [False, True])
def test_data_say_their_datatypes_where_that_is_asked_for(tmp_path: Path, typed: bool) -> None:
    profile = prepared(tmp_path, f"profile: sparkplug, group: acme, datatypes: {str(typed).lower()}")
    assert isinstance(profile, SparkplugProfile)
    [message] = profile.status(Status(online=True, time=1))
    assert {one.HasField("datatype") for one in parsed(message.payload).metrics} == {typed}


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ("profile: sparkplug", "publish.cloud.group: is missing"),
        ("profile: sparkplug, group: a/b", "has '/': it becomes a level of a topic; write a name without + / #"),
        ("profile: sparkplug, group: a, node: 'n+'", "has '+': it becomes a level of a topic"),
        ("profile: sparkplug, group: a, primary_host: ''", "is empty: it becomes a level of a topic"),
        ("profile: sparkplug, group: a, old_state: true", "old_state without primary_host"),
        ("profile: sparkplug, group: a, compress: gzip", "a host of Sparkplug reads no packed messages"),
        ("profile: sparkplug, group: a, primaryhost: b", "did you mean 'primary_host'?"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_would_be_right(tmp_path: Path, keys: str, wrong: str) -> None:
    line, text = mistake(tmp_path, keys)
    assert line == LINE
    assert wrong in text
