"""What the site file may say about an InfluxDB, and what is told about a mistake."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from edge_agent import registry
from edge_agent.config.destination import with_profile
from edge_agent.north.influx import plugin
from edge_agent.north.influx_config import InfluxConfig
from edge_agent.platforms import line_protocol

BASE = {"type": "influxdb", "url": "http://127.0.0.1:8086", "bucket": "plant"}


def config(**keys: Any) -> InfluxConfig:
    made = with_profile(plugin, line_protocol.plugin).model_validate({**BASE, **keys})
    assert isinstance(made, InfluxConfig)
    return made


def mistake(**keys: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        config(**keys)
    return str(caught.value.errors()[0]["msg"])


def test_its_own_profile_is_the_usual_one() -> None:
    assert config().profile == "line-protocol"
    assert "influxdb" in registry.profiles()["line-protocol"].publishers


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("10.0.0.3:8086", "write http://host:8086"),
        ("influx://host", "write http://host:8086"),
        ("http://", "names no host"),
        ("http://host:0", "names no host and port"),
        ("http://host:99999", "Port out of range"),
        ("http://u:p@host:8086", "token:"),
        ("http://host:8086/api/v2/write?org=acme", "org:, bucket:"),
    ],
)
def test_a_wrong_url_says_what_would_be_right(url: str, says: str) -> None:
    assert says in mistake(url=url)


def test_a_server_may_stand_behind_a_path() -> None:
    assert config(url="https://host/influx/").url == "https://host/influx"


def test_a_token_over_plain_http_to_another_machine_needs_a_word() -> None:
    assert "https://" in mistake(url="http://10.0.0.3:8086", token="s3cret")
    assert "https://" in mistake(url="http://influx:8086", token="s3cret")
    config(url="http://10.0.0.3:8086")
    config(url="http://10.0.0.3:8086", token="s3cret", insecure=True)
    config(url="https://10.0.0.3:8086", token="s3cret")
    config(url="http://localhost:8086", token="s3cret")
    config(url="http://[::1]:8086", token="s3cret")


@pytest.mark.parametrize("token", ["", " x", "x\n", "a\tb", "schlüssel"])
def test_a_token_that_no_header_can_carry_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config(token=token)
    assert "no token has" in str(caught.value)
    assert not token.strip() or token.strip() not in str(caught.value.errors()[0]["msg"])


def test_the_token_is_never_shown() -> None:
    assert "s3cret" not in repr(config(token="s3cret"))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"bucket": ""}, "at least 1 character"),
        ({"retention": "30d"}, "create_bucket: true"),
        ({"retention": "5min", "create_bucket": True}, "an hour at least"),
        ({"retention": "3600.5s", "create_bucket": True}, "whole seconds"),
        ({"key": "k.pem"}, "key without cert"),
        ({"ca": "ca.pem"}, "https://"),
        ({"cert": "c.pem"}, "https://"),
        ({"timeout": "0s"}, "longer than zero"),
        ({"batch_size": 0}, "greater than or equal to 1"),
        ({"precision": "min"}, "'ns', 'us', 'ms' or 's'"),
        ({"measurement": "kpi"}, "write for example samples"),
        ({"measurement": "_x"}, "write for example samples"),
        ({"tokn": "x"}, "Extra inputs"),
    ],
)
def test_other_mistakes_say_what_would_be_right(keys: dict[str, Any], says: str) -> None:
    assert says in mistake(**keys)
