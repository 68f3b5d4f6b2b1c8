"""Roll-ups of a running engine: which windows, of which instants, final when, and after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from fractions import Fraction

import numpy as np

from edge_agent.core.batch import row
from edge_agent.core.calendar import Calendar, ShiftRule
from edge_agent.core.cell import Cell
from edge_agent.core.counters import Counter
from edge_agent.core.engine import Engine
from edge_agent.core.ledger import Policy
from edge_agent.core.lineup import Cycles, Serial, Station
from edge_agent.core.machine import MachineSpec
from edge_agent.core.report import Report
from edge_agent.core.rollup import Rollup, Scope, roll_up
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind, Tag, TagTable, scan_group

S = 1_000_000_000
MINUTE, HOUR = 60 * S, 3600 * S
DAY0 = 20_000 * 24 * HOUR       # a midnight UTC
WATERMARK = 10 * MINUTE
DAILY = frozenset(range(7))
CYCLES = {"cut": 10, "weld": 12}


def calendar(start: int, end: int, name: str = "early") -> Calendar:
    return Calendar("UTC", [ShiftRule(name, DAILY, time(start), time(end))])


class Plant:
    """Two machines on one device, one after the other in a line, and a clock under the test's hand."""

    def __init__(self, kinds: Sequence[str] = ("shift",), own: Calendar | None = None) -> None:
        self.kinds = tuple(kinds)
        self.line_calendar = calendar(6, 14)
        self.own = own or self.line_calendar
        self.table = TagTable(Tag(n, "plc", name, Kind.INT) for n, name in enumerate(("s1", "n1", "s2", "n2", "bad")))
        self.group = scan_group(self.table)
        self.engine = self.fresh()

    def fresh(self) -> Engine:
        s1, n1, s2, n2, bad = self.table
        specs = [
            MachineSpec(
                id=name, state=state, states={0: MachineState.IDLE, 1: MachineState.RUN},
                calendar=self.line_calendar if name == "cut" else self.own, policy=Policy(),
                counts={"total": total, "scrap": bad},
                counters={source: lambda: Counter(32, 10) for source in ("total", "scrap")},
                ideal=Fraction(CYCLES[name]),
            )
            for name, state, total in (("cut", s1, n1), ("weld", s2, n2))
        ]  # fmt: skip
        machines = ("cut", "weld")
        serial = Serial(tuple(Station((Cycles(name, Fraction(CYCLES[name])),)) for name in machines))
        rules = dict.fromkeys(machines, Policy())
        scopes = [
            Scope("line", "l", machines, rules, self.line_calendar, "UTC", "h", serial=serial),
            Scope("site", "s", machines, rules, None, "UTC", "h"),
        ]
        return Engine(
            self.table, [self.group], specs, ring_bytes=1_000_000, windows=self.kinds, watermark_ns=WATERMARK,
            scopes=scopes,
        )  # fmt: skip

    def scan(self, t: int, *values: int) -> None:
        """State and total of the first, state and total of the second machine."""
        self.engine.seen[:] = t
        self.engine.feed("plc", row(self.group, t, np.array([*values, 0], float)))

    def turn(self, now: int) -> tuple[list[Report], list[Rollup]]:
        """As the agent does it: the machines, then the line and the site."""
        reports = self.engine.reports(now)
        scopes = self.engine.rollups.scopes.values()
        return reports, [r for scope in scopes for r in self.engine.rollups_of(scope, now) if r is not None]


def test_an_open_roll_up_is_as_of_the_instant_up_to_which_all_members_are_known() -> None:
    plant = Plant()
    start = DAY0 + 6 * HOUR
    plant.scan(start, 1, 0, 1, 0)
    plant.scan(start + 60 * S, 1, 5, 1, 4)
    plant.engine.seen[[0, 1, 4]] = start + 90 * S
    reports, [line] = plant.turn(start + 91 * S)
    assert {one.machine: one.as_of for one in reports} == {"cut": start + 90 * S, "weld": start + 60 * S}
    assert (line.as_of, line.final, line.cell.ct) == (start + 60 * S, False, 2 * 60 * S)
    assert {one.as_of for one in line.members} == {start + 60 * S}
    assert line.line is not None
    assert line.line.kpi["line_oee"] == Fraction(4 * 12, 60)


def test_a_window_of_a_line_is_final_when_its_members_are_and_is_their_sum() -> None:
    plant = Plant()
    end = DAY0 + 14 * HOUR
    plant.scan(DAY0 + 6 * HOUR, 1, 0, 1, 0)
    plant.turn(DAY0 + 6 * HOUR + S)
    plant.scan(end, 1, 2000, 1, 1900)
    assert not any(one.final for one in plant.turn(end + WATERMARK - 1)[1])
    plant.scan(end + WATERMARK, 1, 2000, 1, 1900)
    reports, rollups = plant.turn(end + WATERMARK)
    finals = [one for one in reports if one.final]
    [line] = [one for one in rollups if one.final]
    assert line.members == tuple(finals)
    assert line == roll_up(plant.engine.rollups.scopes["line/l"], finals[0].window, finals)
    assert [one for one in plant.turn(end + WATERMARK + S)[1] if one.final] == []


