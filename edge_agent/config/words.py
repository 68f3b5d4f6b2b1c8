"""The words for pydantic's errors: what is wrong, and after a semicolon what would be right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from edge_agent.config.finding import did_you_mean

EXPECTED: Final = {
    "string_type": "a text is needed",
    "model_type": "keys below it are needed",
    "model_attributes_type": "keys below it are needed",
    "dict_type": "keys below it are needed",
    "mapping_type": "keys below it are needed",
    "list_type": "a list is needed",
    "tuple_type": "a list is needed",
}

_KEYS: Final = "needs keys and values below it, not a single value or list"
_WORDS: Final[Mapping[str, str]] = {
    "string_type": "is not a text; put it in quotes",
    "path_type": "is not a path; put it in quotes",
    "int_type": "is not a whole number",
    "int_parsing": "is not a whole number",
    "int_parsing_size": "is too long a number",
    "int_from_float": "is not a whole number",
    "float_type": "is not a number",
    "float_parsing": "is not a number",
    "finite_number": "is not a finite number",
    "bool_type": "is not true or false",
    "bool_parsing": "is not true or false",
    "dict_type": _KEYS,
    "mapping_type": _KEYS,
    "model_type": _KEYS,
    "model_attributes_type": _KEYS,
    "list_type": "is not a list; write [a, b]",
    "tuple_type": "is not a list; write [a, b]",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "too_short": "needs at least {min_length}",
    "too_long": "may have at most {max_length}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "does not have the form {pattern}",
}


def _choice(context: Mapping[str, Any], written: str) -> str:
    expected = str(context.get("expected", context.get("expected_tags", "")))
    names = re.findall(r"'([^']*)'", expected) or re.split(r", | or ", expected)
    if written in names:
        return f"is a number here; put it in quotes: '{written}'"
    near = did_you_mean(written, names)
    return f"is not one of {', '.join(names)}" + (f"; {near}" if near.startswith("did") else "")


_CHOICES: Final = frozenset({"literal_error", "enum", "union_tag_invalid"})


def words(kind: str, message: str, context: Mapping[str, Any], written: str) -> tuple[str, str]:
    """Message and hint for an error of pydantic or of a plugin's own check."""
    if kind in _CHOICES:
        text = _choice(context, written)
    elif kind in _WORDS:
        shown = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
        text = _WORDS[kind].format_map(shown)
    else:
        text = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
        text = text if kind in ("value_error", "assertion_error") else text[:1].lower() + text[1:]
    said, _, hint = text.partition("; ")
    return said, hint
