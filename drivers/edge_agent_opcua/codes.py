"""Sets of StatusCodes (OPC UA Part 4, 7.39), by their names."""

from __future__ import annotations

from asyncua import ua


def codes(*names: str) -> frozenset[int]:
    """Their numbers."""
    return frozenset(int(getattr(ua.StatusCodes, name)) for name in names)