def test_members_with_other_shifts_are_judged_over_the_lines_shift() -> None:
    """The welder works from 8 to 16. Of the line's shift until 14 it has planned busy time from 8 on."""
    plant = Plant(own=calendar(8, 16, "late"))
    start = DAY0 + 6 * HOUR
    plant.scan(start, 1, 0, 0, 0)
    plant.turn(start + S)
    plant.scan(start + 4 * HOUR, 1, 1000, 0, 0)
    _, [line] = plant.turn(start + 4 * HOUR)
    assert (line.window.name, line.window.start, line.window.end) == ("early", start, start + 8 * HOUR)
    cut, weld = (one.cell for one in line.members)
    assert (cut.ct, cut.pbt, weld.ct, weld.pbt) == (4 * HOUR, 4 * HOUR, 4 * HOUR, 2 * HOUR)
    assert line.line is not None
    assert line.line.plan.pbt == 4 * HOUR


def test_a_site_without_a_calendar_of_its_own_has_hours_and_days_and_no_shifts() -> None:
    plant = Plant(kinds=("shift", "hour", "day"))
    plant.scan(DAY0 + 6 * HOUR, 1, 0, 1, 0)
    plant.scan(DAY0 + 6 * HOUR + MINUTE, 1, 3, 1, 2)
    _, rollups = plant.turn(DAY0 + 6 * HOUR + MINUTE)
    assert {(one.kind, one.window.kind) for one in rollups} == {
        ("line", "shift"), ("line", "hour"), ("line", "day"), ("site", "hour"), ("site", "day"),
    }  # fmt: skip


