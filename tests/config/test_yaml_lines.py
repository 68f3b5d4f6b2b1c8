"""YAML 1.2 values with their lines."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.yaml_lines import dotted, parse, scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"), ("no", "no"), ("Yes", "Yes"), ("true", True), ("FALSE", False), ("~", None),
        ("", None),
        ("14:00", "14:00"), ("06:00", "06:00"), ("2026-10-01", "2026-10-01"), ("010", 10), ("0x1F", 31),
        ("0o17", 15), ("-5", -5), ("+5", 5), ("1.5", 1.5), ("1e3", 1000.0), (".5", 0.5), ("null", None),
        ("-.inf", float("-inf")), ("1_000", "1_000"), ("1.2.3", "1.2.3"), ("9" * 41, "9" * 41), ("=", "="),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


def test_quoted_scalars_are_texts() -> None:
    assert parse("a: '1'\nb: \"true\"\nc: |\n  5\n").data == {"a": "1", "b": "true", "c": "5\n"}


def test_keys_are_texts_as_written() -> None:
    keys = ["0", "0x1F", "true", "2026-10-01"]
    assert list(parse("".join(f"{key}: a\n" for key in keys)).data) == keys


def test_every_key_and_value_has_its_line() -> None:
    document = parse("a:\n  b: 1\n  c:\n    - x\n    - {d: 2}\n")
    assert document.key_lines[("a", "c")] == 3
    assert document.value_lines[("a", "c")] == 4
    assert document.line(("a", "c", 1, "d")) == 5
    assert document.line(("a", "c", 1, "nothing")) == 5
    assert document.line(("nothing",)) == 1


def test_merge_keys_bring_in_what_is_not_written() -> None:
    document = parse("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\nz: {<<: [*x, {c: 4, a: 9}]}\n")
    assert document.data["y"] == {"a": 1, "b": 3}
    assert document.data["z"] == {"a": 1, "b": 2, "c": 4}
    assert document.line(("y", "a")) == 1
    assert document.line(("y", "b")) == 4
    assert not document.mistakes


def test_a_quoted_merge_key_is_a_key() -> None:
    assert parse("'<<': 1\n").data == {"<<": 1}


@pytest.mark.parametrize("text", ["<<: 5", "<<: [1]", "[a]: 1", "{a: b}: 1"])
def test_what_can_be_no_key_is_a_mistake(text: str) -> None:
    assert len(parse(text).mistakes) == 1


def test_ways_are_written_with_dots_and_brackets() -> None:
    assert dotted(("devices", "press-1", "breaks", 0, "for")) == "devices.press-1.breaks[0].for"


def as_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): as_text_keys(item) for key, item in value.items()}
    return [as_text_keys(item) for item in value] if isinstance(value, list) else value


# What the dumper itself does not write back as it was: control characters and exotic line ends.
texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "), max_size=8)
# Nor does it quote what is a number to YAML 1.2 only, such as 0E0.
texts = texts.filter(lambda text: isinstance(scalar(text), str) or yaml.safe_load(text) != text)
plain = st.one_of(st.integers(-(10**9), 10**9), st.booleans(), st.none(), texts)
names = st.text("abcdefg-_ :#'\"{}[]", min_size=1, max_size=6)
documents = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
)


@given(documents)
def test_what_a_dumper_wrote_is_read_back(data: Any) -> None:
    document = parse(yaml.safe_dump(data, allow_unicode=True))
    assert document.data == as_text_keys(data)
    assert not document.mistakes


@given(st.text("ab:{}[]&*!-<>|'\"\n\t #,?%@0", max_size=40))
def test_no_text_makes_the_parser_fail_in_an_unexpected_way(text: str) -> None:
    parse(text)
