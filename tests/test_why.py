"""The reasons behind a value, in words: pure sentences from facts, and what the ring remembers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.api import BAD, GOOD, Batch, Kind, Reason, Tag, bad, uncertain
from edge_agent.core.advice import WORDS, words
from edge_agent.core.phrase import clock, length, shown, without_password
from edge_agent.core.ring import NEVER, Ring
from edge_agent.health import Line
from edge_agent.why import Facts, plain, run_of, why

S = 1_000_000_000
NOW = 1_764_079_639 * S     # 2025-11-25 14:07:19 UTC
LOST = Line(
    "press-1", "modbus+tcp://10.0.0.5:502?unit=1", "lost", NOW - 252 * S,
    "10.0.0.5:502 unit 1: no answer to reading holding 0..9 within 1 s, asked 2 times", 5, NOW + 3_200_000_000,
)  # fmt: skip
STANDS = Line("press-1", "modbus+tcp://10.0.0.5:502?unit=1", "connected", NOW - 600 * S)
FACTS = Facts(
    Tag(0, "press-1", "total", kind=Kind.INT),
    ZoneInfo("UTC"),
    NOW,
    NOW - 3600 * S,
    None,
    bad(Reason.NO_ANSWER),
    NOW - 252 * S,
    NOW - 252 * S,
    LOST,
    "holding:1",
    NOW - 252 * S,
    NOW - 253 * S,
    1067,
)


def test_a_lost_line_is_told_outermost_first() -> None:
    assert why(replace(FACTS, driver=("unit 1 has been silent since 14:03:07",))) == [
        "press-1.total is bad since 14:03:07 (4 min 12 s): no answer",
        "the line modbus+tcp://10.0.0.5:502?unit=1 is lost since 14:03:07 (4 min 12 s): "
        "10.0.0.5:502 unit 1: no answer to reading holding 0..9 within 1 s, asked 2 times",
        "5 attempts failed; the next is due in 3.2 s",
        "unit 1 has been silent since 14:03:07",
        "the last good value was 1067 at 14:03:06 (4 min 13 s ago)",
        "what to do: check that the device is on, and that its address on the line is right",
    ]


def test_a_good_value_says_its_age_and_where_it_comes_from() -> None:
    facts = replace(FACTS, value=1067, quality=GOOD, time=NOW - S, known=NOW - 400_000_000, line=STANDS)
    assert why(facts) == [
        "press-1.total is good: 1067, 0.4 s old",
        "it comes from holding:1 of modbus+tcp://10.0.0.5:502?unit=1, connected since 13:57:19",
    ]


def test_a_good_value_with_a_reason_tells_it() -> None:
    facts = replace(FACTS, value=1067, quality=GOOD | Reason.CLOCK, line=STANDS)
    assert "worth knowing: the device's clock was implausible, so the time is the agent's" in why(facts)


def test_a_tag_that_never_came_on_a_line_that_stands() -> None:
    chain = why(replace(FACTS, time=NEVER, line=STANDS))
    assert chain[0].endswith("nothing has arrived since the agent started at 13:07:19 (1 h 0 min ago)")
    assert chain[-1] == "the device has answered, but has not sent this tag so far"


def test_a_line_that_is_being_opened_for_the_first_time() -> None:
    line = Line("press-1", "opc.tcp://a:4840", "connecting", NOW - S)
    chain = why(replace(FACTS, time=NEVER, line=line))
    assert chain[1] == "the line opc.tcp://a:4840 is being opened since 14:07:18 (1.0 s)"


def test_all_addresses_of_a_device_are_named() -> None:
    line = replace(LOST, also=("modbus+tcp://10.0.0.6:502?unit=1",))
    assert "modbus+tcp://10.0.0.5:502?unit=1 or modbus+tcp://10.0.0.6:502?unit=1 is lost" in why(
        replace(FACTS, line=line)
    )[1]


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words_and_something_to_do(reason: Reason) -> None:
    said, do = WORDS[reason]
    assert said
    assert do
    assert not said.endswith(".")
    for quality in (bad(reason), uncertain(reason)):
        chain = why(replace(FACTS, quality=quality, line=STANDS))
        assert said in chain[0]
        assert chain[-1] == f"what to do: {do}"


def test_a_reason_of_a_later_version_has_a_name_at_least() -> None:
    assert words(BAD | 63).said == "reason_63"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda f: replace(f, quality=bad(Reason.OUT_OF_RANGE), value=412.5,
                           tag=Tag(0, "a", "b", unit="Cel", low=-40.0, high=400.0)),
         "the value is 412.5 Cel, its range -40 to 400 Cel"),
        (lambda f: replace(f, quality=bad(Reason.STALE)),
         "the tag allows 10.0 s without a sample; the last one is 4 min 12 s old"),
        (lambda f: replace(f, quality=bad(Reason.REFUSED)), "what was asked for is holding:1"),
        (lambda f: replace(f, good_time=NEVER), "no good value is in memory"),
        (lambda f: replace(f, line=replace(LOST, failures=1, next_ns=NOW - 1)),
         "1 attempt failed; the next is under way"),
    ],
)  # fmt: skip
def test_what_a_tag_adds_to_its_reason(change: Callable[[Facts], Facts], sentence: str) -> None:
    assert sentence in why(change(FACTS))


def test_no_sentence_shows_the_password_of_a_url() -> None:
    line = replace(LOST, address="opc.tcp://u:p@ss:w@10.0.0.7:4840", error="opc.tcp://u:p@ss:w@10.0.0.7:4840 says no")
    for quality, time in ((bad(Reason.COMM_LOST), NOW), (GOOD, NOW), (bad(Reason.NONE), NEVER)):
        told = " ".join(why(replace(FACTS, line=line, quality=quality, time=time, driver=(line.error,))))
        assert "opc.tcp://u:***@10.0.0.7:4840" in told
        assert "ss:w" not in told
    assert without_password("a://b:c@d and e://f:g@h") == "a://b:***@d and e://f:***@h"
    assert without_password("modbus+tcp://[::1]:502") == "modbus+tcp://[::1]:502"


@pytest.mark.parametrize(
    ("ns", "text"),
    [(-5, "0.0 s"), (0, "0.0 s"), (400_000_000, "0.4 s"), (59_949_000_000, "59.9 s"), (59_960_000_000, "1 min 0 s"),
     (252 * S, "4 min 12 s"), (3600 * S, "1 h 0 min"), (11_100 * S, "3 h 5 min"), (187_200 * S, "2 d 4 h")],
)  # fmt: skip
def test_lengths_of_time(ns: int, text: str) -> None:
    assert length(ns) == text


def test_times_of_another_day_have_a_date() -> None:
    zone = ZoneInfo("Asia/Shanghai")
    assert clock(NOW, NOW, zone) == "22:07:19"
    assert clock(NOW - 86_400 * S, NOW, zone) == "2025-11-24 22:07:19"
    assert clock(NOW, NOW + 7200 * S, zone) == "2025-11-25 22:07:19"


def test_values_are_shown_as_people_write_them() -> None:
    assert [shown(value, "Cel") for value in (1067, 23.4, 0.1 + 0.2, 1e20, True, "A100", None)] == [
        "1067 Cel", "23.4 Cel", "0.3 Cel", "1e+20 Cel", "true", "'A100'", "no value",
    ]  # fmt: skip


def test_what_the_ring_holds_becomes_a_value_of_the_tags_kind() -> None:
    text = Tag(0, "a", "b", kind=Kind.TEXT)
    code = text.vocabulary.code("A100")
    assert plain(text, code) == "A100"
    assert plain(Tag(0, "a", "b", kind=Kind.BOOL), 1.0) is True
    assert isinstance(plain(Tag(0, "a", "b", kind=Kind.INT), 7.0), int)
    assert plain(Tag(0, "a", "b", kind=Kind.INT), 7.5) == 7.5
    assert isinstance(plain(Tag(0, "a", "b"), 7.0), float)
    assert plain(Tag(0, "a", "b"), math.nan) is None
    assert plain(text, math.inf) is None


SAMPLES = st.lists(st.tuples(st.booleans(), st.integers(1, 300_000)), min_size=1, max_size=60)


@given(SAMPLES.filter(lambda samples: not samples[-1][0]))
def test_the_run_that_is_not_good_begins_after_the_last_good_sample(samples: list[tuple[bool, int]]) -> None:
    ring = Ring(1, [], 10_000)
    time = 1_700_000_000 * S
    expected: tuple[int, int, float] | None = None
    good: tuple[int, float] | None = None
    for number, (is_good, gap) in enumerate(samples):
        time += gap * S
        if is_good:
            good, expected = (time, float(number)), None
        elif expected is None:
            expected = (time, *good) if good else (time, NEVER, math.nan)
        quality = GOOD if is_good else bad(Reason.STALE)
        ring.append(
            Batch(
                np.zeros(1, np.int32), np.array([time]), np.array([float(number)]), np.array([quality], np.uint8)
            )
        )
    assert expected is not None
    found = run_of(ring, 0)
    assert found[:2] == expected[:2]
    assert found.good_raw == expected[2] or math.isnan(expected[2])


def test_a_good_sample_that_the_ring_has_forgotten_is_not_made_up() -> None:
    ring = Ring(1, [], 2_000)
    for n in range(500):
        quality = GOOD if n == 0 else bad(Reason.STALE)
        ring.append(
            Batch(np.zeros(1, np.int32), np.array([(n + 1) * S]), np.array([1.0]), np.array([quality], np.uint8))
        )
    assert run_of(ring, 0).good_time == NEVER
