"""Decoding gives what asyncua's decoder gives, to the last bit, or says that a message is malformed."""

from __future__ import annotations

import random
import struct
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary, variant_to_binary
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent_opcua.decode import published, read, republished
from tests.drivers.opcua.decode_reference import (
    EPOCH,
    NOON,
    SETTABLE,
    agrees,
    answer,
    asked,
    asked_unless_a_structure_fails,
    data_change,
    encoded,
    message,
    record,
    rows,
    same,
    told,
)

VT = ua.VariantType
SOME_GUID = UUID("09087e75-8e5e-499b-954f-f2a9603db28a")

bits = {8: st.integers(0, 2**8 - 1), 16: st.integers(0, 2**16 - 1), 32: st.integers(0, 2**32 - 1)}
texts = st.text(max_size=8)
names = st.none() | texts
dates = st.datetimes(datetime(1602, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))
codes = st.builds(ua.StatusCode, bits[32])


def doubles(width: int) -> st.SearchStrategy[float]:
    """Every pattern of bits, so every NaN."""
    integer, real = ("<Q", "<d") if width == 64 else ("<I", "<f")
    patterns = st.integers(0, 2**width - 1) | st.floats(width=64 if width == 64 else 32).map(
        lambda x: struct.unpack(integer, struct.pack(real, x))[0]
    )
    return patterns.map(lambda pattern: struct.unpack(real, struct.pack(integer, pattern))[0])


def node_ids(kind: Any, **more: Any) -> st.SearchStrategy[Any]:
    forms = ua.NodeIdType
    return st.one_of(
        st.builds(kind, bits[8], st.just(0), st.just(forms.TwoByte), **more),
        st.builds(kind, bits[16], bits[8], st.just(forms.FourByte), **more),
        st.builds(kind, bits[32], bits[16], st.just(forms.Numeric), **more),
        st.builds(kind, texts, bits[16], st.just(forms.String), **more),
        st.builds(kind, st.binary(max_size=5), bits[16], st.just(forms.ByteString), **more),
        st.builds(kind, st.uuids(), bits[16], st.just(forms.Guid), **more),
    )


structures = st.one_of(
    st.builds(ua.Range, doubles(64), doubles(64)),
    st.builds(ua.EUInformation, names, st.integers(-5, 5), st.builds(ua.LocalizedText, names, names)),
    st.builds(ua.ExtensionObject, st.just(ua.NodeId(5001, 2)), st.none() | st.binary(max_size=9)),
)

SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    VT.Boolean: st.booleans(),
    VT.SByte: st.integers(-(2**7), 2**7 - 1), VT.Byte: bits[8],
    VT.Int16: st.integers(-(2**15), 2**15 - 1), VT.UInt16: bits[16],
    VT.Int32: st.integers(-(2**31), 2**31 - 1), VT.UInt32: bits[32],
    VT.Int64: st.integers(-(2**63), 2**63 - 1), VT.UInt64: st.integers(0, 2**64 - 1),
    VT.Float: doubles(32), VT.Double: doubles(64),
    VT.String: names, VT.DateTime: dates, VT.Guid: st.uuids(), VT.ByteString: st.none() | st.binary(max_size=9),
    VT.XmlElement: st.builds(ua.XmlElement, texts),
    VT.NodeId: node_ids(ua.NodeId),
    VT.ExpandedNodeId: node_ids(ua.ExpandedNodeId, NamespaceUri=names, ServerIndex=bits[16]),
    VT.StatusCode: codes, VT.QualifiedName: st.builds(ua.QualifiedName, names, st.integers(0, 2**15 - 1)),
    VT.LocalizedText: st.builds(ua.LocalizedText, names, names),
    VT.ExtensionObject: structures,
    VT.DataValue: st.builds(
        ua.DataValue, st.builds(ua.Variant, bits[16], st.just(VT.UInt16)), codes, dates, st.none(), st.none() | bits[16]
    ),
    VT.DiagnosticInfo: st.builds(ua.DiagnosticInfo, SymbolicId=st.none() | st.just(5), AdditionalInfo=names,
                                 InnerStatusCode=st.none() | codes),
}  # fmt: skip


@st.composite
def of_type(draw: Any, kind: Any) -> Any:
    """A scalar, an array, a null array or a matrix."""
    scalar = SCALARS[kind]
    shape = draw(st.sampled_from(["scalar"] * 3 + ["array", "null", "matrix"]))
    if shape == "scalar":
        return ua.Variant(draw(scalar), kind)
    if shape == "null":
        return ua.Variant(None, kind, is_array=True)
    if shape == "array":
        return ua.Variant(draw(st.lists(scalar, max_size=4)), kind, is_array=True)
    return ua.Variant(draw(st.lists(scalar, min_size=4, max_size=4)), kind, Dimensions=[2, 2], is_array=True)


