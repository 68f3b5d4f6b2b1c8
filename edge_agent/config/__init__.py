"""The site file: its models, and `load` with every mistake named by file, line and key."""

from __future__ import annotations

from edge_agent.config.load import load
from edge_agent.config.site import Site

__all__ = ["Site", "load"]
