"""Where a platform knows times less finely than the agent: no two samples of a tag at one of them.

Platforms keep one value a tag and time; a second one would take the place of the first, or be passed over.
"""

from __future__ import annotations

import numpy as np

from edge_agent.core.batch import Int32s, Int64s
from edge_agent.core.selection import stable_order


def apart(time: Int64s, tag: Int32s, tags: int) -> Int64s | None:
    """`time`, shape (n,), which does not decrease, with every sample that is not behind the one before it of its tag
    put one step behind; None if there is none. `tag`: from 0 to `tags` - 1, shape (n,)."""
    # The tags of a scan stand in their order: then none of them stands twice at its time.
    if not np.count_nonzero((time[1:] == time[:-1]) & (tag[1:] <= tag[:-1])):
        return None
    order = stable_order(tag, tags)
    at, of = time[order], tag[order]
    same = of[1:] == of[:-1]
    twice = of[1:][same & (at[1:] == at[:-1])]
    if not len(twice):
        return None
    for one in np.unique(twice).tolist():
        mine = slice(*np.searchsorted(of, (one, one + 1)).tolist())
        step = np.arange(mine.stop - mine.start)
        at[mine] = np.maximum.accumulate(at[mine] - step) + step
    moved = np.empty_like(time)
    moved[order] = at
    return moved
