"""The keys of the open profiles in a site file: what is right, and every mistake in its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from edge_agent import registry
from edge_agent.agent import prepare
from edge_agent.api import ConfigError
from edge_agent.config import load, scene

SITE = """\
agent: {{id: gw-1, place: {place}}}
devices:
  press-1:
    driver: simulated
    url: simulated://
    tags:
      state: {{signal: constant, value: 1}}
      total: {{signal: counter, every: 2s}}
      scrap: {{signal: counter, every: 9s}}
  meter-1:
    driver: simulated
    url: simulated://
    tags: {{state: {{signal: constant, value: 1}}}}
machines:
  press-1:
    line: line-a
    state: {{tag: press-1.state, map: {{0: IDLE, 1: RUN}}}}
    counts: {{total: press-1.total, scrap: press-1.scrap}}
    ideal_cycle: 2s
publish:
  cloud: {{type: mqtt, url: "mqtt://127.0.0.1", {keys}}}
"""
PLACE = "{enterprise: acme, site: suzhou}"
LINE = SITE.count("\n", 0, SITE.index("  cloud:")) + 1


def prepared(folder: Path, keys: str, place: str = PLACE) -> Any:
    path = folder / "site.yaml"
    path.write_text(SITE.format(keys=keys, place=place))
    site = load(path, registry.drivers(), registry.publishers(), profiles=registry.profiles())
    return prepare(site, registry.drivers(), registry.publishers()).profiles["cloud"]


def mistake(folder: Path, keys: str, place: str = PLACE) -> tuple[int, str]:
    with pytest.raises(ConfigError) as raised:
        prepared(folder, keys, place)
    [found] = raised.value.mistakes
    return found.line, str(found)


@pytest.mark.parametrize(
    ("keys", "topic"),
    [
        ("profile: json", "edge/acme/suzhou/gw-1/status"),
        ('profile: json, root: "plant-{site}/{agent}"', "plant-suzhou/gw-1/status"),
        ('profile: json, root: "{area}/x"', "x/status"),
        ("profile: uns", "acme/suzhou/gw-1/status"),
        ('profile: uns, path: "uns/{site}/{machine}"', "uns/suzhou/gw-1/status"),
        ("profile: umh", "umh/v1/acme/suzhou/gw-1/_local/status"),
    ],
)
def test_a_path_is_filled_from_the_place_of_the_agent(tmp_path: Path, keys: str, topic: str) -> None:
    assert prepared(tmp_path, keys).will().topic == topic


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('profile: json, root: "edge/{plant}"', r"publish.cloud.root: .*has no level {plant}; known are {enterprise}"),
        ('profile: json, root: "edge/{line}"', r"has no level {line}"),
        ('profile: uns, path: "{enterprise}/{cell}/{machine}"', r"publish.cloud.path: .*has no level {cell}"),
        ("profile: uns, kpis: [oee, oe]", r"publish.cloud.kpis: .*'oe' is no figure"),
        ("profile: uns, root: x", r"publish.cloud.root"),
        ("profile: umh, names: exact", r"publish.cloud.names"),
    ],
)
def test_a_mistake_is_told_in_its_line(tmp_path: Path, keys: str, said: str) -> None:
    line, text = mistake(tmp_path, keys)
    assert line == LINE
    assert re.search(said, text), text


@pytest.mark.parametrize(
    ("keys", "place", "said"),
    [
        ("profile: uns", "{}", "of which agent.place names none"),
        ("profile: umh", "{site: x}", "an enterprise that has no name"),
        ("profile: umh", "{enterprise: 海尔}", "begins with _"),
        ('profile: json, root: "{site}"', "{}", "names no place"),
        ('profile: uns, path: "{enterprise}"', PLACE, "the same topic"),
    ],
)
def test_a_place_that_gives_no_path_is_a_mistake(tmp_path: Path, keys: str, place: str, said: str) -> None:
    assert said in mistake(tmp_path, keys, place)[1]


def test_a_device_stands_below_the_one_machine_that_draws_from_it(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE.format(keys="profile: uns", place=PLACE))
    site = load(path, registry.drivers(), registry.publishers(), profiles=registry.profiles())
    assert scene(site, site.tag_table(), "0", "cloud").devices == {"press-1": "press-1"}
