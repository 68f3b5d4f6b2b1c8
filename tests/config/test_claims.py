"""Two destinations that would take something from each other are found before the agent starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent import registry
from edge_agent.api import ConfigError
from edge_agent.config import load

CLOUD = "type: mqtt, profile: huawei-iotda, secret: s, device_id"


def told(folder: Path, *destinations: str) -> list[str]:
    path = folder / "site.yaml"
    lines = [f"  d{number}: {{{text}}}" for number, text in enumerate(destinations)]
    path.write_text("\n".join(["agent: {id: gw-1}", "publish:", *lines, ""]))
    try:
        load(path, registry.drivers(), registry.publishers(), profiles=registry.profiles())
    except ConfigError as error:
        return [str(mistake).replace(f"{path}:", "") for mistake in error.mistakes]
    return []


def test_a_broker_knows_each_client_id_once(tmp_path: Path) -> None:
    own = 'type: mqtt, url: "mqtt://10.0.0.2"'
    [said] = told(tmp_path, own, f"{own}, profile: sparkplug, group: acme")
    assert said == (
        "4: publish.d1.client_id: client id gw-1 at mqtt://10.0.0.2:1883 is that of publish.d0; a broker takes each "
        "client id once: write client_id: gw-1-d1"
    )


@pytest.mark.parametrize(
    "other",
    [
        'type: mqtt, url: "mqtt://10.0.0.2:1883"',
        'type: mqtt, url: "mqtt://10.0.0.3", also: ["mqtt://10.0.0.2"]',
        'type: mqtt, url: "mqtt://10.0.0.2", client_id: gw-1',
        'type: mqtt, url: "mqtt://10.0.0.2", profile: aws-iot',
    ],
)
def test_however_it_is_written(tmp_path: Path, other: str) -> None:
    [said] = told(tmp_path, 'type: mqtt, url: "mqtt://10.0.0.2"', other)
    assert "publish.d1.client_id: " in said


@pytest.mark.parametrize(
    "other",
    [
        'type: mqtt, url: "mqtt://10.0.0.2", client_id: gw-1-too',
        'type: mqtt, url: "mqtt://10.0.0.2:1884"',
        f'{CLOUD}: other, url: "mqtt://10.0.0.2", insecure: true',
        "type: stdout",
    ],
)
def test_what_does_not_meet_is_right(tmp_path: Path, other: str) -> None:
    assert told(tmp_path, 'type: mqtt, url: "mqtt://10.0.0.2"', other) == []


def test_a_folder_has_the_tables_of_one_destination(tmp_path: Path) -> None:
    assert told(tmp_path, "type: file, path: ./out", "type: file, path: ./other") == []
    assert told(tmp_path, "type: file, path: ./out", "type: file, path: out") == [
        "4: publish.d1.path: 'out' folder out is that of publish.d0; each destination needs a folder of its own"
    ]
