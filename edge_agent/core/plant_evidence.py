"""Everything that is evidence of how digital a plant is, in one place; what it amounts to tells `plant.summary`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from edge_agent.core import cross_check, plant
from edge_agent.core.batch import Int64s
from edge_agent.core.evidence import Evidence
from edge_agent.core.machine import Machine
from edge_agent.core.measured import Measured
from edge_agent.core.plant import Plant
from edge_agent.core.quality import UNCERTAIN
from edge_agent.core.report import Report
from edge_agent.core.ring import Latest
from edge_agent.core.tags import TagTable


class PlantEvidence:
    """The evidence of one site's devices, assets and machines."""

    def __init__(
        self, table: TagTable, site: Plant, machines: Mapping[str, Machine], kinds: Sequence[str]
    ) -> None:
        self.plant = site
        self.tags = Evidence(table, tuple(site.devices), site.units)
        self._table = table
        self._machines = machines
        self._measured = Measured(tuple(machines), kinds)
        self._checked = 0       # when sources were last compared

    def observe(
        self,
        now: int,
        seen: Int64s,
        latest: Latest,
        connected: Mapping[str, bool],
        delivering: bool,
        published: tuple[int, int],
    ) -> None:
        """Add the time since the last call; once a second. See `Evidence.tick`."""
        for machine in self._machines.values():
            for position, n in machine.take_doubts().items():
                self.tags.doubt(position, n)
        if abs(now - self._checked) >= cross_check.EVERY_NS:
            self._checked, good = now, latest.quality < UNCERTAIN
            for found in cross_check.by_power(self.plant.assets, self._machines, latest.value, good, seen):
                self.tags.checked(*found)
        self.tags.tick(now, seen, latest.quality, connected, delivering, published)

    def note(self, report: Report) -> None:
        """What a report says of its machine's data."""
        self._measured.note(report)
        if report.final and not report.revision and report.window.kind == self._measured.kind:
            for found in cross_check.by_report(self._machines[report.machine], report):
                self.tags.checked(*found)

    def summary(self, now: int, lines: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
        """How digital the plant is, see `plant`; `lines`: device → why it is not connected at present."""
        return plant.summary(self.plant, self._table, self.tags, self._measured, now, lines)

    def snapshot(self, since_ns: int = 0, *, tags: bool = True, exact: bool = False) -> dict[str, Any]:
        """What `restore` needs, JSON-safe; see `Evidence.snapshot`."""
        return {**self.tags.snapshot(since_ns, tags=tags, exact=exact), "measured": self._measured.snapshot(since_ns)}

    def take_over(self, before: PlantEvidence, devices: Sequence[str]) -> None:
        """Go on where `before` is now; see `Evidence.take_over`."""
        self.tags.take_over(before.tags, devices)
        self._measured.restore(before._measured.snapshot(0))
        self._checked = before._checked

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up where `snapshot` was made; see `Evidence.restore`."""
        self.tags.restore(snapshot)
        self._measured.restore(snapshot.get("measured", {}))    # 0.1 had none
