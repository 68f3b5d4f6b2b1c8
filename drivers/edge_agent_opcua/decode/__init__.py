"""Publish, Republish and Read responses from their bytes: numbers straight into columns, all else through asyncua."""

from __future__ import annotations

from edge_agent_opcua.decode.message import published, read, republished

__all__ = ["published", "read", "republished"]
