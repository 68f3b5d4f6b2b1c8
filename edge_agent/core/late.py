"""Late samples: what comes after something newer of the same tag, such as the history of an outage.

Report by exception leaves out what repeats the sample before it. A sample that takes its place between two
others makes that untrue for the second: it is told, too.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.core.batch import Batch, concat
from edge_agent.core.ring import Ring
from edge_agent.core.selection import Places, take

EVER: Final = 1 << 62


class Newest:
    """The newest time of each of `n` tags."""

    def __init__(self, n: int) -> None:
        self._time = np.full(n, -EVER, np.int64)

    def take_over(self, before: Newest, at: Places) -> None:
        """Know of the tags at `at` what `before` knows of them."""
        self._time[at] = before._time[at]

    def split(self, batch: Batch) -> tuple[Batch, Batch]:
        """What goes on in time, tag by tag, and what comes late; notes the former."""
        mask: NDArray[np.bool_] = batch.time < self._time[batch.tag]
        if not np.count_nonzero(mask):
            self._time[batch.tag] = batch.time
            return batch, batch.part(slice(0))
        np.maximum.at(self._time, batch.tag, batch.time)
        return batch.where(~mask), batch.where(mask)


def in_order(batch: Batch) -> Batch:
    """The batch with the samples of each tag in time order; the same one, if they are."""
    if not np.count_nonzero(batch.time[1:] < batch.time[:-1]):
        return batch
    order = batch.tag.argsort(kind="stable")
    tag, time = batch.tag[order], batch.time[order]
    if not np.count_nonzero((tag[1:] == tag[:-1]) & (time[1:] < time[:-1])):
        return batch
    return take(batch, batch.time.argsort(kind="stable"))


def with_followers(late: Batch, ring: Ring) -> Batch:
    """`late`, and of each sample the next of its tag, as far as the ring has it."""
    found = [late]
    for position in np.unique(late.tag).tolist():
        times = late.time[late.tag == position]
        time, value, quality = ring.window(position, int(times.min()) + 1, EVER)
        at = np.unique(np.searchsorted(time, times, side="right"))
        at = at[at < len(time)]
        found.append(Batch(np.full(len(at), position, np.int32), time[at], value[at], quality[at]))
    return concat(found)
