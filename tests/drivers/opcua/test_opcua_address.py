"""What the site file says about where a value is, and what is wrong with it when it is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent_opcua.address import field_text, index_range, method_of, parse, with_word
from edge_agent_opcua.nodeid import NodeName
from edge_agent_opcua.segment import Segment, escaped

OBJECTS = Segment("Objects", 0)
names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).filter(lambda one: one == one.strip())


def test_a_node_id_is_an_address_without_a_path():
    for text, name in (
        ("ns=2;s=State", NodeName("State", 2)),
        ("i=2258", NodeName(2258)),
        ("nsu=http://acme.example/cnc/;s=State", NodeName("State", uri="http://acme.example/cnc/")),
        ("ns=2;s=/not/a:path", NodeName("/not/a:path", 2)),
        ("ns=2;s=A&B*?", NodeName("A&B*?", 2)),
    ):
        address = parse(text)
        assert (address.start, address.segments, address.field) == (name, (), ())
        assert not address.is_pattern


def test_a_path_goes_from_the_root_folder_by_names_with_and_without_their_namespace():
    address = parse("/Objects/2:Line/nsu=http://acme.example/cnc/;Press/Load")
    assert address.start is None
    assert address.segments == (
        OBJECTS, Segment("Line", 2), Segment("Press", uri="http://acme.example/cnc/"), Segment("Load"),
    )  # fmt: skip
    assert [one.is_exact for one in address.segments] == [True, True, True, False]


def test_only_the_first_objects_is_the_standards():
    assert parse("/Objects/Objects").segments == (OBJECTS, Segment("Objects"))
    assert parse("/Plant/Objects").segments == (Segment("Plant"), Segment("Objects"))
    assert parse("/3:Objects").segments == (Segment("Objects", 3),)


def test_a_relative_path_goes_on_from_the_node():
    address = parse("nsu=http://x/;i=5001", "Status/3:CurMachSpeed#Value")
    assert address.start == NodeName(5001, uri="http://x/")
    assert address.segments == (Segment("Status"), Segment("CurMachSpeed", 3))
    assert address.field == ("Value",)
    assert parse("/Objects/2:A", "/B").segments == (OBJECTS, Segment("A", 2), Segment("B"))
    assert address.text == "nsu=http://x/;i=5001 Status/3:CurMachSpeed#Value"


def test_a_namespace_is_read_up_to_the_semicolon_whatever_is_in_it():
    [segment] = parse("/nsu=http://a.example/x%3By%25##&*?;Name").segments
    assert segment.uri == "http://a.example/x;y%#&*?"
    assert (segment.name, segment.is_pattern) == ("Name", False)


def test_an_ampersand_makes_reserved_characters_part_of_the_name():
    written = "/a&/b/2:a:b/2&:c/&*&?/&&/&<r>/a&#b/a##b/x.y/a[1]/a&.b&>&!&[&]"
    assert [(one.name, one.index) for one in parse(written).segments] == [
        ("a/b", None), ("a:b", 2), ("2:c", None), ("*?", None), ("&", None), ("<r>", None), ("a#b", None),
        ("a#b", None), ("x.y", None), ("a[1]", None), ("a.b>![]", None),
    ]  # fmt: skip
    assert not parse(written).is_pattern


@given(names, st.one_of(st.none(), st.integers(0, 0xFFFF)))
def test_every_name_can_be_written_and_is_read_as_it_was(name, index):
    segment = Segment(name, index)
    if index is None and name.startswith("nsu="):
        return      # such a name needs its namespace beside it
    assert parse(f"/Objects/{segment}/x").segments == (OBJECTS, segment, Segment("x"))
    uri = Segment(name, uri="http://a/#%;b")
    assert parse(f"/{uri}").segments == (uri,)


@given(st.text("/&#*?:.[]<>;=nsu2ax", max_size=20), st.text("/&#*?:.[]<>;=nsu2ax", max_size=12))
def test_whatever_is_written_is_read_or_refused_in_words(node, path):
    told = ""
    try:
        address = parse(node, path)
    except ValueError as error:
        told = str(error)
    assert len(told) > 20 if told else address.start is not None or address.segments


def test_wildcards_stand_for_characters_of_one_name():
    segment = parse("/Objects/Axis*_?.*").segments[1]
    assert segment.is_pattern
    assert not segment.is_exact
    assert segment.match("Axis12_b.load").groups() == ("12", "load")
    assert segment.match("Axis_12xload") is None
    assert segment.match("myAxis1_b.load") is None
    assert str(segment) == "Axis*_?.*"
    assert parse("/Objects/2:A&*B*").segments[1].match("A*Bc").groups() == ("c",)
    assert parse("/Objects/2:A&*B*").segments[1].match("AxBc") is None


def test_a_field_follows_the_hash():
    for text, field in (
        ("ns=2;s=Pos#X", ("X",)),
        ("/Objects/2:Pos#Offset.X", ("Offset", "X")),
        ("ns=2;s=Pos#Axes[2].Load", ("Axes", 2, "Load")),
        ("ns=2;s=Pos#[2].Load", (2, "Load")),
        ("ns=2;s=Pos#Grid[1,2]", ("Grid", 1, 2)),
        ("ns=2;s=a##b#c", ("c",)),
        ("ns=2;s=a###c", ("c",)),
        ("ns=2;s=a#b&.c&[d&]##e", ("b.c[d]#e",)),
    ):
        assert parse(text).field == field, text
    assert parse("ns=2;s=a##b#c").start == NodeName("a#b", 2)
    assert parse("ns=2;s=a##").start == NodeName("a#", 2)


@given(st.lists(st.one_of(names, st.integers(0, 2**32 - 1)), min_size=1, max_size=5))
def test_every_field_can_be_written_and_is_read_as_it_was(steps):
    assert parse(f"ns=1;s=x#{field_text(tuple(steps))}").field == tuple(steps)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("State", r"is neither a node id nor a browse path; write ns=2;i=1002.*or a browse path such as /Objects"),
        ("ns=2;i=x", r"needs a number"),
        ("/", r"has an empty name before the end; write for example 2:Press"),
        ("/Objects//Press", r"has an empty name before '/Press'"),
        ("/Objects/2:", r"has an empty name before '2:'"),
        ("/Objects/70000:Press", r"has the namespace index 70000, the largest is 65535"),
        ("/Objects/nsu=http://a", r"has no namespace and ; after nsu= at 'nsu=http://a'; write for example nsu=http"),
        ("/Objects/nsu=;a", r"has no namespace and ; after nsu="),
        ("/Objects/nsu=http://a#b;c", r"a # of the namespace doubled"),
        ("/Objects/<HasChild>Wheel", r"has a reference type at '<HasChild>Wheel'.*written &<"),
        ("/Objects/A&B", r"has a single & before 'B'; write && for a & that belongs to the name"),
        ("/Objects/A&", r"has a single & before the end"),
        ("/Objects/A#", r"ends with #.*write #Field"),
        ("ns=2;s=A#", r"ends with #"),
        ("ns=2;s=#A", r"is not a node id"),
        ("/Objects/A#b..c", r"has an empty name in its field, before '.c'"),
        ("/Objects/A#.c", r"has an empty name in its field, before '.c'"),
        ("/Objects/A#b[", r"has no position in the brackets of its field"),
        ("/Objects/A#b[x]", r"has no position in the brackets"),
        ("/Objects/A#b[-1]", r"has no position in the brackets"),
        ("/Objects/A#b[99999999999]", r"has no position in the brackets"),
        ("/Objects/A#b[1]c", r"has a field that cannot be read from 'c' on; write #Field"),
        ("/Objects/A#b#c", r"has a field that cannot be read from '#c' on"),
    ],
)
def test_an_address_that_is_none_says_what_would_be_right(text, told):
    with pytest.raises(ValueError, match=told):
        parse(text)


def test_a_field_stands_at_the_end_of_the_path():
    with pytest.raises(ValueError, match=r"has the field #a\[1\]\.b before the path ends; write it at"):
        parse("ns=2;s=x#a[1].b", "Status")


def test_a_word_takes_the_place_of_the_star():
    assert with_word("/Objects/2:Axis*/2:Load#x", "12") == "/Objects/2:Axis12/2:Load#x"
    assert with_word("ns=2;s=Axis*.Load", "X#1/") == "ns=2;s=AxisX##1/.Load"
    assert with_word("Axis*/Load", "a/b#c*") == "Axisa&/b&#c&*/Load"
    assert with_word("/Objects/&*/nsu=http://x/*;A*?", "b") == "/Objects/&*/nsu=http://x/*;Ab?"
    assert parse(with_word("/Objects/2:*", "3:x")).segments[1] == Segment("3:x", 2)


@given(names, st.sampled_from(["/Objects/2:A*b/c", "2:A*b/c", "/2:*"]))
def test_a_word_is_part_of_the_name_whatever_is_in_it(word, text):
    read = parse(with_word(text, word)) if text.startswith("/") else parse("i=85", with_word(text, word))
    name = word if "A" not in text else f"A{word}b"
    assert name in [segment.name for segment in read.segments]


@pytest.mark.parametrize(
    ("text", "word", "told"),
    [
        ("/Objects/Axis1", "1", r"has no \*; `each` puts"),
        ("/Objects/Axis&*", "1", r"has no \*"),
        ("/Objects/*/Axis*", "1", r"has 2 times \*"),
        ("ns=2;s=Axis", "1", r"has no \*"),
        ("/Objects/Axis*", "", r"has an empty word"),
    ],
)
def test_words_need_exactly_one_star(text, word, told):
    with pytest.raises(ValueError, match=told):
        with_word(text, word)


def test_elements_of_arrays_are_counted_out():
    assert index_range(3) == ["3"]
    assert index_range("0-3") == index_range("0:3") == ["0", "1", "2", "3"]
    assert index_range("1,2") == ["1,2"]
    assert index_range(" 1 , 0 - 1 ") == ["1,0", "1,1"]
    assert index_range("5-5") == ["5"]


@pytest.mark.parametrize(
    ("index", "told"),
    [
        ("x", r'is no position in an array; write 3, "1,2"'),
        ("", r"is no position"),
        (-1, r"is no position"),
        (True, r"is no position"),
        ("1,", r"is no position"),
        ("1-2-3", r"is no position"),
        ("7-0", r"goes down from 7 to 0; write 0-7"),
        ("5000000000", r"has the position 5000000000, the largest is"),
        ("0-10000", r"means 10001 elements, each a tag of its own; at most 10000"),
        ("0-999,0-999", r"means 1000000 elements"),
    ],
)
def test_an_index_that_is_none_says_what_would_be_right(index, told):
    with pytest.raises(ValueError, match=told):
        index_range(index)


def test_a_method_is_a_node_of_its_own_or_a_path_from_the_object_on():
    press = parse("ns=2;s=Press", "Commands")
    assert method_of(press, "3:Reset").segments == (Segment("Commands"), Segment("Reset", 3))
    assert method_of(press, "3:Reset").start == NodeName("Press", 2)
    assert method_of(press, "ns=2;s=Reset").start == NodeName("Reset", 2)
    assert method_of(press, "ns=2;s=Reset").segments == ()
    reset = method_of(parse("/Objects/2:Press"), "/2:Reset")
    assert reset.segments == (OBJECTS, Segment("Press", 2), Segment("Reset", 2))
    with pytest.raises(ValueError, match="names no method; write its name"):
        method_of(press, " ")
    with pytest.raises(ValueError, match="has the field #x, and methods have none"):
        method_of(press, "Reset#x")


def test_names_are_written_without_need_as_they_are():
    assert [escaped(one) for one in ("Press", "a.b", "x[1]", "2", "a:b", "#", "2:x", "<a", "a<")] == [
        "Press", "a.b", "x[1]", "2", "a:b", "&#", "2&:x", "&<a", "a<",
    ]  # fmt: skip
