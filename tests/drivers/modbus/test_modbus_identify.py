"""Device identification (43/14): read in as many parts as it comes, and never a reason to fail."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent_modbus.commission.asker import SILENT
from edge_agent_modbus.commission.identify import identify, parse, summary


def answer(level: int, objects: dict[int, bytes], *, conformity: int = 0x81, following: int = 0) -> bytes:
    body = b"".join(bytes((number, len(text))) + text for number, text in objects.items())
    return bytes((0x2B, 14, level, conformity, 0xFF if following else 0, following, len(objects))) + body


def asked(answers: dict[tuple[int, int], bytes | int]) -> tuple[dict[int, str], list[tuple[int, int]]]:
    """What `identify` makes of a device that answers (level, first object) so, and what it was asked."""
    questions = []

    async def ask(pdu: bytes, _size: int) -> bytes | int:
        questions.append((pdu[2], pdu[3]))
        assert pdu[:2] == b"\x2b\x0e"
        return answers.get((pdu[2], pdu[3]), SILENT)

    return asyncio.run(identify(ask)), questions


def test_a_basic_device_is_asked_once() -> None:
    objects, questions = asked({(1, 0): answer(1, {0: b"Acme", 1: b"PM-5", 2: b"1.2"})})
    assert objects == {0: "Acme", 1: "PM-5", 2: "1.2"}
    assert questions == [(1, 0)]
    assert summary(objects) == "Acme PM-5, revision 1.2"


def test_more_follows_until_there_is_no_more_and_higher_levels_are_asked_where_the_device_has_them() -> None:
    objects, questions = asked(
        {
            (1, 0): answer(1, {0: b"Acme", 1: b"PM-5"}, conformity=0x83, following=2),
            (1, 2): answer(1, {2: b"1.2"}, conformity=0x83),
            (2, 0): answer(2, {3: b"acme.example", 4: b"Power meter"}, conformity=0x83),
            (3, 0): answer(3, {0x80: b"hall 3"}, conformity=0x83),
        }
    )
    assert objects == {0: "Acme", 1: "PM-5", 2: "1.2", 3: "acme.example", 4: "Power meter", 0x80: "hall 3"}
    assert questions == [(1, 0), (1, 2), (2, 0), (3, 0)]
    assert summary(objects) == "Acme Power meter, revision 1.2"


@pytest.mark.parametrize(
    "said",
    [b"\xab\x01", SILENT, b"", b"\x2b", answer(2, {0: b"level 2 was not asked"}), answer(1, {0: b"Acme"})[:-1],
     b"\x2b\x0d\x01\x01\x00\x00\x00"],
)  # fmt: skip
def test_one_refusal_silence_or_nonsense_ends_it(said: bytes | int) -> None:
    assert asked({(1, 0): said}) == ({}, [(1, 0)])


def test_a_device_that_says_more_follows_for_ever_is_left() -> None:
    objects, questions = asked({(1, n): answer(1, {0: b"Acme"}, following=7) for n in range(256)})
    assert objects == {0: "Acme"}
    assert questions == [(1, 0), (1, 7)]


def test_what_cannot_be_printed_is_left_out() -> None:
    objects, _ = asked({(1, 0): answer(1, {0: b"Ac\x07me\0rest", 1: b"\xff\xfe", 2: b"  1.2\n"})})
    assert objects == {0: "Acme", 2: "1.2"}


@given(st.binary(max_size=60), st.integers(0, 255))
def test_any_bytes_are_an_identification_or_none(pdu: bytes, level: int) -> None:
    found = parse(pdu, level)
    assert found is None or all(text.isprintable() for text in found[2].values())
