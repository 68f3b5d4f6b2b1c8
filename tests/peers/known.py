"""What an agent knows, for a server under test: set by hand."""

from __future__ import annotations

import time

from edge_agent.api import GOOD, Value


class Known:
    """An `api.Source`."""

    def __init__(self) -> None:
        self.values: dict[str, tuple[Value | None, int, int]] = {}
        self.kpis: dict[tuple[str, str, str], float] = {}
        self.states: dict[str, int] = {}
        self.lines: dict[str, bool] = {}
        self.asked = 0

    def set(self, tag: str, value: Value | None, quality: int = GOOD, time: int | None = None) -> None:
        """The tag's last sample."""
        self.values[tag] = value, quality, self.now() if time is None else time

    def now(self) -> int:
        return time.time_ns()

    def value(self, tag: str) -> tuple[Value | None, int, int] | None:
        self.asked += 1
        return self.values.get(tag)

    def kpi(self, machine: str, window: str, name: str) -> float | None:
        return self.kpis.get((machine, window, name))

    def state(self, machine: str) -> int:
        return self.states.get(machine, 0)

    def connected(self, device: str) -> bool:
        return self.lines.get(device, False)
