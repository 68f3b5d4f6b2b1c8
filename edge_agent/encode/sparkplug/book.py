"""The metrics of the node itself: what each was last told, so that a birth can say it again.

Every metric that was ever noted is in the next birth. `grew`: one was noted that the last birth did not have; the
birth is sent again before it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Final

from edge_agent.encode.sparkplug.datatype import DataType
from edge_agent.encode.sparkplug.metric import EARLIER_MS, Metric, Template

DEFINITION: Final = "_types_/Machine"
MACHINES: Final = "Machines"


class Book:
    """`first_alias` None: metrics have no aliases. `templates`: all that is known of a machine is one metric, an
    instance of the template `DEFINITION`; else each is a metric of its own, `Machines/{machine}/…`. `by_devices`:
    names of what is told of machines with the time of a device, whose clock may be behind."""

    def __init__(
        self, first_alias: int | None = None, *, templates: bool = False, by_devices: Collection[str] = ()
    ) -> None:
        self.grew = True
        self.born_ms = 0
        """time of the last birth"""
        self._next_alias = first_alias
        self._aliases: dict[str, int] = {}
        self._plain: dict[str, Metric] = {}
        self._machines: dict[str, dict[str, Metric]] = {}
        self._newest: dict[str, int] = {}       # of each machine's template: the time of what was told last
        self._templates = templates
        self._by_devices = by_devices

    def note(self, said: Iterable[Metric]) -> list[Metric]:
        """Metrics of the node; the same with alias, and marked as history where a newer value is known already."""
        return [self._named(self._noted(self._plain, one), one.name) for one in said]

    def note_machine(self, machine: str, said: Iterable[Metric]) -> list[Metric]:
        """Likewise of what is known of a machine, under names without its own."""
        of = self._machines.setdefault(machine, {})
        noted = [self._noted(of, one) for one in said]
        return self._of_machine(machine, noted)

    def birth(self, now_ms: int) -> Iterator[Metric]:
        """All metrics, the definition of the template before its instances."""
        self.grew, self.born_ms = False, now_ms
        earlier = max(0, now_ms - EARLIER_MS)
        for of in (self._plain, *self._machines.values()):
            # What was never told is null as of this birth: whatever is older, by our own clock, is history.
            for name in [name for name, one in of.items() if one.value is one.time is None]:
                if name not in self._by_devices:
                    of[name] = replace(of[name], time=now_ms)
        for name, one in self._plain.items():
            yield self._named(_dated(one, now_ms), name)
        if self._templates and self._machines:
            members = {name: one for of in self._machines.values() for name, one in of.items()}
            defined = tuple(Metric(name, one.datatype, None, now_ms) for name, one in members.items())
            for of in self._machines.values():      # in a birth, an instance has all members
                of |= {one.name: one for one in defined if one.name not in of}
            yield self._named(Metric(DEFINITION, DataType.TEMPLATE, Template(defined), now_ms), DEFINITION)
        for machine, of in self._machines.items():
            yield from self._of_machine(machine, [
                _dated(one, earlier if one.name in self._by_devices else now_ms) for one in of.values()
            ])  # fmt: skip

    def _noted(self, of: dict[str, Metric], one: Metric) -> Metric:
        known = of.get(one.name)
        if known is not None and known.time is not None and one.time is not None and one.time < known.time:
            return replace(one, historical=True)
        self.grew |= known is None or known.datatype != one.datatype
        of[one.name] = one
        return one

    def _of_machine(self, machine: str, said: list[Metric]) -> list[Metric]:
        name = f"{MACHINES}/{machine}"
        if not self._templates:
            return [self._named(one, f"{name}/{one.name}") for one in said]
        if not said:
            return []
        # Members have times of their own; that of the whole never goes back, unless all of it is history.
        time, historical = max(one.time or 0 for one in said), any(one.historical for one in said)
        if not historical:
            time = self._newest[machine] = max(time, self._newest.get(machine, 0))
        whole = Metric(name, DataType.TEMPLATE, Template(tuple(said), DEFINITION), time, historical=historical)
        return [self._named(whole, name)]

    def _named(self, one: Metric, name: str) -> Metric:
        if self._next_alias is None:
            return one if one.name == name else replace(one, name=name)
        alias = self._aliases.get(name)
        if alias is None:
            alias = self._aliases[name] = self._next_alias
            self._next_alias += 1
        return replace(one, name=name, alias=alias)


def _dated(one: Metric, now_ms: int) -> Metric:
    """What has no time of its own holds as of now."""
    return one if one.time is not None else replace(one, time=now_ms)
