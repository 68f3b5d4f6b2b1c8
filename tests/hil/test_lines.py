"""Machines that pass pieces on, and everything else a plant file can make of a machine."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import given

from edge_agent_hil.equipment import Equipment
from edge_agent_hil.expand import expand
from edge_agent_hil.plant_file import PlantFile
from edge_agent_hil.tags import Sign
from tests.hil.random_plants import plants
from tests.hil.watched import WatchedPlant

SECOND = 1_000_000_000
PLAIN: dict[str, Any] = {
    "jobs": [], "setup": None, "speed_loss": 0, "spread": 0, "micro_stops": None, "faults": None, "scrap": 0,
}  # fmt: skip


def machine(cycle: str, **more: Any) -> dict[str, Any]:
    return {**PLAIN, "products": {"A": {"code": 1, "ideal_cycle": cycle}}, **more}


def states(plant: WatchedPlant, name: str) -> list[tuple[float, str, str]]:
    return [((e.t - plant.start) / SECOND, str(e.state), e.reason) for e in plant.events[name] if e.what == "state"]


def test_a_fast_machine_before_a_slow_one_fills_the_buffer_and_is_blocked(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    lines = {"l": {"machines": ["fast", "slow"], "buffers": [2]}}
    plant = plant_of({"fast": machine("1s"), "slow": machine("3s")}, lines=lines)
    clock.forward(30)
    plant.advance()
    # The slow one takes at 1, 4, 7 s …; two more fit between them, and one stays in the fast one.
    assert states(plant, "slow")[:3] == [(0, "RUN", ""), (0, "IDLE", "starved"), (1, "RUN", "")]
    assert [one for one in states(plant, "fast") if one[0] != 4][:4] == [
        (0, "RUN", ""), (5, "IDLE", "blocked"), (7, "RUN", ""), (8, "IDLE", "blocked"),
    ]  # fmt: skip
    made = {name: plant.truths[name].vector(plant.start, clock.now).total for name in ("fast", "slow")}
    assert made == {"fast": 9 + 2 + 2, "slow": 9}
    assert plant.truths["fast"].vector(plant.start, clock.now).reasons_ns["blocked"] == 17 * SECOND


def test_a_slow_machine_before_a_fast_one_starves_it(plant_of: Callable[..., WatchedPlant], clock: Any) -> None:
    lines = {"l": {"machines": ["slow", "fast"]}}
    plant = plant_of({"slow": machine("3s"), "fast": machine("1s")}, lines=lines)
    clock.forward(30)
    plant.advance()
    assert states(plant, "slow") == [(0, "RUN", "")], "the first machine of a line never starves"
    waits = [(4, "IDLE", "starved"), (6, "RUN", ""), (7, "IDLE", "starved")]
    assert states(plant, "fast")[2:6] == [(3, "RUN", ""), *waits]


def test_scrap_and_rework_leave_the_line(plant_of: Callable[..., WatchedPlant], clock: Any) -> None:
    lines = {"l": {"machines": ["first", "second"], "buffers": [1000]}}
    plant = plant_of({"first": machine("1s", scrap=0.3, rework=0.2), "second": machine("0.1s")}, lines=lines)
    clock.forward(1000.05)
    plant.advance()
    first, second = (plant.truths[name].vector(plant.start, clock.now) for name in ("first", "second"))
    assert first.total == 1000
    assert first.scrap > 200 < first.total - first.good
    assert first.rework > 100
    assert second.total in (first.good, first.good - 1)


@given(plants())
def test_in_a_line_no_piece_is_lost_or_made_twice(plant: WatchedPlant) -> None:
    for line in plant.file.lines.values():
        for (before, behind), room in zip(pairwise(line.machines), line.rooms, strict=True):
            check_passing_on(plant, before, behind, room)


def check_passing_on(plant: WatchedPlant, before: str, behind: str, room: int) -> None:
    both = [(e.t, 0, e) for e in plant.events[before]] + [(e.t, 1, e) for e in plant.events[behind]]
    both.sort(key=lambda one: one[:2])
    good = taken = 0
    reasons = ["", ""]
    for at, (t, which, event) in enumerate(both):
        reasons[which] = event.reason
        good += which == 0 and event.made == "good"
        taken = event.total if which else taken
        if at + 1 < len(both) and both[at + 1][0] == t:
            continue                # of what happens at once, only what it comes to
        # Between the two machines, in the one behind, and one that waits in the one before.
        assert 0 <= good - taken <= room + 2
        assert reasons[1] != "starved" or good == taken
        assert reasons[0] != "blocked" or good - taken >= room + 1


def test_the_first_pieces_after_each_set_up_have_chances_of_their_own(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    jobs = [{"product": "A", "pieces": 10}, {"product": "A", "pieces": 10}]
    more: dict[str, Any] = {"jobs": jobs, "setup": ["2s", "2s"], "startup": {"pieces": 3, "scrap": 1}}
    plant = plant_of({"m": machine("1s", **more)})
    clock.forward(60)
    plant.advance()
    made = [str(e.made) for e in plant.events["m"] if e.what == "piece"]
    assert made[:30] == ["good"] * 10 + (["scrap"] * 3 + ["good"] * 7) * 2
    vector = plant.truths["m"].vector(plant.start, plant.start + 34 * SECOND)
    assert (vector.startup_rejects, vector.ideal_startup_ns) == (6, 6 * SECOND)


def test_count_makes_many_of_a_machine_and_of_a_line() -> None:
    shared = {"count": 3, "products": {"A": {"code": 1, "ideal_cycle": "1s"}}}
    tags = {"total": {"address": "holding:0"}}
    plant = expand(PlantFile.model_validate({
        "gateways": {"g": {}},
        "machines": {
            "cut": {**shared, "modbus": {"gateway": "g", "unit": 5, "tags": tags}},
            "pack": {**shared, "modbus": {"tags": tags}},
            "lone": {**shared, "count": 1, "opcua": {"tags": {"total": {}}}},
        },
        "lines": {"line": {"count": 3, "machines": ["cut", "pack"], "buffers": [4]}},
    }))  # fmt: skip
    assert list(plant.machines) == ["cut-1", "cut-2", "cut-3", "pack-1", "pack-2", "pack-3", "lone"]
    assert {name: line.machines for name, line in plant.lines.items()} == {
        f"line-{n}": (f"cut-{n}", f"pack-{n}") for n in (1, 2, 3)
    }
    doors = [[(*key, face.unit) for key, face in faces.items()] for _, faces in plant.doors()]
    assert doors[-1] == [("cut-1", "modbus", 5), ("cut-2", "modbus", 6), ("cut-3", "modbus", 7)]
    assert len(doors) == 4, "each of the others has a port of its own"


def test_lamps_are_lit_by_state_and_blink_half_a_second_on_and_half_a_second_off(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    light = {"RUN": "green", "IDLE": "", "FAULT": "blinking red, yellow"}
    faults = {"every": ["10s", "10s"], "for": ["5s", "5s"]}
    plant = plant_of({"m": machine("1s", stack_light=light, faults=faults)})
    spec = plant.file.machines["m"]
    signs = [Sign(lamp, "bool", 0, spec, {}, Equipment()) for lamp in ("red", "yellow", "green")]
    seen = []
    for _ in range(60):
        clock.forward(0.25)
        seen.append("".join(str(int(bool(sign.value(*plant.look("m"))))) for sign in signs))
    assert seen[:39] == ["001"] * 39
    assert seen[40:59:2] == ["010", "110"] * 5 or seen[40:59:2] == ["110", "010"] * 5


def test_a_meter_shows_the_energy_that_the_truth_has(plant_of: Callable[..., WatchedPlant], clock: Any) -> None:
    power = {"RUN": 7.2, "FAULT": 0.36}
    faults = {"every": ["10s", "10s"], "for": ["5s", "5s"]}
    plant = plant_of({"m": machine("1s", power=power, faults=faults)})
    spec = plant.file.machines["m"]
    kwh, wh, current, watts = (
        Sign(signal, kind, start, spec, {}, Equipment())
        for signal, kind, start in (
            ("energy", "float64", 0), ("energy", "uint32", 100), ("current", "float64", 0), ("power", "uint32", 0),
        )
    )  # fmt: skip
    clock.forward(3600)
    event, now = plant.look("m")
    true: Any = plant.truths["m"].vector(plant.start, now).to_json()["energy_wh"]
    assert true["total"] == true["RUN"] + true["FAULT"]
    assert abs(true["RUN"] - 7200 * 2 / 3) < 30
    assert abs(true["FAULT"] - 360 / 3) < 1e-6
    assert abs(float(kwh.value(event, now)) * 1000 - true["total"]) < 1e-6
    assert wh.value(event, now) == 100 + int(true["total"])
    assert watts.value(event, now) == event.power
    assert abs(float(current.value(event, now)) - event.power / (3**0.5 * 400 * 0.9)) < 1e-9
