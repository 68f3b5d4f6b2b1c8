"""A tag in one line says the same as its keys, and a wrong word is told what would be right."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from edge_agent.api import ConfigError
from edge_agent.config import load, schema
from edge_agent.config.yaml_lines import parse
from edge_agent_modbus import plugin
from edge_agent_modbus.address import parse_address
from edge_agent_modbus.config import ModbusTag
from edge_agent_modbus.shorthand import read_line

LINES: list[tuple[str, dict[str, Any]]] = [
    ("holding:0", {}),
    ("40001", {}),
    (
        "input:10 int16 x0.1 unit=Cel range=-40..400 deadband=0.5 poll=5s",
        {"type": "int16", "scale": 0.1, "unit": "Cel", "range": (-40, 400), "deadband": 0.5, "poll": "5s"},
    ),
    ("holding:1 uint32 CDAB", {"type": "uint32", "order": "CDAB"}),
    ("holding:1 CDAB uint32", {"type": "uint32", "order": "CDAB"}),
    ("holding:100 float32[4]", {"type": "float32", "count": 4}),
    ("coil:0 bool[8] invert", {"type": "bool", "count": 8, "invert": True}),
    ("holding:30 string[16] gbk", {"type": "string", "length": 16, "encoding": "gbk"}),
    ("holding:30 utf-16-be string[16] A", {"type": "string", "length": 16, "encoding": "utf-16-be", "order": "A"}),
    ("holding:30 bytes[6] BA", {"type": "bytes", "length": 6, "order": "BA"}),
    ("holding:20.high int8", {"type": "int8"}),
    ("holding:0 x0.1 -40", {"scale": 0.1, "offset": -40}),
    ("holding:0 ×1e-3 +2.5", {"scale": 0.001, "offset": 2.5}),
    ("holding:0 scale=0.1 offset=-40 stale=30s", {"scale": 0.1, "offset": -40, "stale": "30s"}),
    ("holding:0 type=uint64 order=HGFEDCBA", {"type": "uint64", "order": "HGFEDCBA"}),
    ("holding:0 type=string length=4 encoding=ascii", {"type": "string", "length": 4, "encoding": "ascii"}),
    ("holding:0 count=3", {"count": 3}),
    ("holding:0 mask=0x0F00 shift=8 map=0:idle,0x1:run", {"mask": 0xF00, "shift": 8, "map": {"0": "idle", "1": "run"}}),
    ("coil:0 invert=false", {"invert": False}),
    ("coil:0 write", {"write": {}}),
    ("holding:0 write=0..100 write_function=multiple", {"write": {"min": 0, "max": 100}, "write_function": "multiple"}),
    ("holding:0 write=1,2.5 x0.1", {"write": {"values": [1, 2.5]}, "scale": 0.1}),
    ("holding:0 map=0:idle,1:run write=idle", {"map": {"0": "idle", "1": "run"}, "write": {"values": ["idle"]}}),
]


@pytest.mark.parametrize(("line", "keys"), LINES)
def test_a_line_says_the_same_as_the_keys(line: str, keys: dict[str, Any]) -> None:
    written = {"address": line.split()[0], **keys}
    assert ModbusTag.model_validate(line).model_dump() == ModbusTag.model_validate(written).model_dump()


def test_a_number_alone_is_a_modicon_number() -> None:
    assert ModbusTag.model_validate(40001).address == "40001"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "says nothing; write an address"),
        ("holdin:0", "did you mean holding?"),
        ("uint16 holding:0", "'uint16' is not a Modbus address; write holding:0"),
        ("holding:0 int61", "'int61' says nothing about a tag; did you mean int64?"),
        ("holding:0 double", "did you mean float64?"),
        ("holding:0 word[4]", "did you mean uint16?"),
        ("holding:0 uint32 DCAB", "'DCAB' says nothing about a tag; did you mean DCBA?"),
        ("holding:0 uint32 cdab", "did you mean CDAB?"),
        ("holding:0 string[4] gkb", "did you mean gbk?"),
        ("holding:0 poll", "did you mean poll=…?"),
        ("holding:0 5s", "key=value, such as poll=5s"),
        ("holding:0 pol=5s", "'pol=5s' has a key that is none; did you mean poll=?"),
        ("holding:0 address=holding:1", "'address=holding:1' has a key that is none"),
        ("holding:0 =5", "keys: scale, offset"),
        ("holding:0 range=5", "'range=5' cannot be read; write for example range=-40..400"),
        ("holding:0 scale=nan", "write for example scale=0.1"),
        ("holding:0 scale=1_0", "write for example scale=0.1"),
        ("holding:0 mask=F0", "write for example mask=0xFF00"),
        ("holding:0 map=idle,run", "write for example map=0:idle,1:run"),
        ("holding:0 map=0:idle,0:run", "write for example map=0:idle,1:run"),
        ("holding:0 write=", "write for example write=0..100"),
        ("holding:0 invert=yes", "write for example invert=true"),
        ("holding:0 unit=", "write for example unit=Cel"),
        ("holding:0 float32[x]", "write for example float32[16]"),
        ("holding:0 float32[]", "write for example float32[16]"),
        ("holding:0 uint16 uint32", "'uint32' says type a second time; keep one"),
        ("holding:0 x2 scale=3", "'scale=3' says scale a second time"),
        ("holding:0 float32[4] count=3", "'count=3' says count a second time"),
    ],
)
def test_a_wrong_word_is_told_what_would_be_right(line: str, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_line(line)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("holding:0 float32[4] invert", "only a bool can be inverted"),
        ("holding:0 string", "needs its length"),
        ("holding:0 uint16 CDAB", "does not fit uint16"),
        ("input:0 write=0..1", "no Modbus device lets input be written"),
    ],
)
def test_words_that_do_not_go_together_are_a_mistake_as_keys_are(line: str, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ModbusTag.model_validate(line)
    assert told in str(caught.value)


MANY = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WORDS = st.one_of(
    st.text("abcdefgholdinputx0123456789.:=[],+-×eE_ \n\0阀٣", max_size=12),
    st.sampled_from(["holding:0", "input:0x1", "40001.3", "coil:1", *(line for line, _ in LINES)]),
    st.sampled_from([f"{key}=" for key in ("map", "mask", "range", "write", "scale", "count", "poll", "type")]),
)


@MANY
@given(st.lists(WORDS, max_size=6).map(" ".join) | st.lists(WORDS, max_size=4).map("".join))
def test_no_line_fails_in_another_way(line: str) -> None:
    with suppress(ValueError):
        assert read_line(line)["address"]
    with suppress(ValidationError):
        plugin.config.model_validate({"driver": "modbus", "url": "modbus+tcp://h", "tags": {"t": line}})


@MANY
@given(WORDS | st.from_regex(r"[a-z0-9]{0,8}[:.]?(0x)?[0-9a-f]{0,8}(\.[a-z0-9]{0,5})?", fullmatch=True))
def test_no_address_fails_in_another_way(text: str) -> None:
    try:
        place = parse_address(text)
    except ValueError:
        return
    assert parse_address(str(place)) == place
    for base in (0, 1):
        with suppress(ValueError):
            assert 0 <= place.wire(base) <= 65_535


SITE = """\
agent: {id: gw-01}
devices:
  press-1:
    driver: modbus
    url: modbus+tcp://10.0.0.5:502?unit=1
    tags:
      state: "holding:0"
      total: "holding:1 uint32 CDAB"
      axis:  "holding:100 float32[4]"
      name:  "holding:30 string[16] gbk"
      scrap: 40004