plain = st.sampled_from(list(SCALARS)).flatmap(of_type)
nested = st.lists(plain, max_size=3).map(lambda many: ua.Variant(many, VT.Variant, is_array=True))
variants = st.one_of(plain, nested, st.builds(ua.Variant))
ticks = st.integers(-(2**63), 2**63 - 1).filter(lambda n: abs(n - SETTABLE[0]) > 20 and abs(n - SETTABLE[-1]) > 20)
ticks |= st.integers(EPOCH, EPOCH + 2**55) | st.just(0)


@st.composite
def records(draw: Any, handle: Any = bits[32]) -> tuple[bytes, dict[str, Any]]:
    """A record with any mask, and the times in it."""
    variant = draw(st.none() | variants)
    fields = {"status": bits[32], "source": ticks, "source_pico": bits[16], "server": ticks, "server_pico": bits[16]}
    found = {name: draw(st.none() | strategy) for name, strategy in fields.items()}
    raw = record(draw(handle), None if variant is None else variant_to_binary(variant), **found)
    return raw, found


@st.composite
def blocks(draw: Any) -> list[tuple[bytes, dict[str, Any]]]:
    """Some records, each perhaps many times over: runs, mixtures, and runs cut short."""
    once = draw(st.lists(records(), max_size=8))
    times = [draw(st.sampled_from([1, 1, 2, 23, 24, 60])) for _ in once]
    return [one for one, count in zip(once, times, strict=True) for _ in range(count)]


def expected_us(found: dict[str, Any]) -> int | None:
    """The time rule, from what was written."""
    for time in (found["source"], found["server"]):
        if time is not None and time in SETTABLE:
            return (time - EPOCH) // 10
    return None


@settings(max_examples=150, deadline=None)
@given(blocks())
def test_records_written_by_the_standard_are_read_as_asyncua_reads_them(items):
    raw = message(data_change([one for one, _ in items]))
    ours = published(raw)
    assert agrees(ours, asked(raw))
    assert [row[3] for row in rows(ours.changes)] == [expected_us(found) for _, found in items]


@settings(max_examples=150, deadline=None)
@given(blocks())
def test_values_that_are_read_are_decoded_like_those_that_are_published(items):
    parts = [one for one, _ in items]
    ours = read(answer([part[4:] for part in parts]))
    theirs = published(message(data_change(parts))).changes
    assert ours.handle.tolist() == list(range(len(parts)))
    theirs.handle = ours.handle
    assert same(rows(ours), rows(theirs))


@settings(max_examples=60, deadline=None)
@given(blocks(), st.data())
def test_an_answer_that_is_cut_off_is_an_error(items, data):
    raw = answer([one[4:] for one, _ in items])
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    with pytest.raises(ValueError, match="at byte"):
        read(cut)


