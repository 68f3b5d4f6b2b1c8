"""One message of a subscription in columns: what the decoder makes of the bytes, and batches are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

NOT_A_SCALAR: Final = 255
"""The type number that stands for arrays, matrices and everything else that is not one value."""

NO_TIME: Final = -(2**63)
"""The time of a value whose server sent none."""


@dataclass(slots=True)
class Changes:
    """Data changes in the order the server sent them, each column of length n.

    handle  uint32, the client handle      type    uint8, built-in type number (Part 6, 5.1.2), 0 for no value,
    status  uint32, OPC UA StatusCode              or NOT_A_SCALAR
    time    int64, ns UTC: source time, else server time, else NO_TIME; whole multiples of 100 ns
    value   float64: Boolean, all integers, Float, Double as numbers; DateTime as s since 1970 UTC; else NaN
    other   row → the value as the library decodes it, for every row whose `value` is no number: texts, arrays,
            structures, GUIDs …; rows without any value (type 0) are not in it
    """

    handle: NDArray[np.uint32]
    type: NDArray[np.uint8]
    status: NDArray[np.uint32]
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    other: dict[int, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.handle)

    def where(self, mask: NDArray[np.bool_]) -> Changes:
        """The rows for which `mask` is true."""
        rows = np.flatnonzero(mask).tolist()
        other = {new: self.other[old] for new, old in enumerate(rows) if old in self.other}
        return Changes(
            self.handle[mask], self.type[mask], self.status[mask], self.time[mask], self.value[mask], other
        )


@dataclass(slots=True)
class Published:
    """One NotificationMessage, with what the PublishResponse around it says.

    changes    all data changes of the message in order; None if there are none
    events     (client handle, event fields as the library's Variants), in order
    ended      the StatusCode with which the server ends the subscription; None: it does not
    available  the numbers of the messages the server still keeps for Republish
    results    StatusCodes of the acknowledgements in the request
    A keep-alive has neither changes nor events, and `sequence` is that of the *next* message (Part 4, 5.14.1.1).
    """

    subscription: int
    sequence: int
    more: bool = False
    changes: Changes | None = None
    events: list[tuple[int, list[Any]]] = field(default_factory=list)
    ended: int | None = None
    available: Sequence[int] = ()
    results: Sequence[int] = ()

    @property
    def is_keepalive(self) -> bool:
        """Nothing but a sign of life."""
        return self.changes is None and not self.events and self.ended is None


def joined(parts: Sequence[Changes]) -> Changes:
    """All of them (one at least) in one, in their order."""
    if len(parts) == 1:
        return parts[0]
    other: dict[int, Any] = {}
    rows = 0
    for part in parts:
        other |= {rows + row: one for row, one in part.other.items()}
        rows += len(part)
    return Changes(
        handle=np.concatenate([part.handle for part in parts]),
        type=np.concatenate([part.type for part in parts]),
        status=np.concatenate([part.status for part in parts]),
        time=np.concatenate([part.time for part in parts]),
        value=np.concatenate([part.value for part in parts]),
        other=other,
    )


def none() -> Changes:
    """No changes, but columns for them."""
    return Changes(
        np.empty(0, np.uint32), np.empty(0, np.uint8), np.empty(0, np.uint32), np.empty(0, np.int64), np.empty(0)
    )
