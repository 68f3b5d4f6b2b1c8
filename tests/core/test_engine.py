"""The core as one piece: batches in, samples, changes, events and reports out."""

from __future__ import annotations

from datetime import time
from fractions import Fraction

import numpy as np
import orjson

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

    def __init__(self) -> None:
        names = ("state", "total", "scrap")
        self.table = TagTable(Tag(n, "plc", name, Kind.INT) for n, name in enumerate(names))
        self.group = scan_group(self.table)
        self.engine = self.fresh()

    def fresh(self) -> Engine:
        tags = dict(zip(("state", "total", "scrap"), self.table, strict=True))
        spec = MachineSpec(
            id="m",
            state=tags["state"],
            states={0: MachineState.IDLE, 1: MachineState.RUN},
            calendar=Calendar("UTC", [ShiftRule("early", frozenset(range(7)), time(6), time(14))]),
            policy=Policy(),
            counts={"total": tags["total"], "scrap": tags["scrap"]},
            counters={source: lambda: Counter(32, 10) for source in ("total", "scrap")},
            ideal=Fraction(1),
        )
        return Engine(self.table, [self.group], [spec], ring_bytes=1_000_000, windows=("shift",))

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
