"""Tags that the equipment refuses: each is said once, for it takes a person to mend that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import Final

import numpy as np

from edge_agent.api import Driver, Reason, Tag
from edge_agent.core.quality import bad
from edge_agent.core.ring import Ring
from edge_agent.core.tags import TagTable

# Where a whole block is refused, because it is another model, say, the first few tags say it all.
NAMED: Final = 5


class Refused:
    """Looks at every tag's last sample; `optional` tags may be missing."""

    def __init__(
        self, table: TagTable, ring: Ring, drivers: Mapping[str, Driver], optional: Set[int]
    ) -> None:
        self._table = table
        self._ring = ring
        self._drivers = drivers
        self._said = np.zeros(len(table.places), bool)
        self._said[list(optional)] = True

    def take_fresh(self) -> list[str]:
        """A sentence for each tag whose refusal was not said yet, and one for all above `NAMED` of a device."""
        fresh = ((self._ring.latest.quality == bad(Reason.REFUSED)) & ~self._said).nonzero()[0]
        self._said[fresh] = True
        of: dict[str, list[Tag]] = {}
        for position in fresh.tolist():
            tag = self._table[position]
            of.setdefault(tag.device, []).append(tag)
        return [line for device, tags in of.items() for line in self._lines(device, tags)]

    def _lines(self, device: str, tags: list[Tag]) -> Iterator[str]:
        for tag in tags[:NAMED]:
            why = "; ".join(self._drivers[device].why(tag)) or "no such address, or of another type"
            yield f"{device}.{tag.name}: refused by the device: {why}"
        if (more := len(tags) - NAMED) > 0:
            yield f"{device}: {more} more tags are refused by the device; edge-agent why TAG tells why"
