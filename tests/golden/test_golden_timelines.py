"""Golden cases that run a ledger: timelines, merges, bounds, SEMI E10."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from statistics import mean
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge_agent.core import kpi, semi, wall
from edge_agent.core.calendar import CalendarKind, CalendarSpan, FixedCalendar
from edge_agent.core.cell import COUNTS, TIMES, Cell
from edge_agent.core.ledger import Ledger, Policy
from edge_agent.core.reliability import reliability_of
from edge_agent.core.report import Report, Window
from edge_agent.core.rollup import Rollup, Scope, roll_up
from edge_agent.core.states import MachineState

Json = Mapping[str, Any]
TOLERANCE = Fraction(5, 10_000_000)
SECOND = 1_000_000_000


def instant(text: str) -> int:
    return wall.to_ns(datetime.fromisoformat(text))


def span_ns(seconds: object) -> int:
    return int(Fraction(str(seconds)) * SECOND)


def policy_of(config: Json) -> Policy:
    hold_max = config.get("hold_max_s")
    return Policy(
        micro_stop_ns=span_ns(config.get("micro_stop_s", 300)),
        unknown=config.get("unknown_policy", "bridge"),
        outside_plan=config.get("run_outside_plan", "promote"),
        hold_max_ns=None if hold_max is None else span_ns(hold_max),
    )


def calendar_of(case: Json) -> FixedCalendar:
    return FixedCalendar(
        CalendarSpan(instant(s["start"]), instant(s["end"]), CalendarKind(s["kind"]), s.get("label", ""))
        for s in case.get("calendar", [])
    )


def ledger_of(case: Json, config: Json, *, backwards: bool = False) -> Ledger:
    """The case's events, in the order of the file; or the last first, and every one of them twice."""
    ledger = Ledger(calendar_of(case), policy_of(config))
    states, jobs, counts = case.get("states", []), case.get("jobs", []), case.get("counts", [])
    times = 2 if backwards else 1
    turn = (lambda events: [*reversed(events)] * times) if backwards else list
    for s in turn(states):
        ledger.state(instant(s["t"]), MachineState[s["state"]], s.get("reason") or "", s.get("order"))
    for j in turn(jobs):
        ideal = j.get("ideal_cycle_s")
        ledger.job(instant(j["t"]), j.get("product") or "", None if ideal is None else Fraction(str(ideal)))
    for c in turn(counts):
        numbers = c.get("total", 0), c.get("scrap", 0) or 0, c.get("rework", 0) or 0
        since = c.get("since")
        # Two reports that differ are two reports, even at one instant; equal ones are one.
        ledger.count(instant(c["t"]), str(numbers), *numbers, since=None if since is None else instant(since))
    return ledger


def cell_of(case: Json, config: Json, window: Json, *, backwards: bool = False) -> Cell:
    as_of = case.get("as_of")
    ledger = ledger_of(case, config, backwards=backwards)
    known = None if as_of is None else instant(as_of)
    return ledger.cell(instant(window["start"]), instant(window["end"]), known)


def assert_figure(name: str, found: Fraction | float | None, expected: Json | str | float | None) -> None:
    """Equal to the exact fraction, or within half a millionth where only decimals are given."""
    if expected is None or found is None:
        assert (found is None) == (expected is None), f"{name}: {found} instead of {expected}"
        return
    if isinstance(expected, Mapping) and "frac" in expected:
        exact = Fraction(expected["frac"])
        close = found == exact or abs(Fraction(found) - exact) <= TOLERANCE
        assert close, f"{name}: {found} instead of {exact}"
        return
    decimal = Fraction(str(expected["dec"] if isinstance(expected, Mapping) else expected))
    assert abs(Fraction(found) - decimal) <= TOLERANCE, f"{name}: {float(found)} instead of {expected}"


def figures_of(cell: Cell) -> dict[str, Fraction | None]:
    return {**kpi.kpis(cell), **kpi.capped(cell), **reliability_of(cell)}


