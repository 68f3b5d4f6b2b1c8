"""Tags that keep their places when a site file changes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.batch import row
from edge_agent.core.ring import NEVER, Ring
from edge_agent.core.tags import VACANT, Tag, TagTable, places_for, scan_group

SIZES = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 5))


def table(sizes: Mapping[str, int], first: Mapping[str, int]) -> TagTable:
    tags = {at + n: Tag(at + n, name, f"t{n}") for name, at in first.items() for n in range(sizes[name])}
    return TagTable([tags.get(at) or Tag(at, VACANT, str(at)) for at in range(max(tags, default=-1) + 1)], list(sizes))


@given(before=SIZES, changes=st.lists(st.tuples(SIZES, st.sets(st.sampled_from("abcdefgh"))), max_size=6))
def test_devices_that_stay_keep_their_places_and_no_place_is_used_twice(
    before: dict[str, int], changes: list[tuple[dict[str, int], set[str]]]
) -> None:
    held = table(before, places_for(TagTable(()), (), before))
    assert held.vacant == 0
    sizes = before
    for after, stay in changes:
        kept = [name for name in after if name in stay and name in sizes]
        after = {name: sizes[name] if name in kept else size for name, size in after.items()}
        now = table(after, places_for(held, kept, after))   # a table with a place used twice cannot be made
        assert [now.device_slice(name) for name in kept] == [held.device_slice(name) for name in kept]
        assert [tag.device for tag in now] == [name for name, size in after.items() for _ in range(size)]
        assert len(now) == sum(after.values()) == len(now.places) - now.vacant
        assert all(now[now.position(tag.id)] is tag for tag in now)
        held, sizes = now, after


def test_what_is_new_goes_into_the_first_gap_that_is_long_enough() -> None:
    before = TagTable([Tag(at, name, str(at)) for at, name in enumerate("aabbbcc")])
    assert places_for(before, ["a", "c"], {"new": 2, "a": 2, "c": 2, "long": 4, "one": 1}) == {
        "new": 2, "a": 0, "c": 5, "long": 7, "one": 4,
    }  # fmt: skip


def test_the_tags_of_a_device_are_contiguous_and_in_their_places() -> None:
    for tags in ([Tag(0, "a", "x"), Tag(1, "b", "x"), Tag(2, "a", "y")], [Tag(1, "a", "x")]):
        with pytest.raises(ValueError, match=r"contiguous|expected 0"):
            TagTable(tags)


@given(
    rows=st.lists(st.integers(1, 9), max_size=40), logged=st.lists(st.integers(0, 5), max_size=200),
    sizes=st.tuples(st.integers(2000, 6000), st.integers(2000, 6000)),
)  # fmt: skip
def test_a_ring_takes_over_what_another_holds_of_some_tags_the_newest_of_it_at_least(
    rows: list[int], logged: list[int], sizes: tuple[int, int]
) -> None:
    kept, other = scan_group([Tag(0, "a", "x"), Tag(1, "a", "y")]), scan_group([Tag(2, "b", "x")])
    before, after = Ring(6, [kept, other], sizes[0]), Ring(8, [kept], sizes[1])
    time = 0
    for step in rows:
        time += step
        before.append(row(kept, time, np.array([float(time), -float(time)])))
        before.append(row(other, time, np.array([1.0])))
    for tag in logged:
        time += 1
        before.append(row(np.array([tag], np.int32), time, np.array([float(time)])))
    at = np.array([0, 1, 3], np.intp)
    after.take_over(before, at)
    for position in at.tolist():
        was, now = ([column.tolist() for column in ring.window(position, 0, 1 << 62)] for ring in (before, after))
        assert all(mine == theirs[len(theirs) - len(mine) :] or set(mine) <= set(theirs)
                   for mine, theirs in zip(now, was, strict=True))  # fmt: skip
        if before.rows <= after.rows and before.changes <= after.changes:
            assert now == was
        for mine, theirs in zip(after.latest, before.latest, strict=True):
            assert np.array_equal(mine[position], theirs[position], equal_nan=mine.dtype.kind == "f")
    for position in (2, 4, 5, 6, 7):
        assert not len(after.window(position, 0, 1 << 62)[0])
        assert after.latest.time[position] == NEVER
    # It goes on: what comes next stands behind what was taken over.
    after.append(row(kept, time + 1, np.array([7.0, 8.0])))
    assert after.window(1, 0, 1 << 62)[1][-1] == 8.0
    assert after.latest.value[0] == 7.0
