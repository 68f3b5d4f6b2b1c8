"""Sparkplug B 3.0: how an edge node talks over a link, and what it remembers between links."""

from __future__ import annotations

from edge_agent.north.sparkplug.bdseq import BdSeq
from edge_agent.north.sparkplug.node import Sparkplug

__all__ = ["BdSeq", "Sparkplug"]
