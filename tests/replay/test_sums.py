"""Lines, areas and the site of recorded history."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.replay.conftest import SITE, Replay

PACK = """  pack-1:
    state: {tag: pack-1.state, map: {0: IDLE, 1: RUN, 2: FAULT}}
    counts: {total: pack-1.total, scrap: pack-1.scrap}
    ideal_cycle: 40s
"""
DEVICE = """  pack-1:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:1503?unit=1"
    tags: {state: {address: holding:0}, total: {address: holding:1}, scrap: {address: holding:3}}
machines:
"""
LINE_SITE = (
    SITE.replace("machines:\n", DEVICE).replace("calendars:\n", f"{PACK}CALENDARcalendars:\n", 1)
    .replace("CALENDAR", "lines: {flow: {stations: [press-1, pack-1], calendar: two-shift}}\n")
)  # fmt: skip
BOTH = """time,tag,value
2026-11-23T06:00:00+08:00,press-1.state,1
2026-11-23T06:00:00+08:00,press-1.total,1000
2026-11-23T06:00:00+08:00,press-1.scrap,7
2026-11-23T06:00:00+08:00,pack-1.state,1
2026-11-23T06:00:00+08:00,pack-1.total,10
2026-11-23T06:00:00+08:00,pack-1.scrap,0
2026-11-23T13:00:00+08:00,press-1.total,1360
2026-11-23T13:00:00+08:00,press-1.scrap,16
2026-11-23T13:30:00+08:00,pack-1.total,350
2026-11-23T13:30:00+08:00,pack-1.scrap,4
2026-11-23T14:30:00+08:00,press-1.state,0
2026-11-23T14:30:00+08:00,pack-1.state,0
"""
"""The press makes 360 pieces at 50 s, 9 of them scrap; 340 are packed, 4 of them spoilt."""


@pytest.fixture
def line(site: Path) -> None:
    site.write_text(LINE_SITE)


@pytest.fixture
def records(line: None, replay: Replay, history: Callable[..., Path]) -> Callable[..., list[dict[str, Any]]]:
    def read(*more: str) -> list[dict[str, Any]]:
        told = replay(history(BOTH), "--format", "json", *more)
        assert told.code == 0, told.err
        found: list[dict[str, Any]] = orjson.loads(told.out)
        return found

    return read


def of(records: list[dict[str, Any]], scope: str) -> dict[str, Any]:
    return next(one for one in records if one.get("scope") == scope)


def test_a_line_and_the_site_are_told_after_their_machines(records: Callable[..., Any]) -> None:
    found = records()
    assert [one.get("machine") or one["scope"] for one in found][::2] == ["press-1", "pack-1", "line", "site"]
    line, site = of(found, "line"), of(found, "site")
    assert line["counts"] == {"entered": 360, "good": 336}
    assert line["kpi"]["line_oee"] == 336 * 50 / 28800
    assert line["kpi"]["line_quality_rty"] == pytest.approx(351 / 360 * 336 / 340)
    assert site["kpi"]["oee"] == pytest.approx((351 * 50 + 336 * 40) / (2 * 28800))
    assert (line["final"], line["as_of"]) == (True, "2026-11-23T14:10:00+08:00")


@pytest.mark.parametrize("window", ["hour", "day", "2026-11-23T06:00/2026-11-23T14:00"])
def test_any_window_is_the_sum_of_its_machines(records: Callable[..., Any], window: str) -> None:
    found = records("--window", window)
    site = [one for one in found if one.get("scope") == "site"]
    for sum_ in site:
        parts = [one for one in found if "machine" in one and one["window"] == sum_["window"]]
        for what in ("pq", "gq", "sq"):
            assert sum_["counts"][what] == sum(one["counts"][what] for one in parts)
    assert sum(one["counts"]["gq"] for one in site) == 351 + 336


def test_of_one_machine_alone_there_are_no_sums(records: Callable[..., Any]) -> None:
    assert {one.get("machine") for one in records("--machine", "press-1")} == {"press-1"}


def test_a_machine_with_other_shifts_is_judged_over_its_lines(
    site: Path, replay: Replay, history: Callable[..., Path]
) -> None:
    own = LINE_SITE.replace("ideal_cycle: 40s", "ideal_cycle: 40s\n    calendar: own")
    shifts = '  own: {shifts: {mine: {days: daily, start: "08:00", end: "16:00"}}}\n'
    site.write_text(own.replace("calendars:\n", f"calendars:\n{shifts}"))
    found = orjson.loads(replay(history(BOTH), "--format", "json").out)
    assert [one["window"]["name"] for one in found if one.get("machine") == "pack-1"] == ["mine"]
    line = of(found, "line")
    assert line["window"]["name"] == "day"
    assert {one["machine"]: one["pbt_s"] for one in line["members"]}["press-1"] == 28800
    assert line["counts"] == {"entered": 360, "good": 336}
    assert not any(one.get("scope") == "site" for one in found)


def test_table_and_csv_show_them_too(line: None, replay: Replay, history: Callable[..., Path]) -> None:
    table = replay(history(BOTH)).out.splitlines()
    shown = next(row for row in table if row.startswith("line flow"))
    assert "58.33" in shown
    rows = list(csv.DictReader(io.StringIO(replay(history(BOTH), "--format", "csv").out)))
    row = next(row for row in rows if row["scope"] == "line")
    assert (row["line"], row["kpi.line_oee"]) == ("flow", str(336 * 50 / 28800))
    assert (row["stations.pack-1.fall_off_ratio"], row["members.press-1.pq"]) == (str(4 / 360), "360")
