"""Sums over overlapping sets of tags are those that one would add up by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.units import Groups, Unit

TAGS = 6
SETS = st.lists(st.sets(st.integers(0, TAGS - 1)).map(sorted), max_size=5)
ROW = st.lists(st.integers(0, 5), min_size=TAGS, max_size=TAGS)


@given(SETS, st.lists(ROW, min_size=1, max_size=3))
def test_units_are_summed_and_their_largest_is_found(sets: list[list[int]], rows: list[list[int]]) -> None:
    groups = Groups([Unit(str(at), np.array(tags, np.intp), ()) for at, tags in enumerate(sets)])
    counts = np.array(rows, np.int64)
    assert groups.sums(counts).tolist() == [[sum(row[tag] for tag in tags) for tags in sets] for row in rows]
    values, places = groups.largest(counts[0])
    assert values.tolist() == [max((rows[0][tag] for tag in tags), default=0) for tags in sets]
    for tags, value, place in zip(sets, values.tolist(), places.tolist(), strict=True):
        assert not tags or (place in tags and rows[0][place] == value)
