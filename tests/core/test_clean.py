"""Scaling and plausibility of raw samples."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.batch import Batch, empty, row
from edge_agent.core.clean import Cleaner
from edge_agent.core.quality import GOOD, UNCERTAIN, Reason, bad, uncertain
from edge_agent.core.tags import Kind, Tag, TagTable, scan_group


def table(*tags: dict[str, Any]) -> TagTable:
    return TagTable(Tag(i, "d", f"t{i}", **said) for i, said in enumerate(tags))


def cleaned(tags: TagTable, values: list[float], quality: int = GOOD) -> Batch:
    group = scan_group(tags)
    return Cleaner(tags).clean(row(group, 5, np.array(values), np.full(len(values), quality, np.uint8)))


def test_a_number_is_scaled_and_shifted() -> None:
    out = cleaned(
        table({"scale": 0.5, "offset": -1.0}, {"scale": 3.0}, {"offset": 2.0}, {}), [4.0, 4.0, 4.0, 4.0]
    )
    assert out.value.tolist() == [1.0, 12.0, 6.0, 4.0]
    assert out.quality.tolist() == [GOOD] * 4


def test_a_scale_is_the_decimal_that_was_written() -> None:
    tags = table({"scale": 0.1}, {"scale": 0.01}, {"scale": -0.1})
    assert cleaned(tags, [234.0, 2345.0, 3.0]).value.tolist() == [
        23.4, 23.45, -0.3,
    ]  # fmt: skip


@given(st.integers(-(2**31), 2**32), st.sampled_from([0.1, 0.01, 0.001, 0.05, 0.3, 2.5, 1e-5, 1000.0, -0.1]))
def test_a_scaled_integer_is_the_float_next_to_the_true_value(raw: int, scale: float) -> None:
    assert cleaned(table({"scale": scale}), [float(raw)]).value[0] == float(raw * Fraction(repr(scale)))


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_any_scale_is_followed_within_rounding(raw: float, scale: float, offset: float) -> None:
    out = cleaned(table({"scale": scale, "offset": offset}), [raw]).value[0]
    assert math.isclose(out, raw * scale + offset, rel_tol=1e-14, abs_tol=1e-2)


def test_bool_and_text_are_not_scaled() -> None:
    tags = table(
        {"kind": Kind.BOOL, "scale": 10.0},
        {"kind": Kind.TEXT, "offset": 5.0},
        {"kind": Kind.INT, "scale": 2.0},
    )
    assert cleaned(tags, [1.0, 3.0, 4.0]).value.tolist() == [1.0, 3.0, 8.0]


def test_minus_zero_of_an_unscaled_tag_stays_minus_zero_beside_scaled_ones() -> None:
    assert math.copysign(1.0, cleaned(table({}, {"offset": 1.0}), [-0.0, 0.0]).value[0]) == -1.0


@pytest.mark.parametrize("raw", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("quality", [GOOD, UNCERTAIN, uncertain(Reason.CLOCK)])
def test_what_is_not_a_number_is_bad(raw: float, quality: int) -> None:
    assert cleaned(table({}), [raw], quality).quality.tolist() == [bad(Reason.NOT_A_NUMBER)]
    assert cleaned(table({"scale": 2.0, "low": 0.0, "high": 9.0}), [raw], quality).quality.tolist() == [
        bad(Reason.NOT_A_NUMBER)
    ]


def test_a_text_without_a_code_is_unmapped() -> None:
    out = cleaned(table({"kind": Kind.TEXT}, {"kind": Kind.TEXT}), [math.nan, 0.0])
    assert out.quality.tolist() == [bad(Reason.UNMAPPED), GOOD]


def test_a_value_outside_its_range_is_bad_and_kept_and_the_limits_belong_to_the_range() -> None:
    tags = table(*({"low": -40.0, "high": 40.0, "scale": 0.1} for _ in range(4)))
    out = cleaned(tags, [-400.0, 400.0, 401.0, -401.0])
    assert out.value.tolist() == [-40.0, 40.0, 40.1, -40.1]
    assert out.quality.tolist() == [GOOD, GOOD, bad(Reason.OUT_OF_RANGE), bad(Reason.OUT_OF_RANGE)]


def test_an_open_range_has_one_limit() -> None:
    tags = table({"low": 0.0}, {"high": 0.0})
    assert cleaned(tags, [1e300, -1e300]).quality.tolist() == [GOOD, GOOD]
    assert cleaned(tags, [-1.0, 1.0]).quality.tolist() == [bad(Reason.OUT_OF_RANGE)] * 2


def test_a_bad_sample_keeps_its_quality() -> None:
    out = cleaned(table({"high": 1.0}, {}), [5.0, math.nan], bad(Reason.DEVICE))
    assert out.quality.tolist() == [bad(Reason.DEVICE)] * 2


def test_a_value_that_overflows_when_scaled_is_bad_and_nobody_is_warned() -> None:
    assert cleaned(table({"scale": 1000.0}), [1e308]).quality.tolist() == [bad(Reason.NOT_A_NUMBER)]
    assert cleaned(table({"scale": 0.0}), [math.inf]).quality.tolist() == [bad(Reason.NOT_A_NUMBER)]


def test_what_was_marked_is_counted_by_reason() -> None:
    tags = table({"high": 1.0}, {}, {"kind": Kind.TEXT})
    cleaner = Cleaner(tags)
    for _ in range(3):
        cleaner.clean(row(scan_group(tags), 5, np.array([2.0, math.nan, math.nan])))
    cleaner.clean(row(scan_group(tags), 5, np.zeros(3)))
    assert {reason: n for reason, n in cleaner.counts.items() if n} == {
        Reason.OUT_OF_RANGE: 3, Reason.NOT_A_NUMBER: 3, Reason.UNMAPPED: 3,
    }  # fmt: skip


def test_the_tag_column_stays_the_very_same_array_and_the_input_untouched() -> None:
    tags = table({"scale": 2.0}, {"high": 1.0})
    batch = row(scan_group(tags), 5, np.array([1.0, 2.0]))
    out = Cleaner(tags).clean(batch)
    assert out.tag is batch.tag
    assert out.time is batch.time
    assert (batch.value.tolist(), batch.quality.tolist()) == ([1.0, 2.0], [GOOD, GOOD])


def test_a_batch_with_nothing_to_do_passes_as_it_is() -> None:
    tags = table({}, {"kind": Kind.BOOL})
    batch = row(scan_group(tags), 5, np.array([1.0, 2.0]))
    assert Cleaner(tags).clean(batch) is batch


def test_samples_of_any_tags_in_any_order_are_cleaned() -> None:
    tags = table({"scale": 2.0}, {}, {"scale": 10.0, "high": 20.0})
    batch = Batch(
        np.array([2, 0, 2, 1], np.int32), np.arange(4), np.array([2.0, 2.0, 3.0, 2.0]), np.zeros(4, np.uint8)
    )
    out = Cleaner(tags).clean(batch)
    assert out.value.tolist() == [20.0, 4.0, 30.0, 2.0]
    assert out.quality.tolist() == [GOOD, GOOD, bad(Reason.OUT_OF_RANGE), GOOD]


def test_an_empty_batch_is_cleaned_to_itself() -> None:
    tags = table({"scale": 2.0, "low": 0.0})
    assert len(Cleaner(tags).clean(empty())) == 0


def test_a_kind_learnt_at_connect_counts_after_refresh() -> None:
    tags = table({"scale": 2.0})
    cleaner, batch = Cleaner(tags), row(scan_group(tags), 5, np.array([math.nan]))
    assert cleaner.clean(batch).quality.tolist() == [bad(Reason.NOT_A_NUMBER)]
    tags[0].kind = Kind.TEXT
    cleaner.refresh()
    assert cleaner.clean(batch).quality.tolist() == [bad(Reason.UNMAPPED)]
    assert cleaner.clean(row(scan_group(tags), 5, np.array([3.0]))).value.tolist() == [3.0]
