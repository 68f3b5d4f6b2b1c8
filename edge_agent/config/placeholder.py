"""`<ct>`, `<base+4>` and `<ct*vt*0.1>` in a template's values, computed in exact decimals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, Overflow
from typing import Any, Final

from edge_agent.config.finding import did_you_mean

NAME: Final = "[a-z][a-z0-9_]{0,62}"
EXAMPLES: Final = "write <base>, <base+4>, <base-1> or <ct*0.1>"
_FORM: Final = re.compile(r"<([^<>]*)>")
_TERM: Final = re.compile(
    rf"\s*(?:(?P<name>{NAME})|(?P<number>0x[0-9a-fA-F]{{1,8}}|\d{{1,40}}(?:\.\d{{1,40}})?))\s*(?P<then>[-+*]|$)"
)
# Nobody needs more; and with it the digits below hold every result exactly, whatever the parameters are.
_TERMS_MOST: Final = 8
_EXACT: Final = Context(prec=10_000, Emin=MIN_EMIN, Emax=MAX_EMAX, traps=[Overflow])
# A value of a site file; a long parameter written a hundred thousand times would fill the memory.
_TEXT_MOST: Final = 10_000

Scalar = str | int | float | bool
"""What a parameter holds."""

_Term = tuple[str, str | Decimal]


class NotANumberError(ValueError):
    """A parameter with which a placeholder computes is no number."""

    def __init__(self, parameter: str, placeholder: str) -> None:
        super().__init__(f"is not a number, and the template computes {placeholder} with it")
        self.parameter = parameter


def names_in(text: str) -> set[str]:
    """The parameters a text uses; ValueError if something in it looks like a placeholder and is none."""
    found: set[str] = set()
    for match in _FORM.finditer(text):
        names = {value for _, value in _terms(match) if isinstance(value, str)}
        if not names:
            raise ValueError(f"{match[0]} names no parameter; {EXAMPLES}")
        found |= names
    return found


def unknown_in(text: str, known: Mapping[str, Any]) -> str:
    """What is wrong with the placeholders of a text, "" if nothing is; a hint follows a semicolon."""
    try:
        unknown = sorted(names_in(text) - known.keys())
    except ValueError as error:
        return str(error)
    if not unknown:
        return ""
    return f"<{unknown[0]}> names no parameter; {did_you_mean(unknown[0], known, 'parameters')}"


def fill(text: str, parameters: Mapping[str, Scalar]) -> Scalar:
    """`text` with its placeholders replaced; one that is all of the text keeps its type.

    A whole result is an integer unless a parameter in it is not. `names_in` must have found nothing wrong, and
    `parameters` must hold what it found. NotANumberError, or ValueError for a result nobody can want.
    """
    whole = _FORM.fullmatch(text)
    if whole:
        return _value(whole, parameters)
    filled = _FORM.sub(lambda match: _written(_value(match, parameters)), text)
    if len(filled) > _TEXT_MOST:
        raise ValueError(f"becomes longer than {_TEXT_MOST} characters")
    return filled


def _terms(match: re.Match[str]) -> list[_Term]:
    """What stands in the brackets: operator and name or number, the first with the operator +."""
    inside, terms, operator, at = match[1], list[_Term](), "+", 0
    while operator:
        term = _TERM.match(inside, at)
        if term is None or len(terms) == _TERMS_MOST:
            raise ValueError(f"{match[0]} is no placeholder; {EXAMPLES}")
        terms.append((operator, term["name"] or _number(term["number"])))
        operator, at = term["then"], term.end()
    return terms


def _number(text: str) -> Decimal:
    return Decimal(int(text, 16)) if text.startswith("0x") else Decimal(text)


def _value(match: re.Match[str], parameters: Mapping[str, Scalar]) -> Scalar:
    terms = _terms(match)
    if len(terms) == 1:
        return parameters[str(terms[0][1])]
    total = _sum(
        [(how, what if isinstance(what, Decimal) else _decimal(what, parameters, match[0])) for how, what in terms]
    )
    fractions = any(isinstance(what, str) and isinstance(parameters[what], float) for _, what in terms)
    if total == total.to_integral_value() and not fractions:
        return int(total)
    if abs(number := float(total)) == float("inf"):
        raise ValueError(f"{match[0]} becomes too large a number")
    return number


def _sum(terms: list[tuple[str, Decimal]]) -> Decimal:
    """Products first, then sums, as everybody reads it."""
    products = list[Decimal]()
    for operator, number in terms:
        if operator == "*":
            products[-1] = _EXACT.multiply(products[-1], number)
        else:
            products.append(number if operator == "+" else _EXACT.minus(number))
    total = Decimal(0)
    for product in products:
        total = _EXACT.add(total, product)
    return total


def _decimal(name: str, parameters: Mapping[str, Scalar], placeholder: str) -> Decimal:
    value = parameters[name]
    if isinstance(value, bool | str) or value != value or abs(value) == float("inf"):
        raise NotANumberError(name, placeholder)
    return Decimal(repr(value))


def _written(value: Scalar) -> str:
    """As a site file would have it: true, 5, 0.0001."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, float) or value != value or abs(value) == float("inf"):
        return str(value)
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
