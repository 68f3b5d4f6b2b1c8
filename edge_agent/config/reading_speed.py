"""Whether lamps, meters and pulses are read fast enough for what a machine wants to see in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from edge_agent.config.machine import MachineModel
from edge_agent.config.signals import PaceModel, PowerModel, StacklightModel
from edge_agent.config.site import Site
from edge_agent.core.quantity import SECOND, format_ns

# A lamp that blinks once or twice a second must be seen lit and dark (domain 3.6).
LAMP_NS: Final = 200_000_000


def speed_warnings(site: Site) -> Iterator[str]:
    """A sentence each: `machines.saw.state: io.red is read every 1s, …`. Subscriptions are fast enough."""
    for name, machine in site.machines.items():
        yield from _pulse_warnings(site, name, machine)
        for way in machine.state.sources or (machine.state,):
            signal = way.signal
            for tag in [] if signal is None else signal.inputs().values():
                period = _period(site, tag)
                if isinstance(signal, StacklightModel) and period > LAMP_NS:
                    yield (
                        f"machines.{name}.state: {tag} is read every {format_ns(period)}, too seldom to see it blink; "
                        f"poll: {format_ns(LAMP_NS)} would do"
                    )
                if isinstance(signal, PowerModel) and 0 < signal.median <= period:
                    yield (
                        f"machines.{name}.state: {tag} is read every {format_ns(period)}, so a median of "
                        f"{format_ns(signal.median)} takes out no spikes; median: {format_ns(period * 3 // 2)} does"
                    )
                if isinstance(signal, PaceModel) and signal.gap_ns <= 2 * period:
                    yield (
                        f"machines.{name}.state: {tag} is read every {format_ns(period)}, so a gap of "
                        f"{format_ns(signal.gap_ns)} may be none; gap: {format_ns(3 * period)} would do"
                    )


def _pulse_warnings(site: Site, name: str, machine: MachineModel) -> Iterator[str]:
    """A pulse comes and goes within a stroke, and must be seen on and off."""
    strokes = [ideal * machine.units_of().get(product, machine.units_per_count)
               for product, ideal in machine.all_ideals()]  # fmt: skip
    for source, pulse in machine.counts.pulses().items():
        period = _period(site, pulse.pulse)
        if source in ("total", "good") and strokes and min(strokes) * SECOND <= 2 * period:
            yield (
                f"machines.{name}.counts.{source}: {pulse.pulse} is read every {format_ns(period)}, too seldom to see "
                f"each pulse of a stroke of {format_ns(round(min(strokes) * SECOND))}; "
                f"poll: {format_ns(max(1, int(min(strokes) * 250)) * SECOND // 1000)} would do"
            )


def _period(site: Site, tag: str) -> int:
    """How often a tag is polled, ns; 0 where it is not."""
    device = site.devices[tag.partition(".")[0]]
    return device.period_ns(site.tag_config(tag)) if getattr(device, "poll", None) is not None else 0
