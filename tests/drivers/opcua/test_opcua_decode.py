"""Data changes into columns: the edges, case by case. `test_opcua_decode_alike` holds it against asyncua."""

from __future__ import annotations

import math
import struct
import time

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.ua_binary import variant_to_binary

from edge_agent_opcua.changes import NO_TIME, NOT_A_SCALAR
from edge_agent_opcua.decode import published
from tests.drivers.opcua.decode_reference import (
    DOUBLE,
    EPOCH,
    NULL_LENGTH,
    RANGE_ID,
    SETTABLE,
    SOME_TICKS,
    TEXT,
    agrees,
    array,
    asked,
    data_change,
    message,
    record,
    rows,
    structure,
)

RANGE = variant_to_binary(ua.Variant(ua.Range(1.0, 2.0), ua.VariantType.ExtensionObject))


def changes(*records):
    found = published(message(data_change(records))).changes
    assert found is not None
    return found


def one(variant):
    """What a single item with `variant` gives: type, value, and other if there is one."""
    found = changes(record(1, variant))
    return (int(found.type[0]), float(found.value[0]), *found.other.values())


def in_all_ways(records):
    """The columns of `records`, read as a run, record by record, and among others that make both alternate."""
    long = [item for item in records for _ in range(40)]
    return changes(*long), changes(*records), changes(record(0, TEXT), *long, record(0, TEXT), *records)


# Values


@pytest.mark.parametrize(
    ("kind", "code", "values"),
    [
        (2, "b", [-128, 127]), (3, "B", [0, 255]), (4, "h", [-(2**15), 2**15 - 1]), (5, "H", [0, 2**16 - 1]),
        (6, "i", [-(2**31), 2**31 - 1]), (7, "I", [0, 2**32 - 1]),
        (8, "q", [-(2**63), 2**53 + 1, 2**63 - 1]), (9, "Q", [0, 2**53 + 3, 2**64 - 1]),
        (10, "f", [0.1, -0.0, 1e-45, math.inf]), (11, "d", [0.1, -0.0, 5e-324, -math.inf]),
    ],
)  # fmt: skip
def test_numbers_are_what_asyncua_gives_to_the_last_bit(kind, code, values):
    for value in values:
        raw = struct.pack("<B" + code, kind, value)
        wide = float(struct.unpack("<" + code, raw[1:])[0])
        for found in in_all_ways([record(1, raw)]):
            assert struct.pack("<d", found.value[-1]) == struct.pack("<d", wide)
            assert found.type[-1] == kind


def test_every_byte_but_zero_is_true():
    for byte in (0, 1, 2, 128, 255):
        for found in in_all_ways([record(1, bytes((1, byte)))]):
            assert found.value[-1] == float(byte != 0)


@pytest.mark.parametrize("bits", [0x7F80_0001, 0xFFBF_FFFF, 0x7FC0_1234])
def test_a_nan_stays_the_nan_it_was_and_warns_nobody(bits):
    raw = struct.pack("<BI", 10, bits)
    wide = struct.pack("<d", struct.unpack("<f", raw[1:])[0])
    double = struct.pack("<BQ", 11, bits << 29 | 0x7FF0_0000_0000_0001)
    for found in in_all_ways([record(1, raw)]):
        assert struct.pack("<d", found.value[-1]) == wide
    for found in in_all_ways([record(1, double)]):
        assert struct.pack("<d", found.value[-1]) == double[1:]


@pytest.mark.parametrize(
    ("ticks", "seconds"),
    [
        (EPOCH, 0.0), (EPOCH + 17_954_136_002_500_000, 1795413600.25), (EPOCH - 1, -1e-6), (0, -11_644_473_600.0),
        (-1, -11_644_473_600.0), (2**63 - 1, 253_402_300_799.0), (SOME_TICKS, 1795413600.123456),
        (2_650_467_743_989_999_999, 253_402_300_798.999999),
        (EPOCH + 2_245_698_577_883_090_070, 224_569_857_788_309_007 / 1_000_000),     # no double has so many µs
    ],
)  # fmt: skip
def test_a_date_is_seconds_since_1970_to_the_microsecond(ticks, seconds):
    for found in in_all_ways([record(1, struct.pack("<Bq", 13, ticks))]):
        assert found.value[-1] == seconds
        assert found.type[-1] == 13


