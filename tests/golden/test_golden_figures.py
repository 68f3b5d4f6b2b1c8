"""Golden cases of the small pure functions: counters, orders, yields, energy, lamps and the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from typing import Any

import numpy as np

from edge_agent.config.signals import PowerModel, StacklightModel
from edge_agent.core import catalog, kpi, wall
from edge_agent.core.batch import Batch
from edge_agent.core.calendar import Calendar, CalendarKind, CalendarSpan, FixedCalendar
from edge_agent.core.capability import Characteristic, capability_of
from edge_agent.core.catalog import energy_values
from edge_agent.core.cell import Cell
from edge_agent.core.counters import Counter
from edge_agent.core.digital import Device, indices, level, sme_score
from edge_agent.core.energy import KWH, Factors
from edge_agent.core.fitted import Fitted
from edge_agent.core.ledger import Ledger, Policy
from edge_agent.core.lineup import Cycles, Plan, Serial, Station
from edge_agent.core.machine import Machine, MachineSpec
from edge_agent.core.meter import EVER, KNOWN, LOST, Meter, MeterSpec
from edge_agent.core.pieces import apportion
from edge_agent.core.reliability import order_kpis, reliability
from edge_agent.core.report import Report, Window
from edge_agent.core.rollup import Scope, roll_up
from edge_agent.core.sources import Rank, SourceSpec
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind, Tag
from edge_agent.core.yields import final_yield, first_pass_yield, rolled_throughput_yield

Json = Mapping[str, Any]
TOLERANCE = Fraction(5, 10_000_000)
SECOND = 1_000_000_000
HOUR = 3600 * SECOND
ELSEWHERE = {"timeline", "merge", "bounds", "semi_e10"}


def exact(value: object) -> Fraction:
    return Fraction(str(value))


def ns(seconds: object) -> int:
    return int(exact(seconds) * SECOND)


def assert_figures(found: Mapping[str, Fraction | float | None], expected: Json) -> None:
    for name, figure in expected.items():
        value = found[name]
        if figure is None or value is None:
            assert (value is None) == (figure is None), f"{name}: {value} instead of {figure}"
        elif isinstance(value, float) or "frac" not in figure:
            assert abs(Fraction(value) - exact(figure["dec"])) <= TOLERANCE, f"{name}: {value}"
        else:
            assert value == Fraction(figure["frac"]), f"{name}: {value} instead of {figure['frac']}"


def check_counter(case: Json) -> None:
    config = case.get("config", {})
    counter = Counter(config.get("bits"), config.get("max_rate_per_s"), config.get("jitter_tolerance", 2))
    fed = [
        counter.feed(ns(r["t_s"]), int(r["raw"]), bool(r.get("reset_signal", False)))
        for r in case["readings"]
    ]
    expected = case["expected"]
    assert [flag for _, flag in fed] == expected["flags"]
    assert [increment for increment, _ in fed] == expected["increments"]
    assert sum(increment for increment, _ in fed) == expected["total"]


def check_gap_apportion(case: Json) -> None:
    given = case["input"]
    weights = [ns(seconds) for seconds in given["busy_seconds_by_window"]]
    assert apportion(given["delta"], weights) == case["expected"]["parts_by_window"]


def check_order(case: Json) -> None:
    given = case["input"]
    aoet, aubt, apt = (exact(given[name]) for name in ("aoet_s", "aubt_s", "apt_s"))
    found = order_kpis(aoet, aubt, apt, given["pq"], given.get("sq", 0), given.get("planned_scrap", 0))
    assert_figures(found, case["expected"])


def check_reliability(case: Json) -> None:
    given = case["input"]
    restored = [exact(seconds) for seconds in given.get("ttr_s", [])]
    operating = given.get("operating_time_s", sum(map(exact, given.get("tbf_s", []))))
    cmt, pmt = exact(given.get("cmt_s", 0)), exact(given.get("pmt_s", 0))
    down, closed = sum(restored, Fraction(0)), len(restored)
    found = reliability(exact(operating), down, given["failures"], closed, cmt, pmt)
    assert_figures(found, case["expected"])


def check_wall_time(case: Json) -> None:
    for row in case["expected"]:
        found = wall.wall_to_ns(datetime.fromisoformat(row["wall"]), case["timezone"], row.get("fold", 0))
        assert found == wall.to_ns(datetime.fromisoformat(row["utc"])), row["wall"]


def check_quality(case: Json) -> None:
    given = dict(case["input"])
    steps = [exact(value) for value in given.get("other_step_fpy", [])]
    cell = Cell(
        pq=given["pq"],
        gq=given["good_first_pass"],
        sq=given["scrap"],
        rq=given["rework"],
        psq=Fraction(given.get("planned_scrap", 0)),
    )
    values = catalog.values(cell)
    found = {
        **values,
        "quality_ratio": values["quality_count"],
        "fpy": first_pass_yield(cell),
        "final_yield": final_yield(cell, given.get("reworked_ok", 0)),
        "rolled_throughput_yield": rolled_throughput_yield([first_pass_yield(cell), *steps]),
    }
    assert_figures(found, case["expected"])


def check_line(case: Json) -> None:
    """The stations' cells as a ledger makes them, through the roll-up of a serial line."""
    given, expected = case["input"], dict(case["expected"])
    pbt, design = ns(given["pbt_s"]), given.get("line_design_cycle_s")
    reports = [station_report(station, pbt) for station in given["stations"]]
    stations = tuple(Station((Cycles(s["name"], exact(s["ideal"])),)) for s in given["stations"])
    names = tuple(report.machine for report in reports)
    scope = Scope(
        "line", "line", names, dict.fromkeys(names, Policy()), Calendar("UTC", None), "UTC", "",
        serial=Serial(stations, design=None if design is None else exact(design)),
    )  # fmt: skip
    rollup = roll_up(scope, reports[0].window, reports)
    assert rollup.line is not None
    assert (rollup.line.plan, rollup.line.good) == (Plan(pbt, 0, 0, pbt), given["line_end_good"])
    station_oee = {name: figures["oee"] for name, figures in rollup.line.stations.items()}
    assert_figures(station_oee, expected.pop("station_oee", {}))
    mean = kpi.kpis(rollup.cell)["oee"]
    assert_figures({**rollup.line.kpi, "pbt_weighted_mean_of_stations": mean}, expected)


