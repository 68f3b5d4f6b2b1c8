"""Stack lights, power, dwell, and several sources of one machine's state."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.batch import Batch
from edge_agent.core.calendar import Calendar
from edge_agent.core.judges import RolesJudge, Stall
from edge_agent.core.lamps import Blink, LampModel
from edge_agent.core.ledger import Policy
from edge_agent.core.machine import Machine, MachineSpec
from edge_agent.core.models import MapModel
from edge_agent.core.models.euromap import EuromapModel
from edge_agent.core.models.machinery import MachineryModel
from edge_agent.core.power import PowerJudge, PowerLevels
from edge_agent.core.quality import Reason, bad
from edge_agent.core.sources import Rank, SourceSpec
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind, Tag

S = 1_000_000_000
STATES = {0: MachineState.IDLE, 1: MachineState.RUN, 2: MachineState.FAULT}
TAGS = {
    name: Tag(n, "io", name, Kind.FLOAT if name == "power" else Kind.INT)
    for n, name in enumerate(("red", "yellow", "green", "power", "plc", "alarm", "cycles", "mode"))
}
LOST = bad(Reason.COMM_LOST)
LEVELS = PowerLevels((40, 60), (1350, 1650), 5 * S)
Told = tuple[str, float, float | None]
"""Tag, seconds, value; None: the line is lost."""


def lamps(*lit: str, debounce: float = 0.05, dwell: float = 1, own: Mapping[str, str] | None = None) -> SourceSpec:
    rows = {key: (MachineState[state], "") for key, state in (own or {}).items()}
    model = LampModel(lit, rows)
    judge = RolesJudge(model, lit, dict.fromkeys(lit, Blink()), round(debounce * S), round(dwell * S))
    return SourceSpec(Rank.DI, judge, {lamp: TAGS[lamp] for lamp in lit})


def power(levels: PowerLevels = LEVELS) -> SourceSpec:
    return SourceSpec(Rank.POWER, PowerJudge(levels), {"power": TAGS["power"]}, frozenset({"power"}))


def native(tag: str = "plc", dwell: float = 0, states: Mapping[int | str, MachineState] = STATES) -> SourceSpec:
    judge = RolesJudge(MapModel(states), ("state",), dwell_ns=round(dwell * S))
    return SourceSpec(Rank.NATIVE, judge, {"state": TAGS[tag]})


def machine(*sources: SourceSpec) -> Machine:
    return Machine(MachineSpec("m", None, {}, Calendar("UTC", shifts=None), Policy(), {}, sources=sources))


def samples(rows: Iterable[Told]) -> Batch:
    listed = list(rows)
    return Batch(
        np.array([TAGS[name].position for name, _, _ in listed], np.int32),
        np.array([round(t * S) for _, t, _ in listed], np.int64),
        np.array([float("nan") if value is None else value for _, _, value in listed], float),
        np.array([LOST if value is None else 0 for _, _, value in listed], np.uint8),
    )


def changes(held: Machine) -> list[tuple[float, str]]:
    return [(one.since / S, f"{one.state.name} {one.reason}".strip()) for one in held.take_changes()]


def spans(held: Machine, until: float = 100) -> list[tuple[float, str]]:
    return [(one.start / S, f"{one.state.name} {one.reason}".strip()) for one in held.ledger.spans(0, round(until * S))]


def lit(**times: Sequence[float]) -> list[Told]:
    """Lamps that are dark at 0 and change at these seconds."""
    rows = [(name, t, n % 2) for name, changed in times.items() for n, t in enumerate([0, *changed])]
    return sorted(rows, key=lambda row: row[1])


# -- stack light -----------------------------------------------------------------------------------


def test_a_lamp_that_changes_three_times_in_three_seconds_blinks_until_that_is_over() -> None:
    held = machine(lamps("red", "green", dwell=0))
    held.feed(samples(lit(red=[1, 1.5, 2, 2.5, 3], green=[])))
    held.confirm(20 * S)
    assert spans(held) == [
        (0, "IDLE all lamps off"), (1, "FAULT"), (1.5, "IDLE all lamps off"), (2, "FAULT emergency/unacknowledged"),
        (5, "FAULT"),
    ]  # fmt: skip


def test_a_state_that_blinking_only_passes_through_never_was() -> None:
    held = machine(lamps("red", "green"))
    held.feed(samples(lit(red=[], green=[1, 1.5, 2, 2.5, 3, 3.5, 4])))
    held.confirm(20 * S)
    assert spans(held) == [(0, "IDLE all lamps off"), (2, "SETUP warm-up/ready"), (6, "RUN")]


def test_a_contact_that_bounces_is_no_change_and_a_real_one_counts_from_its_start() -> None:
    held = machine(lamps("red", "green", dwell=0))
    held.feed(samples(lit(red=[5, 5.02, 5.04, 5.06], green=[1, 9, 9.01])))
    held.confirm(20 * S)
    assert spans(held) == [(0, "IDLE all lamps off"), (1, "RUN")]


def test_lamps_that_change_within_the_debounce_are_put_in_their_order() -> None:
    held = machine(lamps("red", "green", dwell=0))
    held.feed(samples(lit(green=[1, 5.02], red=[5])))
    held.confirm(20 * S)
    assert spans(held) == [(0, "IDLE all lamps off"), (1, "RUN"), (5, "FAULT red wins"), (5.02, "FAULT")]


def test_a_builder_may_mean_something_else() -> None:
    held = machine(lamps("red", "yellow", "green", own={"01000": "SETUP", "00000": "OFF"}))
    held.feed(samples(lit(red=[], yellow=[5], green=[])))
    held.confirm(20 * S)
    assert spans(held) == [(0, "OFF"), (5, "SETUP")]


def test_a_dark_tower_is_off_only_if_the_power_meter_agrees() -> None:
    held = machine(lamps("red", "green"), power())
    held.feed(samples([*lit(red=[], green=[1, 10]), ("power", 0, 800), ("power", 20, 5)]))
    held.confirm(40 * S)
    assert spans(held) == [
        (0, "IDLE all lamps off"), (1, "RUN"), (10, "IDLE all lamps off"), (20, "OFF all lamps off"),
    ]  # fmt: skip


def test_a_lost_lamp_makes_it_unknown_at_once() -> None:
    held = machine(lamps("red", "green"))
    held.feed(samples([*lit(red=[], green=[1]), ("green", 5, None), ("green", 8, 1)]))
    held.confirm(20 * S)
    assert spans(held) == [(0, "IDLE all lamps off"), (1, "RUN"), (5, "UNKNOWN COMM_LOST"), (8, "RUN")]


# -- power -----------------------------------------------------------------------------------------


def fed(levels: PowerLevels, *readings: tuple[float, float | None], until: float = 100) -> list[tuple[float, str]]:
    held = machine(power(levels))
    held.feed(samples([("power", t, watts) for t, watts in readings]))
    held.confirm(round(until * S))
    return spans(held)


def test_a_spike_of_one_reading_is_taken_out_and_restarts_no_dwell() -> None:
    levels = PowerLevels((40, 60), (1350, 1650), 5 * S, round(1.5 * S))
    assert fed(levels, (0, 500), (10, 9000), (11, 500), (20, 1700), (23, 300), (24, 1700)) == [(0, "IDLE"), (20, "RUN")]
    spiky = PowerLevels((40, 60), (1350, 1650), 5 * S)
    assert fed(spiky, (0, 500), (20, 1700), (23, 300), (24, 1700)) == [(0, "IDLE"), (24, "RUN")]


def test_a_spike_that_lasts_is_none() -> None:
    levels = PowerLevels((40, 60), (1350, 1650), 2 * S, round(1.5 * S))
    assert fed(levels, (0, 500), (10, 9000), (13, 500)) == [(0, "IDLE"), (10, "RUN"), (13, "IDLE")]


def test_a_meter_that_is_lost_is_unknown_at_once_and_begins_afresh() -> None:
    levels = PowerLevels((40, 60), (1350, 1650), 5 * S, round(1.5 * S))
    found = fed(levels, (0, 500), (10, 2000), (20, None), (21, 1500), (30, 1500))
    assert found == [(0, "IDLE"), (10, "RUN"), (20, "UNKNOWN COMM_LOST"), (21, "IDLE")]


def test_thresholds_may_have_fractions() -> None:
    levels = PowerLevels((0.04, 0.06), (1.35, 1.65), 5 * S)
    assert fed(levels, (0, 0.03), (10, 0.5), (20, 1.7)) == [(0, "OFF"), (10, "IDLE"), (20, "RUN")]


def test_a_meter_without_a_run_threshold_tells_only_whether_it_is_off() -> None:
    levels = PowerLevels((40, 60), None, 5 * S)
    assert fed(levels, (0, 5), (10, 500), (20, 5)) == [(0, "OFF"), (10, "UNKNOWN ENERGISED"), (20, "OFF")]


def test_a_meter_without_an_off_threshold_never_says_off() -> None:
    assert fed(PowerLevels(None, (1350, 1650), 5 * S), (0, 0), (10, 2000)) == [(0, "IDLE"), (10, "RUN")]


@pytest.mark.parametrize("edges", [((60, 40), (1, 2)), ((1, 2), (1.5, 3)), (None, None)])
def test_thresholds_that_do_not_rise_are_refused(edges: tuple[tuple[float, float] | None, ...]) -> None:
    with pytest.raises(ValueError, match="must rise"):
        PowerLevels(*edges)


# -- several sources -------------------------------------------------------------------------------


def test_a_plc_that_does_not_answer_is_off_not_unknown_where_the_meter_says_so() -> None:
    held = machine(native(), power(PowerLevels((40, 60), None, 5 * S)))
    held.feed(samples([("plc", 0, 1), ("power", 0, 2000), ("plc", 20, None), ("power", 30, 5), ("power", 60, 900)]))
    held.confirm(80 * S)
    assert spans(held) == [(0, "RUN"), (20, "UNKNOWN COMM_LOST"), (30, "OFF"), (60, "UNKNOWN COMM_LOST")]


def test_what_the_machine_says_comes_before_lamps_and_these_before_power() -> None:
    held = machine(power(), lamps("red", "green", dwell=0, debounce=0), native())
    held.feed(samples([("power", 0, 2000)]))
    held.feed(samples([("red", 20, 0), ("green", 20, 0)]))
    held.feed(samples([("plc", 40, 2), ("plc", 60, None), ("green", 80, None)]))
    held.confirm(90 * S)
    assert spans(held) == [
        (0, "RUN"), (20, "IDLE all lamps off"), (40, "FAULT"), (60, "IDLE all lamps off"), (80, "RUN"),
    ]  # fmt: skip


def test_a_fault_that_the_machine_tells_of_beats_a_run_of_another_source() -> None:
    held = machine(native(), native("alarm", states={1: MachineState.FAULT}), power())
    held.feed(samples([("plc", 0, 1), ("alarm", 0, 0), ("power", 0, 2000), ("alarm", 10, 1), ("plc", 20, 0)]))
    assert spans(held) == [(0, "RUN"), (10, "FAULT"), (20, "IDLE")]


def test_a_moulding_machine_that_waits_to_be_loaded_is_idle_after_its_patience() -> None:
    roles = {"status": TAGS["plc"], "mode": TAGS["mode"], "waiting": TAGS["cycles"]}
    judge = RolesJudge(EuromapModel(), tuple(roles), {"waiting": Stall(30 * S)})
    held = machine(SourceSpec(Rank.NATIVE, judge, roles))
    held.feed(samples([("plc", 0, 4), ("mode", 0, 2), ("cycles", 0, 7), ("cycles", 10, 8)]))
    held.confirm(39 * S)
    assert spans(held) == [(0, "RUN")]
    held.confirm(41 * S)
    held.feed(samples([("cycles", 70, 9), ("mode", 80, 1)]))
    held.confirm(120 * S)
    assert spans(held, 130) == [(0, "RUN"), (40, "IDLE NO_OPERATOR"), (70, "RUN")]


# -- any order, any confirmation, any restart ------------------------------------------------------


def plant(kind: int) -> Machine:
    return [
        lambda: machine(lamps("red", "yellow", "green", debounce=1), power()),
        lambda: machine(native(dwell=3), power(PowerLevels((40, 60), (1350, 1650), 3 * S, round(1.5 * S)))),
        lambda: machine(native(), native("alarm", 2), lamps("red", "green", dwell=0)),
        lambda: machine(power(PowerLevels((40, 60), (1350, 1650), 0, 2 * S))),
    ][kind]()


VALUES: Mapping[str, Sequence[float | None]] = {
    "red": (0, 1, None), "yellow": (0, 1), "green": (0, 1, None), "plc": (0, 1, 2, 9, None), "alarm": (0, 2, None),
    "power": (5, 50, 500, 1500, 2000, None),
}  # fmt: skip
rows = st.sampled_from(sorted(VALUES)).flatmap(
    lambda name: st.tuples(st.just(name), st.integers(0, 30), st.sampled_from(VALUES[name]))
)
histories = st.lists(rows, min_size=1, max_size=40, unique_by=lambda row: row[:2])


def facts(held: Machine) -> object:
    held.confirm(60 * S)
    return held.ledger.spans(0, 60 * S), held.ledger.cell(0, 60 * S), (held.current.state, held.current.reason)


def in_order(kind: int, told: Sequence[Told]) -> Machine:
    held = plant(kind)
    for _, group in groupby(sorted(told, key=lambda row: row[1]), key=lambda row: row[1]):
        held.feed(samples(group))
    return held


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 3), histories, st.integers(0, 2**31), st.integers(1, 7))
def test_any_order_any_repetition_and_any_confirmation_gives_the_same_ledger(
    kind: int, told: list[Told], seed: int, size: int
) -> None:
    chance = random.Random(seed)
    expected = facts(in_order(kind, told))
    shuffled = [*told, *told[::3]]
    chance.shuffle(shuffled)
    held = plant(kind)
    for start in range(0, len(shuffled), size):
        held.feed(samples(shuffled[start : start + size]))
        if chance.random() < 0.3:
            held.confirm(chance.randrange(40) * S)
    assert facts(held) == expected


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 3), histories, st.integers(0, 40), st.integers(0, 40))
def test_a_checkpoint_carries_on_as_if_nothing_had_been(
    kind: int, listed: list[Told], cut: int, confirmed: int
) -> None:
    told = sorted(listed, key=lambda row: row[1])
    while 0 < cut < len(told) and told[cut - 1][1] == told[cut][1]:
        cut += 1        # an instant that a restart cuts in two is two
    held, other = plant(kind), plant(kind)
    held.feed(samples(told[:cut]))
    held.confirm(min(confirmed, told[min(cut, len(told) - 1)][1]) * S)
    head, packed = held.checkpoint()
    other.restore(orjson.loads(orjson.dumps(head)), packed)
    other.feed(samples(told[cut:]))
    assert facts(other) == facts(in_order(kind, told))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3), histories, st.integers(0, 40))
def test_a_crash_costs_nothing_but_the_time_away(kind: int, listed: list[Told], cut: int) -> None:
    """Checkpoint, events and an absence leave the same as an agent that never lost its memory."""
    told = sorted(listed, key=lambda row: row[1])
    while 0 < cut < len(told) and told[cut - 1][1] == told[cut][1]:
        cut += 1
    held, other = plant(kind), plant(kind)
    head, packed = held.checkpoint()
    events = []
    for _, group in groupby(told[:cut], key=lambda row: row[1]):
        held.feed(samples(group))
        events.append(held.take_events())
    other.restore(orjson.loads(orjson.dumps(head)), packed)
    for event in [*events, *events]:
        if event is not None:
            other.replay(orjson.loads(orjson.dumps(event)))
    for both in (held, other):
        both.was_away(31 * S)
        both.feed(samples([(name, t + 35, value) for name, t, value in told[cut:]]))
        both.confirm(100 * S)
    assert other.ledger.spans(0, 100 * S) == held.ledger.spans(0, 100 * S)


def test_what_is_older_than_memory_changes_what_comes_after_it_only() -> None:
    held = machine(native(dwell=1))
    for t in range(1500):
        held.feed(samples([("plc", t, t // 5 % 2)]))
    before = spans(held, 1400)
    held.feed(samples([("plc", 3, 2)]))
    assert spans(held, 1400) == before


def test_a_source_of_another_tag_begins_afresh_after_a_restart() -> None:
    held = machine(native(), power())
    held.feed(samples([("plc", 0, None), ("power", 0, 2000)]))
    held.confirm(10 * S)
    head, packed = held.checkpoint()
    other = machine(native("alarm"), power())
    other.restore(orjson.loads(orjson.dumps(head)), packed)
    other.feed(samples([("alarm", 20, 0)]))
    assert spans(other)[-2:] == [(0, "RUN"), (20, "IDLE")]


def test_a_mode_that_must_be_remembered_outlives_an_absence_with_a_dwell_too() -> None:
    judge = RolesJudge(MachineryModel(), ("state", "mode"), dwell_ns=S)
    spec = SourceSpec(Rank.NATIVE, judge, {"state": TAGS["plc"], "mode": TAGS["mode"]})
    held = machine(spec)
    held.feed(samples([("plc", 1, 3), ("mode", 1, 1), ("plc", 5, 0), ("mode", 5, 0)]))
    held.was_away(10 * S)
    held.feed(samples([("plc", 20, 0), ("mode", 20, 0)]))
    held.confirm(30 * S)
    assert spans(held) == [(0, "UNKNOWN"), (1, "MAINT"), (10, "UNKNOWN AGENT_DOWN"), (20, "MAINT")]