def test_no_value_is_type_0_and_nothing_else():
    for variant in (None, b"\0"):
        found = changes(record(1, variant), record(2, variant, status=0x8032_0000))
        assert found.type.tolist() == [0, 0]
        assert np.isnan(found.value).all()
        assert found.other == {}
        assert found.status.tolist() == [0, 0x8032_0000]


def test_texts_are_texts_and_null_is_none():
    assert one(TEXT)[2] == "A100"
    assert one(b"\x0c" + NULL_LENGTH)[2] is None
    assert one(b"\x0c" + bytes(4))[2] == ""
    assert one(b"\x0c\2\0\0\0\xff\xe4")[2] == "\udcff\udce4"
    assert one(b"\x0f\2\0\0\0\xff\xe4")[2] == b"\xff\xe4"
    assert one(b"\x15\3" + struct.pack("<i", 2) + b"de" + struct.pack("<i", 1) + b"x")[2] == ua.LocalizedText("x", "de")
    assert one(b"\x15\2" + NULL_LENGTH)[2] == ua.LocalizedText(None, None)
    assert one(b"\x15\0")[0] == 21


def test_arrays_and_unknown_types_are_no_scalars():
    assert one(b"\x86" + array([bytes(4), b"\1\0\0\0"]))[::2] == (NOT_A_SCALAR, [0, 1])
    assert one(b"\x86" + NULL_LENGTH)[::2] == (NOT_A_SCALAR, None)
    matrix = b"\xc6" + array([bytes(4)] * 4) + array([b"\2\0\0\0"] * 2)
    assert one(matrix)[::2] == (NOT_A_SCALAR, [[0, 0], [0, 0]])
    assert one(b"\x1e" + struct.pack("<i", 2) + b"ab")[::2] == (NOT_A_SCALAR, b"ab")
    assert one(b"\x18" + DOUBLE)[:2] == (11, 3.25)
    assert one(b"\x18\x86" + array([bytes(4)]))[::2] == (NOT_A_SCALAR, [0])


# Structures that are out of the ordinary


def test_a_structure_that_does_not_fit_what_is_known_of_it_stays_bytes_and_harms_no_other():
    short = b"\x16" + structure(RANGE_ID, b"short")
    found = changes(record(1, DOUBLE), record(2, short), record(3, RANGE), record(4, DOUBLE))
    assert found.other == {1: ua.ExtensionObject(ua.FourByteNodeId(RANGE_ID), b"short"), 2: ua.Range(1.0, 2.0)}
    assert found.value[[0, 3]].tolist() == [3.25, 3.25]
    assert found.type.tolist() == [11, 22, 22, 11]
    mixed = b"\x96" + array([RANGE[1:], structure(RANGE_ID, b"short")])
    assert one(mixed)[2] == [ua.Range(1.0, 2.0), ua.ExtensionObject(ua.FourByteNodeId(RANGE_ID), b"short")]


def test_a_structure_in_xml_stays_bytes():
    xml = b"\x01\x05" + struct.pack("<H", 77) + b"\2" + struct.pack("<i", 4) + b"<a/>"
    found = changes(record(1, b"\x16" + xml), record(2, DOUBLE))
    assert found.other[0].Body == b"<a/>"
    assert found.value[1] == 3.25


def test_a_structure_whose_length_is_left_out_is_read_by_its_fields():
    known = b"\x16" + structure(RANGE_ID, struct.pack("<2d", 1.0, 2.0), -1)
    found = changes(record(1, known), record(2, DOUBLE))
    assert found.other == {0: ua.Range(1.0, 2.0)}
    assert found.value[1] == 3.25
    unknown = b"\x16" + structure(4711, b"", -1)
    assert changes(record(1, unknown), record(2, DOUBLE)).other[0].Body == b""
    assert len(published(message(structure(RANGE_ID, bytes(16), -1), data_change([record(1, DOUBLE)]))).changes) == 1


def test_a_structure_without_a_type_is_an_empty_one():
    assert one(b"\x16\0\0\0")[2] == ua.ExtensionObject()


# Times


