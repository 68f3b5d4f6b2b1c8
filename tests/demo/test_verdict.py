"""The verdict and the table: undefined is a dash, half a point off is BAD, silence is no truth."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from edge_agent.demo.site import destination
from edge_agent.demo.subscriber import listen
from edge_agent.demo.table import Picture, Screen, percent, table
from edge_agent.demo.verdict import Verdict, judge, summary
from edge_agent_hil.part import PartError
from edge_agent_hil.truth_client import TruthClient

SECOND = 10**9
BEGIN = 1_700_000_000 * SECOND
NAMES = ("oee", "availability_classic", "performance_classic", "quality_count", "data_coverage")


def kpis(oee: float | None, other: float | None = 0.9) -> dict[str, float | None]:
    return {**dict.fromkeys(NAMES, other), "oee": oee}


def verdict(told: float | None, true: float | None, **more: Any) -> Verdict:
    return Verdict("press-1", kpis(true), kpis(told), {"total": 100, "scrap": 3}, {"pq": 101, "sq": 4}, **more)


def record(seconds: float, oee: float | None = 0.8) -> dict[str, Any]:
    """A KPI record that is `seconds` after BEGIN."""
    as_of = datetime.fromtimestamp(BEGIN / SECOND + seconds, UTC).isoformat()
    return {"as_of": as_of, "kpi": kpis(oee), "counts": {"pq": 101, "gq": 97, "sq": 4, "rq": 0}}


@pytest.fixture
def truth() -> Iterator[TruthClient]:
    """A plant whose OEE was 0.8; it knows press-1 only, and answers with what it was asked."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        held, _ = server.accept()
        with held, held.makefile("rw") as lines:
            for line in lines:
                asked = json.loads(line)
                known = asked["machine"] == "press-1"
                vector = {"kpi": kpis(0.8), "counts": {"total": 100, "scrap": 3}, "asked": asked}
                lines.write(json.dumps(vector if known else {"error": "no machine"}) + "\n")
                lines.flush()

    thread = threading.Thread(target=serve)
    thread.start()
    with closing(TruthClient(*server.getsockname())) as told:
        yield told
    thread.join(5)
    server.close()


@pytest.mark.parametrize(
    ("told", "true", "holds"),
    [(0.8, 0.8, True), (0.8049, 0.8, True), (0.7951, 0.8, True), (0.8051, 0.8, False), (0.7949, 0.8, False),
     (None, 0.8, False), (0.8, None, False), (None, None, False), (0.0, 0.0, True)],
)  # fmt: skip
def test_an_oee_may_be_half_a_point_off_and_must_be_there(
    told: float | None, true: float | None, holds: bool
) -> None:
    assert verdict(told, true).holds is holds
    assert verdict(told, true).lines()[0].endswith("  ok" if holds else "  BAD")


def test_the_lines_show_both_sides_and_the_difference() -> None:
    assert verdict(0.8051, 0.8).lines() == [
        "press-1  received   80.51   90.00   90.00   90.00     101     4  BAD",
        "         true       80.00   90.00   90.00   90.00     100     3  OEE +0.510",
    ]
    assert verdict(0.799999, 0.8).lines()[1].endswith("OEE +0.000")


def test_what_is_undefined_is_a_dash() -> None:
    assert percent(None) == "–"
    assert percent(0.84444) == "84.44"
    nothing = kpis(None, None)
    assert Verdict("press-1", nothing, nothing, {"total": 0, "scrap": 0}, {"pq": 0, "sq": 0}).lines() == [
        "press-1  received       –       –       –       –       0     0  BAD",
        "         true           –       –       –       –       0     0  undefined",
    ]


def test_the_summary_fits_80_columns_and_names_what_is_missing() -> None:
    lines = summary([verdict(1.23456, 0.1), Verdict("cnc-7", {}, {}, {}, {}, "no KPI record arrived")])
    assert max(map(len, lines)) <= 80
    assert lines[-1] == "cnc-7    BAD  MISSING: no KPI record arrived"


def test_a_record_is_judged_by_the_truth_at_its_own_instant(truth: TruthClient) -> None:
    found = judge("press-1", record(60), 10, truth, BEGIN, BEGIN + 61 * SECOND)
    assert found.holds
    assert found.error == 0
    asked = truth.vector("press-1", BEGIN, BEGIN + 60 * SECOND, 2 * SECOND)["asked"]
    assert asked == {"machine": "press-1", "start": BEGIN, "end": BEGIN + 60 * SECOND, "micro_stop": 2 * SECOND}


