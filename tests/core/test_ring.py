"""The ring against a plain list of everything that was appended."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.batch import Batch, Int32s, row
from edge_agent.core.quality import BAD, GOOD, Reason, bad
from edge_agent.core.ring import NEVER, Ring

ALWAYS = (-(2**62), 2**62)


def group(*tags: int) -> Int32s:
    made = np.array(tags, np.int32)
    made.flags.writeable = False
    return made


def changes(*samples: tuple[int, int, float, int]) -> Batch:
    tag, time, value, quality = zip(*samples, strict=True)
    return Batch(
        np.array(tag, np.int32), np.array(time, np.int64), np.array(value, float), np.array(quality, np.uint8)
    )


def shown(
    ring: Ring, position: int, start: int = ALWAYS[0], end: int = ALWAYS[1]
) -> list[tuple[int, float, int]]:
    time, value, quality = ring.window(position, start, end)
    assert (time.dtype, value.dtype, quality.dtype) == (np.int64, np.float64, np.uint8)
    return list(zip(time.tolist(), value.tolist(), quality.tolist(), strict=True))


def small(n_tags: int, groups: list[Int32s], rows: int = 4) -> Ring:
    """A ring whose groups hold exactly `rows` scans and whose log holds 64 changes or some more."""
    for size in range(1, 100_000):
        try:
            ring = Ring(n_tags, groups, size)
        except ValueError:
            continue
        if ring.rows >= rows:
            return ring
    raise AssertionError


def test_a_scan_and_a_change_of_one_tag_come_back_in_time_order() -> None:
    scan = group(0, 1)
    ring = Ring(3, [scan], 10_000)
    ring.append(row(scan, 10, np.array([1.0, 2.0])))
    ring.append(changes((1, 15, 2.5, GOOD), (2, 16, 7.0, GOOD)))
    ring.append(row(scan, 20, np.array([3.0, 4.0])))
    assert shown(ring, 1) == [(10, 2.0, 0), (15, 2.5, 0), (20, 4.0, 0)]
    assert shown(ring, 0) == [(10, 1.0, 0), (20, 3.0, 0)]
    assert shown(ring, 2) == [(16, 7.0, 0)]


def test_a_window_includes_its_start_and_excludes_its_end() -> None:
    scan = group(0)
    ring = Ring(2, [scan], 10_000)
    for time in (10, 20, 30):
        ring.append(row(scan, time, np.array([float(time)])))
        ring.append(changes((1, time, float(time), GOOD)))
    for position in (0, 1):
        assert shown(ring, position, 10, 30) == [(10, 10.0, 0), (20, 20.0, 0)]
        assert shown(ring, position, 31, 99) == []


def test_old_scans_make_room_for_new_ones() -> None:
    scan = group(0, 1)
    ring = small(2, [scan], rows=4)
    assert ring.rows == 4
    for time in range(11):
        ring.append(row(scan, time, np.array([time, -time], float)))
    assert shown(ring, 1) == [(t, -float(t), 0) for t in (7, 8, 9, 10)]


def test_old_changes_make_room_for_new_ones_whatever_the_batch_sizes() -> None:
    ring = Ring(1, [], 21 + 21 * 64)
    assert ring.changes == 64
    time = 0
    for size in (10, 50, 30, 64, 1, 63, 7):
        ring.append(changes(*((0, time + i, float(time + i), GOOD) for i in range(size))))
        time += size
        assert shown(ring, 0) == [(t, float(t), 0) for t in range(max(0, time - 64), time)]


def test_of_a_batch_longer_than_the_log_the_end_remains() -> None:
    ring = Ring(1, [], 21 + 21 * 64)
    ring.append(changes((0, -1, 0.0, GOOD)))
    ring.append(changes(*((0, t, float(t), GOOD) for t in range(200))))
    assert shown(ring, 0) == [(t, float(t), 0) for t in range(136, 200)]
    ring.append(changes((0, 200, 200.0, GOOD)))
    assert shown(ring, 0)[-2:] == [(199, 199.0, 0), (200, 200.0, 0)]
    assert len(shown(ring, 0)) == 64


def test_a_group_row_whose_samples_do_not_share_one_time_is_kept_sample_by_sample() -> None:
    scan = group(0, 1, 2)
    ring = Ring(3, [scan], 10_000)
    ring.append(Batch(scan, np.array([5, 6, 5], np.int64), np.array([1.0, 2.0, 3.0]), np.zeros(3, np.uint8)))
    ring.append(row(scan, 7, np.array([4.0, 5.0, 6.0])))
    assert shown(ring, 1) == [(6, 2.0, 0), (7, 5.0, 0)]
    assert shown(ring, 2) == [(5, 3.0, 0), (7, 6.0, 0)]


def test_several_rows_of_a_group_at_once_are_kept() -> None:
    scan = group(2, 0)
    ring = Ring(3, [scan], 10_000)
    several = Batch(np.tile(scan, 2), np.array([5, 5, 6, 6], np.int64), np.arange(4.0), np.zeros(4, np.uint8))
    ring.append(several)
    assert shown(ring, 2) == [(5, 0.0, 0), (6, 2.0, 0)]
    assert ring.latest.value.tolist()[0] == 3.0


def test_a_tag_without_a_sample_has_no_last_value() -> None:
    ring = Ring(2, [group(0)], 10_000)
    assert np.isnan(ring.latest.value).all()
    assert ring.latest.time.tolist() == [NEVER, NEVER]
    assert (ring.latest.quality >= BAD).all()


def test_a_late_sample_is_kept_but_is_not_the_last_value() -> None:
    scan = group(0, 1)
    ring = Ring(3, [scan], 10_000)
    ring.append(changes((0, 50, 1.0, GOOD), (2, 50, 1.0, GOOD)))
    ring.append(row(scan, 40, np.array([8.0, 9.0])))
    ring.append(changes((2, 49, 2.0, GOOD)))
    assert ring.latest.value.tolist() == [1.0, 9.0, 1.0]
    assert ring.latest.time.tolist() == [50, 40, 50]
    assert shown(ring, 0) == [(40, 8.0, 0), (50, 1.0, 0)]
    assert shown(ring, 2) == [(49, 2.0, 0), (50, 1.0, 0)]


def test_a_late_row_is_not_the_last_value_even_if_it_overwrites_the_newest_row() -> None:
    scan = group(0)
    ring = small(1, [scan], rows=2)
    ring.append(row(scan, 100, np.array([1.0])))
    for time in (10, 11, 12):
        ring.append(row(scan, time, np.array([2.0])))
    assert ring.latest.time.tolist() == [100]
    assert ring.latest.value.tolist() == [1.0]


def test_of_samples_with_one_time_the_later_arrival_is_the_last_value() -> None:
    scan = group(0, 1)
    ring = Ring(2, [scan], 10_000)
    ring.append(row(scan, 10, np.array([1.0, 1.0])))
    ring.append(changes((0, 10, np.nan, bad(Reason.COMM_LOST))))
    assert ring.latest.quality.tolist() == [bad(Reason.COMM_LOST), GOOD]
    ring.append(row(scan, 10, np.array([3.0, 3.0])))
    assert ring.latest.value.tolist() == [3.0, 3.0]


def test_last_values_cannot_be_written_from_outside() -> None:
    ring = Ring(2, [], 10_000)
    with pytest.raises(ValueError, match="read-only"):
        ring.latest.value[0] = 1.0


@pytest.mark.parametrize("bytes_max", [10_000, 64_000, 1_000_003, 64_000_000])
@pytest.mark.parametrize(("n_tags", "grouped"), [(10, 10), (100, 90), (100, 10), (100, 0)])
def test_memory_never_exceeds_what_was_allowed_and_uses_most_of_it(
    n_tags: int, grouped: int, bytes_max: int
) -> None:
    groups = [group(*range(i, min(i + 7, grouped))) for i in range(0, grouped, 7)]
    ring = Ring(n_tags, groups, bytes_max)
    assert bytes_max * 0.97 - 200 <= ring.memory_bytes <= bytes_max
    for number, tags in enumerate(groups):
        ring.append(row(tags, number, np.zeros(len(tags))))
    assert ring.memory_bytes <= bytes_max
    assert ring.rows & (ring.rows - 1) == 0


def test_a_ring_too_small_for_its_tags_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match="needs at least 5260 bytes") as told:
        Ring(100, [group(*range(100))], 4000)
    least = int("".join(c for c in str(told.value).split("least")[1] if c.isdigit()))
    assert Ring(100, [group(*range(100))], least).memory_bytes <= least


@pytest.mark.parametrize("groups", [[group(0, 1), group(1, 2)], [group(0, 0)]])
def test_a_tag_in_two_groups_is_refused(groups: list[Int32s]) -> None:
    with pytest.raises(ValueError, match="twice"):
        Ring(3, groups, 10_000)


# A plain model: every sample ever appended in a list; what a store has dropped is left out by
# counting the rows of each group and the changes.

TAGS = 5
GROUPS = (group(1, 2, 3), group(0))
times = st.integers(-20, 20)
qualities = st.sampled_from([GOOD, bad(Reason.COMM_LOST)])
scans = st.tuples(st.sampled_from([0, 1]), times)
scattered = st.lists(st.tuples(st.integers(0, TAGS - 1), times, qualities), min_size=0, max_size=30)


class Model:
    def __init__(self) -> None:
        self.rows: list[list[list[tuple[int, int, float, int]]]] = [[], []]
        self.log: list[tuple[int, int, float, int]] = []
        self.last: dict[int, tuple[int, float, int]] = {}

    def note(self, samples: list[tuple[int, int, float, int]]) -> None:
        for tag, time, value, quality in samples:
            if tag not in self.last or time >= self.last[tag][0]:
                self.last[tag] = (time, value, quality)

    def window(self, ring: Ring, tag: int, start: int, end: int) -> list[tuple[int, float, int]]:
        held = [s for rows in self.rows for scan in rows[-ring.rows :] for s in scan] + self.log[
            -ring.changes :
        ]
        mine = [(t, v, q) for g, t, v, q in held if g == tag and start <= t < end]
        return sorted(mine, key=lambda sample: sample[0])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(scans, scattered), max_size=40), times, times, st.booleans())
def test_the_ring_holds_what_a_plain_list_would(
    actions: list[tuple[int, int] | list[tuple[int, int, int]]], start: int, end: int, ask_often: bool
) -> None:
    ring, model, value = small(TAGS, list(GROUPS)), Model(), 0.0
    for action in actions:
        if isinstance(action, tuple):
            number, time = action
            tags = GROUPS[number]
            batch = row(tags, time, value + np.arange(len(tags)))
            samples = [(int(t), time, value + i, GOOD) for i, t in enumerate(tags)]
            model.rows[number].append(samples)
        elif action:
            samples = [(tag, time, value + i, quality) for i, (tag, time, quality) in enumerate(action)]
            batch = changes(*samples)
            model.log.extend(samples)
        else:
            continue
        value += len(batch)
        model.note(samples)
        ring.append(batch)
        if ask_often:
            assert ring.latest.value is not None
    for tag in range(TAGS):
        assert shown(ring, tag, start, end) == model.window(ring, tag, start, end)
        assert shown(ring, tag) == model.window(ring, tag, *ALWAYS)
        if tag in model.last:
            time, last, quality = model.last[tag]
            latest = ring.latest
            assert (latest.time[tag], latest.value[tag], latest.quality[tag]) == (time, last, quality)
        else:
            assert ring.latest.time[tag] == NEVER
