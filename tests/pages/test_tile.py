"""A tile says what was seen, and nothing else."""

from __future__ import annotations

import pytest

from edge_agent.pages.machine.figures import summary
from edge_agent.pages.tile import rollup, tile
from edge_agent.pages.words import Words

WORDS = Words("en")
ROW = {
    "id": "press-1", "scope": "line", "state": "UNKNOWN", "since": None, "reason": None, "window": "shift",
    "data_coverage": 0.0, "oee": 0.0, "availability": 0.0, "performance": None, "quality": None,
    "availability_classic": 0.0, "performance_classic": None, "quality_time": None, "scrap": 0,
    "good": 0, "target": 50.0, "target_end": 100.0, "flags": ["LOW_CONFIDENCE"],
}  # fmt: skip


@pytest.mark.parametrize("drawn", ["tile", "rollup", "summary"])
def test_where_nothing_was_seen_there_is_no_oee_and_nobody_is_behind(drawn: str) -> None:
    draw = {"tile": lambda row: tile(row, "", WORDS), "rollup": lambda row: rollup(row, WORDS),
            "summary": lambda row: summary(row, WORDS)}[drawn]  # fmt: skip
    nothing, something = draw(ROW), draw({**ROW, "data_coverage": 0.5})
    assert ">–</text>" in nothing
    assert ("behind" in nothing, "nothing was planned" in nothing, "no data" in nothing) == (False, False, True)
    assert ">–</text>" not in something
    assert "behind" in something
