"""The seeded story of one machine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from edge_agent_hil.events import Event, State, What
from tests.hil.watched import WatchedPlant

START = 1_764_547_200_000_000_000
SECOND = 1_000_000_000
MINUTE = 60 * SECOND


def story(plant: WatchedPlant, clock: Any, seconds: float, step: float = 1e9) -> list[Event]:
    end = clock.now + round(seconds * SECOND)
    while clock.now < end:
        clock.now = min(end, clock.now + round(step * SECOND))
        plant.advance()
    return plant.events["m"]


def offsets(events: list[Event], start: int) -> list[tuple[object, ...]]:
    return [(event.t - start, *event[1:]) for event in events]


def test_the_same_seed_tells_the_same_story_whenever_it_starts(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    first = offsets(story(plant_of({"m": {}}, seed=5), clock, 600), START)
    later = START + 12_345 * SECOND
    assert offsets(story(plant_of({"m": {}}, seed=5, start=later), clock, 600), later) == first
    assert len(first) > 1000


def test_the_story_does_not_depend_on_how_often_somebody_asks(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    at_once = offsets(story(plant_of({"m": {}}), clock, 120), START)
    assert offsets(story(plant_of({"m": {}}), clock, 120, step=0.0137), START) == at_once


def test_another_seed_or_another_name_tells_another_story(plant_of: Callable[..., WatchedPlant], clock: Any) -> None:
    one = offsets(story(plant_of({"m": {}}, seed=1), clock, 60), START)
    assert offsets(story(plant_of({"m": {}}, seed=2), clock, 60), START) != one
    plant = plant_of({"m": {}, "n": {}}, seed=1)
    clock.forward(60)
    plant.advance()
    assert offsets(plant.events["n"], START) != offsets(plant.events["m"], START) == one


def test_events_are_in_order_on_whole_microseconds_and_pieces_come_only_while_running(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    events = story(plant_of({"m": {}}), clock, 600)
    assert all(before.t <= after.t for before, after in pairwise(events))
    assert all(event.t % 1_000 == 0 for event in events)
    assert {event.state for event in events if event.what is What.PIECE} == {State.RUN}
    assert {event.reason for event in events} == {"", "micro_stop", "fault", "job_change"}
    for before, after in pairwise(event for event in events if event.what is What.STATE):
        assert before.state is not after.state


def test_what_the_file_asks_for_is_what_happens_in_the_long_run(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    plant = plant_of({"m": {}})
    events = story(plant, clock, 6 * 3600)
    vector = plant.truths["m"].vector(START, clock.now)
    run_s = vector.time_ns["RUN"] / SECOND
    assert vector.scrap / vector.total == pytest.approx(0.1, rel=0.05)
    assert float(vector.kpis()["effectiveness_iso"] or 0) == pytest.approx(1 / 1.1, rel=0.01)
    assert run_s / vector.faults == pytest.approx(20, rel=0.1)
    assert vector.time_ns["FAULT"] / vector.faults / SECOND == pytest.approx(4, rel=0.1)
    stops = sum(event.reason == "micro_stop" and event.what is What.STATE for event in events)
    assert run_s / stops == pytest.approx(6, rel=0.1)
    assert vector.reasons_ns["micro_stop"] / stops / SECOND == pytest.approx(1.75, rel=0.05)


def test_a_job_has_its_pieces_and_the_next_program_is_loaded_half_way_through_the_set_up(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    events = story(plant_of({"m": {}}), clock, 120)
    products = [event for event in events if event.what is What.PRODUCT]
    made = [event.product for event in events if event.what is What.PIECE]
    assert made[:66] == ["A"] * 40 + ["B"] * 25 + ["A"]
    assert [event.product for event in products[:3]] == ["A", "B", "A"]
    change = products[1]
    begun = max(e.t for e in events if e.state is State.SETUP and e.what is What.STATE and e.t < change.t)
    ended = min(e.t for e in events if e.state is State.RUN and e.what is What.STATE and e.t > change.t)
    assert change.state is State.SETUP
    assert abs((change.t - begun) - (ended - change.t)) <= 1_000


def test_a_running_machine_pauses_at_a_break_and_ends_its_piece_afterwards(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    plain: dict[str, Any] = {
        "products": {"A": {"code": 1, "ideal_cycle": "40s"}}, "jobs": [], "speed_loss": 0, "spread": 0,
        "micro_stops": None, "faults": None, "breaks": [{"start": "08:01", "for": "10min"}],
    }  # fmt: skip
    events = story(plant_of({"m": plain}, timezone="Asia/Shanghai"), clock, 720)  # START is 08:00 in Shanghai
    states = [((e.t - START) / SECOND, e.state, e.reason) for e in events if e.what is What.STATE]
    assert states == [(0, State.RUN, ""), (60, State.IDLE, "break"), (660, State.RUN, "")]
    assert [(e.t - START) / SECOND for e in events if e.what is What.PIECE] == [40, 680, 720]


def test_a_repair_goes_on_through_a_break_and_the_machine_then_waits(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    broken: dict[str, Any] = {
        "products": {"A": {"code": 1, "ideal_cycle": "40s"}}, "jobs": [], "spread": 0, "micro_stops": None,
        "faults": {"every": ["50s", "50s"], "for": ["30s", "30s"]},
        "breaks": [{"start": "00:01", "for": "5min"}],
    }  # fmt: skip
    events = story(plant_of({"m": broken}), clock, 400)
    states = [((e.t - START) / SECOND, e.state, e.reason) for e in events if e.what is What.STATE]
    assert states[:4] == [
        (0, State.RUN, ""), (50, State.FAULT, "fault"), (80, State.IDLE, "break"), (360, State.RUN, ""),
    ]  # fmt: skip


def test_a_break_keeps_its_wall_time_when_the_clocks_change(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    start = int(datetime(2024, 3, 29, 12, tzinfo=UTC).timestamp()) * SECOND  # Berlin changes on the 31st
    rest: dict[str, Any] = {
        "products": {"A": {"code": 1, "ideal_cycle": "40s"}}, "jobs": [], "micro_stops": None, "faults": None,
        "breaks": [{"start": "10:00", "for": "15min"}],
    }  # fmt: skip
    events = story(plant_of({"m": rest}, start=start, timezone="Europe/Berlin"), clock, 3 * 86_400, step=3600)
    begins = [datetime.fromtimestamp(e.t / SECOND, UTC) for e in events if e.reason == "break"]
    assert [(moment.day, moment.hour) for moment in begins if moment.minute == 0] == [
        (30, 9),
        (31, 8),
        (1, 8),
    ]
