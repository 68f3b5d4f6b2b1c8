"""What is written: every value comes back from the bytes it was made into, and every byte from its value."""

from __future__ import annotations

import encodings
import math
import pkgutil
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.api import Value, Vocabulary
from edge_agent_modbus.address import Area
from edge_agent_modbus.decode import Decoder
from edge_agent_modbus.encode import decode_one, encode, limits_of, masks, merged
from edge_agent_modbus.plan import Block, Field
from edge_agent_modbus.text import USUAL, is_encoding
from edge_agent_modbus.value import TYPES, allowed_orders, wire_order

NUMBERS = [name for name, kind in TYPES.items() if not kind.is_text and name != "bool"]
TEXT_ENCODINGS = sorted(name for _, name, _ in pkgutil.iter_modules(encodings.__path__) if is_encoding(name))

# Each is tried in every order or layout: few examples are many.
FEW = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
MANY = settings(FEW, max_examples=300)


def field(name: str, order: str = "", **keys: Any) -> Field:
    kind = TYPES[name]
    count = keys.pop("count", max(1, (kind.size + 1) // 2))
    return Field(0, keys.pop("area", Area.HOLDING), 0, count, kind, wire_order(kind, order or None, "ABCD"), **keys)


def in_every_order(name: str) -> list[Field]:
    return [field(name, order) for order in allowed_orders(TYPES[name]) or ("AB",)]


def text_field(length: int, order: str = "AB", encoding: str = "utf-8") -> Field:
    registers = length if order in "AB" and len(order) == 1 else (length + 1) // 2
    return field("string", order, count=registers, length=length, encoding=encoding)


def column(one: Field, data: bytes) -> float | str:
    """What the decoder of whole scans makes of it: the number, or the text of the code."""
    words = Vocabulary()
    block = Block(one.area, one.start, one.count, (one,))
    value = float(Decoder([block], 1, {0: words}).decode(data)[0])
    if one.type.is_text or (one.texts and not math.isnan(value)):
        return words.text(value)
    return value


def same(one: Value, other: Value) -> bool:
    both_nan = one != one and other != other
    return both_nan or one == other


@pytest.mark.parametrize("name", NUMBERS)
@FEW
@given(data=st.data())
def test_every_value_comes_back_from_its_bytes_in_every_order(name: str, data: st.DataObject) -> None:
    kind = TYPES[name]
    low, high = limits_of(field(name))
    value: Value
    if kind.code.startswith("f"):
        value = data.draw(st.floats(width=8 * kind.size, allow_nan=False, allow_infinity=False))  # type: ignore[arg-type]
    elif kind.per_unit == 1:
        value = data.draw(st.integers(int(low), int(high)))
    else:
        value = data.draw(st.integers(-(10**14), 10**14)) / kind.per_unit
    for one in in_every_order(name):
        wire = encode(one, value)
        assert len(wire) == 2 * one.count
        assert decode_one(one, wire) == value
        assert column(one, wire) == float(value)


@pytest.mark.parametrize("name", NUMBERS)
@FEW
@given(data=st.data())
def test_all_bytes_come_back_from_their_value_in_every_order(name: str, data: st.DataObject) -> None:
    kind = TYPES[name]
    size = 2 * field(name).count
    wire = data.draw(st.binary(min_size=size, max_size=size))
    if kind.size == 1:
        wire = b"\0" + wire[1:]
    for one in in_every_order(name):
        value = decode_one(one, wire)
        assert isinstance(value, int | float)
        assert same(column(one, wire), float(value))
        if math.isfinite(value) and (kind.per_unit == 1 or abs(value) < 10**12):
            assert encode(one, value) == wire


@pytest.mark.parametrize("order", ["AB", "BA"])
@FEW
@given(st.integers(0, 15), st.booleans(), st.booleans(), st.binary(min_size=2, max_size=2))
def test_a_bit_of_a_register_is_changed_and_no_other(
    order: str, bit: int, value: bool, inverted: bool, current: bytes
) -> None:
    one = field("bool", order, bit=bit, inverted=inverted)
    written = merged(one, value, current)
    assert decode_one(one, written) is value
    assert column(one, written) == value
    mine = encode(one, not inverted)
    assert bytes(a & ~b & 255 for a, b in zip(written, mine, strict=True)) == bytes(
        a & ~b & 255 for a, b in zip(current, mine, strict=True)
    )


@pytest.mark.parametrize("name", ["uint8", "int8", "uint16", "uint32", "uint64"])
@FEW
@given(data=st.data())
def test_a_part_of_a_register_is_written_and_the_rest_stays(name: str, data: st.DataObject) -> None:
    order = data.draw(st.sampled_from(allowed_orders(TYPES[name]) or ("AB",)))
    bits = 8 * TYPES[name].size
    mask = data.draw(st.integers(1, 2**bits - 1)) if name.startswith("u") else 0
    shift = data.draw(st.integers(0, mask.bit_length() - 1)) if mask else 0
    half = data.draw(st.sampled_from([0, 8])) if bits == 8 else 0
    one = field(name, order, mask=mask, shift=shift, bit=half)
    size = 2 * one.count
    current = data.draw(st.binary(min_size=size, max_size=size))
    other = data.draw(st.binary(min_size=size, max_size=size))
    value = decode_one(one, other)
    written = merged(one, value, current)
    assert one.is_partial
    assert decode_one(one, written) == value
    assert same(column(one, written), float(value))
    registers = struct.unpack(f">{one.count}H", current)
    by_device = [now & keep | put & ~keep for now, (keep, put) in zip(registers, masks(one, value), strict=True)]
    assert struct.pack(f">{one.count}H", *by_device) == written
    untouched = merged(one, decode_one(one, current), written)
    assert untouched == current


@pytest.mark.parametrize("encoding", USUAL)
@FEW
@given(data=st.data())
def test_every_text_comes_back_in_every_layout_and_encoding(encoding: str, data: st.DataObject) -> None:
    letters = st.sampled_from("Az09 -_ü阀ア一Ж" if data.draw(st.booleans()) else "Az09 -_")
    text = data.draw(st.text(letters, max_size=8)).rstrip()
    try:
        taken = len(text.encode(encoding))
    except UnicodeError:
        with pytest.raises(ValueError, match=f"{encoding} does not"):
            encode(text_field(40, "AB", encoding), text)
        return
    length = data.draw(st.integers(max(1, taken), 40))
    if encoding.startswith("utf-16"):
        length += length % 2
    for order in ("AB", "BA", "A", "B"):
        one = text_field(length, order, encoding)
        wire = encode(one, text)
        assert len(wire) == 2 * one.count
        assert decode_one(one, wire) == text == column(one, wire)


@MANY
@given(st.sampled_from(TEXT_ENCODINGS), st.data())
def test_no_bytes_make_a_text_raise(encoding: str, data: st.DataObject) -> None:
    one = text_field(data.draw(st.integers(1, 12)), data.draw(st.sampled_from(["AB", "BA", "A", "B"])), encoding)
    raw = data.draw(st.binary(min_size=2 * one.count, max_size=2 * one.count))
    assert isinstance(decode_one(one, raw), str)
    assert column(one, raw) == decode_one(one, raw)


@FEW
@given(st.binary(min_size=1, max_size=20), st.sampled_from(["AB", "BA"]))
def test_raw_bytes_come_back_as_hexadecimal(data: bytes, order: str) -> None:
    one = field("bytes", order, count=(len(data) + 1) // 2, length=len(data))
    wire = encode(one, data.hex())
    assert decode_one(one, wire) == data.hex() == column(one, wire)
    assert encode(one, data.hex(" ").upper()) == wire


@pytest.mark.parametrize("name", ["uint16", "int16", "bcd16", "uint32", "int64", "uint8"])
@FEW
@given(data=st.data())
def test_a_mapped_number_is_read_and_written_as_its_text(name: str, data: st.DataObject) -> None:
    low, high = TYPES[name].limits()
    numbers = data.draw(st.lists(st.integers(low, high), min_size=1, max_size=5, unique=True))
    one = field(name, texts=tuple((n, f"text {n}") for n in numbers))
    for number in numbers:
        wire = encode(one, f"text {number}")
        assert decode_one(one, wire) == f"text {number}" == column(one, wire)
    other = data.draw(st.integers(low, high).filter(lambda n: n not in numbers))
    wire = encode(field(name), other)
    assert decode_one(one, wire) == other
    assert math.isnan(float(column(one, wire)))


def test_a_coil_is_one_byte() -> None:
    coil = field("bool", area=Area.COIL)
    assert (encode(coil, True), encode(coil, 0), encode(coil, 1.0)) == (b"\1", b"\0", b"\1")
    assert (decode_one(coil, b"\1"), decode_one(coil, b"\xfe")) == (True, False)
    door = field("bool", area=Area.COIL, texts=((0, "open"), (1, "closed")))
    assert (encode(door, "closed"), decode_one(door, b"\0"), column(door, b"\1")) == (b"\1", "open", "closed")
    assert not coil.is_partial
    opposite = field("bool", area=Area.COIL, inverted=True)
    assert (encode(opposite, True), decode_one(opposite, b"\0"), column(opposite, b"\1")) == (b"\0", True, 0)


def test_integers_of_64_bits_keep_all_their_digits() -> None:
    for order in allowed_orders(TYPES["uint64"]):
        one = field("uint64", order)
        assert decode_one(one, encode(one, 2**64 - 3)) == 2**64 - 3
    assert decode_one(field("int64"), encode(field("int64"), -(2**63) + 1)) == -(2**63) + 1


def test_what_taking_off_a_scale_leaves_is_no_fraction() -> None:
    one = field("uint16")
    assert encode(one, 23.4 / 0.1) == encode(one, 234)
    assert encode(one, (20.1 - 20) / 0.1) == encode(one, 1)
    assert encode(field("unixtime_ms"), 1_700_000_000.123) == encode(field("int64"), 1_700_000_000_123)


@pytest.mark.parametrize(
    ("one", "value", "told"),
    [
        (field("uint16"), 65_536, "which holds 0 to 65535"),
        (field("uint16"), -1, "which holds 0 to 65535"),
        (field("int8"), 128, "-128 to 127"),
        (field("uint64"), 2**64, "0 to 18446744073709551615"),
        (field("uint16"), 2.5, "which holds whole numbers"),
        (field("int64"), 2.0**53 + 0.0 + 2.0**62 * 4, "does not fit"),
        (field("uint16"), math.nan, "no number"),
        (field("float32"), math.inf, "no number"),
        (field("float32"), 1e39, "up to ±3.40282e+38"),
        (field("float16"), 70_000, "up to ±65504"),
        (field("float64"), 10**400, "does not fit"),
        (field("uint16"), True, "no number"),
        (field("float32"), "1", "no number"),
        (field("bcd16"), 10_000, "0 to 9999"),
        (field("bcd32"), -1, "0 to 99999999"),
        (field("unixtime_ms"), 0.0005, "whole 1000ths"),
        (field("uint16", mask=0xF0, shift=4), 16, "0 to 15"),
        (field("uint16", mask=0x0A), 4, "bits that the mask 0xa has not"),
        (field("bool", bit=3), 2, "neither true nor false"),
        (field("bool", bit=3), "on", "neither true nor false"),
        (field("bool", bit=3), math.nan, "neither true nor false"),
        (field("uint16", texts=((0, "idle"), (1, "run"))), "rum", "allowed: idle, run"),
        (field("uint16", texts=((0, "idle"), (1, "run"))), 1, "allowed: idle, run"),
        (text_field(4), "ABCDE", "takes 5 bytes in utf-8, more than the 4"),
        (text_field(4, encoding="gbk"), "阀一二", "takes 6 bytes in gbk"),
        (text_field(4, encoding="ascii"), "ü", "that ascii does not"),
        (text_field(4), "A\0B", "NUL"),
        (text_field(4), 5, "needs one"),
        (field("bytes", count=1, length=2), "0g", "not hexadecimal"),
        (field("bytes", count=1, length=2), "00", "has 1 bytes, the tag has 2"),
    ],
)
def test_a_value_that_does_not_fit_is_told_why(one: Field, value: Value, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        encode(one, value)
    assert told in str(caught.value)


@MANY
@given(
    st.sampled_from([*NUMBERS, "bool", "string", "bytes"]),
    st.one_of(st.floats(), st.integers(), st.booleans(), st.text("0a1f阀\0 ")),
)
def test_no_value_makes_encoding_fail_in_another_way(name: str, value: Value) -> None:
    keys = {"length": 3, "count": 2} if TYPES[name].is_text else {}
    one = field(name, **keys)
    try:
        wire = encode(one, value)
    except ValueError:
        return
    read = decode_one(one, wire)        # blanks at the end of a text are not read
    assert same(decode_one(one, encode(one, read)), read)
    assert len(masks(one, value)) == one.count
    assert np.frombuffer(merged(one, value, bytes(2 * one.count)), np.uint8).size == 2 * one.count
