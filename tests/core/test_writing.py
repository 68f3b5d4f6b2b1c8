"""Values on their way to equipment and back."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_agent.core.quality import BAD, GOOD
from edge_agent.core.tags import Kind, Tag
from edge_agent.core.writing import checked, held, permit, scaled, shown, unscaled

SCALES = st.sampled_from([1.0, 0.1, 0.01, 0.001, 0.05, 0.3, 2.5, 1e-5, 1000.0, -0.1])
OFFSETS = st.sampled_from([0.0, -100.0, 0.1, 273.15])


def tag(**said: Any) -> Tag:
    return Tag(0, "d", "t", **said)


def test_a_number_is_taken_as_the_decimal_that_was_written() -> None:
    assert unscaled(23.4, tag(scale=0.1), whole=True) == 234
    assert unscaled(-0.3, tag(scale=-0.1), whole=True) == 3
    assert unscaled(20, tag(scale=0.01, offset=-100), whole=True) == 12_000
    assert type(unscaled(20.0, tag(kind=Kind.INT), whole=True)) is int
    assert unscaled(0.3, tag(scale=0.1), whole=False) == 3.0


@pytest.mark.parametrize(
    ("value", "scale", "offset", "near"),
    [(23.45, 0.1, 0, "23.4 and 23.5"), (-0.25, -0.1, 0, "-0.3 and -0.2"), (7, 5, 1, "6 and 11")],
)
def test_a_value_that_no_register_can_hold_names_the_two_nearest(
    value: float, scale: float, offset: float, near: str
) -> None:
    with pytest.raises(ValueError, match=f"exactly; the nearest are {near}"):
        unscaled(value, tag(scale=scale, offset=offset), whole=True)


@given(st.integers(-(2**63), 2**64), SCALES, OFFSETS)
@example(70_368_744_178, 1000.0, 273.15)
def test_every_raw_value_is_reached_from_its_value(
    raw: int, scale: float, offset: float
) -> None:
    one = tag(scale=scale, offset=offset)
    value = scaled(raw, one)
    assert isinstance(value, float)
    if abs(raw) < 2**40:
        assert unscaled(value, one, whole=True) == raw
        return
    try:        # beyond that the value's last digits are lost
        again = unscaled(value, one, whole=True)
    except ValueError:
        return
    assert abs(float(again) - raw) <= abs(raw) * 1e-15


@given(st.floats(), st.sampled_from(Kind), st.floats(), st.floats(), st.booleans())
def test_a_float_is_written_or_refused_and_nothing_else(
    value: float, kind: Kind, scale: float, offset: float, whole: bool
) -> None:
    if not (math.isfinite(scale) and math.isfinite(offset)):
        return
    try:
        raw = unscaled(checked(value, kind), tag(kind=kind, scale=scale, offset=offset), whole)
    except ValueError:
        return
    assert isinstance(raw, bool) if kind is Kind.BOOL else math.isfinite(float(raw)) if abs(raw) < 1e308 else raw


@pytest.mark.parametrize("value", [None, True, "5", [5], {}, math.nan, math.inf, -math.inf, 10**400, b"5"])
def test_what_is_no_number_is_refused_for_a_number(value: object) -> None:
    for kind in (Kind.INT, Kind.FLOAT):
        with pytest.raises(ValueError, match="takes a number, not "):
            checked(value, kind)


@pytest.mark.parametrize("value", [None, 2, "true", "1", [], math.nan, 0.5])
def test_what_is_no_truth_value_is_refused_for_one(value: object) -> None:
    with pytest.raises(ValueError, match="takes true or false, not "):
        checked(value, Kind.BOOL)


@pytest.mark.parametrize(("value", "meant"), [(True, True), (0, False), (1, True), (1.0, True), (False, False)])
def test_nought_and_one_are_truth_values(value: object, meant: bool) -> None:
    assert checked(value, Kind.BOOL) is meant
    permit(meant, Kind.BOOL, None, None, None)
    permit(meant, Kind.BOOL, None, None, (float(meant),))
    with pytest.raises(ValueError, match="allowed: "):
        permit(meant, Kind.BOOL, None, None, (not meant,))


def test_limits_include_their_ends_and_are_decimals() -> None:
    permit(0.3, Kind.FLOAT, 0.1, 0.3, None)
    permit(20, Kind.INT, None, None, (10.0, 20.0))
    with pytest.raises(ValueError, match=r"may not be 0\.30000000000000004: the highest is 0\.3"):
        permit(0.1 + 0.2, Kind.FLOAT, 0.1, 0.3, None)
    with pytest.raises(ValueError, match="has no limits"):
        permit(1, Kind.INT, 0, None, None)
    with pytest.raises(ValueError, match="the highest is 15"):
        permit(20, Kind.INT, None, 15, (10, 20))


def test_a_text_is_a_text() -> None:
    assert checked("AB", Kind.TEXT) == unscaled("AB", tag(kind=Kind.TEXT), whole=False) == "AB"
    permit("AB", Kind.TEXT, None, None, None)
    with pytest.raises(ValueError, match="takes a text, not 5"):
        checked(5, Kind.TEXT)


def test_what_is_read_back_is_said_in_the_tags_unit() -> None:
    assert scaled(234, tag(scale=0.1)) == 23.4
    assert scaled(math.nan, tag()) is None
    assert scaled(1, tag(kind=Kind.BOOL)) is True
    assert scaled("AB", tag(kind=Kind.TEXT)) == "AB"
    assert type(scaled(5, tag(kind=Kind.INT))) is int


def test_the_last_value_is_told_as_a_person_would() -> None:
    text = tag(kind=Kind.TEXT)
    assert held(text, text.vocabulary.code("AB"), GOOD) == "AB"
    assert held(tag(kind=Kind.BOOL), 1.0, GOOD) is True
    assert held(tag(), math.nan, GOOD) is held(tag(), 5.0, BAD) is None


def test_no_value_makes_a_sentence_long() -> None:
    for value in ("x" * 9999, 10**5000, [1] * 9999, None, True, 1e300):
        assert len(shown(value)) <= 60
