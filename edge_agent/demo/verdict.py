"""The demo's verdict: the KPIs as received from the broker against what the plant knows it did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from edge_agent.core.quantity import SECOND
from edge_agent.demo.site import MICRO_STOP_S
from edge_agent.demo.table import KPIS, percent
from edge_agent_hil.truth_client import TruthClient

TOLERANCE = 0.005
# One piece of the plant weighs less than TOLERANCE of a minute; where polling sees it a moment
# before or after the shift begins, it weighs the more the shorter the demo is.
FULL_S = 60.0
# KPI records come every second; without one for so long, something between plant and broker is dead.
SILENT_S = 10.0

ROW = "{:9}{:8}" + "{:>8}" * 4 + "{:>8}{:>6}  {}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One machine: what it did, what the agent said, and whether they agree."""

    machine: str
    true: Mapping[str, float | None]
    told: Mapping[str, float | None]
    true_counts: Mapping[str, int]
    told_counts: Mapping[str, int]
    missing: str = ""
    tolerance: float = TOLERANCE

    @property
    def error(self) -> float | None:
        """Told OEE − true OEE."""
        true, told = self.true.get("oee"), self.told.get("oee")
        return None if true is None or told is None else told - true

    @property
    def holds(self) -> bool:
        """Nothing is missing and the OEE is right."""
        return not self.missing and self.error is not None and abs(self.error) <= self.tolerance

    def lines(self) -> list[str]:
        """For people: what was received, what is true, and the verdict."""
        if self.missing:
            return [f"{self.machine:9}BAD  MISSING: {self.missing}"]
        told, true = self.told_counts, self.true_counts
        error = self.error
        # + 0.0 makes a rounded -0.0 a plain zero.
        shown = "undefined" if error is None else f"OEE {round(100 * error, 3) + 0.0:+.3f}"
        return [
            self._row(self.machine, "received", self.told, told["pq"], told["sq"], "ok" if self.holds else "BAD"),
            self._row("", "true", self.true, true["total"], true["scrap"], shown),
        ]

    @staticmethod
    def _row(name: str, what: str, kpi: Mapping[str, float | None], pieces: int, scrap: int, end: str) -> str:
        shown = (percent(kpi[key]) for heading, key in KPIS.items() if heading != "data %")
        return ROW.format(name, what, *shown, pieces, scrap, end).rstrip()


def summary(verdicts: Sequence[Verdict]) -> list[str]:
    """The table of all verdicts, 80 columns wide."""
    headings = ROW.format("", "", *(heading for heading in KPIS if heading != "data %"), "pieces", "scrap", "")
    return [
        "received from the broker, and what the plant really did up to the same instant:",
        headings.rstrip(),
        *(line for verdict in verdicts for line in verdict.lines()),
    ]


def judge(
    machine: str, record: Mapping[str, Any] | None, samples: int, truth: TruthClient, begin_ns: int, now_ns: int
) -> Verdict:
    """Compare the newest record of a machine with the truth at the record's own `as_of`."""
    if record is None or not samples:
        what = "no KPI record arrived" if record is None else "no tag samples arrived"
        return Verdict(machine, {}, {}, {}, {}, what)
    end = round(datetime.fromisoformat(record["as_of"]).timestamp() * 1e6) * 1000
    silent_s = (now_ns - end) / 1e9
    if silent_s > SILENT_S:
        return Verdict(machine, {}, {}, {}, {}, f"the last KPI record is {silent_s:.0f} s old")
    vector = truth.vector(machine, begin_ns, end, MICRO_STOP_S * SECOND)
    tolerance = TOLERANCE * max(1.0, FULL_S * 1e9 / max(1, end - begin_ns))
    return Verdict(
        machine, vector["kpi"], record["kpi"], vector["counts"], record["counts"], tolerance=tolerance
    )
