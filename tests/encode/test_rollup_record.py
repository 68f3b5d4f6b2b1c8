"""Roll-ups outside: the journal keeps them exactly, the record says what a reader needs."""

from __future__ import annotations

import json
from datetime import date
from fractions import Fraction

import orjson
import pytest

from edge_agent.core.calendar import Calendar
from edge_agent.core.cell import Cell
from edge_agent.core.energy import KWH, NO_ENERGY, Energy
from edge_agent.core.ledger import Policy
from edge_agent.core.lineup import Cycles, Serial, Station
from edge_agent.core.report import Report, Window
from edge_agent.core.rollup import Rollup, Scope, roll_up
from edge_agent.encode.json_profile import JsonProfile
from edge_agent.encode.kpi_record import kpi_record
from edge_agent.encode.rollup_body import pack_rollup, unpack_rollup
from edge_agent.encode.rollup_record import rollup_record

S = 1_000_000_000
HOUR = 3600 * S
WINDOW = Window("shift", "day", 0, HOUR, date(1970, 1, 1), "Asia/Shanghai")
CYCLES = {"cut": Fraction(10), "weld": Fraction(37, 3)}


def report(machine: str, good: int, scrap: int, kwh: int = 0) -> Report:
    ideal = CYCLES[machine]
    cell = Cell(
        ct=HOUR, apt=HOUR // 2, adet_fault=HOUR // 2, cmt=HOUR // 2, pq=good + scrap, gq=good, sq=scrap,
        ipt=ideal * (good + scrap), igt=ideal * good,
        energy=Energy(e_run=kwh * KWH, metered=HOUR) if kwh else NO_ENERGY,
    )  # fmt: skip
    return Report(machine, WINDOW, 0, True, HOUR + S, f"hash-{machine}", cell, ("PRU_ESTIMATED",))


def rolled(kind: str, cut: int = 0, weld: int = 0) -> Rollup:
    serial = Serial(tuple(Station((Cycles(name, cycle),)) for name, cycle in CYCLES.items()))
    scope = Scope(
        kind, "x-1", tuple(CYCLES), {"cut": Policy(), "weld": Policy(micro_stop_ns=0)}, Calendar("UTC", None),
        "Asia/Shanghai", "h", serial=serial if kind == "line" else None,
    )  # fmt: skip
    return roll_up(scope, WINDOW, [report("cut", 170, 10, cut), report("weld", 120, 20, weld)])


@pytest.mark.parametrize("kind", ["line", "area", "site"])
def test_the_journal_gives_back_the_very_same_roll_up(kind: str) -> None:
    rollup = rolled(kind)
    assert unpack_rollup(pack_rollup(rollup)) == rollup
    assert rollup_record(unpack_rollup(pack_rollup(rollup))) == rollup_record(rollup)


@pytest.mark.parametrize("body", [b"{}", b'{"v":9}', b"[]", b'{"v":1,"kind":"line","window":{}}'])
def test_what_is_no_roll_up_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"roll-up|version"):
        unpack_rollup(body)


def test_a_serial_line_is_told_by_what_leaves_it() -> None:
    record = json.loads(json.dumps(rollup_record(rolled("line"))))
    assert (record["scope"], record["line"], record["constraint"]) == ("line", "x-1", "weld")
    assert record["window"]["start"] == "1970-01-01T08:00:00+08:00"
    assert record["counts"] == {"entered": 180, "good": 120}
    assert record["kpi"]["line_oee"] == pytest.approx(120 * 37 / 3 / 3600)
    assert record["kpi"]["line_quality_rty"] == pytest.approx(170 / 180 * 120 / 140)
    assert "ole" not in record["kpi"]
    assert record["time_s"] == {"ct": 3600, "pot": 3600, "nst": 0, "pdot": 0, "pbt": 3600}
    assert [station["station"] for station in record["stations"]] == ["cut", "weld"]


def test_a_site_has_the_keys_of_a_machine_and_its_members() -> None:
    record = rollup_record(rolled("site"))
    machine = kpi_record(report("cut", 170, 10))
    assert set(machine) - {"machine"} <= set(record)
    assert set(machine["kpi"]) == set(record["kpi"])
    assert record["machines"] == 2
    assert [one["comparable"] for one in record["members"]] == [True, False]
    assert record["members"][0]["config_hash"] == "hash-cut"
    assert record["flags"] == ["PRU_ESTIMATED", "NOT_COMPARABLE"]


@pytest.mark.parametrize(("kind", "per_good"), [("line", 12 / 120), ("site", 12 / 290)])
def test_energy_is_that_of_all_machines_over_what_leaves_a_line_or_is_made(kind: str, per_good: float) -> None:
    record = rollup_record(rolled(kind, cut=4, weld=8))
    assert (record["energy_wh"]["e_total"], record["kpi"]["total_kwh"]) == (12_000, 12)
    assert record["kpi"]["kwh_per_good_piece"] == pytest.approx(per_good)
    assert "ENERGY_INCOMPLETE" not in record["flags"]
    assert unpack_rollup(pack_rollup(rolled(kind, 4, 8))) == rolled(kind, 4, 8)


@pytest.mark.parametrize("kind", ["line", "site"])
def test_energy_of_some_of_the_machines_only_is_told_to_be_so(kind: str) -> None:
    record = rollup_record(rolled(kind, cut=4))
    assert record["energy_wh"]["e_total"] == 4000
    assert "ENERGY_INCOMPLETE" in record["flags"]


def test_a_roll_up_has_a_topic_that_no_machine_can_have() -> None:
    [message] = JsonProfile("edge/gw-1", "gw-1", "0").rollup(rolled("area"))
    assert (message.topic, message.retain) == ("edge/gw-1/area/x-1/kpi/shift", True)
    assert orjson.loads(message.payload)["area"] == "x-1"