def assert_cell(cell: Cell, expected: Json) -> None:
    for name, seconds in expected.get("time_s", {}).items():
        assert Fraction(getattr(cell, name), SECOND) == Fraction(str(seconds)), name
    for name, number in expected.get("counts", {}).items():
        assert getattr(cell, name) == number, name
    for name, seconds in expected.get("ideal_s", {}).items():
        assert_figure(name, getattr(cell, name), {"frac": str(seconds)})
    figures = figures_of(cell)
    for name, figure in expected.get("kpi", {}).items():
        assert_figure(name, figures[name], figure)
    for name in set(expected) & set(figures):
        assert_figure(name, figures[name], expected[name])


def assert_extra(case: Json, cell: Cell, parts: Sequence[Cell]) -> None:
    extra = case["expected"].get("extra", {})
    figures = figures_of(cell)
    raised = kpi.flags(cell)
    for flag in [extra["flag"]] if isinstance(extra.get("flag"), str) else extra.get("flags", []):
        assert flag in raised
    if "provisional" in extra:
        window, as_of = case["window"], case.get("as_of")
        known = None if as_of is None else instant(as_of)
        ledger = ledger_of(case, case.get("config", {}))
        found = ledger.is_provisional(instant(window["start"]), instant(window["end"]), known)
        assert found == extra["provisional"]
    wrong = wrong_figures(case, cell, parts)
    for name, figure in extra.items():
        if name in figures or name in wrong:
            assert_figure(name, figures.get(name, wrong.get(name)), figure)
        elif name in (*TIMES, *COUNTS):
            assert getattr(cell, name) == (figure if name in COUNTS else span_ns(figure))
        elif isinstance(figure, Mapping):
            pytest.fail(f"no figure is called {name}")


def wrong_figures(case: Json, cell: Cell, parts: Sequence[Cell]) -> dict[str, Fraction | None]:
    """What the well-known mistakes would give: the golden file names them so that nobody makes them."""
    values = kpi.kpis(cell)
    a, p, q = values["availability_classic"], values["performance_classic"], values["quality_count"]
    oees = [found for part in parts if (found := kpi.kpis(part)["oee"]) is not None]
    cycles = [Fraction(j["ideal_cycle_s"]) for j in case.get("jobs", []) if j.get("ideal_cycle_s")]
    run = Fraction(cell.apt + cell.credited + cell.micro, SECOND)
    return {
        "wrong_mean_of_oee": mean(oees) if oees else None,
        "wrong_A_P_Qcount": None if a is None or p is None or q is None else a * p * q,
        "wrong_mean_cycle_performance": mean(cycles) * cell.pq / run if cycles and run else None,
    }


def assert_published(case: Json, cell: Cell) -> None:
    """As printed by the source: to one unit of the last digit, for some sources truncate."""
    for name, printed in case.get("published", {}).items():
        found, digits = figures_of(cell)[name], min(15, len(printed.partition(".")[2]))
        assert found is not None
        assert abs(found - Fraction(printed)) <= Fraction(1, 10**digits), name


def check_timeline(case: Json, golden: Json) -> None:
    config, window = case.get("config", {}), case["window"]
    cell = cell_of(case, config, window)
    assert_cell(cell, case["expected"])
    assert cell_of(case, config, window, backwards=True) == cell
    subwindows = [cell_of(case, config, sub) for sub in case.get("subwindows", [])]
    for part, expected in zip(subwindows, case.get("expected_subwindows", []), strict=True):
        assert_cell(part, expected)
    tiles = [window["start"], *(sub["end"] for sub in case.get("subwindows", []))]
    starts = [*(sub["start"] for sub in case.get("subwindows", [])), window["end"]]
    if subwindows and list(map(instant, tiles)) == list(map(instant, starts)):
        assert sum(subwindows, Cell()) == cell
    if "production_date" in case:
        zone = ZoneInfo(case["timezone"])
        start = wall.local(instant(window["start"]), zone)
        assert start.date() == date.fromisoformat(case["production_date"])
    assert_extra(case, cell, subwindows)
    assert_published(case, cell)