def station_report(station: Json, pbt: int) -> Report:
    run, ideal = ns(station["run"]), exact(station["ideal"])
    total, good = station["total"], station["good"]
    cell = Cell(
        ct=pbt, apt=run, adet_other=pbt - run, pq=total, gq=good, sq=total - good, ipt=ideal * total, igt=ideal * good
    )
    return Report(station["name"], Window("shift", "day", 0, pbt, date(1970, 1, 1), "UTC"), 0, True, pbt, "", cell)


def ledger(**fitted: Any) -> Ledger:
    """Planned to be busy all day."""
    busy = FixedCalendar([CalendarSpan(0, 24 * HOUR, CalendarKind.BUSY)])
    return Ledger(busy, Policy(fitted=Fitted(**fitted)))


def check_capability(case: Json) -> None:
    given = case["input"]
    n, points = len(given["subgroups"][0]), [float(x) for group in given["subgroups"] for x in group]
    one = Characteristic("x", float(given["lsl"]), float(given["usl"]), n)
    held = ledger(gauges=((one, False),))
    held.measure("x", [(at * SECOND, x) for at, x in enumerate(points, start=1)])
    [(_, stats)] = held.cell(0, HOUR).measured.parts
    c4, d2 = (float(given[f"{name}_n{n}"]) if f"{name}_n{n}" in given else None for name in ("c4", "d2"))
    for constants in ((c4, d2), (None, None)):
        assert_figures(capability_of(one, stats, *constants), case["expected"])


def check_energy(case: Json) -> None:
    given = case["input"]
    factors = Factors(exact(given["grid_factor"]), exact(given["kgce_per_kwh"]))
    held = ledger(meters=(("main", None),), factors=factors)
    held.energy(0, "main", 0, EVER, LOST)
    for at, (state, kwh) in enumerate(given["kwh_by_state"].items()):
        held.state(at * HOUR, MachineState[state])
        held.energy((at + 1) * HOUR, "main", int(exact(kwh) * KWH), at * HOUR, KNOWN)
    held.count(HOUR, "total", total=given["pq"], scrap=given["pq"] - given["gq"])
    assert_figures(energy_values(held.cell(0, len(given["kwh_by_state"]) * HOUR)), case["expected"])


def check_energy_register(case: Json) -> None:
    given = case["input"]
    a_mw = 1_000_000_000 / (exact(given["scale"]) * KWH)    # steps a second
    spec = MeterSpec("main", 1.0, 0.0, exact(given["scale"]) * KWH, 1 << given["bits"], rate=a_mw)
    meter = Meter(spec, silence_ns=HOUR)
    booked = [one for at, raw in enumerate(given["raw"]) for one in meter.take(at * HOUR, raw)]
    kwh = Fraction(sum(spec.millijoules(one.increment) for one in booked), KWH)
    assert_figures({"kwh": kwh}, case["expected"])


