"""What a driver says of all its devices together is told as every other mistake is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from site_files import DRIVERS, Drivers, mistakes_of, site_of, told

from edge_agent.api import Clash

TWO = """\
agent: {id: gw-01}
devices:
  a: {driver: fake, url: "fake://one", poll: 1s}
  b:
    driver: fake
    url: fake://one
    template: ./slow.yaml
    tags: {t: {address: 5}}
  c: {driver: other, url: "fake://one", poll: 3s}
"""
SLOW = "device:\n\n  poll: 2s\ntags: {u: {address: 5}}\n"


class Watching:
    """A driver for which all devices of one url must be polled alike, and no two tags have one address."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, devices: Mapping[str, Any]) -> Sequence[Clash]:
        self.asked.append(list(devices))
        first: dict[str, str] = {}
        found = []
        for name, device in devices.items():
            other = first.setdefault(device.url, name)
            if devices[other].poll != device.poll:
                found.append(Clash(name, "poll", f"differs from that of {other}", f"{other} is on the same line"))
            if {"t", "u"} <= device.tags.keys():
                found.append(Clash(name, "tags.u", "is read twice"))
        return found


def drivers(watching: Watching) -> Drivers:
    return {
        "fake": replace(DRIVERS["fake"], together=watching),
        "other": replace(DRIVERS["fake"], name="other", together=watching),
    }


def test_a_clash_is_told_with_file_and_line_be_it_of_the_template(tmp_path: Path) -> None:
    (tmp_path / "slow.yaml").write_text(SLOW)
    mistakes = mistakes_of(tmp_path, TWO, drivers(Watching()))
    assert [str(one).replace(f"{tmp_path}/", "") for one in mistakes] == [
        "slow.yaml:3: devices.b.poll: '2s' differs from that of a; a is on the same line",
        "slow.yaml:4: devices.b.tags.u: is read twice",
    ]


def test_a_clash_in_the_site_file_is_in_its_line(tmp_path: Path) -> None:
    text = TWO.replace("    template: ./slow.yaml\n", "    poll: 2s\n")
    assert told(mistakes_of(tmp_path, text, drivers(Watching()))) == [
        "7: devices.b.poll: '2s' differs from that of a; a is on the same line"
    ]


def test_a_clash_of_a_key_that_is_not_written_is_in_the_line_of_its_device(tmp_path: Path) -> None:
    text = TWO.replace("    template: ./slow.yaml\n", "").replace("poll: 1s", "poll: 4s")
    assert told(mistakes_of(tmp_path, text, drivers(Watching()))) == [
        "4: devices.b.poll: differs from that of a; a is on the same line"
    ]


def test_each_driver_is_asked_once_with_those_of_its_devices_that_are_right(tmp_path: Path) -> None:
    watching = Watching()
    text = TWO.replace("    template: ./slow.yaml\n", "    polll: 1s\n")
    assert told(mistakes_of(tmp_path, text, drivers(watching))) == [
        "7: devices.b.polll: unknown key; did you mean 'poll'?"
    ]
    assert watching.asked == [["a"], ["c"]]


def test_devices_that_get_on_load(tmp_path: Path) -> None:
    text = TWO.replace("    template: ./slow.yaml\n", "    poll: 1s\n")
    assert len(site_of(tmp_path, text, drivers(Watching())).devices) == 3
