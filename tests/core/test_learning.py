"""Thresholds of a power signature, learnt from what a machine has drawn."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.core.learning import DAY, Learnt, NotLearnt, learn
from edge_agent.core.quality import Reason, bad

MINUTE = 60_000_000_000


def drawn(*modes: tuple[float, float, float], days: float = 4, seed: int = 1, **more: object) -> Learnt:
    """Modes of (power, relative spread, share of the time), in stretches of an hour."""
    chance = np.random.default_rng(seed)
    minutes = round(days * 1440)
    which = np.repeat(chance.choice(len(modes), minutes // 60 + 1, p=[share for *_, share in modes]), 60)[:minutes]
    level, spread = np.array([m[0] for m in modes])[which], np.array([m[1] for m in modes])[which]
    watts = level * np.exp(spread * chance.standard_normal(minutes))
    time = np.arange(minutes, dtype=np.int64) * MINUTE
    quality = np.zeros(minutes, np.uint8)
    return learn(time, watts, quality, minutes * MINUTE, **more)  # type: ignore[arg-type]


def test_three_modes_give_both_thresholds_between_them() -> None:
    found = drawn((6, 0.1, 0.4), (300, 0.05, 0.2), (2200, 0.15, 0.4))
    assert found.off is not None
    assert found.run is not None
    assert 10 < found.off[0] < found.off[1] < 250
    assert 400 < found.run[0] < found.run[1] < 1500
    assert found.run[1] / found.run[0] == pytest.approx(1.1 / 0.9)
    assert [round(mode.power, -1) for mode in found.modes[1:]] == pytest.approx([300, 2200], rel=0.02)
    assert min(found.sigmas) > 3
    assert found.days == 4


def test_a_machine_that_was_never_off_has_a_run_threshold_only() -> None:
    found = drawn((400, 0.05, 0.3), (2200, 0.1, 0.7))
    assert found.off is None
    assert found.run is not None
    assert 500 < found.run[0] < found.run[1] < 1900


def test_a_machine_that_never_idled_has_an_off_threshold_only() -> None:
    found = drawn((0, 0, 0.5), (2200, 0.1, 0.5))
    assert found.run is None
    assert found.off is not None
    assert found.off[1] < 1500


def test_modes_that_cannot_be_told_apart_give_no_thresholds() -> None:
    with pytest.raises(NotLearnt, match=r"modes are 2\.\d sigma apart, 3 are needed"):
        drawn((1000, 0.4, 0.5), (1500, 0.4, 0.5))


def test_less_than_three_days_are_too_little_unless_told() -> None:
    modes = ((6, 0.1, 0.4), (300, 0.05, 0.2), (2200, 0.15, 0.4))
    with pytest.raises(NotLearnt, match=r"2\.0 days of readings, 3 are needed"):
        drawn(*modes, days=2)
    assert drawn(*modes, days=2, min_days=1).run


def test_a_reading_holds_until_the_next_and_after_a_bad_one_nothing_is_known() -> None:
    time = np.array([0, 2 * DAY, 3 * DAY, 5 * DAY, 7 * DAY], np.int64)
    power = np.array([5.0, 2000.0, 300.0, np.nan, 5.0])
    quality = np.array([0, 0, 0, bad(Reason.AGENT_DOWN), 0], np.uint8)
    found = learn(time, power, quality, 8 * DAY)
    assert found.days == 6
    assert [round(mode.share, 3) for mode in found.modes] == [0.5, 0.333, 0.167]


def test_nothing_but_zeros_is_no_signature() -> None:
    time = np.array([0, DAY], np.int64)
    with pytest.raises(NotLearnt, match="nothing was ever drawn"):
        learn(time, np.zeros(2), np.zeros(2, np.uint8), 4 * DAY)
    with pytest.raises(NotLearnt, match=r"0\.0 days"):
        learn(np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8), 0)