def test_what_a_lines_open_shift_needs_is_not_forgotten_with_the_machines_own() -> None:
    """The welder's shifts are an hour long: its own windows would let it forget all that was before."""
    short = Calendar("UTC", [ShiftRule(f"s{hour}", DAILY, time(hour), time(hour + 1)) for hour in range(6, 14)])
    plant = Plant(own=short)
    start = DAY0 + 6 * HOUR
    for at in range(0, 7 * 60, 5):
        plant.scan(start + at * MINUTE, 1, at * 6, at // 5 % 2, at * 3)
        plant.turn(start + at * MINUTE)
    end = start + 8 * HOUR
    plant.scan(end + WATERMARK, 0, 7 * 360, 0, 7 * 180)
    [line] = [one for one in plant.turn(end + WATERMARK)[1] if one.final]
    assert [one.cell.unk for one in line.members] == [0, 0]
    assert [one.cell.ct for one in line.members] == [8 * HOUR, 8 * HOUR]


def test_what_is_learned_of_a_member_later_makes_a_revision_of_the_sum() -> None:
    plant = Plant()
    start, end = DAY0 + 6 * HOUR, DAY0 + 14 * HOUR
    plant.scan(start, 1, 0, 1, 0)
    plant.turn(start + S)
    plant.scan(end - MINUTE, 1, 2000, 1, 1900)
    plant.scan(end + WATERMARK, 1, 2000, 1, 1900)
    [first] = [one for one in plant.turn(end + WATERMARK)[1] if one.final]
    assert [one for one in plant.turn(end + WATERMARK + S)[1] if one.final] == []
    plant.scan(end - HOUR, 0, 1900, 1, 1800)
    reports, rollups = plant.turn(end + WATERMARK + MINUTE)
    [again] = [one for one in rollups if one.final]
    told = {one.machine: one for one in reports if one.final}
    assert (first.revision, again.revision, again.window) == (0, 1, first.window)
    assert {one.machine: one.revision for one in again.members} == {
        name: told[name].revision if name in told else 0 for name in CYCLES
    }
    assert again.cell == sum((told[one.machine].cell if one.machine in told else one.cell for one in first.members),
                             Cell())  # fmt: skip
    assert again.cell != first.cell
    assert [one for one in plant.turn(end + WATERMARK + 2 * MINUTE)[1] if one.final] == []


def test_a_member_whose_own_shift_goes_on_revises_its_lines_shift_too() -> None:
    """The welder's shift lasts until 16, so that it has no final record of its own that could be revised."""
    plant = Plant(own=calendar(8, 16, "late"))
    start, end = DAY0 + 6 * HOUR, DAY0 + 14 * HOUR
    plant.scan(start, 1, 0, 1, 0)
    plant.turn(start + S)
    plant.scan(end - 2 * HOUR, 1, 2000, 1, 1700)
    plant.scan(end + WATERMARK, 1, 2100, 1, 1900)
    [first] = [one for one in plant.turn(end + WATERMARK)[1] if one.final]
    plant.scan(end - HOUR, 1, 2050, 0, 1800)
    reports, rollups = plant.turn(end + WATERMARK + MINUTE)
    [again] = [one for one in rollups if one.final]
    assert not any(one.final for one in reports if one.machine == "weld")
    assert (again.revision, again.members[1].cell != first.members[1].cell) == (1, True)


def test_a_revision_survives_a_restart_as_a_revision() -> None:
    plant = Plant()
    start, end = DAY0 + 6 * HOUR, DAY0 + 14 * HOUR
    plant.scan(start, 1, 0, 1, 0)
    plant.turn(start + S)
    plant.scan(end + WATERMARK, 1, 2000, 1, 1900)
    plant.turn(end + WATERMARK)
    checkpoint = plant.engine.checkpoint()
    plant.engine = plant.fresh()
    plant.engine.restore(checkpoint)
    plant.engine.begin(end + WATERMARK + S, ended=end + WATERMARK)
    plant.scan(end + WATERMARK + 2 * S, 1, 2000, 1, 1900)
    assert [one for one in plant.turn(end + WATERMARK + 3 * S)[1] if one.final] == []
    plant.scan(end - HOUR, 0, 1900, 0, 1800)
    assert [one.revision for one in plant.turn(end + WATERMARK + MINUTE)[1] if one.final] == [1]


def test_a_restart_makes_no_final_roll_up_twice_and_forgets_none() -> None:
    plant = Plant(kinds=("hour",))
    start = DAY0 + 6 * HOUR
    plant.scan(start, 1, 0, 1, 0)
    plant.turn(start + S)
    plant.scan(start + HOUR + WATERMARK, 1, 300, 1, 200)
    made = [one for one in plant.turn(start + HOUR + WATERMARK)[1] if one.final]
    checkpoint = plant.engine.checkpoint()
    plant.engine = plant.fresh()
    plant.engine.restore(checkpoint)
    now = start + 2 * HOUR + WATERMARK
    plant.engine.begin(now, ended=start + HOUR + WATERMARK)
    again = [one for one in plant.turn(now)[1] if one.final]
    assert [one.window.start for one in made] == [start, start]
    assert [one.window.start for one in again] == [start + HOUR, start + HOUR]


def test_a_roll_up_in_the_journal_after_the_checkpoint_is_not_made_again() -> None:
    plant = Plant(kinds=("hour",))
    start = DAY0 + 6 * HOUR
    plant.scan(start, 1, 0, 1, 0)
    plant.turn(start + S)
    checkpoint = plant.engine.checkpoint()
    plant.scan(start + HOUR + WATERMARK, 1, 300, 1, 200)
    _, made = plant.turn(start + HOUR + WATERMARK)
    plant.engine = plant.fresh()
    plant.engine.restore(checkpoint)
    for rollup in made:
        plant.engine.rollups.settle(rollup)
    plant.engine.begin(start + HOUR + WATERMARK, ended=start + HOUR + WATERMARK)
    assert [one for one in plant.turn(start + HOUR + WATERMARK + S)[1] if one.final] == []


def test_a_late_sample_of_a_member_revises_the_line_once() -> None:
    plant = Plant()
    end = DAY0 + 14 * HOUR
    plant.scan(DAY0 + 6 * HOUR, 1, 0, 1, 0)
    plant.turn(DAY0 + 6 * HOUR + S)
    plant.scan(end, 1, 2000, 1, 1900)
    plant.scan(end + WATERMARK, 1, 2000, 1, 1900)
    [before] = [one for one in plant.turn(end + WATERMARK)[1] if one.final]
    plant.scan(DAY0 + 8 * HOUR, 0, 500, 1, 400)
    plant.scan(DAY0 + 9 * HOUR, 1, 500, 1, 400)
    [after] = [one for one in plant.turn(end + WATERMARK + S)[1] if one.final]
    assert (after.window, after.revision, after.as_of) == (before.window, 1, before.as_of)
    assert before.cell.apt - after.cell.apt == HOUR
    assert [one for one in plant.turn(end + WATERMARK + 2 * S)[1] if one.final] == []


def test_while_the_clock_was_wrong_there_were_no_windows() -> None:
    plant = Plant(kinds=("hour",))
    plant.engine.begin(DAY0)
    now = DAY0 + 30 * 24 * HOUR
    plant.engine.began(now)
    plant.scan(now + S, 1, 0, 1, 0)
    reports, rollups = plant.turn(now + 2 * S)
    assert {one.window.start for one in (*reports, *rollups)} == {now}
