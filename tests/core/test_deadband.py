"""Report by exception against a loop that takes one sample at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.batch import Batch, row
from edge_agent.core.deadband import Deadband
from edge_agent.core.quality import GOOD, UNCERTAIN, Reason, bad, uncertain
from edge_agent.core.tags import Kind, Tag, TagTable, scan_group

Sample = tuple[int, int, float, int]


def table(*tags: dict[str, Any]) -> TagTable:
    return TagTable(Tag(i, "d", f"t{i}", **said) for i, said in enumerate(tags))


def columns(samples: list[Sample]) -> Batch:
    return Batch(
        np.array([s[0] for s in samples], np.int32),
        np.array([s[1] for s in samples], np.int64),
        np.array([s[2] for s in samples], np.float64),
        np.array([s[3] for s in samples], np.uint8),
    )


def reported(deadband: Deadband, values: list[float], quality: int = GOOD) -> list[float]:
    """Feed `values` of tag 0 a scan at a time; those that come through."""
    group = np.array([0], np.int32)
    group.flags.writeable = False
    out = [deadband.filter(row(group, 0, np.array([v]), np.array([quality], np.uint8))) for v in values]
    return [float(v) for batch in out for v in batch.value]


def test_a_value_that_stays_is_reported_once() -> None:
    assert reported(Deadband(table({})), [5.0, 5.0, 5.0]) == [5.0]


def test_without_a_deadband_every_change_is_reported() -> None:
    assert reported(Deadband(table({})), [5.0, 5.0000001, 5.0000001, 5.0]) == [5.0, 5.0000001, 5.0]


def test_the_first_sample_is_reported_whatever_it_is() -> None:
    for first in (0.0, math.nan, math.inf):
        assert len(reported(Deadband(table({"deadband": 10.0})), [first, first])) == 1


def test_a_change_is_measured_from_the_last_report_so_that_creeping_shows() -> None:
    assert reported(Deadband(table({"deadband": 1.0})), [0.0, 0.9, 1.0, 1.1, 2.0, 2.2]) == [0.0, 1.1, 2.2]


@pytest.mark.parametrize("band", [0.0, 0.5])
def test_nan_equals_nan_and_infinity_equals_itself(band: float) -> None:
    values = [math.nan, math.nan, 1.0, math.inf, math.inf, -math.inf, math.nan]
    out = reported(Deadband(table({"deadband": band})), values)
    assert [str(v) for v in out] == ["nan", "1.0", "inf", "-inf", "nan"]


def test_a_change_of_class_or_reason_is_reported() -> None:
    deadband = Deadband(table({"deadband": 5.0}))
    for quality in (
        GOOD,
        UNCERTAIN,
        uncertain(Reason.CLOCK),
        bad(Reason.DEVICE),
        bad(Reason.COMM_LOST),
        GOOD,
    ):
        assert reported(deadband, [1.0, 1.0], quality) == [1.0]


def test_bool_and_text_have_no_deadband() -> None:
    for kind in (Kind.BOOL, Kind.TEXT):
        assert reported(Deadband(table({"deadband": 5.0, "kind": kind})), [0.0, 1.0, 1.0]) == [0.0, 1.0]


def test_a_forgotten_tag_is_reported_again_and_others_are_not() -> None:
    tags = table({}, {}, {})
    deadband, scan = Deadband(tags), row(scan_group(tags), 0, np.zeros(3))
    assert deadband.filter(scan) is scan
    deadband.forget([0, 2])
    assert deadband.filter(scan).tag.tolist() == [0, 2]
    assert len(deadband.filter(scan)) == 0


def test_a_heartbeat_reports_a_silent_tag() -> None:
    group = scan_group(table({}))
    deadband = Deadband(table({}), heartbeat_ns=10)
    out = [len(deadband.filter(row(group, time, np.zeros(1)))) for time in (0, 5, 9, 10, 15, 19, 20, 31)]
    assert out == [1, 0, 0, 1, 0, 0, 1, 1]


def test_an_empty_batch_passes() -> None:
    assert len(Deadband(table({})).filter(columns([]))) == 0


def test_a_kind_learnt_at_connect_counts_after_refresh() -> None:
    tags = table({"deadband": 5.0})
    deadband = Deadband(tags)
    assert reported(deadband, [0.0, 1.0]) == [0.0]
    tags[0].kind = Kind.TEXT
    deadband.refresh()
    assert reported(deadband, [1.0]) == [1.0]


class OneByOne:
    """What `Deadband` promises, in so many words."""

    def __init__(self, bands: list[float], heartbeat: int | None) -> None:
        self.bands, self.heartbeat = bands, heartbeat
        self.last: dict[int, tuple[int, float, int]] = {}

    def filter(self, samples: list[Sample]) -> list[Sample]:
        return [sample for sample in samples if self.is_news(*sample)]

    def is_news(self, tag: int, time: int, value: float, quality: int) -> bool:
        if tag in self.last:
            last_time, last, last_quality = self.last[tag]
            same = (
                value == last
                or (math.isnan(value) and math.isnan(last))
                or abs(value - last) <= self.bands[tag]
            )
            silent = self.heartbeat is not None and time - last_time >= self.heartbeat
            if same and quality == last_quality and not silent:
                return False
        self.last[tag] = (time, value, quality)
        return True


N = 40
BANDS = [(0.0, 0.0, 0.5, 1.5)[i % 4] for i in range(N)]
values = st.one_of(
    st.integers(-3, 3).map(float),
    st.sampled_from([0.25, 0.5, -0.0, math.nan, math.inf, -math.inf, 1e308, -1e308]),
)
sample = st.tuples(
    st.integers(0, N - 1), st.integers(0, 60), values, st.sampled_from([GOOD, GOOD, GOOD, bad(Reason.DEVICE)])
)
few_tags = st.tuples(st.integers(0, 3), st.integers(0, 60), values, st.just(GOOD))
many_in_turns = st.integers(1, 4).flatmap(
    lambda turns: st.lists(values, min_size=N * turns, max_size=N * turns).map(
        lambda drawn: [(i % N, i // N, v, GOOD) for i, v in enumerate(drawn)]
    )
)
batches = st.lists(
    st.one_of(st.lists(sample, max_size=80), st.lists(few_tags, max_size=20), many_in_turns), max_size=5
)


def told(samples: list[Sample]) -> list[str]:
    return [repr(sample) for sample in samples]  # so that NaN equals NaN and -0.0 is not 0.0


@settings(max_examples=200, deadline=None)
@given(batches, st.sampled_from([None, 7]), st.booleans())
def test_a_batch_is_filtered_as_if_taken_one_by_one(
    drawn: list[list[Sample]], heartbeat: int | None, without_bands: bool
) -> None:
    bands = [0.0] * N if without_bands else BANDS
    deadband, model = (
        Deadband(table(*({"deadband": b} for b in bands)), heartbeat),
        OneByOne(bands, heartbeat),
    )
    for samples in drawn:
        out = deadband.filter(columns(samples))
        assert told(
            list(
                zip(
                    out.tag.tolist(), out.time.tolist(), out.value.tolist(), out.quality.tolist(), strict=True
                )
            )
        ) == told(model.filter(samples))
