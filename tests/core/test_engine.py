"""The core as one piece: batches in, samples, changes, events and reports out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import time
from fractions import Fraction

import numpy as np
import orjson
import pytest

from edge_agent.core.batch import row
from edge_agent.core.calendar import Calendar, ShiftRule
from edge_agent.core.counters import Counter
from edge_agent.core.engine import Engine
from edge_agent.core.ledger import Policy
from edge_agent.core.machine import MachineSpec
from edge_agent.core.quality import Reason, bad
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind, Tag, TagTable, scan_group

S = 1_000_000_000
MINUTE, HOUR = 60 * S, 3600 * S
DAY0 = 20_000 * 24 * HOUR       # a midnight UTC
WATERMARK = 10 * MINUTE


class Plant:
    """One machine on one polled device, and a clock under the test's hand."""

    def __init__(
        self,
        windows: tuple[str, ...] = ("shift",),
        rules: Sequence[ShiftRule] = (ShiftRule("early", frozenset(range(7)), time(6), time(14)),),
        dwell_ns: int = 0,
        patience_ns: int | None = None,
    ) -> None:
        self._patience_ns = patience_ns
        self._windows, self._rules, self._dwell_ns = windows, rules, dwell_ns
        names = ("state", "total", "scrap")
        self.table = TagTable(Tag(n, "plc", name, Kind.INT) for n, name in enumerate(names))
        self.group = scan_group(self.table)
        self.engine = self.fresh()

    def fresh(self, windows: tuple[str, ...] | None = None) -> Engine:
        tags = dict(zip(("state", "total", "scrap"), self.table, strict=True))
        spec = MachineSpec(
            id="m",
            state=tags["state"],
            states={0: MachineState.IDLE, 1: MachineState.RUN},
            calendar=Calendar("UTC", self._rules),
            dwell_ns=self._dwell_ns,
            policy=Policy(),
            counts={"total": tags["total"], "scrap": tags["scrap"]},
            counters={source: lambda: Counter(32, 10) for source in ("total", "scrap")},
            ideal=Fraction(1),
            patience_ns=self._patience_ns,
        )
        return Engine(self.table, [self.group], [spec], ring_bytes=1_000_000, windows=windows or self._windows)

    def scan(self, t: int, state: int, total: int, scrap: int = 0) -> None:
        self.engine.seen[:] = t
        self.engine.feed("plc", row(self.group, t, np.array([state, total, scrap], float)))

    def lose(self, t: int) -> None:
        quality = np.full(3, bad(Reason.COMM_LOST), np.uint8)
        self.engine.feed("plc", row(self.group, t, np.full(3, np.nan), quality))


def test_an_open_window_is_reported_as_of_what_is_known_not_as_of_now() -> None:
    plant = Plant()
    start = DAY0 + 6 * HOUR
    plant.scan(start, 1, 0)
    plant.scan(start + 10 * S, 1, 8)
    [report] = plant.engine.reports(start + 11 * S)
    assert (report.window.name, report.final) == ("early", False)
    assert report.as_of == start + 10 * S
    assert (report.cell.ct, report.cell.apt, report.cell.pq) == (10 * S, 10 * S, 8)


def test_while_a_machine_is_unknown_its_reports_run_with_the_clock() -> None:
    plant = Plant()
    start = DAY0 + 6 * HOUR
    plant.scan(start, 1, 0)
    plant.lose(start + 10 * S)
    [report] = plant.engine.reports(start + 30 * S)
    assert report.as_of == start + 30 * S
    assert report.cell.unk_raw == 20 * S


def test_a_machine_that_runs_for_long_and_makes_nothing_is_flagged() -> None:
    plant = Plant(patience_ns=10 * MINUTE)
    start = DAY0 + 6 * HOUR
    plant.scan(start, 1, 7)
    plant.scan(start + 10 * MINUTE, 1, 7)
    [report] = plant.engine.reports(start + 10 * MINUTE)
    assert report.flags == ()
    plant.scan(start + 11 * MINUTE, 1, 7)
    [report] = plant.engine.reports(start + 11 * MINUTE)
    assert report.flags == ("RUN_WITHOUT_COUNT",)
    plant.scan(start + 12 * MINUTE, 1, 8)
    [report] = plant.engine.reports(start + 12 * MINUTE)
    assert report.flags == ()


def test_a_window_is_final_once_after_the_watermark() -> None:
    plant = Plant()
    end = DAY0 + 14 * HOUR
    plant.scan(end - 10 * S, 1, 0)
    plant.engine.reports(end - 9 * S)
    plant.scan(end, 1, 9)
    plant.scan(end + WATERMARK, 1, 500)
    assert [r for r in plant.engine.reports(end + WATERMARK - 1) if r.final] == []
    [final] = [r for r in plant.engine.reports(end + WATERMARK) if r.final]
    assert (final.window.name, final.cell.pq, final.cell.ct) == ("early", 9, 8 * HOUR)
    assert plant.engine.reports(end + WATERMARK + S) == []


