"""What the site file may say about an InfluxDB, and what is told about a mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edge_agent import registry
from edge_agent.config import load
from edge_agent.config.destination import with_profile
from edge_agent.north.influx import plugin
from edge_agent.north.influx_config import InfluxConfig
from edge_agent.platforms import line_protocol
from edge_agent.warn import device_warnings

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
        ("http://host:99999", "names no host and port"),
        ("http://u:p@host:8086", "token:"),
        ("http://host:8086/api/v2/write?org=acme", "org:, bucket:"),
    ],
)
def test_a_wrong_url_says_what_would_be_right(url: str, says: str) -> None:
    assert says in mistake(url=url)


def test_a_server_may_stand_behind_a_path() -> None:
    assert config(url="https://host/influx/").url == "https://host/influx"


def test_a_token_over_plain_http_to_another_machine_needs_a_word() -> None:
    assert "https://" in mistake(url="http://8.8.8.8:8086", token="s3cret")
    assert "https://" in mistake(url="http://influx:8086", token="s3cret")
    for fine in (
        config(url="http://influx:8086"),
        config(url="http://influx:8086", token="s3cret", insecure=True),
        config(url="https://influx:8086", token="s3cret"),
        config(url="http://localhost:8086", token="s3cret"),
        config(url="http://[::1]:8086", token="s3cret"),
    ):
        assert not fine.warnings()


@pytest.mark.parametrize("host", ["10.0.0.3", "192.168.1.9", "[fd00::1]"])
def test_to_a_private_address_it_may_go_with_a_warning(host: str) -> None:
    [warning] = config(url=f"http://{host}:8086", token="s3cret").warnings()
    assert "insecure: true" in warning
    assert "s3cret" not in warning
    assert not config(url=f"http://{host}:8086", token="s3cret", insecure=True).warnings()


def test_the_line_of_the_documentation_is_right_and_check_warns_of_it(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        "agent: {id: gw-01, timezone: UTC}\n"
        'devices: {sim: {driver: simulated, url: "simulated://", tags: {total: {signal: counter, every: 1s}}}}\n'
        'publish: {history: {type: influxdb, url: "http://10.0.0.3:8086", org: acme, bucket: plant, '
        'token: "${INFLUX_TOKEN}"}}\n'
    )
    drivers = registry.drivers()
    secret = {"INFLUX_TOKEN": "s3cret"}
    site = load(path, drivers, registry.publishers(), secret, registry.profiles())
    [warning] = [one for one in device_warnings(site, drivers) if one.startswith("publish.history")]
    assert "unencrypted" in warning


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
        ({"timeout": "0s"}, "100ms at least"),
        ({"batch_size": 0}, "greater than or equal to 1"),
        ({"precision": "min"}, "'ns', 'us', 'ms' or 's'"),
        ({"measurement": "kpi"}, "write for example samples"),
        ({"measurement": "_x"}, "write for example samples"),
        ({"tokn": "x"}, "Extra inputs"),
    ],
)
def test_other_mistakes_say_what_would_be_right(keys: dict[str, Any], says: str) -> None:
    assert says in mistake(**keys)
