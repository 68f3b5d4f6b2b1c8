"""The demo's verdict: the KPIs as received from the broker against what the plant knows it did."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from edge_agent.demo.site import MICRO_STOP_S
from edge_agent.demo.table import percent

TOLERANCE = 0.005


@dataclass(frozen=True, slots=True)
class Verdict:
    """One machine: what it did, what the agent said, and whether they agree."""

    machine: str
    true: Mapping[str, float | None]
    told: Mapping[str, float | None]
    true_counts: Mapping[str, int]
    told_counts: Mapping[str, int]
    missing: str = ""

    @property
    def error(self) -> float | None:
        """Told OEE − true OEE."""
        true, told = self.true.get("oee"), self.told.get("oee")
        return None if true is None or told is None else told - true

    @property
    def holds(self) -> bool:
        """Nothing is missing and the OEE is right."""
        return not self.missing and self.error is not None and abs(self.error) <= TOLERANCE

    def lines(self) -> list[str]:
        """For people."""
        if self.missing:
            return [f"{self.machine:10} MISSING: {self.missing}"]
        names = {"oee": "OEE", "availability_classic": "A", "performance_classic": "P", "quality_count": "Q"}
        pairs = "  ".join(f"{short} {percent(self.told[n])} ({percent(self.true[n])})" for n, short in names.items())
        pieces = (
            f"pieces {self.told_counts['pq']} ({self.true_counts['total']})  "
            f"scrap {self.told_counts['sq']} ({self.true_counts['scrap']})"
        )
        error = self.error
        shown = "undefined" if error is None else f"{100 * error:+.3f} points"
        return [f"{self.machine:10} {'ok ' if self.holds else 'BAD'} {pairs}  {pieces}  OEE error {shown}"]


class Truth:
    """The plant's truth service: a question a line, an answer a line."""

    def __init__(self, host: str, port: int) -> None:
        self._file = socket.create_connection((host, port), timeout=10).makefile("rw", encoding="utf-8")

    def vector(self, machine: str, start: int, end: int) -> dict[str, Any]:
        """What `machine` did in [start, end), ns UTC."""
        question = {"machine": machine, "start": start, "end": end, "micro_stop": MICRO_STOP_S * 10**9}
        self._file.write(json.dumps(question) + "\n")
        self._file.flush()
        answer: dict[str, Any] = json.loads(self._file.readline())
        return answer

    def close(self) -> None:
        """Hang up."""
        self._file.close()


def judge(machine: str, record: Mapping[str, Any] | None, samples: int, truth: Truth, begin_ns: int) -> Verdict:
    """Compare the newest record of a machine with the truth at the record's own `as_of`."""
    if record is None or not samples:
        what = "no KPI record arrived" if record is None else "no tag samples arrived"
        return Verdict(machine, {}, {}, {}, {}, what)
    as_of = datetime.fromisoformat(record["as_of"])
    end = round(as_of.timestamp() * 1e6) * 1000
    vector = truth.vector(machine, begin_ns, end)
    return Verdict(machine, vector["kpi"], record["kpi"], vector["counts"], record["counts"])
