"""What may happen to the agent's computer: the faults' names, what may be said of each. Pure.

    NAME[:KEY=VALUE,…]      kill      clock:by=-1h      cpu:share=25%      memory:limit=256MB
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge_agent.core.quantity import duration_ns, size_bytes
from edge_agent_hil.fault_text import Kinds, fields, parts, share


@dataclass(frozen=True, slots=True)
class GatewayFault:
    """One fault with everything said of it. `gateway_fault` makes one with what holds where nothing is said."""

    name: str
    by_ns: int = 0
    """`clock`: ahead of what it shows now; below 0: behind"""
    share: float = 0.0
    """`cpu`: of one core"""
    limit: int = 0
    """`memory`: bytes"""


def signed(text: str) -> int:
    """`1h` or `-1h`, in ns."""
    return -duration_ns(text[1:]) if text.startswith("-") else duration_ns(text)


KINDS: Final[Kinds] = {
    "kill": {},
    "stop": {},
    "freeze": {},
    "clock": {"by": ("by_ns", signed, 3_600_000_000_000)},
    "no-rtc": {},
    "damage": {},
    "disk-full": {},
    # A Raspberry Pi that does something else beside the agent.
    "cpu": {"share": ("share", share, 0.25)},
    "memory": {"limit": ("limit", size_bytes, 256_000_000)},
}


def gateway_fault(name: str, said: Mapping[str, object] | None = None) -> GatewayFault:
    """`gateway_fault("clock", {"by": "-1h"})`; ValueError names the key, its value and what would be right."""
    return GatewayFault(name, **fields("a gateway", KINDS, name, said or {}))


def parse_gateway_fault(text: str) -> GatewayFault:
    """`clock:by=-1h` → a GatewayFault; ValueError as above."""
    return gateway_fault(*parts(text))
