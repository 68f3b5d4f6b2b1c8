"""Spikes and stuck sensors: how a tag's values may move."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.core.batch import Batch
from edge_agent.core.clean import Cleaner
from edge_agent.core.engine import Engine
from edge_agent.core.quality import BAD, Reason, bad, class_name, reason_name, uncertain
from edge_agent.core.tags import Kind, Tag, TagTable

S = 1_000_000_000
NAN = float("nan")


def cleaner(**more: object) -> Cleaner:
    return Cleaner(TagTable([Tag(0, "plc", "temp", **more), Tag(1, "plc", "other")]))  # type: ignore[arg-type]


def told(held: Cleaner, *values: float, start: int = 0, together: bool = False, quality: int = 0) -> list[str]:
    """What is said of a tag with these values, one a second, in a batch each or in one."""
    batches = [
        Batch(np.zeros(1, np.int32), np.array([(start + at) * S]), np.array([value]), np.array([quality], np.uint8))
        for at, value in enumerate(values)
    ]
    if together:
        names = ("tag", "time", "value", "quality")
        columns = [np.concatenate([getattr(one, name) for one in batches]) for name in names]
        batches = [Batch(*columns)]
    qualities = np.concatenate([held.clean(batch).quality for batch in batches]).tolist()
    return [reason_name(q) or class_name(q) for q in qualities]


@pytest.mark.parametrize("together", [False, True])
def test_a_glitch_stays_alone_and_a_step_costs_one_sample(together: bool) -> None:
    assert told(cleaner(max_step=5), 20, 90, 21, 22, together=together) == ["good", "spike", "good", "good"]
    assert told(cleaner(max_step=5), 20, 60, 61, 62, together=together) == ["good", "spike", "good", "good"]
    assert told(cleaner(max_step=5), 20, 25, 30, 35, together=together) == ["good"] * 4


def test_what_is_marked_is_counted() -> None:
    held = cleaner(max_step=5)
    told(held, 20, 90, 21)
    assert held.counts[Reason.SPIKE] == 1


def test_after_a_gap_any_value_is_believed() -> None:
    held = cleaner(max_step=5)
    told(held, 20)
    told(held, NAN, start=1, quality=bad(Reason.COMM_LOST))
    assert told(held, 90, start=2) == ["good"]


def test_a_late_sample_is_not_judged() -> None:
    held = cleaner(max_step=5)
    told(held, 20, start=10)
    assert told(held, 90, start=5) == ["good"]
    assert told(held, 21, start=11) == ["good"]


def test_a_value_that_stands_still_for_too_long_is_uncertain_until_it_moves() -> None:
    held = cleaner(stuck_ns=3 * S)
    assert told(held, 7, 7, 7, 7, 7, 8, 8) == ["good", "good", "good", "stuck", "stuck", "good", "good"]
    assert held.counts[Reason.STUCK] == 2


def test_a_text_cannot_spike() -> None:
    assert told(cleaner(max_step=1, kind=Kind.TEXT), 0, 5, 9) == ["good"] * 3


def test_other_tags_may_move_as_they_like_and_cost_nothing() -> None:
    held = Cleaner(TagTable([Tag(0, "plc", "temp")]))
    batch = Batch(np.zeros(1, np.int32), np.array([S]), np.ones(1), np.zeros(1, np.uint8))
    assert held.clean(batch).quality is batch.quality


def test_a_tag_that_reports_by_exception_is_found_stuck_by_what_is_known_of_it() -> None:
    engine = Engine(TagTable([Tag(0, "plc", "temp", stuck_ns=60 * S)]), [], [], ring_bytes=1 << 16)
    engine.feed("plc", Batch(np.zeros(1, np.int32), np.array([S]), np.array([7.0]), np.zeros(1, np.uint8)))
    engine.seen[0] = 60 * S
    engine.confirm()
    assert engine.ring.latest.quality[0] == 0, "a change may still be on its way"
    engine.seen[0] = 80 * S
    engine.confirm()
    engine.confirm()
    assert engine.ring.latest.quality[0] == uncertain(Reason.STUCK)
    assert engine.ring.latest.value[0] == 7.0
    [(device, batch)] = engine.take_samples()
    assert (device, batch.time.tolist()) == ("plc", [S, 61 * S])
    assert batch.quality.max() < BAD
    engine.feed("plc", Batch(np.zeros(1, np.int32), np.array([90 * S]), np.array([7.5]), np.zeros(1, np.uint8)))
    assert engine.ring.latest.quality[0] == 0