@pytest.mark.parametrize(("seconds", "tolerance"), [(15, 0.02), (60, 0.005), (600, 0.005)])
def test_the_tolerance_is_half_a_point_of_a_minute(truth: TruthClient, seconds: int, tolerance: float) -> None:
    for off, holds in ((0.0001, False), (-0.0001, True)):
        told = record(seconds, 0.8 + tolerance + off)
        assert judge("press-1", told, 10, truth, BEGIN, BEGIN + seconds * SECOND).holds is holds


def test_what_did_not_arrive_is_missing(truth: TruthClient) -> None:
    now = BEGIN + 75 * SECOND
    for told, samples, what in (
        (None, 10, "no KPI record arrived"),
        (record(70), 0, "no tag samples arrived"),
        (record(60), 10, "the last KPI record is 15 s old"),
    ):
        found = judge("press-1", told, samples, truth, BEGIN, now)
        assert not found.holds
        assert found.lines() == [f"press-1  BAD  MISSING: {what}"]


def test_a_question_the_plant_cannot_answer_is_no_verdict(truth: TruthClient) -> None:
    with pytest.raises(ValueError, match="no machine"):
        judge("ghost", record(60), 10, truth, BEGIN, BEGIN + 60 * SECOND)


# -- the table -----------------------------------------------------------------------------------


def picture(elapsed_s: float = 12.3, oee: float | None = 0.8, **more: Any) -> Picture:
    states = {"press-1": {"state": "FAULT"}}
    return Picture(("press-1", "cnc-7"), states, {"press-1": record(12, oee)}, 1234, 5, elapsed_s, **more)


def drawn(what: Picture, width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(table(what))
    return out.getvalue()


def test_the_table_shows_each_machine_and_fits_80_columns() -> None:
    shown = drawn(picture())
    assert "12 s   1234 samples received   backlog 5" in shown
    assert "│ press-1 │ FAULT   │ 80.00 │  90.00 │ 90.00 │  90.00 │  90.00 │   97 │     4 │" in shown
    assert "│ cnc-7   │ …       │     … │" in shown
    assert "…  │" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    full = Picture(("press-1",), {"press-1": {"state": "UNKNOWN"}}, {"press-1": {
        "kpi": kpis(0.9999, 1.0), "counts": {"gq": 1234, "sq": 12345}}}, 123456, 0, 3600)  # fmt: skip
    assert "│ press-1 │ UNKNOWN │ 99.99 │ 100.00 │ 100.00 │ 100.00 │ 100.00 │ 1234 │ 12345 │" in drawn(full, 90)


def test_a_kpi_that_is_undefined_is_a_dash_in_the_table() -> None:
    assert "│ press-1 │ FAULT   │     – │  90.00" in drawn(picture(oee=None))


def test_before_it_begins_and_just_after_there_are_no_figures() -> None:
    assert "the shift begins in 3 s" in drawn(picture(-3))
    assert "80.00" not in drawn(picture(-3)) + drawn(picture(0.1))
    assert "80.00" in drawn(picture(3))


def test_a_broker_that_is_away_is_told() -> None:
    assert "THE BROKER IS AWAY" in drawn(picture(connected=False))


def test_without_a_terminal_there_is_a_line_a_machine_every_ten_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Screen() as screen:
        for half_seconds in range(-4, 50):
            screen.show(picture(half_seconds / 2))
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["3", "3", "13", "13", "23", "23"]
    assert lines[0] == (
        "    3 s  press-1  FAULT    OEE % 80.00  A % 90.00  P % 90.00  Q % 90.00  data % 90.00  good 97  scrap 4"
    )


# -- the broker's address ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("mqtt://10.0.0.2", {"url": "mqtt://10.0.0.2:1883"}),
        ("mqtts://b.example", {"url": "mqtts://b.example:8883"}),
        ("mqtt://u:p%40%24{x}@h:1", {"url": "mqtt://h:1", "user": "u", "password": "p@$${x}", "insecure": True}),
        ("mqtts://u@[::1]:1", {"url": "mqtts://[::1]:1", "user": "u", "insecure": False}),
    ],
)
def test_a_broker_may_be_given_with_user_and_password(url: str, place: dict[str, Any]) -> None:
    assert destination(url) == place


def test_something_that_is_no_broker_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_agent.demo.subscriber.GREETING_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"mqtt://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(PartError, match="does not answer as an MQTT broker would"), listen({"url": url}, "edge"):
            pass
