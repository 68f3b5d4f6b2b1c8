"""Final reports are once and for all, until something is learned about their time: then there is a revision."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from datetime import date, time
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.batch import row
from edge_agent.core.calendar import Calendar, ShiftRule
from edge_agent.core.cell import Cell
from edge_agent.core.counters import Counter
from edge_agent.core.engine import Engine
from edge_agent.core.finals import WITHDRAWN, key_of
from edge_agent.core.ledger import Ledger, Policy
from edge_agent.core.machine import MachineSpec
from edge_agent.core.overrides import Entry
from edge_agent.core.quality import Reason, bad
from edge_agent.core.report import OPEN, Report
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind, Tag, TagTable

S = 1_000_000_000
MINUTE, HOUR = 60 * S, 3600 * S
DAY = 24 * HOUR
DAY0 = 20_000 * DAY             # a midnight UTC, a Wednesday
EVERY = frozenset(range(7))
EARLY = (ShiftRule("early", EVERY, time(6), time(14)),)
NAMES = ("state", "total", "scrap", "product", "order")
STATES = {0: MachineState.IDLE, 1: MachineState.RUN, 2: MachineState.FAULT}


class Plant:
    """One machine whose samples the test dates itself."""

    def __init__(
        self,
        windows: tuple[str, ...] = ("hour",),
        rules: Sequence[ShiftRule] = EARLY,
        exceptions: Mapping[date, str] | None = None,
        restate: int = DAY,
        ideal: Fraction | None = None,
    ) -> None:
        """`ideal`: of whatever the machine makes; then no tag tells the product."""
        self.table = TagTable(Tag(n, "plc", name, Kind.INT) for n, name in enumerate(NAMES))
        tags = dict(zip(NAMES, self.table, strict=True))
        spec = MachineSpec(
            id="m", state=tags["state"], states=STATES, calendar=Calendar("UTC", rules, exceptions=exceptions),
            policy=Policy(), counts={"total": tags["total"], "scrap": tags["scrap"]},
            counters={source: lambda: Counter(32, 1000) for source in ("total", "scrap")},
            job=None if ideal else tags["product"], products={} if ideal else {1: Fraction(1), 2: Fraction(2)},
            ideal=ideal, number=tags["order"],
        )  # fmt: skip
        self.engine = Engine(self.table, [], [spec], ring_bytes=1_000_000, windows=windows, restate_ns=restate)

    def told(self, t: int, **values: float | None) -> None:
        """Samples of these tags at `t`; None is lost contact."""
        for name, value in values.items():
            at = self.table.position(f"plc.{name}")
            quality = bad(Reason.COMM_LOST) if value is None else 0
            self.engine.seen[:] = np.maximum(self.engine.seen, t)      # the others are as they were
            number = np.nan if value is None else value
            self.engine.feed("plc", row(np.array([at], np.int32), t, np.array([number]), np.array([quality], np.uint8)))

    def reports(self, now: int, final: bool = True) -> list[Report]:
        return [report for report in self.engine.reports(now) if report.final == final]


def running(windows: tuple[str, ...] = ("hour",), start: int = DAY0 + 8 * HOUR, **more: object) -> Plant:
    plant = Plant(windows, **more)  # type: ignore[arg-type]
    plant.engine.begin(start)
    plant.told(start, state=1, total=0, scrap=0, product=1)
    return plant


def test_a_final_report_is_dated_a_watermark_after_its_end_however_late_it_is_made() -> None:
    plant = running()
    plant.told(DAY0 + 9 * HOUR, total=600)
    [report] = plant.reports(DAY0 + 9 * HOUR + 17 * MINUTE)
    assert (report.as_of, report.revision) == (DAY0 + 9 * HOUR + 10 * MINUTE, 0)


def test_a_late_sample_revises_the_final_window_it_falls_into_and_no_other() -> None:
    plant = running()
    for hour in (9, 10):
        plant.told(DAY0 + hour * HOUR, total=600 * (hour - 8))
    assert len(plant.reports(DAY0 + 10 * HOUR + 11 * MINUTE)) == 2
    plant.told(DAY0 + 8 * HOUR + 20 * MINUTE, state=2)
    plant.told(DAY0 + 8 * HOUR + 30 * MINUTE, state=1)
    [report] = plant.reports(DAY0 + 10 * HOUR + 12 * MINUTE)
    assert (report.window.start, report.revision, report.final) == (DAY0 + 8 * HOUR, 1, True)
    assert report.cell.adet_fault == 10 * MINUTE
    assert report.as_of == DAY0 + 9 * HOUR + 10 * MINUTE        # known late, but about then
    assert plant.reports(DAY0 + 10 * HOUR + 13 * MINUTE) == []


def test_what_an_operator_says_of_a_closed_window_revises_it_and_no_other() -> None:
    plant = running()
    for hour in (9, 10):
        plant.told(DAY0 + hour * HOUR, total=600 * (hour - 8))
    now = DAY0 + 10 * HOUR + 11 * MINUTE
    assert len(plant.reports(now)) == 2
    start = DAY0 + 8 * HOUR + 20 * MINUTE
    plant.engine.machines["m"].operate(Entry(now, "s-1", start, start + 10 * MINUTE, MachineState.MAINT, "TOOL"))
    [report] = plant.reports(now + MINUTE)
    assert (report.window.start, report.revision, report.cell.maint) == (DAY0 + 8 * HOUR, 1, 10 * MINUTE)
    plant.engine.machines["m"].operate(Entry(now + 1, "s-2", start, start + 10 * MINUTE, None, ""))     # taken back
    [report] = plant.reports(now + 2 * MINUTE)
    assert (report.window.start, report.revision, report.cell.maint) == (DAY0 + 8 * HOUR, 2, 0)


def test_a_stop_that_becomes_too_long_after_the_final_report_revises_it() -> None:
    plant = running()
    plant.engine.machines["m"].ledger.policy = Policy(micro_stop_ns=15 * MINUTE)
    plant.told(DAY0 + 9 * HOUR - 2 * MINUTE, state=0)
    [report] = plant.reports(DAY0 + 9 * HOUR + 11 * MINUTE)
    assert (report.cell.micro, report.cell.adet_other) == (2 * MINUTE, 0)
    [again] = plant.reports(DAY0 + 9 * HOUR + 14 * MINUTE)
    assert (again.revision, again.cell.micro, again.cell.adet_other) == (1, 0, 2 * MINUTE)
    assert again.as_of == DAY0 + 9 * HOUR + 13 * MINUTE + 1


def test_a_gap_that_ends_later_revises_the_window_it_began_in() -> None:
    plant = running()
    plant.told(DAY0 + 8 * HOUR + 30 * MINUTE, total=1800)
    plant.told(DAY0 + 8 * HOUR + 31 * MINUTE, state=None, total=None, scrap=None)
    [report] = plant.reports(DAY0 + 9 * HOUR + 11 * MINUTE)
    assert report.cell.pq == 1800
    plant.told(DAY0 + 9 * HOUR + 30 * MINUTE, state=1, total=5400, scrap=0)
    [again] = plant.reports(DAY0 + 9 * HOUR + 31 * MINUTE)
    assert (again.revision, again.cell.pq) == (1, 1800 + 3600 * 29 // 59)
    assert again.as_of == DAY0 + 9 * HOUR + 30 * MINUTE


def test_what_was_final_too_long_ago_stays_as_it_is_and_what_comes_too_late_is_counted() -> None:
    plant = running(restate=2 * HOUR)
    for hour in range(9, 14):
        plant.told(DAY0 + hour * HOUR - 10 * MINUTE, state=0)
        plant.told(DAY0 + hour * HOUR, total=600 * (hour - 8), state=1)
        plant.reports(DAY0 + hour * HOUR + 11 * MINUTE)
    plant.told(DAY0 + 8 * HOUR + 20 * MINUTE, state=2)
    assert plant.reports(DAY0 + 13 * HOUR + 12 * MINUTE) == []
    assert plant.engine.too_late > 0


def restarted(plant: Plant, **more: object) -> Plant:
    other = Plant(plant.engine.kinds, **more)  # type: ignore[arg-type]
    other.engine.restore(plant.engine.checkpoint())
    return other


def test_a_shift_whose_end_was_moved_is_told_again_under_the_new_calendar() -> None:
    plant = running(("shift",), start=DAY0 + 6 * HOUR)
    plant.told(DAY0 + 13 * HOUR, total=600)
    [report] = plant.reports(DAY0 + 14 * HOUR + 11 * MINUTE)
    other = restarted(plant, rules=(ShiftRule("early", EVERY, time(6), time(12)),))
    [again] = other.reports(DAY0 + 14 * HOUR + 20 * MINUTE)
    assert (again.window.name, again.window.end, again.revision) == ("early", DAY0 + 12 * HOUR, 1)
    assert report.cell.ct == again.cell.ct + 2 * HOUR
    assert (report.cell.pq, again.cell.pq) == (600, 0)      # made at one o'clock


def test_a_shift_that_was_taken_out_of_the_calendar_is_withdrawn_once() -> None:
    plant = running(("shift",), start=DAY0 + 6 * HOUR)
    plant.reports(DAY0 + 14 * HOUR + 11 * MINUTE)
    day = date(2024, 10, 4)
    other = restarted(plant, exceptions={day: "off"})
    [report] = other.reports(DAY0 + 15 * HOUR)
    assert (report.window.production_date, report.flags, report.cell) == (day, (WITHDRAWN,), Cell())
    assert other.reports(DAY0 + 16 * HOUR) == []


def test_revisions_survive_a_restart_and_are_not_made_twice() -> None:
    plant = running()
    plant.told(DAY0 + 9 * HOUR, total=600)
    plant.reports(DAY0 + 9 * HOUR + 11 * MINUTE)
    plant.told(DAY0 + 8 * HOUR + 20 * MINUTE, state=2)
    other = restarted(plant)
    [report] = other.reports(DAY0 + 9 * HOUR + 12 * MINUTE)
    assert report.revision == 1
    third = restarted(plant)        # the checkpoint of before, and the report of the journal
    third.engine.settle(report)
    assert third.reports(DAY0 + 9 * HOUR + 13 * MINUTE) == []


# -- windows ----------------------------------------------------------------------------------


def test_a_production_day_runs_from_the_first_shift_of_its_date_to_the_next() -> None:
    rules = (ShiftRule("day", frozenset(range(5)), time(6), time(14)), ShiftRule("night", EVERY, time(22), time(6)))
    plant = Plant(("production_day",), rules)
    machine = plant.engine.machines["m"]
    found = plant.engine.windows(machine, "production_day", DAY0 + DAY, DAY0 + 6 * DAY)
    # A weekend's date begins with its only shift, the night's.
    assert [(w.production_date.day, (w.start - DAY0) // HOUR, (w.end - DAY0) // HOUR) for w in found] == [
        (4, 6, 46), (5, 46, 70), (6, 70, 78), (7, 78, 102), (8, 102, 126), (9, 126, 150),
    ]  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2000), st.sets(st.integers(0, 6), max_size=7), st.integers(0, 23), st.integers(0, 23))
def test_production_days_tile_time_in_any_zone(day: int, days: set[int], start: int, end: int) -> None:
    for zone in ("Asia/Shanghai", "Europe/Berlin", "America/St_Johns"):
        calendar = Calendar(zone, (ShiftRule("s", frozenset(days), time(start), time(end)),))
        plant = Plant(("production_day",))
        machine = plant.engine.machines["m"]
        object.__setattr__(machine.spec, "calendar", calendar)
        low = DAY0 + day * DAY
        found = plant.engine.windows(machine, "production_day", low, low + 9 * DAY)
        assert found[0].start <= low
        assert found[-1].end >= low + 9 * DAY
        assert all(a.end == b.start for a, b in itertools.pairwise(found))
        assert [w.production_date for w in found] == sorted({w.production_date for w in found})


def test_a_job_is_a_window_from_its_start_to_the_next_and_knows_its_order() -> None:
    plant = running(("job",), start=DAY0 + 8 * HOUR)
    plant.told(DAY0 + 8 * HOUR, order=4711)
    plant.told(DAY0 + 8 * HOUR + 10 * MINUTE, total=300)
    [report] = plant.reports(DAY0 + 8 * HOUR + 11 * MINUTE, final=False)
    assert (report.window.name, report.window.order, report.window.end) == ("1", "4711", OPEN)
    assert report.cell.pq == 300
    plant.told(DAY0 + 8 * HOUR + 20 * MINUTE, product=2, total=500)
    [done] = plant.reports(DAY0 + 8 * HOUR + 31 * MINUTE)
    assert (done.window.name, done.window.end, done.cell.pq) == ("1", DAY0 + 8 * HOUR + 20 * MINUTE, 500)
    assert (done.cell.ct, done.cell.ipt) == (20 * MINUTE, 500)


def test_what_a_machine_always_makes_is_no_job_before_its_first_order() -> None:
    plant = running(("job",), start=DAY0 + 8 * HOUR, ideal=Fraction(1))
    assert plant.engine.reports(DAY0 + 8 * HOUR + MINUTE) == []
    plant.told(DAY0 + 8 * HOUR + 2 * MINUTE, order=1, total=100)
    plant.told(DAY0 + 8 * HOUR + 5 * MINUTE, order=2, total=200)
    [done] = plant.reports(DAY0 + 8 * HOUR + 16 * MINUTE)
    assert (done.window.order, done.window.start, done.cell.pq) == ("1", DAY0 + 8 * HOUR + 2 * MINUTE, 100)


def test_an_order_of_weeks_keeps_its_sums_and_forgets_their_facts() -> None:
    plant = running(("job", "hour"), start=DAY0)
    for minute in range(10, 5 * 24 * 60, 10):
        plant.told(DAY0 + minute * MINUTE, total=minute, state=1)
        if minute % 60 == 0:
            reports = plant.engine.reports(DAY0 + minute * MINUTE)
    [job] = [report for report in reports if report.window.kind == "job"]
    assert (job.window.start, job.cell.pq) == (DAY0, 5 * 24 * 60 - 60)
    assert job.cell.ct == 5 * DAY - HOUR
    ledger = plant.engine.machines["m"].ledger
    assert ledger.remembered_from == DAY0 + 4 * DAY - HOUR      # a day ago
    other = restarted(plant)
    again = [r for r in other.engine.reports(DAY0 + 5 * DAY - HOUR) if r.window.kind == "job"]
    assert [r.cell for r in again] == [job.cell]


def test_products_of_a_window_add_up_to_it() -> None:
    plant = running(("shift",), start=DAY0 + 6 * HOUR)
    pieces = 0
    for n in range(1, 40):
        pieces += 20
        plant.told(DAY0 + 6 * HOUR + n * 5 * MINUTE, total=pieces)
        if n % 7 == 0:
            plant.told(DAY0 + 6 * HOUR + n * 5 * MINUTE, product=1 + n // 7 % 2, state=n // 7 % 2)
        [report] = plant.reports(DAY0 + 6 * HOUR + n * 5 * MINUTE + S, final=False)
        assert sum(report.products.values(), Cell()) == report.cell
    assert set(report.products) == {"1", "2"}


# -- late, shuffled, duplicated ------------------------------------------------------------------


def _story(random: Random) -> list[tuple[int, dict[str, float | None]]]:
    story: list[tuple[int, dict[str, float | None]]] = []
    total = 0
    for n in range(1, 60):
        t = DAY0 + 8 * HOUR + n * 3 * MINUTE + random.randrange(60) * S
        total += random.randrange(100)
        kind = random.randrange(10)
        if kind < 4:
            story.append((t, {"state": random.randrange(3)}))
        elif kind == 4:
            story.append((t, {"state": None, "total": None, "scrap": None}))
        elif kind == 5:
            story.append((t, {"product": random.randrange(1, 3)}))
        else:
            story.append((t, {"total": total, "state": 1, "scrap": total // 20}))
    return story


def differences(live: Mapping[object, tuple[object, ...]], again: Mapping[object, tuple[object, ...]]) -> list[object]:
    found: list[object] = []
    for key in sorted({*live, *again}, key=str):
        a, b = live.get(key), again.get(key)
        if a is None or b is None:
            found.append((key, a, b))
        elif a != b:
            found.append((key, *((x, y) for x, y in zip(a, b, strict=True) if x != y)))
    return found


def latest(reports: Sequence[Report]) -> dict[object, tuple[object, ...]]:
    """Of the final reports the last of each window, less its revision."""
    found = {key_of(r.window): (r.window, r.as_of, r.cell, r.flags, r.products) for r in reports if r.final}
    return {key: value for key, value in found.items() if WITHDRAWN not in value[3]}  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(10))
def test_samples_that_come_late_or_twice_end_in_the_same_final_records(seed: int) -> None:
    random = Random(seed)
    story = _story(random)
    live, again = running(("hour", "shift", "job")), running(("hour", "shift", "job"))
    made: list[Report] = []
    held: list[tuple[int, dict[str, float | None]]] = []
    for t, values in story:
        late = {k: v for k, v in values.items() if k == "state" and random.random() < 0.3}
        held += [(t, late)] if late else []
        live.told(t, **{k: v for k, v in values.items() if k not in late})
        if held and random.random() < 0.1:
            at, one = held.pop(random.randrange(len(held)))
            live.told(at, **one)
            live.told(at, **one)
        made += live.engine.reports(t + S)
    for at, one in held:
        live.told(at, **one)
    end = DAY0 + 16 * HOUR
    made += live.engine.reports(end)
    made += live.engine.reports(end + MINUTE)
    for t, values in story:
        again.told(t, **values)
    replayed = again.engine.reports(end) + again.engine.reports(end + MINUTE)
    assert differences(latest(made), latest(replayed)) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_look_at_an_open_window_is_what_adding_it_up_anew_gives(seed: int) -> None:
    random = Random(seed)
    plant = running(("shift", "hour", "job"))
    ledger = plant.engine.machines["m"].ledger
    for t, values in _story(random):
        plant.told(t, **values)
        for _ in range(4):
            t += random.randrange(90) * S
            fresh = Ledger(ledger.calendar, ledger.policy)
            fresh.restore(ledger.snapshot())
            for start in (DAY0 + 8 * HOUR, t // HOUR * HOUR):
                assert ledger.cell(start, start + DAY, t) == fresh.cell(start, start + DAY, t)
