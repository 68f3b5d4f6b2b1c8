"""The bytes of structures against an encoder of the tests' own, and type dictionaries as servers write them."""

from __future__ import annotations

import struct

import pytest
from asyncua import ua
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent_opcua.body import Kind, Member, Record, Structure, record
from edge_agent_opcua.dictionary import Books, Described
from edge_agent_opcua.dictionary_xml import parse

FORMATS = {1: "?", 2: "b", 3: "B", 4: "h", 5: "H", 6: "i", 7: "I", 8: "q", 9: "Q", 10: "f", 11: "d"}
RANGES = {2: (-128, 127), 3: (0, 255), 4: (-(2**15), 2**15 - 1), 5: (0, 2**16 - 1), 6: (-(2**31), 2**31 - 1),
          7: (0, 2**32 - 1), 8: (-(2**63), 2**63 - 1), 9: (0, 2**64 - 1)}  # fmt: skip
STRING, BYTES, INNER = 12, 15, 22


def packed(builtin, value):
    if builtin == INNER:
        return packed(6, value[0]) + packed(STRING, value[1])
    if builtin in (STRING, BYTES):
        if value is None:
            return struct.pack("<i", -1)
        data = value.encode() if builtin == STRING else value
        return struct.pack("<i", len(data)) + data
    return struct.pack(f"<{FORMATS[builtin]}", value)


def values(builtin):
    if builtin == 1:
        return st.booleans()
    if builtin in RANGES:
        return st.integers(*RANGES[builtin])
    if builtin in (10, 11):
        return st.floats(width=32 if builtin == 10 else 64, allow_nan=False)
    if builtin == INNER:
        return st.tuples(st.integers(-9, 9), st.none() | st.text(st.characters(exclude_categories=["Cs"])))
    return st.none() | (st.text(st.characters(exclude_categories=["Cs"])) if builtin == STRING else st.binary())


@st.composite
def fields(draw):
    """Builtin type, rank, whether it is there, value."""
    builtin = draw(st.sampled_from([*FORMATS, STRING, BYTES, INNER]))
    rank = draw(st.sampled_from([-1, -1, 1, 2]))
    one = values(builtin)
    if rank == 1:
        one = st.none() | st.lists(one, max_size=3)
    elif rank == 2:
        rows, columns = draw(st.integers(1, 3)), draw(st.integers(1, 3))
        row = st.lists(values(builtin), min_size=columns, max_size=columns)
        one = st.lists(row, min_size=rows, max_size=rows)
    return builtin, rank, draw(st.booleans()), draw(one)


def body_of(builtin, rank, value):
    if rank == -1:
        return packed(builtin, value)
    if value is None:
        return struct.pack("<i", -1)
    if rank == 1:
        return struct.pack("<i", len(value)) + b"".join(packed(builtin, one) for one in value)
    sizes = struct.pack("<iii", 2, len(value), len(value[0]))
    return sizes + b"".join(packed(builtin, one) for row in value for one in row)


INSIDE = Structure("Inside", Kind.PLAIN, (Member("Number", 6), Member("Text", STRING)))


def member(name, builtin, rank, bit=None):
    return Member(name, builtin, "inside" if builtin == INNER else None, rank=rank, bit=bit)


def seen(value):
    if isinstance(value, Record):
        return (value.values["Number"], value.values["Text"])
    return [seen(one) for one in value] if isinstance(value, list) else value


def read(kind, members, body):
    return record("outer", body, {"outer": Structure("Outer", kind, tuple(members)), "inside": INSIDE})


@given(st.lists(fields(), max_size=8), st.sampled_from([Kind.PLAIN, Kind.OPTIONAL]))
def test_fields_are_read_as_they_were_written(written, kind):
    members, body, mask, optional, expected = [], b"", 0, 0, {}
    for number, (builtin, rank, is_there, value) in enumerate(written):
        is_optional = kind is Kind.OPTIONAL and number % 2 == 0
        members.append(member(f"f{number}", builtin, rank, optional if is_optional else None))
        if is_optional:
            mask |= is_there << optional
            optional += 1
        if is_there or not is_optional:
            body += body_of(builtin, rank, value)
            expected[f"f{number}"] = value
    body = (struct.pack("<I", mask) if kind is Kind.OPTIONAL else b"") + body
    got = read(kind, members, body)
    assert {name: seen(value) for name, value in got.values.items()} == expected
    assert got.broken == ""
    for cut in range(len(body)):
        with pytest.raises(ValueError, match=r"ends before its type does|not what its type says"):
            read(kind, members, body[:cut])
    with pytest.raises(ValueError, match="goes on for 1 bytes after its type"):
        read(kind, members, body + b"\0")


