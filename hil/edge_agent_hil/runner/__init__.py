"""`edge-hil run`: a scenario is played with real processes, and what came out is held against the truth."""

from __future__ import annotations
