"""What equipment refuses is said once a tag, by name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_agent.api import Batch, Reason, Session, Tag, bad
from edge_agent.core.ring import Ring
from edge_agent.core.tags import TagTable
from edge_agent.south.refused import Refused

S = 1_000_000_000


REFUSED = bad(Reason.REFUSED)


class Plc:
    groups = ()

    async def connect(self) -> Session:
        raise NotImplementedError

    def why(self, tag: Tag) -> Sequence[str]:
        return () if tag.name == "t1" else (f"exception 2 at {tag.name}",)


class Bench:
    def __init__(self, n: int, optional: frozenset[int] = frozenset()) -> None:
        self.table = TagTable([Tag(i, "plc", f"t{i}") for i in range(n)])
        self.ring = Ring(n, (), 1 << 20)
        self.refused = Refused(self.table, self.ring, {"plc": Plc()}, optional)
        self._now = 0

    def show(self, quality: int, *tags: int) -> list[str]:
        self._now += S
        at, n = np.array(tags, np.int32), len(tags)
        self.ring.append(Batch(at, np.full(n, self._now), np.full(n, np.nan), np.full(n, quality, np.uint8)))
        return self.refused.take_fresh()


def test_a_refused_tag_is_said_once_with_what_the_driver_knows() -> None:
    bench = Bench(3)
    assert bench.show(bad(Reason.COMM_LOST), 0, 1, 2) == []
    assert bench.show(REFUSED, 0) == ["plc.t0: refused by the device: exception 2 at t0"]
    assert bench.show(REFUSED, 0, 1) == ["plc.t1: refused by the device: no such address, or of another type"]
    assert bench.show(0, 0, 1) == []
    assert bench.show(REFUSED, 0, 1) == [], "a device that now has it and now has not fills no log"


def test_a_whole_block_is_said_in_a_few_lines() -> None:
    said = Bench(400).show(REFUSED, *range(400))
    assert len(said) == 6
    assert said[-1] == "plc: 395 more tags are refused by the device; edge-agent why TAG tells why"


def test_what_the_specification_lets_a_server_leave_out_may_be_missing() -> None:
    assert Bench(2, frozenset({1})).show(REFUSED, 0, 1) == ["plc.t0: refused by the device: exception 2 at t0"]