@given(st.lists(fields(), min_size=1, max_size=5), st.data())
def test_a_union_is_read_by_its_number(written, data):
    members = [member(f"f{n}", builtin, rank, n + 1) for n, (builtin, rank, _, _) in enumerate(written)]
    assert read(Kind.UNION, members, struct.pack("<I", 0)).values == {}
    chosen = data.draw(st.integers(0, len(written) - 1))
    builtin, rank, _, value = written[chosen]
    got = read(Kind.UNION, members, struct.pack("<I", chosen + 1) + body_of(builtin, rank, value))
    assert {name: seen(one) for name, one in got.values.items()} == {f"f{chosen}": value}
    with pytest.raises(ValueError, match=f"has no field {len(written) + 1}"):
        read(Kind.UNION, members, struct.pack("<I", len(written) + 1))


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.sampled_from([*range(1, 26)]), st.sampled_from([-1, 1, 2, 3])), max_size=5),
    st.sampled_from(list(Kind)), st.binary(max_size=80),
)  # fmt: skip
def test_bytes_of_no_sense_are_refused_and_nothing_worse(shapes, kind, body):
    members = [Member(f"f{n}", builtin, rank=rank, bit=n + 1) for n, (builtin, rank) in enumerate(shapes)]
    told = ""
    try:
        read(kind, members, body)
    except ValueError as error:
        told = str(error)
    assert not told or told.startswith("the value ")


def test_a_structure_that_holds_itself_without_end_is_refused():
    endless = Structure("Endless", Kind.PLAIN, (Member("Again", INNER, "endless"),))
    with pytest.raises(ValueError, match="more than 100 deep"):
        record("endless", b"", {"endless": endless})


def test_an_array_of_three_dimensions_is_a_list_of_lists_of_lists():
    body = struct.pack("<iiii", 3, 2, 1, 3) + bytes(range(6))
    assert read(Kind.PLAIN, [Member("A", 3, rank=3)], body).values["A"] == [[[0, 1, 2]], [[3, 4, 5]]]
    assert read(Kind.PLAIN, [Member("A", 3, rank=2)], struct.pack("<iii", 2, 0, 3)).values["A"] == []


def test_a_length_that_cannot_be_reserves_no_memory():
    empty = Structure("Empty", Kind.PLAIN, ())
    many = Structure("Many", Kind.PLAIN, (Member("A", INNER, "empty", rank=1),))
    with pytest.raises(ValueError, match="A is said to have 2147483647 elements"):
        record("many", struct.pack("<i", 2**31 - 1), {"many": many, "empty": empty})


def test_parts_of_a_byte_begin_anew_after_a_whole_one():
    members = [Member("A", 1, bits=3), Member("B", 3), Member("C", 1, bits=4), Member("D", 1, bits=8)]
    got = read(Kind.PLAIN, members, bytes([0b11111_101, 77, 0b0011_1001, 0b1111_0110]))
    assert got.values == {"A": 5, "B": 77, "C": 9, "D": 0b0110_0011}


def test_what_comes_after_a_field_of_unknown_type_is_not_read():
    got = read(Kind.PLAIN, [Member("A", 6), Member("B", 0), Member("C", 6)], struct.pack("<ii", 5, 6))
    assert got.values == {"A": 5}
    assert got.broken == "the server does not describe the type of B"


def test_two_servers_may_have_different_types_under_one_id():
    number, text = (Structure("T", Kind.PLAIN, (Member("V", builtin),)) for builtin in (6, STRING))
    body = struct.pack("<i", 0)
    assert record("t", body, {"t": number}).values == {"V": 0}
    assert record("t", body, {"t": text}).values == {"V": ""}


def test_an_object_in_xml_is_passed_over():
    members = [Member("Object", INNER), Member("After", 4)]
    xml = b"\x00\x07\x02" + struct.pack("<i", 4) + b"<a/>" + struct.pack("<h", 9)
    got = read(Kind.PLAIN, members, xml)
    assert (got.values["Object"].Body, got.values["After"]) == (None, 9)
    none = read(Kind.PLAIN, members, b"\x00\x00\x00" + struct.pack("<h", 9))
    assert (none.values["Object"], none.values["After"]) == (ua.ExtensionObject(), 9)


