"""A plant whose clock moves when told and which keeps every event, so that tests know all there is to know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from edge_agent_hil.events import Event
from edge_agent_hil.plant import Plant


class HandClock:
    """Simulated time, ns, moved by hand."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: float) -> int:
        """Later by `seconds`; the new now."""
        self.now += round(seconds * 1e6) * 1_000
        return self.now


class WatchedPlant(Plant):
    """Keeps what the real one does not: it would take all its memory."""

    def __init__(self, *arguments: Any) -> None:
        self.events: dict[str, list[Event]] = {}
        super().__init__(*arguments)

    def _happened(self, name: str, events: Sequence[Event]) -> None:
        self.events.setdefault(name, []).extend(events)
        super()._happened(name, events)
