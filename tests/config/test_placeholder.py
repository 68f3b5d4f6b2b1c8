"""`<ct>`, `<base+4>` and `<ct*0.1>`: what they become, exactly."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.placeholder import NotANumberError, fill, names_in, unknown_in

HELD = {"base": 100, "ct": 40, "vt": 1.1, "tiny": 1e-7, "word": "CDAB", "on": True, "part": 0.1}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("<base>", 100), ("<base+4>", 104), ("<base-1>", 99), ("<ct*0.001>", 0.04), ("<ct*0.1>", 4),
        ("<ct*vt*0.1>", 4.4), ("<base+ct*2-1>", 179), ("< base + 4 >", 104), ("<base+0x10>", 116),
        ("<part+part+part>", 0.3), ("<part*3>", 0.3), ("<1-part>", 0.9), ("<word>", "CDAB"), ("<on>", True),
        ("<vt>", 1.1), ("<vt*10>", 11.0), ("holding:<base+4>", "holding:104"), ("x<part*3>", "x0.3"),
        ("input:<base> int16 x<ct*0.001> <word>", "input:100 int16 x0.04 CDAB"), ("<on>!", "true!"),
        ("x<tiny>", "x0.0000001"), ("x<vt*10>", "x11"), ("no placeholder", "no placeholder"), ("a < b", "a < b"),
    ],
)  # fmt: skip
def test_a_placeholder_becomes_what_it_says(text: str, value: Any) -> None:
    filled = fill(text, HELD)
    assert filled == value
    assert type(filled) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "<>", "<base+>", "<base/2>", "<5>", "<+base>", "<Base>", "<base 4>", "<base**2>", "<base--1>", "<(base)>",
        "<base+1e3>", "<" + "+".join(["base"] * 9) + ">",
    ],
)  # fmt: skip
def test_what_is_no_placeholder_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write <base>, <base\+4>, <base-1> or <ct\*0\.1>$"):
        names_in(text)


def test_a_name_nobody_knows_is_told_with_the_nearest() -> None:
    assert unknown_in("holding:<bsae+4>", HELD) == "<bsae> names no parameter; did you mean 'base'?"
    assert unknown_in("holding:<base+ct>", HELD) == ""


@pytest.mark.parametrize("value", ["abc", "40", True, float("nan"), float("inf")])
def test_one_computes_only_with_numbers(value: Any) -> None:
    with pytest.raises(NotANumberError, match=r"is not a number, and the template computes <ct\*0\.1> with it"):
        fill("x<ct*0.1>", {"ct": value})


def test_results_nobody_can_want_are_refused() -> None:
    with pytest.raises(ValueError, match="too large a number"):
        fill("<big*big>", {"big": 1e300})
    with pytest.raises(ValueError, match="longer than 10000 characters"):
        fill("<long><long>", {"long": "x" * 6_000})


NUMBERS = st.integers(-(10**40), 10**40) | st.floats(allow_nan=False, allow_infinity=False)


@given(NUMBERS, NUMBERS)
def test_sums_and_products_are_exact_before_they_are_rounded_once(a: float, b: float) -> None:
    exact = Decimal(repr(a)).as_integer_ratio(), Decimal(repr(b)).as_integer_ratio()
    (p, q), (r, s) = exact
    held = {"a": a, "b": b}
    whole = isinstance(a, int) and isinstance(b, int)
    results = {"<a+b>": p * s + r * q, "<a*b>": p * r, "<a-b>": p * s - r * q}
    for text, over in results.items():
        under = q * s
        try:
            wanted: float = over // under if whole else over / under
        except OverflowError:
            with pytest.raises(ValueError, match="too large"):
                fill(text, held)
        else:
            assert fill(text, held) == wanted
