"""Requests as large as they may be, and lines taken apart without a change to what they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.encode.line_protocol_text import key, line
from edge_agent.north.influx_lines import Piece, body, halves, requests, singly, without
from tests.encode.line_protocol_reader import read

LINES = st.binary(min_size=1, max_size=12).filter(lambda said: b"\n" not in said)
PAYLOADS = st.lists(st.lists(LINES, max_size=5).map(b"\n".join), max_size=8)
FIELDS = st.dictionaries(
    st.text(min_size=1, max_size=4), st.one_of(st.integers(-9, 9), st.floats(allow_nan=False, allow_infinity=False),
                                               st.booleans(), st.text(max_size=6)), min_size=1, max_size=5
)  # fmt: skip


@given(PAYLOADS, st.integers(1, 6), st.integers(1, 30))
def test_every_line_is_in_one_request_in_order_and_none_is_larger_than_it_may_be(
    payloads: list[bytes], most_lines: int, most_bytes: int
) -> None:
    made = list(requests(payloads, most_lines, most_bytes))
    assert b"\n".join(map(body, made)) == b"\n".join(filter(None, payloads))
    for pieces in made:
        lines = singly(pieces)
        assert len(lines) <= most_lines
        assert len(body(pieces)) <= most_bytes or len(lines) == 1
    found = [piece for pieces in made for piece in singly(pieces)]
    assert found == singly([Piece(at, payload) for at, payload in enumerate(payloads) if payload])


def test_a_request_is_as_full_as_it_may_be() -> None:
    payloads = [b"a 1\nb 2", b"c 3", b"d 4\ne 5", b""]
    assert [len(singly(pieces)) for pieces in requests(payloads, 3, 1000)] == [3, 2]
    assert [body(pieces) for pieces in requests([b"a\nb\nc\nd\ne"], 2, 1000)] == [b"a\nb", b"c\nd", b"e"]


def test_halves_are_of_lines() -> None:
    first, second = halves([Piece(0, b"a\nb"), Piece(1, b"c")])
    assert first == [Piece(0, b"a")]
    assert second == [Piece(0, b"b"), Piece(1, b"c")]


@given(st.text(min_size=1, max_size=4), FIELDS, st.one_of(st.none(), st.integers(-5, 2**62)), st.data())
def test_a_field_taken_out_of_a_point_leaves_the_others_as_they_are(
    name: str, fields: dict[str, int | float | bool | str], time: int | None, data: st.DataObject
) -> None:
    whole = line(name, {"t": "a, b=c"}, fields, time).encode("utf-8", "replace")
    (point,) = read(whole)
    taken = data.draw(st.sampled_from(sorted(point.fields)))
    rest, only = without([Piece(3, whole)], key(taken).encode())
    assert [piece.position for piece in (*rest, *only)] == [3] * (1 if len(point.fields) == 1 else 2)
    (alone,) = read(body(only))
    assert alone.fields == {taken: point.fields[taken]}
    found = {**alone.fields}
    for one in read(body(rest)):
        assert (one.series, one.time) == (point.series, point.time)
        found |= one.fields
    assert (alone.series, alone.time) == (point.series, point.time)
    assert found == point.fields


@pytest.mark.parametrize("said", [b"m temp=1", b'm text="temp=1"', b'm text="a, temp=1 x" 5', b"nonsense temp="])
def test_a_line_without_the_field_is_left_whole(said: bytes) -> None:
    rest, only = without([Piece(0, said)], b"tem")
    assert (rest, only) == ([Piece(0, said)], [])
    rest, only = without([Piece(0, said)], b"temp")
    assert body([*rest, *only]) == said
