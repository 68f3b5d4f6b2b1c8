"""A machine's meters and gauges beside its counters: what they add to its cells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edge_agent.core.capability import NO_MEASURES, Measured
from edge_agent.core.cell import Cell
from edge_agent.core.consumption import Consumption
from edge_agent.core.energy import NO_ENERGY, Energy, energy_of
from edge_agent.core.fitted import Fitted
from edge_agent.core.measures import DAY, Measures
from edge_agent.core.pieces import Job
from edge_agent.core.steps import Steps
from edge_agent.core.timeline import Run


class Instruments:
    """The facts of meters and gauges of one machine; those it is not fitted with are passed over."""

    def __init__(self, fitted: Fitted) -> None:
        self._fitted = fitted
        self._meters = {name: Consumption() for name, _ in fitted.meters}
        self._gauges = {one.name: Measures(one, is_triggered) for one, is_triggered in fitted.gauges}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._meters or self._gauges)

    def energy(self, meter: str, t: int, amount: int, since: int, mark: int, revision: int) -> int | None:
        """What a meter's reading at `t` has booked; the earliest time this changes, if any. See `Consumption`."""
        held = self._meters.get(meter)
        return None if held is None else held.put(t, amount, since, mark, revision)

    def measure(self, gauge: str, samples: Sequence[tuple[int, float]], is_trigger: bool) -> int | None:
        """What a gauge, or its trigger, showed; the earliest time this changes, if any."""
        held = self._gauges.get(gauge)
        if held is None or not samples:
            return None
        (held.trigger if is_trigger else held.put)(samples)
        return min(t for t, _ in samples)

    def cell(self, runs: Sequence[Run], start: int, end: int, as_of: int | None, jobs: Steps[Job]) -> Cell:
        """Energy and measures of (start, end], from runs that cover it."""
        energy: Energy = NO_ENERGY
        for name, limit in self._fitted.meters:
            held = self._meters[name]
            groups, unknown = held.by_state(runs, start, end, as_of), held.unknown(start, end, as_of)
            energy = energy_of(groups, end - start, unknown, limit, self._fitted.factors) + energy
        made = jobs.times, [job.product for job in jobs.values] if self._gauges else []
        parts = ((held.one, held.within(start, end, made)) for held in self._gauges.values())
        measured = tuple(sorted(parts, key=lambda part: part[0]))
        return Cell(energy=energy, measured=Measured(measured) if measured else NO_MEASURES)

    def spreads_across(self, t: int, low: int, high: int) -> bool:
        """Whether energy told in (low, high] is of time before `t`."""
        return any(held.spreads_across(t, low, high) for held in self._meters.values())

    def reports_across(self, end: int, first: int, last: int) -> list[int]:
        """When, in (first, last], energy of time before `end` was told."""
        return [t for held in self._meters.values() for t in held.reports_across(end, first, last)]

    def newest(self) -> list[int]:
        """The times of the latest facts."""
        held: Iterable[Consumption | Measures] = (*self._meters.values(), *self._gauges.values())
        return [one.newest for one in held]

    def needed_from(self, t: int) -> int:
        """Since when jobs must be known to judge windows that start at `t` or later."""
        return t // DAY * DAY if any(one.product for one, _ in self._fitted.gauges) else t

    def drop_before(self, t: int) -> None:
        """Forget what no longer matters from `t` on."""
        held: Iterable[Consumption | Measures] = (*self._meters.values(), *self._gauges.values())
        for one in held:
            one.drop_before(t)

    def snapshot(self) -> dict[str, Any]:
        """JSON-safe, complete; nothing for a machine without."""
        if not self:
            return {}
        meters = {name: held.snapshot() for name, held in self._meters.items()}
        return {"meters": meters, "gauges": {name: held.snapshot() for name, held in self._gauges.items()}}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Become what `snapshot` described, as far as the machine is still fitted so."""
        for name, told in data.get("meters", {}).items():
            if name in self._meters:
                self._meters[name].restore(told)
        for name, told in data.get("gauges", {}).items():
            if name in self._gauges:
                self._gauges[name].restore(told)