XML = b"""<?xml version="1.0" encoding="utf-8"?>
<opc:TypeDictionary xmlns:opc="http://opcfoundation.org/BinarySchema/" xmlns:ua="http://opcfoundation.org/UA/"
    xmlns:tns="http://acme.example/old/" TargetNamespace="http://acme.example/old/" DefaultByteOrder="LittleEndian">
  <opc:Import Namespace="http://opcfoundation.org/UA/"/>
  <opc:EnumeratedType Name="Mode" LengthInBits="32">
    <opc:EnumeratedValue Name="Idle" Value="0"/><opc:EnumeratedValue Name="Run" Value="3"/>
  </opc:EnumeratedType>
  <opc:StructuredType Name="Point" BaseType="ua:ExtensionObject">
    <opc:Field Name="X" TypeName="opc:Double"/>
  </opc:StructuredType>
  <opc:StructuredType Name="Plain" BaseType="ua:ExtensionObject">
    <opc:Field Name="Mode" TypeName="tns:Mode"/><opc:Field Name="Name" TypeName="opc:CharArray"/>
    <opc:Field Name="NoOfPoints" TypeName="opc:Int32"/>
    <opc:Field Name="Points" TypeName="tns:Point" LengthField="NoOfPoints"/>
    <opc:Field Name="Range" TypeName="ua:Range"/><opc:Field Name="State" TypeName="ua:ServerState"/>
    <opc:Field Name="Length" TypeName="opc:Int32"/><opc:Field Name="Text" TypeName="opc:Char" LengthField="Length"/>
    <opc:Field Name="Low" TypeName="opc:Bit" Length="3"/><opc:Field Name="High" TypeName="opc:Bit" Length="5"/>
    <opc:Field Name="At" TypeName="opc:DateTime"/><opc:Field Name="Last" TypeName="opc:UInt16"/>
  </opc:StructuredType>
  <opc:StructuredType Name="Optional" BaseType="ua:ExtensionObject">
    <opc:Field Name="NoteSpecified" TypeName="opc:Bit"/><opc:Field Name="Reserved1" TypeName="opc:Bit" Length="3"/>
    <opc:Field Name="SizesSpecified" TypeName="opc:Bit"/><opc:Field Name="Reserved2" TypeName="opc:Bit" Length="27"/>
    <opc:Field Name="Id" TypeName="opc:Int16"/>
    <opc:Field Name="Note" TypeName="opc:String" SwitchField="NoteSpecified"/>
    <opc:Field Name="NoOfSizes" TypeName="opc:Int32" SwitchField="SizesSpecified"/>
    <opc:Field Name="Sizes" TypeName="opc:Byte" LengthField="NoOfSizes" SwitchField="SizesSpecified"/>
  </opc:StructuredType>
  <opc:StructuredType Name="Union" BaseType="ua:Union">
    <opc:Field Name="SwitchField" TypeName="opc:UInt32"/>
    <opc:Field Name="Number" TypeName="opc:Float" SwitchField="SwitchField" SwitchValue="1"/>
    <opc:Field Name="Point" TypeName="tns:Point" SwitchField="SwitchField" SwitchValue="2"/>
  </opc:StructuredType>
  <opc:StructuredType Name="Foreign" BaseType="ua:ExtensionObject">
    <opc:Field Name="Known" TypeName="opc:SByte"/><opc:Field Name="Strange" TypeName="x:Thing" xmlns:x="http://gone/"/>
  </opc:StructuredType>
</opc:TypeDictionary>
"""
OLD = "http://acme.example/old/"


def from_dictionary(name, body):
    books, found = Books(), Described()
    books.add("node", parse(XML + b"\0\0"))
    books.describe("key", (OLD, name), found)
    return record("key", body, found.structures), found


def test_a_dictionary_describes_lengths_texts_enumerations_bits_and_types_of_the_standard():
    body = (
        struct.pack("<ii3s", 3, 3, b"abc") + struct.pack("<idd", 2, 1.5, 2.5) + struct.pack("<dd", 1.0, 2.0)
        + struct.pack("<ii2s", 4, 2, b"xy") + bytes([0b10110_101]) + struct.pack("<qH", 0, 77)
    )  # fmt: skip
    got, found = from_dictionary("Plain", body)
    read = dict(got.values)
    assert [one.values["X"] for one in read.pop("Points")] == [1.5, 2.5]
    assert read.pop("Range") == ua.Range(1.0, 2.0)
    read.pop("At")
    assert read == {"Mode": 3, "Name": "abc", "State": 4, "Text": "xy", "Low": 5, "High": 22, "Last": 77}
    assert found.names == {(OLD, "Mode"): {0: "Idle", 3: "Run"}}


def test_a_dictionary_describes_optional_fields_by_bits_and_unions_by_a_number():
    got, _ = from_dictionary("Optional", struct.pack("<Ihi2s", 1, 7, 2, b"ab"))
    assert got.values == {"Id": 7, "Note": "ab"}
    got, _ = from_dictionary("Optional", struct.pack("<Ihi2B", 16, 7, 2, 8, 9))
    assert got.values == {"Id": 7, "Sizes": [8, 9]}
    got, _ = from_dictionary("Union", struct.pack("<Id", 2, 0.5))
    assert got.values["Point"].values == {"X": 0.5}
    got, _ = from_dictionary("Union", struct.pack("<If", 1, 0.5))
    assert got.values == {"Number": 0.5}


def test_a_type_that_no_dictionary_describes_ends_what_can_be_read():
    got, _ = from_dictionary("Foreign", struct.pack("<bi", -1, 5))
    assert got.values == {"Known": -1}
    assert got.broken == "the server does not describe the type of Strange"


@pytest.mark.parametrize(
    "xml",
    [
        b"", b"no xml", b"<a", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        XML.replace(b'Value="3"', b'Value="three"'), XML[:-30],
    ],
)  # fmt: skip
def test_what_is_no_dictionary_is_none(xml):
    assert parse(xml) is None
