"""Energy: what meters counted, by state, exactly, in whatever order it came, and what is not known."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core import kpi
from edge_agent.core.batch import Batch
from edge_agent.core.calendar import Calendar
from edge_agent.core.catalog import ENERGY, elements, energy_values
from edge_agent.core.cell import Cell
from edge_agent.core.counters import Counter
from edge_agent.core.energy import GROUPS, KWH, WH, Energy, Factors
from edge_agent.core.fitted import Fitted
from edge_agent.core.ledger import Policy
from edge_agent.core.machine import Machine, MachineSpec
from edge_agent.core.meter import MeterSpec
from edge_agent.core.quality import Reason, bad
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind, Tag

S = 1_000_000_000
HOUR = 3600 * S
STATE, TOTAL, SCRAP = (Tag(n, "plc", name, Kind.INT) for n, name in enumerate(("state", "total", "scrap")))
KWH_TAG = Tag(3, "meter", "kwh", Kind.INT, stale_ns=180 * S)     # polled once a minute
CODES = {code: MachineState(code) for code in range(7)}
LOST = bad(Reason.COMM_LOST)
# Steps of 10 Wh in 16 bits, at most 1 MW: 277 Wh, 27 steps, a second.
METER = MeterSpec("main", 0.01, 0.0, Fraction(10 * WH), 1 << 16, rate=Fraction(1_000_000_000, 10 * WH))
Row = tuple[Tag, float, float] | tuple[Tag, float, float, int]


def machine(meter: MeterSpec = METER, **more: Any) -> Machine:
    counts = {"total": TOTAL, "scrap": SCRAP}
    fitted = Fitted(((meter.name, meter.limit),), factors=Factors(Fraction("0.5306"), Fraction("0.1229")))
    told = {
        "id": "m", "state": STATE, "states": CODES, "calendar": Calendar("UTC", shifts=None),
        "policy": Policy(fitted=fitted), "counts": counts, "ideal": Fraction(2),
        "counters": {source: lambda: Counter(32, 10) for source in counts}, "meters": ((KWH_TAG, meter),), **more,
    }  # fmt: skip
    return Machine(MachineSpec(**told))  # type: ignore[arg-type]


def batch(rows: list[Row]) -> Batch:
    listed = [(*row, 0)[:4] for row in rows]
    return Batch(
        np.array([row[0].position for row in listed], np.int32),
        np.array([round(row[1] * S) for row in listed], np.int64),
        np.array([row[2] for row in listed], float),
        np.array([row[3] for row in listed], np.uint8),
    )


def wh(energy: Energy) -> dict[str, float]:
    return {name: getattr(energy, name) / WH for name in GROUPS if getattr(energy, name)}


def test_energy_goes_to_the_state_in_which_it_was_used() -> None:
    held = machine()
    held.feed(batch([(STATE, 0, 4), (KWH_TAG, 0, 100.00)]))
    held.feed(batch([(KWH_TAG, 60, 100.30), (STATE, 60, 2), (KWH_TAG, 120, 100.34), (STATE, 120, 1)]))
    held.feed(batch([(STATE, 150, 5), (KWH_TAG, 180, 100.36)]))
    energy = held.ledger.cell(0, 180 * S).energy
    assert wh(energy) == {"e_run": 300, "e_idle": 40, "e_off": 10, "e_other": 10}
    assert (energy.metered, energy.unmetered) == (180 * S, 0)


def test_a_register_that_goes_round_loses_nothing() -> None:
    held = machine()
    held.feed(batch([(STATE, 0, 4), (KWH_TAG, 0, 655.30), (KWH_TAG, 60, 0.04)]))
    assert wh(held.ledger.cell(0, 60 * S).energy) == {"e_run": 100}     # 65530 to 65536, and 4


def test_a_decimal_register_goes_round_where_it_does() -> None:
    held = machine(replace(METER, modulus=1_000_000))
    held.feed(batch([(STATE, 0, 4), (KWH_TAG, 0, 9999.95), (KWH_TAG, 60, 0.05)]))
    assert wh(held.ledger.cell(0, 60 * S).energy) == {"e_run": 100}


def test_a_single_wrong_reading_counts_nothing() -> None:
    held = machine()
    held.feed(batch([(STATE, 0, 4), (KWH_TAG, 0, 500.0), (KWH_TAG, 10, 0.0), (KWH_TAG, 20, 500.1)]))
    energy = held.ledger.cell(0, 20 * S).energy
    assert (wh(energy), energy.unmetered) == ({"e_run": 100}, 0)


def test_of_a_meter_that_was_set_back_what_it_has_counted_since_is_the_least_it_was() -> None:
    held = machine()
    held.feed(batch([(STATE, 0, 4), (KWH_TAG, 0, 500.0), (KWH_TAG, 10, 0.01), (KWH_TAG, 20, 0.03)]))
    cell = held.ledger.cell(0, 60 * S)
    assert wh(cell.energy) == {"e_run": 30}
    assert cell.energy.unmetered == 20 * S
    assert kpi.flags(cell)[-1] == "ENERGY_INCOMPLETE"


def test_before_the_first_reading_nothing_is_known_and_nothing_is_made_up() -> None:
    held = machine()
    held.feed(batch([(STATE, 0, 4), (TOTAL, 0, 0), (TOTAL, 50, 5)]))
    values = energy_values(held.ledger.cell(0, 60 * S))
    assert values.pop("energy_coverage") == 0
    assert set(values.values()) == {None}


def test_what_a_lost_meter_counts_is_unknown_until_it_is_back_and_then_known_exactly() -> None:
    held = machine(replace(METER, limit=30_000_000))    # 30 kW
    held.feed(batch([(STATE, 0, 4), (KWH_TAG, 0, 100.0), (KWH_TAG, 60, 100.3)]))
    held.feed(batch([(KWH_TAG, 60.001, 0, LOST), (KWH_TAG, 80, 0, LOST), (STATE, 120.001, 2)]))
    lost = held.ledger.cell(0, round(180.001 * S))
    assert (wh(lost.energy), lost.energy.unmetered) == ({"e_run": 300}, 120 * S)
    least, most = kpi.bounds(lost)["total_kwh"]
    assert (least, most - least) == (Fraction("0.3"), 1)    # 30 kW for two minutes
    held.feed(batch([(KWH_TAG, 180.001, 100.9)]))
    back = held.ledger.cell(0, round(180.001 * S))
    assert (wh(back.energy), back.energy.unmetered) == ({"e_run": 600, "e_idle": 300}, 0)
    assert "total_kwh" not in kpi.bounds(back)
    before = held.ledger.cell(0, 180 * S, as_of=180 * S)    # as it was known just before
    assert (before.energy.e_total, before.energy.unmetered) == (300 * WH, round(119.999 * S))


def test_nobody_can_say_the_most_where_nobody_said_what_the_machine_can_draw() -> None:
    held = machine()
    held.feed(batch([(STATE, 0, 4), (KWH_TAG, 30, 100.0), (KWH_TAG, 60, 100.3)]))
    assert "total_kwh" not in kpi.bounds(held.ledger.cell(0, 60 * S))


def test_an_absence_of_the_agent_is_bridged_by_the_register() -> None:
    held = machine()
    held.feed(batch([(STATE, 0, 4), (KWH_TAG, 0, 100.0), (KWH_TAG, 60, 100.3)]))
    events = orjson.loads(orjson.dumps(held.take_events()))
    other = machine()
    other.replay(events)
    other.was_away(90 * S)
    assert other.ledger.cell(0, 150 * S).energy.unmetered == 60 * S
    other.feed(batch([(STATE, 120, 4), (KWH_TAG, 120, 100.9)]))
    energy = other.ledger.cell(0, 150 * S).energy
    assert (energy.e_total, energy.unmetered) == (900 * WH, 0)
    assert energy.e_other == 600 * WH    # used while nobody saw what the machine did


def test_a_restart_restores_the_very_same_energy_and_goes_on() -> None:
    held, other = machine(), machine()
    held.feed(batch([(STATE, 0, 4), (KWH_TAG, 0, 655.0), (KWH_TAG, 60, 655.3)]))
    held.facts.pack()
    held.feed(batch([(KWH_TAG, 70, 655.35)]))
    told, packed = held.checkpoint()
    other.restore(orjson.loads(orjson.dumps(told)), packed)
    for one in (held, other):
        one.feed(batch([(KWH_TAG, 80, 0.03)]))
    assert other.ledger.cell(0, 90 * S) == held.ledger.cell(0, 90 * S)
    assert other.ledger.cell(0, 90 * S).energy.e_total == 390 * WH


def test_a_meter_that_tells_once_a_minute_is_believed() -> None:
    held = machine(replace(METER, rate=Fraction(1, 12), room=6))      # 3 kW, and what it adds in a minute
    held.feed(batch([(STATE, 0, 4), (KWH_TAG, 0, 1.0)]))
    held.feed(batch([(KWH_TAG, t, 1 + t / 60 * 0.05) for t in (60, 120, 180)]))
    assert wh(held.ledger.cell(0, 180 * S).energy) == {"e_run": 150}


def test_a_machine_that_has_not_been_read_yet_is_remembered_so() -> None:
    held, other = machine(), machine()
    held.feed(batch([(STATE, 0, 4)]))
    held.facts.pack()
    told, packed = held.checkpoint()
    other.restore(orjson.loads(orjson.dumps(told)), packed)
    assert other.ledger.cell(0, 9 * S) == held.ledger.cell(0, 9 * S)
    assert other.ledger.cell(0, 9 * S).energy.unmetered == 9 * S


def test_forgetting_the_past_changes_nothing_of_the_time_since() -> None:
    held, other = machine(), machine()
    rows: list[Row] = [(KWH_TAG, 60 * n, n % 655) for n in range(1500)]
    rows += [(STATE, 60 * n + 20, n % 7) for n in range(1500)] + [(KWH_TAG, 30_001, 0, LOST)]
    for one in (held, other):
        one.feed(batch(sorted(rows, key=lambda row: row[1])))
    held.ledger.prune(60_010 * S)
    floor = held.ledger.remembered_from
    assert floor is not None
    assert held.ledger.cell(floor, 90_000 * S).energy == other.ledger.cell(floor, 90_000 * S).energy
    assert held.ledger.cell(floor, 90_000 * S).energy.e_total > 400 * KWH


def test_another_register_in_its_place_begins_anew() -> None:
    held, other = machine(), machine(replace(METER, step=0.1, energy=Fraction(100 * WH)))
    held.feed(batch([(STATE, 0, 4), (KWH_TAG, 0, 100.0), (KWH_TAG, 60, 100.3)]))
    other.replay(orjson.loads(orjson.dumps(held.take_events())))
    other.feed(batch([(KWH_TAG, 100, 5.0), (KWH_TAG, 130, 6.0)]))
    energy = other.ledger.cell(0, 130 * S).energy
    assert (energy.e_total, energy.unmetered) == (1300 * WH, 40 * S)


# -- whatever the order ------------------------------------------------------------------------------

steps = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from(["state", "kwh", "kwh", "lost"]), st.integers(0, 27)),
    min_size=4, max_size=40,
)  # fmt: skip


def rows_of(told: list[tuple[int, str, int]], first: int) -> list[Row]:
    rows: list[Row] = [(STATE, 0, 4), (KWH_TAG, 0, first / 100)]
    t, raw = 0, first
    for after, what, n in told:
        t += after
        if what == "state":
            rows.append((STATE, t, n % 7))
        elif what == "lost":
            rows.append((KWH_TAG, t, 0, LOST))
        else:
            raw = (raw + n) % 65536
            rows.append((KWH_TAG, t, raw / 100))
    return rows


@settings(max_examples=40, deadline=None)
@given(
    steps, st.sampled_from([5, 65_500]), st.randoms(use_true_random=False), st.lists(st.integers(0, 1600), max_size=3)
)
def test_shuffled_and_repeated_readings_give_the_same_energy_and_any_cut_adds_up(
    told: list[tuple[int, str, int]], first: int, chance: random.Random, cuts: list[int]
) -> None:
    rows = rows_of(told, first)
    held, other = machine(), machine()
    held.feed(batch(rows))
    mixed = rows + chance.sample(rows, len(rows) // 2)
    chance.shuffle(mixed)
    for row in mixed:
        other.feed(batch([row]))
        other.ledger.cell(0, 700 * S)
    end = 1700 * S
    whole = held.ledger.cell(0, end)
    assert other.ledger.cell(0, end) == whole
    places = [0, *sorted(cut * S for cut in cuts), end]
    assert sum((held.ledger.cell(a, b) for a, b in pairwise(places)), Cell()) == whole
    assert held.ledger.cell(0, end, as_of=end) == whole


@given(steps, st.sampled_from([5, 65_500]))
def test_energy_by_state_adds_up_to_what_the_register_counted(told: list[tuple[int, str, int]], first: int) -> None:
    held = machine()
    held.feed(batch(rows_of(told, first)))
    counted = sum(n for _, what, n in told if what == "kwh")
    energy = held.ledger.cell(0, 1700 * S).energy
    assert sum(getattr(energy, group) for group in GROUPS) == energy.e_total == counted * 10 * WH


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 9), st.integers(0, 9), st.booleans())
def test_every_formula_gives_the_value_from_its_inputs(run: int, idle: int, pq: int, gq: int, rated: bool) -> None:
    energy = Energy(e_run=run, e_idle=idle, metered=HOUR, unmetered=HOUR // 2, co2=Fraction(run + idle, KWH),
                    coal=Fraction(run, KWH), no_factor=0 if rated else run)  # fmt: skip
    cell = Cell(pq=pq, gq=gq, energy=energy)
    known, right = elements(cell), energy_values(cell)
    assert [one.name for one in ENERGY] == list(right)
    for one in ENERGY:
        try:
            found = Fraction(eval(one.formula, {}, {name: known[name] for name in one.inputs}))
        except (ZeroDivisionError, TypeError):
            found = None
        assert found == right[one.name], one.name


def test_a_machine_without_a_meter_has_no_figures_of_energy() -> None:
    assert energy_values(Cell(ct=HOUR)) == {}
    assert "energy" not in Cell(ct=HOUR).to_dict()


def test_a_meter_of_another_unit_is_exact_too() -> None:
    spec = MeterSpec("gas", 1.0, 0.0, Fraction(1_000_000_000), None, rate=Fraction(10**9))     # MJ
    assert spec.millijoules(36) == 36 * 1_000_000_000 == 10 * KWH
    with pytest.raises(ValueError, match="volts"):
        Energy.from_dict({"volts": 1})


def test_a_day_without_the_meter_of_a_large_machine_fits_into_a_record() -> None:
    lost = Energy(metered=24 * HOUR, unmetered=24 * HOUR, most=24 * HOUR * 200_000_000)     # 200 kW
    told = orjson.loads(orjson.dumps(Cell(ct=24 * HOUR, energy=lost).to_dict()))
    assert Cell.from_dict(told).energy == lost
