"""What is to be allowed for with which server: data, read from quirks.yaml beside this file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import yaml

from edge_agent_opcua.limits import Limits, Operation

_GENERIC: Final = "generic"


@dataclass(frozen=True, slots=True)
class Quirks:
    """See the head of quirks.yaml; 0 is no limit."""

    name: str = _GENERIC
    match: Sequence[str] = ()
    items_per_call: int = 0
    reads_per_call: int = 0
    items_per_subscription: int = 0
    publish_requests: int = 0
    filters: bool = True
    transfer: bool = True
    because: str = ""

    def lower(self, limits: Limits) -> None:
        """Put into `limits` what the server takes less than it says."""
        limits.at_most(Operation.MONITOR, self.items_per_call)
        limits.at_most(Operation.READ, self.reads_per_call)
        if self.items_per_subscription:
            most = limits.items_per_subscription or self.items_per_subscription
            limits.items_per_subscription = min(most, self.items_per_subscription)


@cache
def known() -> tuple[Quirks, ...]:
    """Every server there is data for."""
    text = resources.files(__package__).joinpath("quirks.yaml").read_text("utf-8")
    return tuple(Quirks(**entry) for entry in yaml.safe_load(text))


def quirks_of(wanted: str, said: Sequence[str]) -> Quirks:
    """Those of the server named `wanted`; with "auto", of one that says `said` of itself."""
    if wanted != "auto":
        return next((one for one in known() if one.name == wanted), Quirks())
    told = [text.lower() for text in said]
    for one in known():
        if any(part.lower() in text for part in one.match for text in told):
            return one
    return Quirks()
