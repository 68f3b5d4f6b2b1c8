"""How much of its planned time each machine's OEE rests on data, over seven days, from the reports of its windows.

Only windows of one kind are counted, the shortest that is reported, so that nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

from edge_agent.core.kpi import ratio
from edge_agent.core.report import Report
from edge_agent.core.slots import HOUR, WINDOW_NS, Slots, places_of

_KINDS: Final = ("hour", "shift", "day", "production_day")
# So long after its beginning a window may become final, or be restated.
_LONGEST: Final = 48 * HOUR

Open = tuple[int, int, int]
"""An open window: its start, and its planned and missing time so far."""


class Measured:
    """Planned time and the part of it without data, machine by machine."""

    def __init__(self, machines: Sequence[str], kinds: Sequence[str]) -> None:
        self.kind = next((kind for kind in _KINDS if kind in kinds), "")
        """which windows are counted"""
        self._at = {name: at for at, name in enumerate(machines)}
        self._slots = Slots(2, len(machines))       # planned time and the part without data, ns
        self._open: dict[str, Open] = {}

    def note(self, report: Report) -> None:
        """A report of any window."""
        at = self._at.get(report.machine)
        if at is None or report.window.kind != self.kind:
            return
        start, planned, missing = report.window.start, report.cell.planned, report.cell.unk_raw
        if not report.final:
            self._open[report.machine] = (start, planned, missing)
        elif (slot := self._slots.of(start)) is not None:
            slot[:, at] = planned, missing
            if self._open.get(report.machine, (start + 1,))[0] <= start:
                del self._open[report.machine]

    def coverage(self, machine: str, now_ns: int) -> Fraction | None:
        """Share of the planned time with data; None if no time was planned."""
        planned, missing = self._slots.recent(now_ns)[:, :, self._at[machine]].sum(axis=0).tolist()
        start, more, without = self._open.get(machine, (0, 0, 0))
        if start > now_ns - WINDOW_NS:
            planned, missing = planned + more, missing + without
        share = ratio(missing, planned)
        return None if share is None else 1 - share

    def snapshot(self, since_ns: int = 0) -> dict[str, Any]:
        """What `restore` needs, JSON-safe: everything, or what windows since `since_ns` have changed."""
        hours = self._slots.snapshot(max(since_ns - _LONGEST, 0))
        return {"part": since_ns > 0, "kind": self.kind, "machines": list(self._at), "hours": hours}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up where `snapshot` was made; windows of another kind are of no use."""
        if snapshot.get("kind") == self.kind:
            if not snapshot["part"]:
                self._slots.clear()
            self._slots.restore(snapshot["hours"], places_of(snapshot["machines"], self._at))
