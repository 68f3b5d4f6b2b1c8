"""Roll-ups: sums of members' reports, whoever comes first and however they are grouped."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core import kpi
from edge_agent.core.calendar import Calendar
from edge_agent.core.cell import Cell
from edge_agent.core.ledger import Policy
from edge_agent.core.lineup import Cycles, Plan, Serial, Station
from edge_agent.core.report import Report, Window
from edge_agent.core.rollup import MEMBERS, NOT_COMPARABLE, Rollup, Scope, roll_up

S = 1_000_000_000
HOUR = 3600 * S
WINDOW = Window("hour", "hour", 0, HOUR, date(1970, 1, 1), "UTC")

times = st.integers(0, HOUR)
counts = st.integers(0, 500)


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    """What a machine may have done in an hour."""
    cuts = sorted([0, HOUR, *draw(st.lists(times, min_size=4, max_size=4))])
    apt, micro, fault, nst, adot = (high - low for low, high in pairwise(cuts))
    good, scrap = draw(counts), draw(counts)
    cycle = Fraction(draw(st.integers(1, 400)), 10)
    return Cell(
        ct=HOUR, nst=nst, apt=apt, micro=micro, adet_fault=fault, adot=adot, pq=good + scrap, gq=good, sq=scrap,
        ipt=cycle * (good + scrap), igt=cycle * good,
    )  # fmt: skip


def report(machine: str, cell: Cell, *, final: bool = True, as_of: int = HOUR, flags: tuple[str, ...] = ()) -> Report:
    return Report(machine, WINDOW, 0, final, as_of, "", cell, flags)


def scope(*machines: str, **rules: Policy) -> Scope:
    known = {machine: rules.get(machine, Policy()) for machine in machines}
    return Scope("area", "a", machines, known, None, "UTC", "h")


def area(*reports: Report) -> Rollup:
    return roll_up(scope(*(one.machine for one in reports)), WINDOW, reports)


@given(st.lists(cells(), min_size=1, max_size=6), st.randoms())
def test_any_order_and_any_grouping_of_the_members_gives_the_same(found: list[Cell], random: object) -> None:
    reports = [report(f"m{at}", cell) for at, cell in enumerate(found)]
    shuffled = list(reports)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    whole = roll_up(scope(*(one.machine for one in reports)), WINDOW, reports)
    assert roll_up(scope(*(one.machine for one in reports)), WINDOW, shuffled) == whole
    for cut in range(1, len(reports)):
        assert area(*reports[:cut]).cell + area(*reports[cut:]).cell == whole.cell


@given(st.lists(cells(), min_size=1, max_size=6))
def test_the_oee_of_a_sum_is_the_mean_weighted_by_planned_busy_time(found: list[Cell]) -> None:
    cell = area(*(report(f"m{at}", one) for at, one in enumerate(found))).cell
    oees = [(kpi.kpis(one)["oee"], one.pbt) for one in found]
    weighted = sum((oee * pbt for oee, pbt in oees if oee is not None), Fraction(0))
    assert kpi.kpis(cell)["oee"] == (weighted / cell.pbt if cell.pbt else None)
    assert sum(kpi.waterfall(cell).values()) == Fraction(cell.pbt, S)


@given(st.lists(st.tuples(cells(), cells()), min_size=2, max_size=4))
def test_a_serial_line_is_the_sum_of_its_parts_of_time(hours: list[tuple[Cell, Cell]]) -> None:
    """Two stations over some hours: what is additive of the line adds up, so a shift is the sum of its hours."""
    names = ("cut", "weld")
    line = Scope(
        "line", "l", names, dict.fromkeys(names, Policy()), Calendar("UTC", None), "UTC", "h",
        serial=Serial((Station((Cycles("cut", Fraction(10)),)), Station((Cycles("weld", Fraction(12)),)))),
    )  # fmt: skip
    parts = []
    for at, pair in enumerate(hours):
        window = replace(WINDOW, start=at * HOUR, end=(at + 1) * HOUR)
        members = [
            Report(name, window, 0, True, window.end, "", cell) for name, cell in zip(names, pair, strict=True)
        ]
        parts.append(roll_up(line, window, members).line)
    span = replace(WINDOW, end=len(hours) * HOUR)
    sums = [sum((pair[at] for pair in hours), Cell()) for at in (0, 1)]
    members = [Report(name, span, 0, True, span.end, "", cell) for name, cell in zip(names, sums, strict=True)]
    whole = roll_up(line, span, members).line
    assert whole is not None
    made = [part for part in parts if part is not None]
    assert whole.plan == Plan(*(sum(column) for column in zip(*(part.plan for part in made), strict=True)))
    assert (whole.entered, whole.good) == (sum(part.entered for part in made), sum(part.good for part in made))
    assert whole.ideal == sum(part.ideal or 0 for part in made)
    assert whole.kpi["line_oee"] == whole.ideal / (len(hours) * 3600)


def test_a_roll_up_is_final_only_when_all_members_are_and_as_of_the_earliest() -> None:
    open_one = area(report("a", Cell()), report("b", Cell(), final=False, as_of=HOUR - S))
    assert (open_one.final, open_one.as_of) == (False, HOUR - S)
    assert area(report("a", Cell()), report("b", Cell())).final


@pytest.mark.parametrize(
    "reports",
    [
        [report("a", Cell())],
        [report("a", Cell()), report("a", Cell())],
        [report("a", Cell()), report("b", Cell()), report("c", Cell())],
        [report("a", Cell()), replace(report("b", Cell()), window=replace(WINDOW, end=HOUR - 1))],
    ],
    ids=["one is missing", "one comes twice", "a stranger", "other instants"],
)
def test_members_must_be_complete_and_of_the_same_instants(reports: list[Report]) -> None:
    with pytest.raises(ValueError, match=r"reports? of"):
        roll_up(scope("a", "b"), WINDOW, reports)


def test_members_judged_by_other_rules_are_marked() -> None:
    strict = Policy(micro_stop_ns=60 * S)
    of = scope("a", "b", "c", b=strict)
    made = roll_up(of, WINDOW, [report(name, Cell()) for name in "abc"])
    assert (made.unlike, NOT_COMPARABLE in made.flags) == (frozenset("b"), True)
    assert roll_up(scope("a", "b", a=strict, b=strict), WINDOW, [report(n, Cell()) for n in "ab"]).flags == ()


def test_how_long_the_last_state_is_held_matters_only_where_it_is() -> None:
    assert scope("a", "b", a=Policy(hold_max_ns=S)).unlike() == frozenset()
    held = {"unknown": "hold"}
    assert scope("a", "b", a=Policy(hold_max_ns=S, **held), b=Policy(hold_max_ns=2 * S, **held)).unlike() == {"b"}


def test_flags_that_a_sum_hides_are_carried_and_those_it_answers_itself_are_not() -> None:
    dark = Cell(ct=HOUR, unk=HOUR, unk_raw=HOUR)
    lit = Cell(ct=HOUR, apt=HOUR)
    members = [report(f"m{at}", lit) for at in range(12)]
    quiet = report("dark", dark, flags=(kpi.LOW_CONFIDENCE, kpi.COUNT_SKEW))
    assert area(quiet, *members).flags == (kpi.COUNT_SKEW,)
    assert area(quiet, members[0]).flags == (kpi.LOW_CONFIDENCE, kpi.COUNT_SKEW)


def test_of_many_members_those_with_something_to_say_are_shown() -> None:
    members = [report(f"m{at}", Cell(pq=1)) for at in range(MEMBERS + 50)]
    members[-1] = replace(members[-1], flags=(kpi.COUNT_SKEW,))
    made = area(*members)
    assert (made.machines, made.cell.pq, len(made.members)) == (MEMBERS + 50, MEMBERS + 50, MEMBERS)
    assert made.members[0].machine == members[-1].machine


def test_a_line_faster_than_its_design_cycle_says_so() -> None:
    fast = Cell(ct=HOUR, apt=HOUR, pq=1000, gq=1000)
    line = Scope(
        "line", "l", ("a",), {"a": Policy()}, Calendar("UTC", None), "UTC", "h",
        serial=Serial((Station((Cycles("a", Fraction(10)),)),)),
    )  # fmt: skip
    assert kpi.PERFORMANCE_GT_1 in roll_up(line, WINDOW, [report("a", fast)]).flags
