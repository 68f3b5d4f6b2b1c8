"""Verdicts: what went well holds; each thing that may go wrong fails the one that is there for it, and no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_agent_hil.runner.heard import ns
from edge_agent_hil.runner.judge import judge
from edge_agent_hil.runner.played import Gauge, Played
from tests.hil.played_runs import BEGIN, MS, SECOND, hear, played, record, tell

EVERYTHING = {
    "live within": "2s", "lost": 0, "wrong values": 0, "duplicates": 0, "oee error": 0.5, "in bounds": True,
    "piece error": 0, "time error": "10ms", "unknown": "1s", "state latency": "1s", "drained within": "5s", "gaps": 0,
    "memory": "100MB", "memory growth": "5MB", "disk": "2MB", "written": "1MB", "connections": 1,
    "well at the end": True,
}  # fmt: skip


def failed(run: Played) -> list[str]:
    return [verdict.name for verdict in judge(run) if not verdict.holds]


def test_a_run_without_fault_holds_every_verdict(tmp_path: Path) -> None:
    run = played(tmp_path, EVERYTHING)
    assert failed(run) == []
    assert {verdict.name for verdict in judge(run)} >= set(EVERYTHING)


def drop_a_sample(run: Played) -> None:
    del run.heard.samples["cnc-7", "total"][30]


def tell_a_wrong_value(run: Played) -> None:
    tell(run, MS + 7_100, {"total": 4711}, 900)


def tell_again(run: Played) -> None:
    tell(run, PIECE_MS, {"total": 30}, 901)


def go_back(run: Played) -> None:
    tell(run, MS + 19_900, {"total": 70}, 3000)
    tell(run, MS + 19_900, {}, 2000)


def be_late(run: Played) -> None:
    run.heard.states["cnc-7"] = [one._replace(arrived=one.arrived + 3 * SECOND) for one in run.heard.states["cnc-7"]]


def never_tell_a_state(run: Played) -> None:
    del run.heard.states["cnc-7"][1]


def tell_another_oee(run: Played) -> None:
    hear(run, "cnc-7/kpi/shift", record(0.51, rev=1, bounds={"oee": [0.4, 0.6]}), BEGIN + 21 * SECOND)


def be_outside_the_bounds(run: Played) -> None:
    hear(run, "cnc-7/kpi/shift", record(0.5, rev=1, bounds={"oee": [0.51, 0.6]}), BEGIN + 21 * SECOND)


def miscount(run: Played) -> None:
    hear(run, "cnc-7/kpi/shift", record(0.5, rev=1, counts={"pq": 70, "sq": 4, "rq": 0}), BEGIN + 21 * SECOND)


def lose_a_second(run: Played) -> None:
    times = {**record(0.5)["time_s"], "apt": 17}
    hear(run, "cnc-7/kpi/shift", record(0.5, rev=1, time_s=times), BEGIN + 21 * SECOND)


def take_a_fault_for_a_stop(run: Played) -> None:
    times = {**record(0.5)["time_s"], "adet_fault": 1.5, "adet_other": 0.5}
    hear(run, "cnc-7/kpi/shift", record(0.5, rev=1, time_s=times), BEGIN + 21 * SECOND)


def not_know(run: Played) -> None:
    times = {**record(0.5)["time_s"], "apt": 15, "unk": 3, "unk_raw": 3}
    hear(run, "cnc-7/kpi/shift", record(0.5, rev=1, time_s=times), BEGIN + 21 * SECOND)


def grow(run: Played) -> None:
    run.gauges.append(Gauge(BEGIN + 21 * SECOND, 120_000_000, 0, 3_000_000, 2_000_000, ("journal: full",)))


def end_badly(run: Played) -> None:
    run.exit_code, run.log = -9, "Traceback (most recent call last):"


def tell_of_a_gap(run: Played) -> None:
    hear(run, "gap", {"records": 3}, BEGIN)


def be_bad_at_the_end(run: Played) -> None:
    tell(run, MS + 19_900, {"total": None}, 950, quality={"total": "bad"})


def connect_twice(run: Played) -> None:
    run.connections["cnc-7"] = 2


PIECE_MS = MS + 31 * 250 + 2_000


@pytest.mark.parametrize(
    ("do", "wrong"),
    [
        (drop_a_sample, ["lost"]),
        (tell_a_wrong_value, ["wrong values"]),
        (go_back, ["out of order"]),
        (be_late, ["state latency"]),
        (never_tell_a_state, ["state latency"]),
        (tell_another_oee, ["oee error"]),
        (be_outside_the_bounds, ["in bounds"]),
        (miscount, ["piece error"]),
        (lose_a_second, ["times add up", "time error"]),
        (take_a_fault_for_a_stop, ["time error"]),
        (not_know, ["time error", "unknown"]),
        (grow, ["memory", "memory growth", "disk", "written", "well at the end"]),
        (end_badly, ["log never", "exit"]),
        (tell_of_a_gap, ["gaps"]),
        (be_bad_at_the_end, ["good at the end"]),
        (connect_twice, ["connections"]),
    ],
)
def test_what_goes_wrong_fails_the_verdict_that_is_there_for_it_and_no_other(
    tmp_path: Path, do: Any, wrong: list[str]
) -> None:
    run = played(tmp_path, EVERYTHING)
    do(run)
    assert failed(run) == wrong


def test_a_sample_that_comes_again_under_its_number_is_no_duplicate_and_under_another_it_is(tmp_path: Path) -> None:
    run = played(tmp_path, EVERYTHING)
    sample = run.heard.samples["cnc-7", "total"][10]
    tell(run, sample.t_ms, {"total": sample.value}, sample.seq)
    assert failed(run) == []
    assert run.heard.redelivered == 1
    tell(run, sample.t_ms, {"total": sample.value}, 990)
    assert failed(run) == ["duplicates"]


def test_what_nobody_can_have_seen_is_not_lost_and_how_long_it_took_to_see_again_is_told(tmp_path: Path) -> None:
    fault = {"at": "8s", "wire": "cnc-7", "fault": "black-hole", "for": "3s"}
    run = played(tmp_path, EVERYTHING, [fault])
    kept = [one for one in run.heard.samples["cnc-7", "total"] if not 8_000 <= one.t_ms - MS < 12_500]
    run.heard.samples["cnc-7", "total"] = kept
    assert failed(run) == []
    (live,) = [verdict for verdict in judge(run) if verdict.name == "live within"]
    assert live.found == "1.70 s"
    run.heard.samples["cnc-7", "total"] = [one for one in kept if one.t_ms - MS < 15_000 or one.t_ms - MS > 16_000]
    assert "lost" in failed(run)


def test_what_is_lost_behind_the_agent_is_lost_although_the_broker_was_away(tmp_path: Path) -> None:
    fault = {"at": "8s", "wire": "broker", "fault": "black-hole", "for": "3s"}
    run = played(tmp_path, {"lost": 0}, [fault])
    assert failed(run) == []
    del run.heard.samples["cnc-7", "total"][30]
    assert failed(run) == ["lost"]


def test_a_device_that_is_never_live_again_fails(tmp_path: Path) -> None:
    fault = {"at": "8s", "wire": "cnc-7", "fault": "reset"}
    run = played(tmp_path, {"live within": "3s"}, [fault])
    assert failed(run) == []
    run.heard.samples["cnc-7", "total"] = run.heard.samples["cnc-7", "total"][:10]
    (live, _) = [verdict for verdict in judge(run) if not verdict.holds or verdict.name == "good at the end"]
    assert (live.name, live.found) == ("live within", "never")


def test_words_in_log_and_api_are_looked_for(tmp_path: Path) -> None:
    expect = {"log once": "lost", "log": ["lost", "back"], "alarms": "cnc-7", "quality": {"cnc-7.total": "bad"}}
    run = played(tmp_path, expect)
    assert failed(run) == ["log once", "log", "log", "alarms", "quality"]
    run.log = "cnc-7: lost\ncnc-7: back\n"
    run.gauges[3] = Gauge(BEGIN, 1, 0, 1, 1, ("cnc-7: the line is lost",))
    tell(run, MS + 9_000, {"total": None}, 950, quality={"total": "bad"})
    assert failed(run) == []
    run.log += "cnc-7: lost\n"
    assert failed(run) == ["log once"]


def test_what_could_not_be_played_is_a_failure_that_says_why(tmp_path: Path) -> None:
    run = played(tmp_path, EVERYTHING)
    run.trouble = "the plant has ended with code 1"
    (verdict,) = judge(run)
    assert not verdict.holds
    assert verdict.detail == run.trouble


def test_an_instant_is_read_to_the_last_digit() -> None:
    assert ns("2025-12-01T00:00:20.123456789+00:00") == BEGIN + 20_123_456_789
    assert ns("2025-12-01T08:00:20.5+08:00") == BEGIN + 20_500_000_000
    assert ns("2025-12-01T08:00:20+08:00") == BEGIN + 20 * SECOND
