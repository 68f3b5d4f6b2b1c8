"""What the site file may say about an MQTT broker, and what is told about a mistake."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from edge_agent.api import Message
from edge_agent.north.mqtt import plugin
from edge_agent.north.mqtt_config import MqttConfig, parse_url
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


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("tcp://broker:1883", "write mqtt://"),
        ("ws://broker:80/mqtt", "write mqtt://"),
        ("broker:1883", "write mqtt://"),
        ("mqtt://", "names no host"),
        ("mqtt://broker/topic", "after the port"),
        ("mqtt://u:p@broker", "user: and password:"),
        ("mqtt://broker:0", "port 0"),
        ("mqtt://broker:99999", "Port out of range"),
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


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"password": "x"}, "password without user"),
        ({"url": "mqtts://b", "key": "k.pem"}, "key without cert"),
        ({"ca": "ca.pem"}, "ca has no use with mqtt://"),
        ({"cert": "c.pem"}, "cert has no use with mqtt://"),
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
