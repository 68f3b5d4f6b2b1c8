"""A replay on Dask gives what a replay on this computer gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from distributed import LocalCluster

from edge_agent.replay import on_dask
from tests.replay.conftest import DAY, Replay

WriteHistory = Callable[..., Path]
SECOND = """
  press-2:
    state: {tag: press-2.state, map: {0: IDLE, 1: RUN, 2: FAULT}}
    counts: {total: press-2.total, scrap: press-2.scrap}
    ideal_cycle: 40s
    calendar: two-shift
calendars:"""


@pytest.fixture
def two(site: Path, history: WriteHistory) -> Path:
    """Two presses, the second of which begins a day later."""
    text = site.read_text()
    device = text[text.index("  press-1:\n    driver") : text.index("machines:")]
    text = text.replace(device, device + device.replace("press-1", "press-2").replace("1502", "1503"))
    site.write_text(text.replace("\ncalendars:", SECOND))
    later = DAY.replace("press-1", "press-2").replace("2026-11-23", "2026-11-24").splitlines(keepends=True)[1:]
    return history([DAY, *later])


@pytest.fixture
def scheduler() -> Iterator[str]:
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


@pytest.mark.timeout(240)
def test_dask_gives_the_same_records_and_notes(replay: Replay, two: Path, scheduler: str) -> None:
    here = replay(two, "--format", "json")
    there = replay(two, "--format", "json", "--engine", "dask", "--scheduler", scheduler)
    assert (there.code, there.out, there.err) == (0, here.out, here.err)
    records = [one["machine"] for one in orjson.loads(here.out) if "machine" in one]
    assert records.count("press-1") == records.count("press-2") == 4


@pytest.mark.timeout(240)
def test_a_file_that_is_none_is_refused_as_well(replay: Replay, history: WriteHistory, scheduler: str) -> None:
    told = replay(history("time,tag\n"), "--engine", "dask", "--scheduler", scheduler)
    assert told.code == 2
    assert "has no column value" in told.err


def test_without_dask_or_scheduler_it_says_what_to_do(
    replay: Replay, history: WriteHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--scheduler belongs to --engine dask" in replay(history(), "--scheduler", "tcp://127.0.0.1:1").err
    monkeypatch.setattr(on_dask, "find_spec", lambda _name: None)
    told = replay(history(), "--engine", "dask")
    assert told.code == 1
    assert "pip install 'edge-agent[replay]'" in told.err