def check_digitalisation(case: Json) -> None:
    given, expected = case["input"], case["expected"]
    flags = {"digital", "connected", "cloud", "key_process", "nc", "oee_ready", "semantic"}
    rows = [dict(zip(given["fields"], row, strict=True)) for row in given["devices"]]
    known: list[dict[str, Any]] = [
        {k: v if k == "name" else bool(v) if k in flags else exact(v) for k, v in row.items()} for row in rows
    ]
    devices = [Device(**row) for row in known]
    found = indices(devices)
    assert {device.name: level(device) for device in devices} == expected["levels"]
    assert_figures(found, expected["kpi"])
    scores = {
        "q2_digital_rate": sme_score(found["device_digital_rate"]),
        "q3_connected_rate": sme_score(found["device_connected_rate_of_all"]),
    }
    for name, score in expected.get("sme2024_score", {}).items():
        assert scores[name] == exact(score), name


def check_stack_light(case: Json) -> None:
    """A machine with a stack light and a meter is shown each row of the table, blinking lamps blinking."""
    lamps = {lamp: Tag(n, "io", lamp, Kind.BOOL) for n, lamp in enumerate(("red", "yellow", "green", "blue"))}
    meter = Tag(len(lamps), "meter", "power")
    for row in case["expected"]["table"]:
        held = machine_of(
            SourceSpec(Rank.DI, StacklightModel(**{lamp: tag.id for lamp, tag in lamps.items()}).judge(), lamps),
            SourceSpec(Rank.POWER, PowerModel(tag=meter.id, off=50).judge(), {"power": meter}, frozenset({"power"})),
        )
        # The table's dark row stands for a meter that agrees; its reason spells the rule out.
        samples = [(meter, 0, 10.0 if row["state"] == "OFF" else 800.0)]
        for tenths in range(0, 100, 2):
            lit = {"0": 0, "1": 1, "B": tenths // 4 % 2}
            samples += [(tag, tenths * SECOND // 10, float(lit[row[lamp]])) for lamp, tag in lamps.items()]
        held.feed(batch_of(samples))
        held.confirm(10 * SECOND)
        assert held.current.state.name == row["state"], row
        assert held.current.reason == (row.get("reason") or "").partition(":")[0], row


def check_power_state(case: Json) -> None:
    """A machine with nothing but a meter gets the readings, as a driver would bring them."""
    config, expected = case["config"], case["expected"]
    meter = Tag(0, "meter", "power")
    off, run = ([config[f"{name}_{edge}_w"] for edge in ("low", "high")] for name in ("off", "run"))
    model = PowerModel.model_validate(
        {"tag": meter.id, "off": off, "run": run, "dwell": f"{config['dwell_s']}s", "median": "0s"}
    )
    held = machine_of(SourceSpec(Rank.POWER, model.judge(), {"power": meter}, frozenset({"power"})))
    held.feed(batch_of([(meter, ns(sample["t_s"]), float(sample["w"])) for sample in case["samples"]]))
    end = ns(expected.get("end_s", case["samples"][-1]["t_s"]))
    held.confirm(end)
    changes = [(change.since, change.state.name) for change in held.take_changes()]
    assert changes == [(ns(s["t_s"]), s["state"]) for s in expected["states"]]
    spans = held.ledger.spans(changes[0][0], end)
    assert [(span.start, span.state.name) for span in spans] == changes
    for name, seconds in expected.get("duration_s", {}).items():
        assert sum(span.end - span.start for span in spans if span.state.name == name) == ns(seconds), name


def machine_of(*sources: SourceSpec) -> Machine:
    """A machine with these sources of its state, always planned busy."""
    calendar = Calendar("UTC", shifts=None)
    return Machine(MachineSpec("m", None, {}, calendar, Policy(), {}, ideal=Fraction(1), sources=sources))


def batch_of(samples: Sequence[tuple[Tag, int, float]]) -> Batch:
    tags, times, values = zip(*samples, strict=True)
    positions = np.array([tag.position for tag in tags], np.int32)
    return Batch(positions, np.array(times, np.int64), np.array(values), np.zeros(len(samples), np.uint8))


CHECKS = {
    "counter": check_counter,
    "gap_apportion": check_gap_apportion,
    "order": check_order,
    "reliability": check_reliability,
    "wall_time": check_wall_time,
    "quality": check_quality,
    "line": check_line,
    "capability": check_capability,
    "energy": check_energy,
    "energy_register": check_energy_register,
    "digitalisation": check_digitalisation,
    "stack_light": check_stack_light,
    "power_state": check_power_state,
}


def test_a_case_gives_its_golden_figures(case: dict[str, Any]) -> None:
    CHECKS[case["kind"]](case)


def test_every_kind_of_the_file_is_checked(golden: dict[str, Any]) -> None:
    assert {case["kind"] for case in golden["cases"]} <= ELSEWHERE | set(CHECKS)
