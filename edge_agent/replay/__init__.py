"""The same core over recorded history: reports and states of machines from files or a journal.

`replay(site, paths, asked("shift", None, zone, KINDS))` gives everything; start reading at `run.py`.
"""

from __future__ import annotations

from edge_agent.replay.history import HistoryError, Place
from edge_agent.replay.machines import Outcome
from edge_agent.replay.readings import Readings, readings
from edge_agent.replay.run import Replayed, replay
from edge_agent.replay.window import CUSTOM, Asked, asked

__all__ = ["CUSTOM", "Asked", "HistoryError", "Outcome", "Place", "Readings", "Replayed", "asked", "readings", "replay"]
