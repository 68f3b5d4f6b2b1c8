"""What a machine showed, from the truth file: codes, counters that wrap, texts; nothing that changes nothing."""

from __future__ import annotations

from typing import Any

from edge_agent_hil.runner.shown import Shown, shown, story

START = 1_000_000_000_000
MS = 1_000_000
TRUTH: dict[str, Any] = {
    "states": [[START, "RUN", ""], [START + 5 * MS, "IDLE", "micro_stop"], [START + 7 * MS, "IDLE", "break"]],
    "products": [[START, "A"], [START + 6 * MS, "B"]],
    "pieces": [
        [START + 1 * MS, "A", "good"],
        [START + 2 * MS, "A", "scrap"],
        [START + 3 * MS, "A", "rework"],
        [START + 4 * MS, "A", "good"],
    ],
}
SAID: dict[str, Any] = {
    "states": {"0": "IDLE", "1": "RUN"},
    "products": {"A": {"code": 7}, "B": {"code": 8}},
    "counters": {
        "total": {"bits": 16, "start": 65534},
        "scrap": {"bits": 32, "start": 0},
        "rework": {"bits": 32, "start": 5},
    },
    "tags": ["state", "total", "scrap", "rework", "product", "program", "running", "power"],
}


def test_each_tag_shows_what_the_machine_did_and_what_cannot_be_compared_is_left_out() -> None:
    found = shown(TRUTH, SAID, START)
    assert set(found) == {"state", "total", "scrap", "rework", "product", "program", "running"}
    assert found["state"].values == [1, 0]
    assert found["running"].values == [True, False]
    assert found["total"].values == [65534, 65535, 0, 1, 2]
    assert found["scrap"].values == [0, 1]
    assert found["rework"].values == [5, 6]
    assert found["product"].values == [7, 8]
    assert found["program"].values == ["A", "B"]


def test_a_state_that_is_a_text_shows_its_name() -> None:
    by_name = {**SAID, "states": {"IDLE": "IDLE", "RUN": "RUN"}}
    assert shown(TRUTH, by_name, START)["state"].values == ["RUN", "IDLE"]


def test_what_was_shown_when_is_found() -> None:
    told = story([(10, "a"), (20, "b"), (30, "b"), (40, "c")])
    assert told == Shown([10, 20, 40], ["a", "b", "c"])
    assert told.changes(10, 40) == [(20, "b"), (40, "c")]
    assert told.between(25, 39) == ["b"]
    assert told.between(0, 20) == ["a", "b"]
    assert told.until(20) == 40
    assert told.until(40) > 1 << 60
