"""Publish and Republish responses from their bytes: numbers straight into columns, all else through asyncua."""

from __future__ import annotations

from edge_agent_opcua.decode.message import published, republished

__all__ = ["published", "republished"]
