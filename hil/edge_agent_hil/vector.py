"""What happened in one window, as components that add up, and everything made of them by division at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from edge_agent_hil.events import Made, State

BREAK: Final = "BREAK"
NS: Final = 1_000_000_000
UJ_PER_WH: Final = 3_600_000_000


@dataclass
class Vector:
    """One machine in [start, end), judged as of `as_of`; times in integer ns, ideal times exact."""

    start: int
    end: int
    as_of: int
    time_ns: dict[str, int] = field(default_factory=lambda: {**{state.value: 0 for state in State}, BREAK: 0})
    """by state outside breaks, and BREAK; adds up to end − start"""
    reasons_ns: dict[str, int] = field(default_factory=dict)
    """of the stops outside breaks, by reason"""
    micro_ns: int = 0
    """stops no longer than the threshold asked for"""
    fault_ns: int = 0
    """FAULT in the longer ones"""
    faults: int = 0
    """faults begun, however short and also in breaks"""
    stops: int = 0
    """longer stops whose busy part began here"""
    micro_stops: int = 0
    """the others"""
    failures: int = 0
    """faults in longer stops whose busy part began here"""
    restored: int = 0
    """of them, ended here"""
    restoring_ns: int = 0
    """busy time that those took"""
    total: int = 0
    scrap: int = 0
    rework: int = 0
    startup_rejects: int = 0
    """scrap and rework among the first pieces after a set-up"""
    by_product: dict[str, dict[str, int]] = field(default_factory=dict)
    ideal_total_ns: Fraction = Fraction(0)
    ideal_good_ns: Fraction = Fraction(0)
    ideal_startup_ns: Fraction = Fraction(0)
    """of the start-up rejects"""
    energy_uj: dict[str, int] = field(default_factory=lambda: {state.value: 0 for state in State})
    """by state, breaks included"""

    @property
    def good(self) -> int:
        """Neither scrap nor rework."""
        return self.total - self.scrap - self.rework

    @property
    def busy_ns(self) -> int:
        """Planned busy time."""
        return sum(self.time_ns.values()) - self.time_ns[BREAK]

    def count(self, product: str, made: Made, starting_up: bool, pieces: int, ideal: Fraction) -> None:
        """Add pieces that are all alike."""
        by = self.by_product.setdefault(product, {"total": 0, "good": 0, "scrap": 0, "rework": 0})
        by["total"] += pieces
        by[made.value] += pieces
        self.total += pieces
        self.ideal_total_ns += ideal * pieces
        if made is Made.GOOD:
            self.ideal_good_ns += ideal * pieces
            return
        self.scrap += pieces * (made is Made.SCRAP)
        self.rework += pieces * (made is Made.REWORK)
        self.startup_rejects += pieces * starting_up
        self.ideal_startup_ns += ideal * pieces * starting_up

    def kpis(self) -> dict[str, Fraction | None]:
        """Exact ratios under the names the agent gives them; None where the denominator is 0."""
        run, setup, busy, ct = self.time_ns[State.RUN], self.time_ns[State.SETUP], self.busy_ns, self.end - self.start
        delayed = self.time_ns[State.IDLE] + self.time_ns[State.FAULT]
        good, ideal = self.ideal_good_ns, self.ideal_total_ns
        return {
            "oee": ratio(good, busy),
            "availability_iso": ratio(run, busy),
            "effectiveness_iso": ratio(ideal, run),
            "availability_classic": ratio(run + self.micro_ns, busy),
            "performance_classic": ratio(ideal, run + self.micro_ns),
            "quality_count": ratio(self.good, self.total),
            "quality_time": ratio(good, ideal),
            "ooe": ratio(good, ct),
            "teep": ratio(good, ct),
            "nee": ratio(good * (run + setup), busy * run),
            "utilization_efficiency": ratio(run, run + setup + delayed),
            "allocation_efficiency": ratio(run + setup + delayed, busy),
            "technical_efficiency": ratio(run, run + delayed),
            "setup_ratio": ratio(setup, run + setup),
            "scrap_ratio": ratio(self.scrap, self.total),
            "rework_ratio": ratio(self.rework, self.total),
        }

    def record(self) -> dict[str, dict[str, float | int | None]]:
        """The same under the agent's names, as in its KPI record, so that the two can be compared key by key.

        Everything is planned and every order is always on: nothing is `nst`, `adot`, `maint` or `unk`.
        """
        times = {
            "ct": self.end - self.start, "pot": self.end - self.start, "pbt": self.busy_ns, "nst": 0,
            "pdot": self.time_ns[BREAK], "apt": self.time_ns[State.RUN], "micro": self.micro_ns,
            "aust": self.time_ns[State.SETUP], "adet_fault": self.fault_ns,
            "adet_other": self.time_ns[State.IDLE] + self.time_ns[State.FAULT] - self.micro_ns - self.fault_ns,
            "maint": 0, "adot": 0, "unk": 0, "unk_raw": 0, "promoted": 0, "credited": 0,
            "ttr_sum": self.restoring_ns,
        }  # fmt: skip
        ideals = {"ipt": self.ideal_total_ns, "igt": self.ideal_good_ns, "ist": self.ideal_startup_ns}
        return {
            "time_s": {name: ns / NS for name, ns in times.items()},
            "counts": {
                "pq": self.total, "gq": self.good, "sq": self.scrap, "rq": self.rework, "n_stop": self.stops,
                "n_micro": self.micro_stops, "fe": self.failures, "n_ttr_closed": self.restored,
            },
            "ideal_s": {name: float(ideal / NS) for name, ideal in ideals.items()},
            "kpi": {name: None if value is None else float(value) for name, value in self.kpis().items()},
        }  # fmt: skip

    def to_json(self) -> dict[str, object]:
        """Exact and JSON-safe: ns and pieces as integers, ideal seconds and exact ratios as "a/b"."""
        kpis = self.kpis()
        energy = {**self.energy_uj, "total": sum(self.energy_uj.values())}
        return {
            "start": self.start, "end": self.end, "as_of": self.as_of,
            "time_ns": self.time_ns, "busy_ns": self.busy_ns, "reasons_ns": self.reasons_ns,
            "micro_ns": self.micro_ns, "faults": self.faults,
            "counts": {"total": self.total, "good": self.good, "scrap": self.scrap, "rework": self.rework,
                       "startup_rejects": self.startup_rejects},
            "by_product": self.by_product,
            "ideal_s": {"total": str(self.ideal_total_ns / NS), "good": str(self.ideal_good_ns / NS)},
            "energy_wh": {state: uj / UJ_PER_WH for state, uj in energy.items()},
            "kpi": {name: None if value is None else float(value) for name, value in kpis.items()},
            "kpi_exact": {name: None if value is None else str(value) for name, value in kpis.items()},
            "record": self.record(),
        }  # fmt: skip


def ratio(part: Fraction | int, whole: Fraction | int) -> Fraction | None:
    """part / whole, exact; None without a whole."""
    return Fraction(part) / Fraction(whole) if whole else None
