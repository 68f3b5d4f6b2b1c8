"""Plants of every kind there is, after a minute and a half; for properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from edge_agent_hil.expand import expand
from edge_agent_hil.plant_file import PlantFile
from tests.hil.watched import HandClock, WatchedPlant

START = 1_764_547_200_000_000_000  # 2025-12-01T00:00:00Z
SECOND = 1_000_000_000
LONG = 90 * SECOND
RESTS = [(10, 25), (40, 41), (70, 80)]
MODBUS = {"tags": {"total": {"address": "holding:0"}}}

seconds = st.integers(200, 8000).map(lambda ms: f"{ms}ms")
laws = seconds | st.tuples(seconds, seconds).filter(lambda law: int(law[0][:-2]) <= int(law[1][:-2]))
stops = st.none() | st.fixed_dictionaries({"every": laws, "for": laws})
shares = st.sampled_from([0.0, 0.1, 0.4])
rests = st.lists(st.sampled_from(RESTS), unique=True, max_size=3)
startups = st.none() | st.fixed_dictionaries({"pieces": st.integers(1, 5), "scrap": shares, "rework": shares})
powers = st.just({}) | st.just({"RUN": 12.5, "IDLE": 3.2, "SETUP": 0.001, "FAULT": 0})
instants = st.integers(-5 * SECOND, LONG).map(lambda ns: START + ns) | st.sampled_from(
    [START, START + LONG, *(START + edge * SECOND for rest in RESTS for edge in rest)]
)
thresholds = st.sampled_from([0, SECOND, 3 * SECOND, 300 * SECOND])


@st.composite
def machines(draw: Callable[..., Any]) -> dict[str, Any]:
    """A machine as a plant file says it."""
    cycles = st.sampled_from(["0.4s", "0.7s", "1.234567s"])
    products = {name: {"code": code, "ideal_cycle": draw(cycles)} for code, name in enumerate("AB")}
    jobs = draw(st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 20)), max_size=3))
    breaks = [{"start": f"00:{a // 60:02}:{a % 60:02}", "for": f"{b - a}s"} for a, b in draw(rests)]
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
        "startup": draw(startups),
        "breaks": breaks,
        "power": draw(powers),
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