@pytest.mark.parametrize(
    ("source", "server", "ticks"),
    [
        (SOME_TICKS, SOME_TICKS + 5, SOME_TICKS), (SOME_TICKS, None, SOME_TICKS), (None, SOME_TICKS, SOME_TICKS),
        (0, SOME_TICKS, SOME_TICKS), (0, 0, None), (None, None, None), (0, None, None),
        (-1, SOME_TICKS, SOME_TICKS), (2**63 - 1, SOME_TICKS, SOME_TICKS), (-(2**63), 2**63 - 1, None),
        (SETTABLE[0], None, SETTABLE[0]), (SETTABLE[0] - 1, None, None),
        (SETTABLE[-1], None, SETTABLE[-1]), (SETTABLE[-1] + 1, None, None),
    ],
)  # fmt: skip
def test_the_time_is_the_sources_else_the_servers_if_there_is_such_a_time(source, server, ticks):
    expected = NO_TIME if ticks is None else (ticks - EPOCH) * 100
    for found in in_all_ways([record(1, DOUBLE, source=source, server=server)]):
        assert found.time[-1] == expected


@pytest.mark.parametrize("mask", range(64))
def test_every_mask_is_read_by_the_standard(mask):
    fields = {
        "variant": DOUBLE, "status": 0x4090_0000, "source": SOME_TICKS, "server": SOME_TICKS + 3,
        "source_pico": 0xABCD, "server_pico": 0x1234,
    }  # fmt: skip
    given = {name: value for bit, (name, value) in enumerate(fields.items()) if mask >> bit & 1}
    ticks = given.get("source", given.get("server"))
    for found in in_all_ways([record(5, **given), record(5, **given)]):
        assert found.time[-2:].tolist() == 2 * [NO_TIME if ticks is None else (ticks - EPOCH) * 100]
        assert found.status[-2:].tolist() == 2 * [given.get("status", 0)]
        assert found.handle[-2:].tolist() == [5, 5]
        assert found.type[-1] == (11 if mask & 1 else 0)


@pytest.mark.parametrize(
    ("raw", "ns"),
    [   # written by node-opcua 2.182: 3.25, an uncertain status, both times, or the server's alone, picoseconds
        ("3f0b0000000000000a4000009040a015ecdf0f7bdd017b00c0d1aae00f7bdd01c801", 1_795_413_600_250_000_000),
        ("2b0b0000000000000a4000009040c0d1aae00f7bdd01c801", 1_795_413_601_500_000_000),
    ],
)
def test_picoseconds_stand_where_node_opcua_writes_them(raw, ns):
    found = changes(struct.pack("<I", 1) + bytes.fromhex(raw), record(2, DOUBLE))
    assert (found.time[0], found.value[0], found.status[0]) == (ns, 3.25, ua.StatusCodes.UncertainLastUsableValue)
    assert (found.handle[1], found.value[1]) == (2, 3.25)


def test_reserved_bits_of_a_mask_are_ignored():
    for found in in_all_ways([record(1, DOUBLE, status=0x4090_0000, source=SOME_TICKS, mask=0xC0)]):
        assert (found.value[-1], found.status[-1], found.time[-1]) == (3.25, 0x4090_0000, (SOME_TICKS - EPOCH) * 100)


# What a run is, and what it is not


def test_values_that_look_like_the_head_of_another_item_do_not_mislead():
    heads = [struct.pack("<BBIBB", 11, 13, n, 13, 11) for n in range(100)]
    records = [record(n, b"\x0b" + head[:8], source=0x0B0D_0B0D_0B0D_0B0D) for n, head in enumerate(heads)]
    records[50:50] = [record(1_000, b"\x01\x01"), record(1_001, b"\x0c" + struct.pack("<i", 8) + heads[0])]
    raw = message(data_change(records))
    assert agrees(published(raw), asked(raw))


def test_the_columns_do_not_keep_the_message():
    for count in (1, 100):
        found = changes(*[record(n, DOUBLE, status=0, source=SOME_TICKS) for n in range(count)], record(9, TEXT))
        alone = changes(*[record(n, DOUBLE, status=0, source=SOME_TICKS) for n in range(count)])
        for columns in (found, alone):
            for column in (columns.handle, columns.type, columns.status, columns.time, columns.value):
                assert column.flags.owndata
                assert column.flags.writeable


# What is malformed


