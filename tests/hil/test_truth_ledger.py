"""The rig's own exact ledger: whatever plant there is, an independent slow integrator finds the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge_agent_hil.expand import expand
from edge_agent_hil.plant_file import PlantFile
from tests.hil.slow import integrate
from tests.hil.watched import HandClock, WatchedPlant

START = 1_764_547_200_000_000_000
SECOND = 1_000_000_000
LONG = 90 * SECOND
RESTS = [(10, 25), (40, 41), (70, 80)]
MODBUS = {"tags": {"total": {"address": "holding:0"}}}

seconds = st.integers(1, 8000).map(lambda ms: f"{ms}ms")
laws = seconds | st.tuples(seconds, seconds).filter(lambda law: int(law[0][:-2]) <= int(law[1][:-2]))
stops = st.none() | st.fixed_dictionaries({"every": laws, "for": laws})
shares = st.sampled_from([0.0, 0.1, 0.4])
rests = st.lists(st.sampled_from(RESTS), unique=True, max_size=3)


@st.composite
def machines(draw: Callable[..., Any]) -> dict[str, Any]:
    products = {
        name: {"code": code, "ideal_cycle": draw(st.sampled_from(["150ms", "0.7s", "1.234567s"]))}
        for code, name in enumerate("AB")
    }
    jobs = draw(st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 20)), max_size=3))
    startup = st.none() | st.fixed_dictionaries({"pieces": st.integers(1, 5), "scrap": shares, "rework": shares})
    return {
        "products": products,
        "jobs": [{"product": product, "pieces": pieces} for product, pieces in jobs],
        "setup": draw(st.none() | laws),
        "speed_loss": draw(st.sampled_from([-0.2, 0.0, 0.5])),
        "spread": draw(st.sampled_from([0.0, 0.3])),
        "micro_stops": draw(stops),
        "faults": draw(stops),
        "scrap": draw(shares),
        "rework": draw(shares),
        "startup": draw(startup),
        "breaks": [
            {"start": f"00:{a // 60:02}:{a % 60:02}", "for": f"{b - a}s"} for a, b in draw(rests)
        ],
        "power": draw(st.just({}) | st.just({"RUN": 12.5, "IDLE": 3.2, "SETUP": 0.001, "FAULT": 0})),
        "modbus": MODBUS,
    }  # fmt: skip


@st.composite
def plants(draw: Callable[..., Any]) -> WatchedPlant:
    """Up to three machines, in a line or not, after 90 s, some of which were halted from outside."""
    made = {name: draw(machines()) for name in "abc"[: draw(st.integers(1, 3))]}
    line = {"line": {"machines": list(made), "buffers": [draw(st.integers(1, 3)) for _ in range(len(made) - 1)]}}
    lines = line if len(made) > 1 and draw(st.booleans()) else {}
    clock = HandClock(START)
    file = PlantFile.model_validate({"machines": made, "lines": lines})
    plant = WatchedPlant(expand(file), draw(st.integers(0, 99)), START, clock)
    halts = st.tuples(st.integers(0, 80), st.sampled_from(list(made)), st.integers(1, 20))
    for at, name, lasts in sorted(draw(st.lists(halts, max_size=2))):
        clock.now = START + at * SECOND
        plant.halt(name, clock.now + lasts * SECOND)
    clock.now = START + LONG
    plant.advance()
    return plant


def rests_of(plant: WatchedPlant, name: str) -> list[tuple[int, int]]:
    """The breaks of a machine, by nothing but arithmetic: START is midnight, and the zone is UTC."""
    begins = [(rest.start.minute * 60 + rest.start.second, rest.length) for rest in plant.file.machines[name].breaks]
    return [(START + begin * SECOND, START + begin * SECOND + length) for begin, length in begins]


instants = st.integers(-5 * SECOND, LONG).map(lambda ns: START + ns) | st.sampled_from(
    [START, START + LONG, *(START + edge * SECOND for rest in RESTS for edge in rest)]
)
thresholds = st.sampled_from([0, SECOND, 3 * SECOND, 300 * SECOND])


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


@given(plants())
def test_in_a_line_no_piece_is_lost_or_made_twice(plant: WatchedPlant) -> None:
    for line in plant.file.lines.values():
        for (before, behind), room in zip(pairwise(line.machines), line.rooms, strict=True):
            good, taken = 0, 0
            states: Mapping[str, str] = {}
            merged = sorted(
                [(e.t, 0, e) for e in plant.events[before]] + [(e.t, 1, e) for e in plant.events[behind]],
                key=lambda one: one[:2],
            )
            by_instant = [one[0] for one in merged]
            for at, (t, which, event) in enumerate(merged):
                states = {**states, str(which): event.reason}
                good, taken = (good + (event.made == "good"), taken) if which == 0 else (good, event.total)
                if at + 1 < len(merged) and by_instant[at + 1] == t:
                    continue
                assert 0 <= good - taken <= room + 2
                if states.get("1") == "starved":
                    assert good == taken
                if states.get("0") == "blocked":
                    assert good - taken >= room + 1


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