def test_checkpoint_and_events_bring_a_new_engine_to_the_same_reports() -> None:
    plant = Plant()
    start = DAY0 + 6 * HOUR
    plant.scan(start, 1, 0)
    plant.engine.reports(start + S)
    plant.scan(start + 20 * S, 1, 10)
    checkpoint = plant.engine.checkpoint()
    plant.engine.take_events()
    plant.scan(start + 40 * S, 0, 25, 3)
    events = [orjson.loads(orjson.dumps(event)) for event in plant.engine.take_events()]
    other = plant.fresh()
    other.restore(checkpoint)
    for event in events:
        other.replay(event)
    cells = [held.machines["m"].ledger.cell(start, start + 40 * S) for held in (plant.engine, other)]
    assert cells[0] == cells[1]
    assert (cells[0].pq, cells[0].sq) == (25, 3)


def test_samples_wait_for_the_journal_thinned_by_the_deadband() -> None:
    plant = Plant()
    for second in range(5):
        plant.scan(DAY0 + second * S, 1, second // 2)
    [(device, batch)] = plant.engine.take_samples()
    assert device == "plc"
    named = list(zip(batch.tag.tolist(), batch.value.tolist(), strict=True))
    assert named == [(0, 1.0), (1, 0.0), (2, 0.0), (1, 1.0), (1, 2.0)]
    assert plant.engine.take_samples() == []


def test_a_window_that_ended_while_the_agent_was_off_is_still_reported() -> None:
    plant = Plant()
    start = DAY0 + 13 * HOUR
    plant.scan(start, 1, 0)
    plant.engine.reports(start + S)
    checkpoint = plant.engine.checkpoint()
    other = plant.fresh()
    other.restore(checkpoint)
    other.begin(DAY0 + 19 * HOUR, ended=start + 30 * MINUTE)
    [final] = [r for r in other.reports(DAY0 + 20 * HOUR) if r.final]
    assert final.cell.apt == 30 * MINUTE
    assert final.cell.unk_raw == 30 * MINUTE + 7 * HOUR


# -- time, loss and knowledge -------------------------------------------------------------------


def test_as_of_never_runs_backwards() -> None:
    plant = Plant()
    start = DAY0 + 6 * HOUR
    plant.scan(start, 1, 0)
    plant.lose(start + 10 * S)
    told = []
    for now, state in ((20, None), (30, None), (31, 29), (32, 30), (60, 59)):
        if state is not None:
            plant.scan(start + state * S, 1, state)     # a sample from before what was told as unknown
        [report] = plant.engine.reports(start + now * S)
        told.append((report.as_of - start) // S)
    assert told == [20, 30, 30, 30, 59]


def test_a_machine_of_two_devices_is_unknown_only_when_the_one_with_its_state_is_lost() -> None:
    plant = Plant()
    start = DAY0 + 6 * HOUR
    plant.scan(start, 1, 0)
    count = plant.group[1:]
    mark = np.full(2, bad(Reason.COMM_LOST), np.uint8)
    plant.engine.feed("plc", row(count, start + 10 * S, np.full(2, np.nan), mark))
    plant.engine.seen[0] = start + 60 * S
    plant.engine.feed("plc", row(plant.group[:1], start + 60 * S, np.array([1.0])))
    [report] = plant.engine.reports(start + 61 * S)
    assert (report.as_of, report.cell.apt, report.cell.unk_raw) == (start + 60 * S, 60 * S, 0)
    plant.engine.feed("plc", row(count, start + 70 * S, np.array([30.0, 0.0])))
    cell = plant.engine.machines["m"].ledger.cell(start, start + 40 * S)
    assert cell.pq == 15    # spread over the minute without the counter, not heaped on its end


def test_confirm_ends_a_dwell_on_a_tag_that_reports_only_changes() -> None:
    plant = Plant(dwell_ns=5 * S)
    start = DAY0 + 6 * HOUR
    plant.scan(start, 1, 0)
    plant.engine.seen[0] = start + 4 * S
    plant.engine.confirm()
    assert plant.engine.take_changes() == []
    plant.engine.seen[0] = start + 6 * S
    plant.engine.confirm()
    assert [change.since for change in plant.engine.take_changes()] == [start]


# -- windows ------------------------------------------------------------------------------------


def test_without_a_shift_now_nothing_is_reported_and_the_next_one_is_whole() -> None:
    plant = Plant()
    night = DAY0 + 3 * HOUR
    plant.scan(night, 1, 0)
    assert plant.engine.reports(night + S) == []
    start = DAY0 + 6 * HOUR
    plant.scan(start, 1, 100)
    plant.scan(start + 10 * S, 1, 110)
    [report] = plant.engine.reports(start + 10 * S)
    assert (report.cell.ct, report.cell.apt, report.cell.pq) == (10 * S, 10 * S, 10)


def test_overlapping_and_round_the_clock_shifts_are_all_final_once() -> None:
    every_day = frozenset(range(7))
    rules = [
        ShiftRule("early", every_day, time(6), time(14)),
        ShiftRule("training", every_day, time(8), time(10)),
        ShiftRule("office", every_day, time(9), time(14)),
        ShiftRule("round", every_day, time(6), time(6)),
    ]
    plant = Plant(rules=rules)
    plant.scan(DAY0 + 6 * HOUR, 1, 0)
    plant.engine.begin(DAY0 + 6 * HOUR)
    finals = []
    for minute in range(0, 27 * 60, 5):
        now = DAY0 + 6 * HOUR + minute * MINUTE
        plant.scan(now, 1, 0)
        finals += [(r.window.name, r.cell.ct // HOUR) for r in plant.engine.reports(now) if r.final]
    assert sorted(finals[:4]) == [("early", 8), ("office", 5), ("round", 24), ("training", 2)]
    assert len(finals) == 4


def test_after_a_long_absence_final_windows_come_in_portions_and_all_of_them() -> None:
    plant = Plant(windows=("hour",))
    plant.engine.begin(DAY0)
    plant.scan(DAY0, 1, 0)
    other = plant.fresh()
    other.restore(plant.engine.checkpoint())
    now = DAY0 + 100 * HOUR
    other.begin(now, ended=DAY0 + 30 * MINUTE)
    rounds = []
    while not rounds or rounds[-1]:
        rounds.append([r for r in other.reports(now + WATERMARK) if r.final])
    assert [len(finals) for finals in rounds] == [24, 24, 24, 24, 4, 0]
    starts = [r.window.start for finals in rounds for r in finals]
    assert starts == [DAY0 + n * HOUR for n in range(100)]
    assert rounds[0][0].cell.promoted == 30 * MINUTE
    assert all(r.cell.apt == 0 for finals in rounds for r in finals if r.window.start > DAY0)


def test_a_kind_of_window_that_comes_back_does_not_report_a_past_that_was_forgotten() -> None:
    plant = Plant(windows=("hour", "shift"))
    plant.engine.begin(DAY0)
    plant.scan(DAY0, 1, 0)
    hours = plant.fresh(windows=("hour",))
    hours.restore(plant.engine.checkpoint())
    hours.begin(DAY0 + HOUR, ended=DAY0 + HOUR)
    plant.engine = plant.fresh(windows=("hour", "shift"))
    plant.engine.restore(hours.checkpoint())
    now = DAY0 + 5 * 24 * HOUR
    plant.engine.begin(now, ended=now)
    kinds = {r.window.kind for _ in range(9) for r in plant.engine.reports(now + 2 * HOUR) if r.final}
    assert kinds == {"hour"}


# -- survival -----------------------------------------------------------------------------------


def test_a_machine_whose_state_was_never_seen_was_away_too() -> None:
    plant = Plant()
    plant.engine.begin(DAY0)
    counts = plant.group[1:]
    plant.engine.feed("plc", row(counts, DAY0 + 7 * HOUR, np.array([100.0, 0.0])))
    other = plant.fresh()
    other.restore(plant.engine.checkpoint())
    other.begin(DAY0 + 8 * HOUR, ended=DAY0 + 7 * HOUR)
    other.feed("plc", row(counts, DAY0 + 8 * HOUR, np.array([160.0, 0.0])))
    assert other.machines["m"].ledger.cell(DAY0 + 7 * HOUR, DAY0 + 7 * HOUR + 30 * MINUTE).pq == 30


def test_a_damaged_checkpoint_is_refused_and_its_machine_begins_afresh() -> None:
    plant = Plant()
    plant.engine.begin(DAY0)
    plant.scan(DAY0, 1, 0)
    plant.engine.machines["m"].facts.pack()
    good = plant.engine.checkpoint()
    for damaged in (b"", b"x", good[:-20], good[:40], b"\x63" + good[1:], good[:-20] + bytes(20)):
        other = plant.fresh()
        with pytest.raises(ValueError, match="checkpoint"):
            other.restore(damaged)
        assert other.machines["m"].current.since == 0
        assert other.machines["m"].ledger.cell(DAY0, DAY0 + HOUR).apt == 0
    other = plant.fresh()
    other.restore(good)
    assert other.machines["m"].current.state is MachineState.RUN
