"""On a large screen charts are drawn larger: letters, lines and the room around them, and nothing of the data."""

from __future__ import annotations

import pytest

from edge_agent.pages.chart import larger
from edge_agent.pages.visit import scale_of


@pytest.mark.parametrize(
    ("told", "scale"), [("16", 1.0), ("28", 1.75), ("12", 1.0), ("99", 2.0), ("", 1.0), ("-5", 1.0), ("²", 1.0)]
)
def test_the_size_of_a_letter_says_how_large_a_screen_is(told: str, scale: float) -> None:
    assert scale_of(told) == scale


def test_letters_and_room_grow_and_data_stay() -> None:
    drawn = {
        "grid": {"left": 8, "containLabel": True},
        "xAxis": {"axisLabel": {"fontSize": 12, "width": 190}, "max": 100},
        "series": [{"lineStyle": {"width": 2.5}, "data": [{"value": [1, 2], "width": 3}]}],
        "legend": {"left": "right"},
    }
    assert larger(drawn, 1.0) is drawn
    assert larger(drawn, 2.0) == {
        "grid": {"left": 16, "containLabel": True},
        "xAxis": {"axisLabel": {"fontSize": 24, "width": 380}, "max": 100},
        "series": [{"lineStyle": {"width": 5.0}, "data": [{"value": [1, 2], "width": 3}]}],
        "legend": {"left": "right"},
    }
