"""The pictures of a scenario: states and OEE, true and measured, what waited, memory; with the faults marked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import floor, log10

from edge_agent_hil.runner.played import Machine, Played
from edge_agent_hil.runner.svg import Picture, Points

STRIP, APART = 20, 6
CURVE = 120
# Points of a curve that is 900 pixels wide.
MOST = 900
Story = Sequence[tuple[int, object]]
# Records of the first moments divide by next to nothing.
SETTLED_NS = 2_000_000_000


def pictures(played: Played) -> Iterator[tuple[str, str]]:
    """(heading, SVG)."""
    for machine in played.machines.values():
        yield f"{machine.name}: state, true and measured", _states(played, machine)
        yield f"{machine.name}: OEE of the shift so far, true and measured", _oee(played, machine)
    yield "records that wait for the broker, as the agent says", _gauge(played, "backlog")
    yield "resident memory of the agent, MB", _gauge(played, "memory")


def _picture(played: Played, height: int) -> Picture:
    last = max([played.end, *(gauge.t for gauge in played.gauges[-1:]), *(fault.end for fault in played.faults)])
    picture = Picture(played.begin, last, height, played.begin)
    for number, fault in enumerate(sorted(played.faults, key=lambda one: one.begin), 1):
        lasted = f"{(fault.begin - played.begin) / 1e9:.1f} s to {(fault.end - played.begin) / 1e9:.1f} s"
        picture.band(fault.begin, fault.end, str(number), f"{number}: {fault.step}, {lasted}")
    return picture


def _states(played: Played, machine: Machine) -> str:
    picture = _picture(played, 2 * STRIP + 3 * APART)
    true = list(zip(machine.states.times, machine.states.values, strict=True))
    measured = sorted((one.since_ms * 1_000_000, one.state) for one in played.heard.states[machine.name])
    rows: tuple[tuple[str, Story], ...] = (("true", true), ("measured", measured))
    for row, (name, story) in enumerate(rows):
        y = APART + row * (STRIP + APART)
        picture.label(y + STRIP - 6, name)
        for begin, end, state in _spans(story, picture.start, picture.end):
            seconds = f"{(begin - played.begin) / 1e9:.2f} s to {(end - played.begin) / 1e9:.2f} s"
            picture.span(begin, end, y, STRIP, f"state {state}", f"{name}: {state}, {seconds}")
    return picture.svg(f"states of {machine.name}")


def _spans(story: Story, start: int, end: int) -> Iterator[tuple[int, int, object]]:
    for (begin, state), (until, _) in pairwise([*story, (end, None)]):
        if until > start and begin < end:
            yield max(begin, start), min(until, end), state


def _oee(played: Played, machine: Machine) -> str:
    picture = _picture(played, CURVE)
    since = played.begin + SETTLED_NS
    told = {kpi.as_of: kpi.record["kpi"]["oee"] for kpi in played.heard.kpis[machine.name]}
    bounds = {kpi.as_of: kpi.record["bounds"].get("oee") for kpi in played.heard.kpis[machine.name]}
    true = [(t, vector["kpi"]["oee"]) for t, vector in sorted(machine.vectors.items())]
    values = [value for t, value in [*true, *told.items()] if value is not None and t >= since]
    high = max(1.0, *values) if values else 1.0
    picture.grid(((share, f"{100 * share:.0f} %") for share in (0.0, 0.25, 0.5, 0.75, 1.0)), 0.0, high)
    for place in (0, 1):
        edge = [(t, pair[place]) for t, pair in sorted(bounds.items()) if pair and None not in pair]
        picture.steps(_known(edge, since, picture.end), 0.0, high, "bounds")
    picture.steps(_known(true, since, picture.end), 0.0, high, "true")
    picture.steps(_known(sorted(told.items()), since, picture.end), 0.0, high, "measured")
    return picture.svg(f"OEE of {machine.name}")


def _known(points: Iterable[tuple[int, float | None]], since: int, until: int) -> Points:
    return _thin([(t, value) for t, value in points if value is not None and since <= t <= until])


def _thin(points: list[tuple[int, float]]) -> Points:
    """No more than can be seen, the last among them."""
    every = -(-len(points) // MOST) or 1
    return [*points[:-1:every], *points[-1:]]


def _gauge(played: Played, what: str) -> str:
    picture = _picture(played, CURVE // 2)
    scale = 1e-6 if what == "memory" else 1.0
    points = [(gauge.t, getattr(gauge, what) * scale) for gauge in played.gauges if getattr(gauge, what) is not None]
    high = _round_up(max([1.0, *(value for _, value in points)]))
    picture.grid(((value, f"{value:g}") for value in (0.0, high / 2, high)), 0.0, high)
    picture.steps(_thin(points), 0.0, high, "measured")
    return picture.svg(what)


def _round_up(value: float) -> float:
    """To 1, 2 or 5 of the power of ten."""
    power = 10.0 ** floor(log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)