machines:
  press-1:
    state: {tag: press-1.state, map: {0: IDLE, 1: RUN}}
    counts: {total: press-1.total, scrap: press-1.scrap}
    ideal_cycle: 1.2s
    order: {tag: press-1.axis-3}
"""


def mistakes(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load(path, {"modbus": plugin}, {})
    return [str(mistake).removeprefix(f"{tmp_path}/") for mistake in raised.value.mistakes]


def test_a_site_file_may_have_its_tags_in_lines(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    site = load(path, {"modbus": plugin}, {})
    assert [tag.name for tag in site.tag_table()] == [
        "state", "total", "axis-0", "axis-1", "axis-2", "axis-3", "name", "scrap",
    ]  # fmt: skip


def test_a_wrong_word_of_a_site_file_is_told_with_its_line(tmp_path: Path) -> None:
    text = SITE.replace("uint32 CDAB", "uint23 CDAB").replace("float32[4]", "float32[4] poll=5")
    text = text.replace("40004", "40000").replace("holding:30", "holding:65530")
    assert [mistake.split(";")[0] for mistake in mistakes(tmp_path, text)] == [
        "site.yaml:8: devices.press-1.tags.total: 'holding:1 uint23 CDAB' 'uint23' says nothing about a tag",
        "site.yaml:9: devices.press-1.tags.axis: 'holding:100 float32[4] poll=5' poll: is not a duration",
        "site.yaml:10: devices.press-1.tags.name: 'holding:65530 string[16] gbk' address: a string of 8 registers "
        "at 65530 reaches to 65537, past the last address 65535",
        "site.yaml:11: devices.press-1.tags.scrap: '40000' 40000 is no Modicon number: those of holding run from "
        "40001 (address 0 on the wire) to 49999",
    ]


def test_a_mistake_elsewhere_is_no_mistake_of_who_uses_an_array(tmp_path: Path) -> None:
    [only] = mistakes(tmp_path, SITE.replace("unit=1", "unit=999"))
    assert "devices.press-1.url" in only
    text = SITE.replace("axis-3", "axis-4")
    assert mistakes(tmp_path, text)[0].endswith("names no tag; did you mean 'press-1.axis-3'?")


def test_the_schema_takes_a_tag_as_keys_or_as_a_line() -> None:
    document = schema({"modbus": plugin}, {})
    validator = jsonschema.Draft202012Validator(document)
    assert list(validator.iter_errors(parse(SITE).data)) == []
    assert list(validator.iter_errors(parse(SITE.replace("40004", "{address: holding:3, count: 2}")).data)) == []
    assert list(validator.iter_errors(parse(SITE.replace("40004", "[holding, 3]")).data))
    assert list(validator.iter_errors(parse(SITE.replace("40004", "{addres: holding:3}")).data))