values = st.builds(
    ua.DataValue, variants, st.none() | codes, st.none() | dates, st.none() | dates, st.none(), st.none() | bits[16]
)
items = st.builds(ua.MonitoredItemNotification, bits[32], values)
diagnostics = st.lists(SCALARS[VT.DiagnosticInfo], max_size=2)
events = st.builds(ua.EventFieldList, bits[32], st.lists(variants, max_size=4))
notifications = st.one_of(
    st.builds(ua.DataChangeNotification, st.lists(items, max_size=5), diagnostics),
    st.builds(ua.EventNotificationList, st.lists(events, max_size=3)),
    st.builds(ua.StatusChangeNotification, codes, SCALARS[VT.DiagnosticInfo]),
    st.builds(ua.Range),
)
headers = st.builds(
    ua.ResponseHeader, dates, bits[32], st.integers(0, 2**30 - 1).map(ua.StatusCode), SCALARS[VT.DiagnosticInfo],
    st.lists(names, max_size=2), structures,
)  # fmt: skip
messages = st.builds(ua.NotificationMessage, bits[32], dates, st.lists(notifications, max_size=4))
results = st.builds(
    ua.PublishResult, bits[32], st.lists(bits[32], max_size=3), st.booleans(), messages, st.lists(codes, max_size=3),
    diagnostics,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(headers, results)
def test_whole_responses_written_by_asyncua_are_read_as_asyncua_reads_them(header, result):
    raw = struct_to_binary(ua.PublishResponse(ResponseHeader=header, Parameters=result))
    assert agrees(published(raw), asked(raw))
    note = result.NotificationMessage
    again = struct_to_binary(ua.RepublishResponse(ResponseHeader=header, NotificationMessage=note))
    theirs = asked(raw)
    theirs.Parameters = ua.PublishResult(5, [], False, theirs.Parameters.NotificationMessage)
    assert agrees(republished(again, 5), theirs)


# Damage: every value asyncua can decode but structures, whose fields it reads without a look at their lengths

_VALUES = [
    ua.Variant(1.5, VT.Double), ua.Variant(7, VT.UInt32), ua.Variant(True, VT.Boolean), ua.Variant(0.5, VT.Float),
    ua.Variant("héllo", VT.String), ua.Variant(None, VT.String), ua.Variant(b"xy", VT.ByteString),
    ua.Variant(SOME_GUID, VT.Guid), ua.Variant([1.0, 2.0], VT.Double), ua.Variant([[1, 2], [3, 4]], VT.Int32),
    ua.Variant(ua.NodeId("abc", 2)), ua.Variant(ua.LocalizedText("t", "en")), ua.Variant(ua.QualifiedName("a", 1)),
    ua.Variant(NOON, VT.DateTime), ua.Variant(ua.StatusCode(5)), ua.Variant(["a", None], VT.String),
    ua.Variant(ua.DataValue(ua.Variant(1, VT.Int16)), VT.DataValue), ua.Variant(ua.XmlElement("<a/>"), VT.XmlElement),
    ua.Variant([ua.Variant(1, VT.Byte), ua.Variant("x")], VT.Variant), ua.Variant(None),
    ua.Variant(ua.ExpandedNodeId("abc", 0, ua.NodeIdType.String, "urn:x", 3), VT.ExpandedNodeId),
    ua.Variant(ua.DiagnosticInfo(SymbolicId=4, AdditionalInfo="z"), VT.DiagnosticInfo),
]  # fmt: skip
_STRUCTURES = [
    ua.Variant([ua.Range(1.0, 2.0), ua.EUInformation()], VT.ExtensionObject),
    ua.Variant(ua.ExtensionObject(ua.NodeId(5001, 2), b"abc"), VT.ExtensionObject),
]


def some_message(pick: random.Random, choice: list[Any]) -> bytes:
    def item(handle: int) -> Any:
        when = NOON + timedelta(seconds=handle)
        data = ua.DataValue(
            pick.choice(choice), pick.choice([None, ua.StatusCode(0x8001_0000)]), pick.choice([None, when, when]),
            pick.choice([None, when]),
        )  # fmt: skip
        return ua.MonitoredItemNotification(handle, data)

    same = [item(0)] * pick.choice([0, 0, 30])
    parts = [ua.DataChangeNotification(same + [item(n) for n in range(pick.randrange(9))])]
    if pick.random() < 0.3:
        parts.append(ua.EventNotificationList([ua.EventFieldList(5, pick.sample(choice, 2))]))
    if pick.random() < 0.1:
        parts.append(ua.StatusChangeNotification(ua.StatusCode(0x8001_0000)))
    return encoded(*parts)


def damaged(pick: random.Random, raw: bytes) -> bytes:
    """A few bits turned, or bytes replaced by others."""
    data = bytearray(raw)
    for _ in range(pick.choice([1, 1, 1, 2, 4])):
        at = pick.randrange(len(data))
        data[at] = pick.choice([data[at] ^ 1 << pick.randrange(8), 0, 1, 127, 128, 255, pick.randrange(256)])
    return bytes(data)


@pytest.mark.parametrize("seed", range(4))
def test_a_damaged_message_is_read_as_asyncua_reads_it_or_refused(seed):
    pick = random.Random(seed)
    read = refused = 0
    for _ in range(40):
        raw = some_message(pick, _VALUES)
        assert agrees(published(raw), asked(raw))
        for _ in range(25):
            bad = damaged(pick, raw)
            try:
                ours = published(bad)
            except (ValueError, ua.UaStatusCodeError):
                refused += 1
                continue
            theirs = asked_unless_a_structure_fails(bad)
            assert theirs is None or agrees(ours, theirs), bad.hex()
            read += 1
    assert min(read, refused) > 100


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_message_with_structures_is_read_or_refused_and_nothing_else(seed):
    pick = random.Random(seed)
    for _ in range(40):
        raw = some_message(pick, _VALUES + _STRUCTURES * 5)
        assert agrees(published(raw), asked(raw))
        for _ in range(25):
            bad = damaged(pick, raw)
            try:
                ours = published(bad)
            except (ValueError, ua.UaStatusCodeError):
                continue
            assert len(rows(ours.changes)) >= len(ours.changes.other if ours.changes else ())


def test_the_reference_sees_a_difference():
    raw = encoded(ua.DataChangeNotification([ua.MonitoredItemNotification(1, ua.DataValue(ua.Variant(1.5)))]))
    ours, theirs = published(raw), asked(raw)
    assert told(theirs.Parameters.NotificationMessage.NotificationData) == rows(ours.changes)
    for column in (ours.changes.handle, ours.changes.type, ours.changes.status, ours.changes.time, ours.changes.value):
        kept = column[0]
        column[0] = 99
        assert not agrees(ours, theirs)
        column[0] = kept
    assert agrees(ours, theirs)
