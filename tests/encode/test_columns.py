"""Batches through the journal's form and back, to the bit."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_agent.core.batch import Batch, concat, empty, row
from edge_agent.core.quality import Reason, bad
from edge_agent.core.tags import Vocabulary
from edge_agent.encode import columns

NOW = 1_790_000_000_123_456_789
NAN_WITH_PAYLOAD = struct.unpack("<d", struct.pack("<Q", 0xFFF8_0000_DEAD_BEEF))[0]


def scans(values: np.ndarray[tuple[int, int], np.dtype[np.float64]], first_tag: int = 0) -> Batch:
    """A batch of one row per second, from a matrix of scans × tags."""
    tags = np.arange(first_tag, first_tag + values.shape[1], dtype=np.int32)
    return concat([row(tags, NOW + i * 10**9, scan) for i, scan in enumerate(values)])


def told(batch: Batch, base: int = 0) -> tuple[bytes, ...]:
    local = (batch.tag - base).astype(np.int32)
    return local.tobytes(), batch.time.tobytes(), batch.value.tobytes(), batch.quality.tobytes()


def there_and_back(batch: Batch, base: int = 0, vocabularies: dict[int, Vocabulary] | None = None) -> bytes:
    packed = columns.pack(batch, base, vocabularies or {})
    back, _ = columns.unpack(packed)
    assert told(back) == told(batch, base)
    kinds = (back.tag.dtype, back.time.dtype, back.value.dtype, back.quality.dtype)
    assert kinds == (np.int32, np.int64, np.float64, np.uint8)
    return packed


any_int64 = st.integers(-(2**63), 2**63 - 1)
near_times = st.integers(-5, 5).map(lambda i: NOW + i * 1_000_000)
anything = st.floats(width=64, allow_nan=True, allow_infinity=True)
friendly = st.one_of(
    st.integers(-300, 300).map(float),
    st.integers(-9999, 9999).map(lambda i: i / 10),
    st.integers(-9999, 9999).map(lambda i: i / 100),
    st.integers(-9999, 9999).map(lambda i: i / 1000),
    st.floats(width=32, allow_nan=False).map(float),
    st.sampled_from(
        [0.0, -0.0, math.nan, math.inf, -math.inf, NAN_WITH_PAYLOAD, 2.0**63, -(2.0**63), 5e-324]
    ),
)
floats = st.one_of(friendly, friendly, anything)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.one_of(near_times, any_int64), floats, st.integers(0, 255)),
        max_size=60,
    ),
    st.sampled_from([0, 7, 2**31 - 6]),
)
def test_any_batch_comes_back_to_the_bit(samples: list[tuple[int, int, float, int]], base: int) -> None:
    tag, time, value, quality = zip(*samples, strict=True) if samples else ((), (), (), ())
    batch = Batch(
        np.array(tag, np.int32) + np.int32(base),
        np.array(time, np.int64),
        np.array(value, np.float64),
        np.array(quality, np.uint8),
    )
    there_and_back(batch, base)


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 12)).flatmap(
        lambda shape: arrays(np.float64, shape, elements=floats)
    ),
    st.booleans(),
)
def test_any_scans_come_back_to_the_bit(
    values: np.ndarray[tuple[int, int], np.dtype[np.float64]], is_marked: bool
) -> None:
    batch = scans(values, first_tag=3)
    if is_marked:
        quality = batch.quality.copy()
        quality[len(batch) // 2] = bad(Reason.DEVICE)
        batch = replace(batch, quality=quality)
    there_and_back(batch, base=3)


@given(arrays(np.int64, st.integers(1, 20), elements=any_int64))
def test_any_bits_come_back(bits: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    n = len(bits)
    there_and_back(Batch(np.zeros(n, np.int32), np.arange(n), bits.view(np.float64), np.zeros(n, np.uint8)))


def test_no_samples_are_a_batch_too() -> None:
    assert len(there_and_back(empty())) == 10


@pytest.mark.parametrize("tags", [[0, 300, 7], [0, 70_000, 7], [2, 1, 0], [1, 1, 1]])
def test_tags_far_apart_and_in_any_order_come_back(tags: list[int]) -> None:
    batch = row(np.array(tags, np.int32), NOW, np.array([1.0, 2.5, 3.0]))
    there_and_back(concat([batch, batch]))
    there_and_back(concat([batch, row(batch.tag[:2], NOW + 1, batch.value[:2])]))


def test_a_tag_before_the_devices_first_is_refused() -> None:
    with pytest.raises(ValueError, match="before the device's first"):
        columns.pack(row(np.array([4], np.int32), NOW, np.array([1.0])), 5, {})


def test_the_batch_itself_is_left_as_it_was() -> None:
    batch = scans(np.random.default_rng(1).normal(size=(5, 8)))
    before = told(batch)
    columns.pack(batch, 0, {})
    assert told(batch) == before


def test_what_is_unpacked_may_be_written_to() -> None:
    back, _ = columns.unpack(columns.pack(scans(np.ones((3, 4))), 0, {}))
    for column in (back.tag, back.time, back.value, back.quality):
        column[0] = 1


# -- texts ------------------------------------------------------------------------------------


def vocabulary(*texts: str) -> Vocabulary:
    made = Vocabulary()
    for text in texts:
        made.code(text)
    return made


def test_only_the_texts_that_occur_go_along() -> None:
    batch = Batch(
        np.array([10, 11, 12, 10, 12], np.int32),
        np.arange(5),
        np.array([2.0, 1.0, 0.0, 2.0, math.nan]),
        np.zeros(5, np.uint8),
    )
    spoken = {
        10: vocabulary("no", "no", "never", "程序 7", "A"),
        11: Vocabulary(),
        12: vocabulary("", "unused"),
    }
    spoken[10].code("no")
    packed = there_and_back(batch, 10, spoken)
    assert columns.unpack(packed)[1] == {0: {2: "程序 7"}, 2: {0: ""}}


def test_texts_that_are_no_proper_unicode_come_back() -> None:
    batch = row(np.array([0], np.int32), NOW, np.array([0.0]))
    packed = there_and_back(batch, 0, {0: vocabulary("a\udc80\0b")})
    assert columns.unpack(packed)[1] == {0: {0: "a\udc80\0b"}}


@pytest.mark.parametrize("code", [5.0, -1.0, math.inf])
def test_a_code_without_a_text_has_none(code: float) -> None:
    packed = there_and_back(row(np.array([0], np.int32), NOW, np.array([code])), 0, {0: vocabulary("x")})
    assert columns.unpack(packed)[1] == {}


# -- size -------------------------------------------------------------------------------------


def bytes_per_sample(values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> float:
    return len(there_and_back(scans(values))) / values.size


def test_values_that_stay_cost_next_to_nothing() -> None:
    assert bytes_per_sample(np.tile(np.linspace(0, 9, 100), (50, 1))) < 0.4


def test_slow_decimals_and_counters_cost_a_byte_or_less() -> None:
    rng = np.random.default_rng(1)
    slow = np.round(20 + rng.normal(size=(20, 100)).cumsum(axis=0) / 5, 1)
    counting = 1e6 + rng.integers(0, 3, (20, 100)).cumsum(axis=0)
    assert bytes_per_sample(slow) < 1.0
    assert bytes_per_sample(counting) < 1.0


def test_noise_costs_no_more_than_its_bits() -> None:
    rng = np.random.default_rng(1)
    assert bytes_per_sample(rng.normal(size=(20, 100))) < 8.5
    assert bytes_per_sample(rng.normal(size=(20, 100)).astype(np.float32).astype(float)) < 4.5


# -- damage -----------------------------------------------------------------------------------

RECORD = columns.pack(scans(np.random.default_rng(1).normal(size=(4, 5)).round(2)), 0, {})
LARGE = columns.pack(scans(np.random.default_rng(1).normal(size=(10, 50)).round(2)), 0, {})


@pytest.mark.parametrize("record", [RECORD, LARGE], ids=["plain", "deflated"])
def test_a_change_of_any_byte_is_found(record: bytes) -> None:
    for at in range(0, len(record), max(len(record) // 100, 1)):
        damaged = bytearray(record)
        damaged[at] ^= 0x10
        with pytest.raises(ValueError, match="batch"):
            columns.unpack(bytes(damaged))


def test_a_record_cut_short_or_too_long_is_found() -> None:
    for size in range(len(RECORD)):
        with pytest.raises(ValueError, match="batch"):
            columns.unpack(RECORD[:size])
    with pytest.raises(ValueError, match="check sum"):
        columns.unpack(RECORD + b"\0")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 15), st.integers(1, 200))
def test_a_right_check_sum_over_nonsense_is_a_value_error_or_a_batch(body: bytes, flags: int, n: int) -> None:
    head = struct.pack("<BBII", columns.VERSION, flags, 0, n)
    crc = zlib.crc32(body, zlib.crc32(head))
    try:
        batch, _ = columns.unpack(struct.pack("<BBII", columns.VERSION, flags, crc, n) + body)
    except ValueError:
        return
    assert len(batch) == n


def test_another_version_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="version 2"):
        columns.unpack(b"\x02" + RECORD[1:])
