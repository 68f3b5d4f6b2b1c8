"""Asks the truth service; see `truth_service` for what can be asked."""

from __future__ import annotations

from typing import Any

from edge_agent_hil.control_client import ControlClient


class TruthClient(ControlClient):
    """A connection to the truth service of a plant."""

    def vector(self, machine: str, start: int, end: int, micro_stop: int = 0) -> dict[str, Any]:
        """What `machine` did in [start, end), ns UTC; stops up to `micro_stop` ns are micro-stops."""
        return self.ask({"machine": machine, "start": start, "end": end, "micro_stop": micro_stop})