@pytest.mark.parametrize(
    ("variant", "said"),
    [
        (b"\x80\xff\xff\xff\x7f", "an array at byte 76 has the length 2147483647"),
        (b"\x8c\xff\xff\xff\x7f", "an array at byte 76 has the length 2147483647"),
        (b"\x8c\xfe\xff\xff\xff", "has the length -2"),
        (b"\x0c\xfc\xff\xff\xff", "a text at byte 76 has the length -4"),
        (b"\x0f\xff\xff\xff\x7f", "a text at byte 76 has the length 2147483647"),
        (b"\x15\x02\x00\x00\x00\x70", "a text at byte 77 has the length 1879048192"),
        (b"\x4b" + bytes(8), "a value at byte 75 has dimensions, but is no array"),
        (b"\xcb" + array([bytes(8)]) + b"\xff\xff\xff\x7f", "the dimensions of an array"),
        (b"\xc6" + array([bytes(4)]) + array([b"\xff\xff\xff\x7f"] * 2), "a value at byte 75 cannot be decoded"),
        (b"\x11\x09\0\0", "a node id at byte 76 has the unknown encoding 9"),
        (b"\x11\x03\0\0\xff\xff\xff\xff", "a value at byte 75 cannot be decoded"),
        (b"\x16\x00\x00\x05", "a structure at byte 78 has the unknown encoding 5"),
        (b"\x18" * 101 + b"\x00", "is nested deeper than 100 levels"),
        (b"\x97\1\0\0\0\1" * 101 + b"\0", "is nested deeper than 100 levels"),
        (b"\x19" + b"\x40" * 101 + b"\x00", "is nested deeper than 100 levels"),
    ],
)
def test_a_malformed_value_is_named_with_its_byte_and_at_once(variant, said):
    began = time.monotonic()
    with pytest.raises(ValueError, match=said):
        changes(record(1, variant))
    assert time.monotonic() - began < 1


def test_a_value_may_be_nested_a_hundred_levels():
    assert one(b"\x18" * 99 + DOUBLE)[:2] == (11, 3.25)


def test_negative_lengths_inside_a_structure_do_not_lead_asyncua_back_and_forth_for_ever():
    known = variant_to_binary(ua.Variant(ua.ApplicationDescription(DiscoveryUrls=[]), ua.VariantType.ExtensionObject))
    assert isinstance(one(known)[2], ua.ApplicationDescription)
    urls = struct.pack("<I", 0x7FFF_FFFF) + b"\xfc\xff\xff\xff" * 4      # four bytes on, four back, two billion times
    body = known[10:-4] + urls
    began = time.monotonic()
    assert one(known[:6] + struct.pack("<i", len(body)) + body)[2].Body == body
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("place", ["items", "events", "fields", "notifications", "results"])
def test_a_count_that_cannot_be_is_refused_before_anything_is_made(place):
    huge = struct.pack("<i", 0x7FFF_FFFF)
    raw = {
        "items": message(structure(811, huge + bytes(20))),
        "events": message(structure(916, huge + bytes(20))),
        "fields": message(structure(916, array([struct.pack("<I", 8) + huge + bytes(4)]))),
        "notifications": message()[:-12] + huge + bytes(8),
        "results": message()[:-8] + huge + bytes(4),
    }[place]
    with pytest.raises(ValueError, match="has the length 2147483647"):
        published(raw)


def test_a_message_cut_off_anywhere_is_refused():
    values = [DOUBLE, TEXT, RANGE, b"\x86" + array([bytes(4)]), b"\x11\x03\0\0" + struct.pack("<i", 1) + b"x", None]
    records = [record(n, value, 0, SOME_TICKS, 1, SOME_TICKS, 2) for n, value in enumerate(values)]
    event = structure(916, array([struct.pack("<I", 8) + array([TEXT, RANGE])]))
    raw = message(data_change(records, array([b"\x01\0\0\0\0"])), event, data_change([record(1, DOUBLE)] * 30))
    assert agrees(published(raw), asked(raw))
    for end in range(len(raw)):
        with pytest.raises(ValueError, match="at byte"):
            published(raw[:end])


def test_rows_and_other_go_together():
    found = changes(record(1, TEXT), record(2, DOUBLE), record(3, b"\x0c" + NULL_LENGTH), record(4, None))
    assert [row[-1] for row in rows(found)] == ["A100", ..., None, ...]