def check_merge(case: Json, golden: Json) -> None:
    config = case.get("config", {})
    parts = [cell_of(part, {**config, **part.get("config", {})}, part["window"]) for part in case["parts"]]
    names = [part.get("name") for part in case["parts"]]
    for expected in case.get("expected_parts", []):
        assert_cell(parts[names.index(expected["name"])], expected)
    cell = rolled_up(names, parts)
    assert_cell(cell, case["expected"])
    assert_extra(case, cell, parts)
    assert_published(case, cell)


def rolled_up(names: Sequence[str | None], parts: Sequence[Cell]) -> Cell:
    """As members of a site, in two groups and in one, either way round."""
    window = Window("span", "span", 0, 1, date(1970, 1, 1), "UTC")
    reports = [Report(str(name), window, 0, True, 1, "", cell) for name, cell in zip(names, parts, strict=True)]

    def site(members: Sequence[Report]) -> Rollup:
        machines = tuple(report.machine for report in members)
        rules = dict.fromkeys(machines, Policy())
        return roll_up(Scope("site", "plant", machines, rules, None, "UTC", ""), window, members)

    whole = site(reports)
    assert site(reports[::-1]).cell == whole.cell
    assert site(reports[:1]).cell + site(reports[1:]).cell == whole.cell
    return whole.cell


def named_timeline(case: Json, golden: Json) -> Json:
    """The timeline a case without input of its own speaks of: by `of`, by its title, by its id."""
    timelines = [other for other in golden["cases"] if other["kind"] == "timeline"]
    titles = re.findall(r"\bG\d+[a-z]?\b", str(case.get("title", "")))
    for name in [case.get("of"), *titles, case["id"].rstrip("abcdefghijklmnopqrstuvwxyz"), case["id"][:-1]]:
        exact = [other for other in timelines if other["id"] == name]
        family = [t for t in timelines if name and re.fullmatch(rf"{re.escape(name)}[a-z]?", t["id"])]
        if exact or family:
            found: Json = (exact or family)[0]
            return found
    pytest.fail(f"{case['id']} names no timeline of this file")


def input_of(case: Json, golden: Json) -> Json:
    return case if "window" in case else named_timeline(case, golden)


def check_bounds(case: Json, golden: Json) -> None:
    """Bounds are those of a persistent counter whatever the policy of the timeline: bridge it."""
    base = input_of(case, golden)
    cell = cell_of(base, {**base.get("config", {}), "unknown_policy": "bridge"}, base["window"])
    values, known, lost = kpi.kpis(cell), kpi.bounds(cell), kpi.bounds(cell, counter_persists=False)
    figures = {
        "availability_low": known["availability"][0],
        "availability_proven": values["availability_iso"],
        "availability_high": known["availability"][1],
        "performance_low": known["performance"][0] if "performance" in known else None,
        "performance_proven": values["effectiveness_iso"],
        "performance_high": known["performance"][1] if "performance" in known else None,
        "oee_if_counter_persistent": known["oee"][0],
        "oee_low_if_counter_lost": lost["oee"][0],
        "oee_high_if_counter_lost": lost["oee"][1],
        **values,
    }
    for name, figure in case["expected"].items():
        assert_figure(name, figures[name], figure)


def check_semi_e10(case: Json, golden: Json) -> None:
    base = input_of(case, golden)
    cell = cell_of(base, base.get("config", {}), base["window"])
    times, values = semi.e10_times(cell), semi.e10_kpis(cell)
    assert sum(times.values()) == cell.ct
    for name, seconds in case["expected"].get("time_s", {}).items():
        assert times[name] == span_ns(seconds), name
    for name, figure in case["expected"].get("kpi", {}).items():
        assert_figure(name, values[name], figure)


CHECKS = {
    "timeline": check_timeline,
    "merge": check_merge,
    "bounds": check_bounds,
    "semi_e10": check_semi_e10,
}


def test_a_timeline_gives_its_golden_figures(case: dict[str, Any], golden: dict[str, Any]) -> None:
    CHECKS[case["kind"]](case, golden)
