"""A machine of three tags of one made-up PLC, and its samples."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from fractions import Fraction

import numpy as np

from edge_agent.core.batch import Batch
from edge_agent.core.calendar import Calendar
from edge_agent.core.cell import Cell
from edge_agent.core.counters import Counter
from edge_agent.core.ledger import Policy
from edge_agent.core.machine import Machine, MachineSpec
from edge_agent.core.quality import Reason, bad
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind, Tag

S = 1_000_000_000
STATE = Tag(0, "plc", "state", Kind.INT)
TOTAL = Tag(1, "plc", "total", Kind.INT)
SECOND = Tag(2, "plc", "second", Kind.INT)
JOB = Tag(3, "plc", "job", Kind.TEXT)
CODES = {0: MachineState.IDLE, 1: MachineState.RUN, 2: MachineState.FAULT}
LOST = bad(Reason.COMM_LOST)
NAN = float("nan")

Row = tuple[Tag, float, float] | tuple[Tag, float, float, int]
"""Tag, seconds, value, quality."""


def machine(counts: Mapping[str, Tag] | None = None, **more: object) -> Machine:
    """Its ideal cycle is 2 s, it is always planned to be busy."""
    sources = {"total": TOTAL, "scrap": SECOND} if counts is None else counts
    spec = {
        "id": "m",
        "state": STATE,
        "states": CODES,
        "calendar": Calendar("UTC", shifts=None),
        "policy": Policy(),
        "counts": sources,
        "counters": {source: lambda: Counter(32, 10) for source in sources},
        "ideal": Fraction(2),
        **more,
    }
    return Machine(MachineSpec(**spec))  # type: ignore[arg-type]


def samples(rows: Iterable[Row]) -> Batch:
    """In the order of the rows."""
    listed = [(*row, 0)[:4] for row in rows]
    return Batch(
        np.array([row[0].position for row in listed], np.int32),
        np.array([round(row[1] * S) for row in listed], np.int64),
        np.array([row[2] for row in listed], float),
        np.array([row[3] for row in listed], np.uint8),
    )


def fed(held: Machine, rows: Iterable[Row], order: random.Random | None = None) -> Machine:
    """The machine, which has taken the rows in one batch; with `order` one by one, shuffled, some of them twice."""
    listed = list(rows)
    if order is None:
        held.feed(samples(listed))
        return held
    order.shuffle(listed)
    for row in [*listed, *listed[:5]]:
        held.feed(samples([row]))
    return held


def cell(held: Machine, end: float = 100) -> Cell:
    """Of its first seconds."""
    return held.ledger.cell(0, round(end * S))
