"""All that a history tells of one tag, as columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from edge_agent.config import Site
from edge_agent.core.batch import Batch, Bytes, Floats, Int64s, concat, empty
from edge_agent.core.quality import BAD, Reason, bad
from edge_agent.replay.history import Found, HistoryError, Names, Place
from edge_agent.replay.journal_folder import Absence, Event, JournalFolder, Samples
from edge_agent.replay.plan import make_plan
from edge_agent.replay.run import opened
from edge_agent.replay.window import Asked


class Readings(NamedTuple):
    """Columns of shape (n,), in the order of the histories; the last in time holds `until` then, ns UTC."""

    time: Int64s
    value: Floats
    quality: Bytes
    until: int


def readings(site: Site, tag: str, paths: Sequence[Path]) -> Readings:
    """The samples of `device.tag` in these histories. Raises `HistoryError`, also where there are none."""
    plan = make_plan(site, Asked("shift"))
    names = Names(plan, Found())
    position = plan.table.position(tag)
    names.wanted[:] = False
    names.wanted[position] = True
    batches: list[Batch] = []
    told: Iterator[Batch]
    until = 0
    for history in (opened(path) for path in paths):
        if isinstance(history, JournalFolder):
            until = max(until, history.extent[1])
            told = (_told(event, position) for event in history.events(names))
        else:
            told = history.batches(names)
        batches += (mine for batch in told if len(mine := batch.where(batch.tag == position)))
    if not any((batch.quality < BAD).any() for batch in batches):
        raise HistoryError(Place(str(paths[0]), f"has no samples of {tag}"))
    found = concat(batches)
    return Readings(found.time, found.value, found.quality, max(until, int(found.time.max())))


def _told(event: Event, position: int) -> Batch:
    """What an event says of the tag at `position`; while the agent was away nothing is known of it."""
    if isinstance(event, Samples):
        return event.batch
    if not isinstance(event, Absence):
        return empty()
    nothing = np.array([np.nan]), np.array([bad(Reason.AGENT_DOWN)], np.uint8)
    return Batch(np.array([position], np.int32), np.array([event.since], np.int64), *nothing)
