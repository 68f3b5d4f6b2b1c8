"""What the site file may say, what it may not, and what it then means."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from uuid import UUID

import pytest
import yaml
from pydantic import ValidationError

from edge_agent.api import Tag
from edge_agent_opcua import plugin
from edge_agent_opcua.config import Login, OpcUaDevice, OpcUaTag, Security, queue_size
from edge_agent_opcua.nodeid import NodeName, parse

DEVICE = {"driver": "opcua", "url": "opc.tcp://10.0.0.7:4840", "tags": {"t": {"node": "i=2258"}}}
MS = 1_000_000


def checked(**changes):
    return plugin.config.model_validate({**DEVICE, **changes})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("i=2258", NodeName(2258)),
        ("ns=2;i=1002", NodeName(1002, 2)),
        ("ns=2;s=State", NodeName("State", 2)),
        (" ns=2;s=State ", NodeName("State", 2)),
        ("ns=3;s=Line;ns=4;s=x=1", NodeName("Line;ns=4;s=x=1", 3)),
        ('ns=3;s="DB"."Temp"', NodeName('"DB"."Temp"', 3)),
        ("nsu=http://acme.example/cnc/;s=State", NodeName("State", uri="http://acme.example/cnc/")),
        ("nsu=urn:a%3Bb%25c;i=7", NodeName(7, uri="urn:a;b%c")),
        (
            "ns=1;g=09087e75-8e5e-499b-954f-f2a9603db28a",
            NodeName(UUID("09087e75-8e5e-499b-954f-f2a9603db28a"), 1),
        ),
        ("ns=1;b=AP8Q", NodeName(b"\x00\xff\x10", 1)),
    ],
)
def test_node_ids_are_read_as_the_standard_writes_them(text, name):
    assert parse(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "", "State", "2258", "ns=2", "ns=2;State", "ns=x;s=a", "ns=70000;i=1", "i=-1", "i=4294967296", "i=１",
        "ns=1;g=nonsense", "ns=1;b=###", "s=", "nsu=;s=a", "ns=2,s=a", "0:Objects/2:State",
    ],
)  # fmt: skip
def test_a_wrong_node_id_is_told_the_right_forms(text):
    with pytest.raises(ValidationError) as caught:
        checked(tags={"t": {"node": text}})
    assert "ns=2;i=1002, ns=2;s=State, nsu=http://acme.example/cnc/;s=State, i=2258" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"security": "strong"}, "'strong' is no security; write security: auto"),
        ({"security": {"policy": "Basic256"}}, "has been broken for years"),
        ({"security": {"policy": "Basic256Sha256", "mode": "None"}}, "policy Basic256Sha256 and mode None exclude"),
        ({"security": {"policy": "Aes512"}}, "policy"),
        ({"security": {"certificate": "x"}}, "Extra inputs"),
        ({"url": "http://10.0.0.7"}, "write opc.tcp://10.0.0.7:4840"),
        ({"url": "opc.tcp://"}, "names no host"),
        ({"url": "opc.tcp://h:99999"}, "no usable port"),
        ({"url": "opc.tcp://edge:pw@h"}, "login: {user: …, password: …}"),
        ({"publish": "0ms"}, "between 10ms and 1h"),
        ({"publish": 500}, "needs a unit"),
        ({"timeout": "1us"}, "between 100ms and 5min"),
        ({"session_timeout": "1s"}, "between 10s and 1d"),
        ({"tags": {"t": {"node": "i=1", "sample": "0ms"}}}, "between 1ms and 1d"),
        ({"tags": {"t": {"node": "i=1", "queue": 0}}}, "greater than or equal to 1"),
        ({"tags": {"t": {"node": "i=1", "adress": "x"}}}, "adress"),
        ({"login": {"user": ""}}, "at least 1 character"),
        ({"login": {"password": "x"}}, "user"),
    ],
)
def test_a_mistake_says_what_would_be_right(changes, words):
    with pytest.raises(ValidationError, match=words.replace("{", r"\{").replace("(", r"\(")):
        checked(**changes)


def test_security_none_may_be_said():
    assert checked(security={"policy": "None", "mode": "None"}).security.policy == "None"
    assert checked(security={"policy": None, "mode": None}).security.mode == "None"


def test_a_password_never_shows():
    config = checked(login={"user": "edge", "password": "s3cret"})
    assert "s3cret" not in repr(config)


def test_the_server_keeps_what_is_sampled_between_two_publishes_and_two_more():
    tags = checked(
        publish="500ms",
        tags={
            "a": {"node": "i=1", "sample": "100ms"},
            "b": {"node": "i=1", "queue": 10},
            "c": {"node": "i=1"},
        },
    ).tags
    assert queue_size(tags["a"], tags["a"].sample, 500 * MS) == 7
    assert queue_size(tags["b"], 500 * MS, 500 * MS) == 10
    assert queue_size(tags["c"], 500 * MS, 500 * MS) == 3


def test_a_sample_is_expected_each_publish_or_as_slowly_as_it_is_sampled():
    config = checked(publish="500ms", tags={"a": {"node": "i=1", "sample": "5s"}, "b": {"node": "i=1"}})
    assert config.period_ns(config.tags["a"]) == 5000 * MS
    assert config.period_ns(config.tags["b"]) == 500 * MS


def test_the_plan_says_what_the_server_is_asked_for():
    tags = {"a": {"node": "i=1", "sample": "100ms"}, "b": {"node": "i=2"}, "c": {"node": "i=3"}}
    config = checked(tags=tags)
    lines = plugin.describe("cnc", config, [Tag(i, "cnc", name) for i, name in enumerate("abc")])
    assert lines == [
        "cnc: one session with opc.tcp://10.0.0.7:4840, anonymous, no channel security",
        "cnc: one subscription, published every 500 ms",
        "cnc: 3 monitored items, created in 1 call",
        "cnc: 1 sampled every 100 ms, the server keeping up to 7 changes each",
        "cnc: 2 sampled every 500 ms, the server keeping up to 3 changes each",
    ]


async def test_the_sample_works_as_it_stands(server, device):
    sample = yaml.safe_load(plugin.sample)
    assert sample.pop("driver") == "opcua"
    del sample["url"]
    first = device(server.url, sample.pop("tags"), **sample)
    await first.connect()
    got = await first.first()
    assert got["state"][0] == "Running"
    assert got["product"][0]


def test_the_library_is_loaded_only_for_a_site_that_has_such_a_device():
    code = "import sys, edge_agent_opcua; assert edge_agent_opcua.plugin; assert 'asyncua' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})


def test_every_option_is_in_the_readme():
    text = resources.files("edge_agent_opcua").joinpath("README.md").read_text(encoding="utf-8")
    options = [*OpcUaDevice.model_fields, *OpcUaTag.model_fields, *Login.model_fields, *Security.model_fields]
    assert [name for name in options if f"`{name}`" not in text] == []


def test_what_should_be_known_of_a_device_is_said_before_it_connects(tmp_path):
    far = checked(url="opc.tcp://10.0.0.7")
    assert ["no channel security" in one for one in plugin.warnings(far)] == [True]
    assert plugin.warnings(checked(url="opc.tcp://127.0.0.1")) == []
    assert plugin.warnings(checked(security="auto")) == []
    login = {"cert": str(tmp_path / "user.der"), "key": str(tmp_path / "user.pem")}
    [told] = plugin.warnings(checked(security="auto", login=login))
    assert "login.cert" in told
    assert "user.der cannot be used" in told


def test_what_is_polled_and_what_is_an_event_is_in_the_plan():
    device = checked(poll="1s", tags={"a": {"node": "i=1"}})
    lines = plugin.describe("cnc", device, [Tag(0, "cnc", "a")])
    assert lines[-1] == "cnc: 1 registered node read every 1000 ms"
    device = checked(alarms={"severity": 300, "source": "Spindle*"}, tags={})
    assert "cnc: events of i=2253 of sources Spindle* from severity 300 on" in plugin.describe("cnc", device, [])


def test_the_plan_says_which_devices_share_a_session_and_why_others_do_not():
    one, same, other = checked(), checked(tags={}), checked(timeout="9s", login={"user": "edge", "password": "s3cret"})
    told = plugin.overview({"a": one, "b": same}, [])
    assert told == ["opc.tcp://10.0.0.7:4840: one session for a, b"]
    [told] = plugin.overview({"a": one, "b": other}, [])
    assert told == "opc.tcp://10.0.0.7:4840: 2 sessions for a, b, which differ in login, timeout"
    assert plugin.overview({"a": one, "b": checked(url="opc.tcp://elsewhere")}, []) == []
