"""The rig's own exact ledger: whatever plant there is, an independent slow integrator finds the same."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core import kpi
from edge_agent.core.calendar import CalendarKind, CalendarSpan, FixedCalendar
from edge_agent.core.ledger import Ledger, Policy
from edge_agent.core.states import MachineState
from tests.hil.random_plants import LONG, SECOND, START, instants, plants, rests_of, thresholds
from tests.hil.slow import integrate
from tests.hil.watched import WatchedPlant


@given(plants(), st.tuples(instants, instants), thresholds, st.booleans(), st.data())
def test_an_independent_slow_integrator_finds_what_the_ledger_holds(
    plant: WatchedPlant, window: tuple[int, int], micro: int, later: bool, data: Any
) -> None:
    name = data.draw(st.sampled_from(list(plant.machines)))
    events = plant.events[name]
    if data.draw(st.booleans()):            # cuts exactly at events are the hard ones
        window = data.draw(st.sampled_from(events)).t, window[1]
    start, end = max(min(window), START), max(*window, START)
    as_of = START + LONG if later else end
    vector = plant.truths[name].vector(start, end, micro, as_of)
    ideal = {product: item.ideal_cycle for product, item in plant.file.machines[name].products.items()}
    found = integrate(events, START, rests_of(plant, name), (start, end), as_of, micro, ideal)

    assert vector.time_ns == {**{state: found.ns[state] for state in ("IDLE", "SETUP", "RUN", "FAULT")},
                              "BREAK": found.ns["pdot"]}
    assert vector.reasons_ns == {key[7:]: ns for key, ns in found.ns.items() if key.startswith("reason ")}
    record = vector.record()
    names = {"RUN": "apt", "SETUP": "aust"}
    times = {names.get(key, key): ns for key, ns in found.ns.items()}
    for key in ("ct", "pdot", "apt", "aust", "micro", "adet_fault", "adet_other", "ttr_sum"):
        assert record["time_s"][key] == times.get(key, 0) / SECOND, key
    assert record["time_s"]["pbt"] == (found.ns["ct"] - found.ns["pdot"]) / SECOND
    assert record["counts"] == {key: found.n[key] for key in record["counts"]}
    assert (vector.ideal_total_ns, vector.ideal_good_ns, vector.ideal_startup_ns) == (
        found.ideal["ipt"], found.ideal["igt"], found.ideal["ist"])  # fmt: skip
    for product, counts in vector.by_product.items():
        assert {key: found.n[f"{product} {key}"] for key in ("good", "scrap", "rework")}.items() <= counts.items()
    busy = found.ns["ct"] - found.ns["pdot"]
    assert vector.kpis()["oee"] == (Fraction(found.ideal["igt"]) / busy if busy else None)
    for state, uj in vector.energy_uj.items():      # each stay ends between two microseconds at most
        assert abs(uj - found.energy_uj[state] / 1000) <= 2 * len(events)


@given(plants(), st.data())
def test_windows_side_by_side_add_up_to_the_whole(plant: WatchedPlant, data: Any) -> None:
    name = data.draw(st.sampled_from(list(plant.machines)))
    cuts = data.draw(st.lists(st.sampled_from(plant.events[name]).map(lambda event: event.t) | instants, max_size=6))
    end = START + LONG
    edges = sorted({START, end, *(cut for cut in cuts if START < cut < end)})
    parts = [plant.truths[name].vector(a, b, 2 * SECOND, end) for a, b in pairwise(edges)]
    whole = plant.truths[name].vector(START, end, 2 * SECOND, end)
    for state, ns in whole.time_ns.items():
        assert sum(part.time_ns[state] for part in parts) == ns
    for field in (
        "micro_ns", "fault_ns", "faults", "stops", "micro_stops", "failures", "restored", "restoring_ns", "total",
        "scrap", "rework", "startup_rejects", "ideal_total_ns", "ideal_good_ns", "ideal_startup_ns",
    ):  # fmt: skip
        assert sum(getattr(part, field) for part in parts) == getattr(whole, field), field
    assert sum(sum(part.energy_uj.values()) for part in parts) == sum(whole.energy_uj.values())


def told(plant: WatchedPlant, name: str, micro: int) -> Ledger:
    """The agent's ledger of a machine, told all that happened, without any reading in between."""
    whole = CalendarSpan(START, START + LONG, CalendarKind.BUSY)
    rests = [CalendarSpan(*rest, CalendarKind.PLANNED_DOWN) for rest in rests_of(plant, name)]
    ledger = Ledger(FixedCalendar([whole, *rests]), Policy(micro_stop_ns=micro, outside_plan="exclude"))
    products, states = plant.file.machines[name].products, {START: ("IDLE", "")}
    for event in plant.events[name]:
        if event.what == "state":
            states[event.t] = str(event.state), event.reason
        elif event.what == "product":
            ledger.job(event.t, event.product, products[event.product].ideal_cycle / SECOND)
        else:
            ledger.count(event.t, "m", 1, int(event.made == "scrap"), int(event.made == "rework"))
    for t, (state, reason) in states.items():
        ledger.state(t, MachineState[state], reason)
    return ledger


