"""Counters: what a register did, told from plausibility alone."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.counters import (
    AMBIGUOUS_WRAP,
    BASELINE,
    GLITCH_DISCARDED,
    IGNORED,
    JITTER,
    OK,
    PENDING,
    REBASED,
    RESET_CONFIRMED,
    RESET_SIGNALLED,
    WRAP,
    Counter,
)

S = 1_000_000_000


def fed(counter: Counter, *readings: tuple[int, int]) -> list[tuple[int, str]]:
    return [counter.feed(t * S, raw) for t, raw in readings]


def test_the_first_reading_counts_nothing() -> None:
    assert Counter(16, 5).feed(0, 40_000) == (0, BASELINE)


@given(st.lists(st.integers(0, 50), max_size=60), st.sampled_from([16, 32, 64]), st.integers(0, 2**16 - 1))
def test_a_counter_that_only_rolls_over_loses_nothing(steps: list[int], bits: int, first: int) -> None:
    counter, raw = Counter(bits, 5), first
    counter.feed(0, raw)
    found = 0
    for at, step in enumerate(steps, start=1):
        raw = (raw + step) % 2**bits
        found += counter.feed(at * 10 * S, raw)[0]
    assert found == sum(steps)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.data())
def test_feeding_a_reading_twice_changes_nothing(steps: list[int], data: st.DataObject) -> None:
    once, twice, raw = Counter(16, 5), Counter(16, 5), 65_500
    for at, step in enumerate(steps):
        raw = (raw + step) % 2**16
        answer = once.feed(at * S, raw)
        assert twice.feed(at * S, raw) == answer
        old, any_raw = data.draw(st.integers(0, at)), data.draw(st.integers(0, 65_535))
        assert twice.feed(old * S, any_raw) == (0, IGNORED)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 65_535), st.booleans()), max_size=30))
def test_a_restored_counter_goes_on_as_if_nothing_happened(readings: list[tuple[int, int, bool]]) -> None:
    one, t = Counter(16, 5), 0
    for step, raw, reset in readings:
        t += step
        other = Counter(16, 5)
        other.restore(json.loads(json.dumps(one.snapshot())))
        assert other.feed(t * S, raw, reset) == one.feed(t * S, raw, reset)
        assert other.snapshot() == one.snapshot()


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 65_535)), max_size=40))
def test_no_increment_is_negative_or_faster_than_the_machine(readings: list[tuple[int, int]]) -> None:
    counter, t, since = Counter(16, 5), 0, 0
    for step, raw in readings:
        t += step
        increment, flag = counter.feed(t * S, raw)
        if flag not in (PENDING, JITTER, BASELINE):
            assert counter.since is not None
            since = counter.since // S
        assert 0 <= increment <= 5 * (t - since) + 1


def test_a_single_zero_is_a_glitch_and_two_make_a_reset() -> None:
    assert fed(Counter(16, 2), (0, 812), (10, 0), (20, 815))[1:] == [(0, PENDING), (3, GLITCH_DISCARDED)]
    assert fed(Counter(16, 2), (0, 812), (10, 0), (20, 4))[1:] == [(0, PENDING), (4, RESET_CONFIRMED)]


def test_a_preset_to_a_lower_value_is_no_production() -> None:
    """30 000 pieces in 20 s would be the wrong story: the counter was set, up or down."""
    assert fed(Counter(16, 2), (0, 50_000), (10, 30_000), (20, 30_002))[2] == (2, REBASED)
    assert fed(Counter(16, 2), (0, 100), (10, 5_000), (20, 5_002))[2] == (2, REBASED)


def test_garbage_after_garbage_keeps_waiting() -> None:
    found = fed(Counter(16, 2), (0, 100), (10, 5_000), (20, 20_000), (30, 103))
    assert found[1:] == [(0, PENDING), (0, PENDING), (3, GLITCH_DISCARDED)]


def test_a_small_step_back_is_jitter_and_a_large_one_is_not() -> None:
    assert fed(Counter(16, 2), (0, 100), (1, 98), (2, 101))[1:] == [(0, JITTER), (1, OK)]
    assert fed(Counter(16, 2), (0, 100), (1, 97))[1] == (0, PENDING)


def test_a_signalled_reset_counts_what_was_made_since() -> None:
    counter = Counter(16, 2)
    fed(counter, (0, 810))
    assert counter.feed(10 * S, 3, reset_signal=True) == (3, RESET_SIGNALLED)
    assert counter.feed(20 * S, 8) == (5, OK)


def test_a_register_unread_for_too_long_may_have_gone_round() -> None:
    counter = Counter(16, 5)
    assert fed(counter, (0, 0), (13_107, 60_000))[1] == (60_000, OK)
    assert fed(counter, (13_107 + 13_108, 61_000), (26_225, 61_030)) == [(0, AMBIGUOUS_WRAP), (30, OK)]


def test_a_counter_without_width_never_rolls_over() -> None:
    assert fed(Counter(None, 5), (0, 65_535), (10, 3))[1] == (0, PENDING)
    assert fed(Counter(None, 5), (0, 2**40), (10**7, 2**40 + 10**6))[1] == (10**6, OK)


def test_rates_are_exact() -> None:
    for rate in (Fraction(1, 10), "0.1", 0.1):
        assert fed(Counter(16, rate), (0, 0), (10, 2))[1] == (2, OK)
        assert fed(Counter(16, rate), (0, 0), (10, 3))[1] == (0, PENDING)
    assert fed(Counter(16), (0, 0), (1, 60_000), (2, 10))[1:] == [(60_000, OK), (0, PENDING)]
    assert fed(Counter(16, 5), (0, 65_530), (10, 10))[1] == (16, WRAP)


def test_the_increment_says_since_when_it_grew() -> None:
    counter = Counter(16, 5)
    fed(counter, (0, 5), (10, 6), (20, 40_000), (30, 9))
    assert counter.since == 10 * S


def test_a_register_without_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="bit"):
        Counter(0)
