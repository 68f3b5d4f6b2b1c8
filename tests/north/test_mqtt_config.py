"""What the site file may say about an MQTT broker, and what is told about a mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge_agent.api import Message
from edge_agent.north.mqtt import plugin
from edge_agent.north.mqtt_config import MqttConfig
from edge_agent.north.mqtt_url import Endpoint, parse_url, referred
from tests.peers.will import OnlyWill


def config(**keys: Any) -> MqttConfig:
    return MqttConfig.model_validate({"type": "mqtt", "url": "mqtt://127.0.0.1", **keys})


def mistake(**keys: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        config(**keys)
    return str(caught.value.errors()[0]["msg"])


def test_the_port_follows_from_the_scheme() -> None:
    assert str(parse_url("mqtt://broker")) == "mqtt://broker:1883"
    assert str(parse_url("mqtts://broker")) == "mqtts://broker:8883"
    assert str(parse_url("mqtts://[::1]:8884")) == "mqtts://[::1]:8884"
    assert str(parse_url("ws://broker")) == "ws://broker:80/mqtt"
    assert str(parse_url("wss://broker/ws/v1")) == "wss://broker:443/ws/v1"


def test_what_follows_a_websockets_path_is_asked_for_and_not_shown() -> None:
    signed = parse_url("wss://broker/mqtt?signature=s3cret")
    assert signed.path == "/mqtt?signature=s3cret"
    assert str(signed) == "wss://broker:443/mqtt"
    made = config(url="wss://broker/mqtt?signature=s3cret", also=["mqtts://other"])
    assert made.addresses() == ("wss://broker/mqtt", "mqtts://other")
    assert made.endpoints[0] == Endpoint("wss", "broker", 443, "/mqtt?signature=s3cret")


@pytest.mark.parametrize(
    ("reference", "goes_to"),
    [
        ("b2.example", "mqtts://b2.example:8883"),
        ("b2.example:8884 b3.example", "mqtts://b2.example:8884"),
        ("mqtt://b2.example:1883", "mqtts://b2.example:1883"),
        ("[fe80::1]:1883", "mqtts://[fe80::1]:1883"),
        ("b2:port b3", "mqtts://b3:8883"),
        ("user@b2/path", None),
        ("", None),
    ],
)
def test_brokers_name_each_other_and_what_was_encrypted_stays_so(reference: str, goes_to: str | None) -> None:
    target = referred(reference, Endpoint("mqtts", "b1.example", 8883))
    assert (target and str(target)) == goes_to


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("tcp://broker:1883", "write mqtt://"),
        ("broker:1883", "write mqtt://"),
        ("mqtt://", "names no host"),
        ("mqtt://broker/topic", "after the port"),
        ("ws://broker/mqtt#x", "after the path"),
        ("ws://broker/m%20q tt", "write them as %20"),
        ("http://broker/mqtt", "write mqtt://"),
        ("mqtt://u:p@broker", "user: and password:"),
        ("mqtt://broker:0", "port 0"),
        ("mqtt://broker:99999", "no port that could be one"),
    ],
)
def test_a_wrong_url_says_what_would_be_right(url: str, says: str) -> None:
    assert says in mistake(url=url)


def test_a_password_over_plain_tcp_to_another_machine_needs_a_word() -> None:
    assert "mqtts://" in mistake(url="mqtt://10.0.0.2", user="gw", password="s3cret")
    assert "mqtts://" in mistake(url="mqtt://broker", user="access-token")
    config(url="mqtt://10.0.0.2", user="gw", password="s3cret", insecure=True)
    config(url="mqtts://10.0.0.2", user="gw", password="s3cret")
    config(url="mqtt://localhost", user="gw", password="s3cret")
    config(url="mqtt://[::1]", user="gw", password="s3cret")
    assert "write mqtt://b2:1883 as mqtts://" in mistake(url="mqtts://b1", also=["mqtt://b2"], user="gw")
    assert "as wss://" in mistake(url="ws://b1", headers={"Authorization": "s3cret"})
    config(url="ws://b1", headers={"X-Line": "a"}, insecure=True)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"password": "x"}, "password without user"),
        ({"password_file": "x"}, "password without user"),
        ({"user": "x", "user_file": "x"}, "user and user_file"),
        ({"user": "x", "password": "x", "password_file": "x"}, "password and password_file"),
        ({"also": ["mqtt://127.0.0.1:1883"]}, "a broker twice"),
        ({"also": ["broker"]}, "broker: is not an MQTT address"),
        ({"headers": {"a": "b"}}, "headers have no use with mqtt://"),
        ({"url": "ws://b", "headers": {"a b": "c"}}, "cannot be the name of a header"),
        ({"url": "ws://b", "headers": {"Host": "c"}}, "cannot be the name of a header"),
        ({"url": "ws://b", "headers": {"a": "b\r\nc: d"}}, "characters that HTTP does not take"),
        ({"url": "mqtts://b", "key": "k.pem"}, "key without cert"),
        ({"ca": "ca.pem"}, "ca has no use with mqtt://"),
        ({"cert": "c.pem"}, "cert has no use with mqtt://"),
        ({"properties": {"a": "\0"}}, "no NUL"),
        ({"expiry": "1min"}, "at least 120s"),
        ({"data_expiry": "90s"}, "at least 120s"),
        ({"expiry": "60000d"}, "does not fit"),
        ({"max_payload": "1kB"}, "at least 4096B"),
        ({"compress": "brotli"}, "zstd"),
        ({"version": "3.1.1", "topic_alias": True}, "topic_alias needs MQTT 5"),
        ({"window": 101}, "100"),
        ({"window": 0}, "1"),
        ({"keepalive": "1500ms"}, "whole seconds"),
        ({"keepalive": "0s"}, "from 1s"),
        ({"keepalive": "19h"}, "18h"),
        ({"ack_timeout": "0s"}, "longer than zero"),
        ({"version": "3.1"}, "3.1.1"),
        ({"verify": False}, "not permitted"),
        ({"client_id": ""}, "at least 1"),
    ],
)
def test_keys_that_make_no_sense_are_mistakes(keys: dict[str, Any], says: str) -> None:
    assert says in mistake(**keys)


def test_the_password_is_never_shown() -> None:
    shown = config(url="mqtts://b", user="gw", password="s3cret")
    assert "s3cret" not in f"{shown!r} {shown} {shown.model_dump()} {shown.model_dump_json()}"


def test_building_does_no_io() -> None:
    files = config(url="mqtts://no.such.host", ca="/no/such/file", cert="/no/such/file")
    plugin.build("platform", files, "gw-01", OnlyWill(Message("edge/status", b"{}", retain=True)))


def test_files_that_are_not_there_are_warned_of_for_they_may_come_later(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    said = config(url="mqtts://broker", user="u", password_file=tmp_path / "pw", ca=tmp_path / "ca.pem").warnings()
    why = "cannot be read here (No such file or directory); until it can, nothing is sent"
    assert said == [f"password_file: {tmp_path / 'pw'} {why}"]