@given(plants(), st.tuples(instants, instants), thresholds, st.data())
def test_the_agents_ledger_told_every_event_has_the_same_record(
    plant: WatchedPlant, window: tuple[int, int], micro: int, data: Any
) -> None:
    name = data.draw(st.sampled_from(list(plant.machines)))
    start, end, as_of = max(min(window), START), max(*window, START), START + LONG
    vector = plant.truths[name].vector(start, end, micro, as_of)
    cell = told(plant, name, micro).cell(start, end, as_of)
    record = vector.record()
    for key in ("ct", "pot", "pbt", "pdot", "apt", "micro", "aust", "adet_fault", "adet_other", "unk", "ttr_sum"):
        assert getattr(cell, key) / SECOND == record["time_s"][key], key
    for key, count in record["counts"].items():
        assert getattr(cell, key) == count, key
    assert (cell.ipt * SECOND, cell.igt * SECOND) == (vector.ideal_total_ns, vector.ideal_good_ns)
    theirs = kpi.kpis(cell)
    assert {key: theirs[key] for key in vector.kpis()} == vector.kpis()


def test_the_complete_truth_names_every_event_once(plant_of: Callable[..., WatchedPlant], clock: Any) -> None:
    plant = plant_of({"m": {"breaks": [{"start": "00:02", "for": "90s"}]}}, seed=3)
    clock.forward(900)
    plant.advance()
    said: Any = plant.truths["m"].to_json(clock.now)
    assert len(said["states"]) + len(said["products"]) + len(said["pieces"]) == len(plant.events["m"])
    assert said["whole"]["counts"]["total"] == len(said["pieces"])
    assert said["breaks"] == [(START + 120 * SECOND, START + 210 * SECOND)]


def test_the_factors_of_oee_multiply_to_it(plant_of: Callable[..., WatchedPlant], clock: Any) -> None:
    plant = plant_of({"m": {}}, seed=3)
    clock.forward(900)
    plant.advance()
    kpis = plant.truths["m"].vector(START, clock.now, 2 * SECOND).kpis()
    for availability, performance in (
        ("availability_iso", "effectiveness_iso"), ("availability_classic", "performance_classic"),
    ):  # fmt: skip
        a, p, q = kpis[availability], kpis[performance], kpis["quality_time"]
        assert a is not None and p is not None and q is not None
        assert a * p * q == kpis["oee"]


def test_a_window_within_a_break_has_no_oee(plant_of: Callable[..., WatchedPlant], clock: Any) -> None:
    plant = plant_of({"m": {"breaks": [{"start": "00:02", "for": "90s"}]}})
    clock.forward(900)
    plant.advance()
    kpis = plant.truths["m"].vector(START + 150 * SECOND, START + 160 * SECOND).kpis()
    assert kpis["oee"] is None and kpis["availability_iso"] is None


def test_a_stop_is_short_or_long_by_its_whole_length_outside_breaks(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    broken: dict[str, Any] = {
        "products": {"A": {"code": 1, "ideal_cycle": "40s"}}, "jobs": [], "spread": 0, "micro_stops": None,
        "faults": {"every": ["50s", "50s"], "for": ["30s", "30s"]},
        "breaks": [{"start": "00:01", "for": "10s"}],
    }  # fmt: skip
    plant = plant_of({"m": broken})
    clock.forward(120)
    plant.advance()
    truth = plant.truths["m"]  # FAULT from 50 s to 80 s, of which 60 to 70 is break: 20 s of stop
    window = START + 55 * SECOND, START + 100 * SECOND
    assert truth.vector(*window, micro_stop_ns=20 * SECOND).micro_ns == 15 * SECOND
    assert truth.vector(*window, micro_stop_ns=20 * SECOND - 1).micro_ns == 0
    early = START + 55 * SECOND, START + 75 * SECOND
    assert truth.vector(*early, micro_stop_ns=16 * SECOND).micro_ns == 10 * SECOND  # open, 15 s so far
    assert truth.vector(*early, micro_stop_ns=16 * SECOND, as_of=START + 100 * SECOND).micro_ns == 0

