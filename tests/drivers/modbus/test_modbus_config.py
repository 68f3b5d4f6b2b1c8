"""What may be written about a Modbus device, and what is said when it is wrong."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from edge_agent.api import Kind, Tag
from edge_agent_modbus import plugin
from edge_agent_modbus.address import Area, parse_address
from edge_agent_modbus.config import ModbusDevice, ModbusTag

URL = "modbus+tcp://10.0.0.5:502?unit=1"


def device(**keys: Any) -> ModbusDevice:
    return ModbusDevice.model_validate({"driver": "modbus", "url": URL, **keys})


def told(**keys: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        device(**keys)
    return "\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in caught.value.errors())


def told_of_tag(**keys: Any) -> str:
    return told(tags={"t": keys})


@pytest.mark.parametrize(
    ("text", "area", "wire", "bit"),
    [
        ("holding:0", Area.HOLDING, 0, None),
        ("input:10", Area.INPUT, 10, None),
        ("coil:3", Area.COIL, 3, None),
        ("discrete:4", Area.DISCRETE, 4, None),
        ("holding:20.3", Area.HOLDING, 20, 3),
        ("holding:0x10", Area.HOLDING, 16, None),
        ("holding:0x10.15", Area.HOLDING, 16, 15),
        ("holding:010", Area.HOLDING, 10, None),
        ("holding:65535", Area.HOLDING, 65535, None),
        ("40001", Area.HOLDING, 0, None),
        (40001, Area.HOLDING, 0, None),
        ("49999", Area.HOLDING, 9998, None),
        ("400001", Area.HOLDING, 0, None),
        ("465536", Area.HOLDING, 65535, None),
        ("30001", Area.INPUT, 0, None),
        ("10001", Area.DISCRETE, 0, None),
        ("00001", Area.COIL, 0, None),
        ("000017", Area.COIL, 16, None),
        ("40021.3", Area.HOLDING, 20, 3),
        ("holding:20.high", Area.HOLDING, 20, None),
        ("input:0x10.low", Area.INPUT, 16, None),
    ],
)
def test_every_form_of_address_means_its_wire_address(
    text: str, area: Area, wire: int, bit: int | None
) -> None:
    address = parse_address(text)
    assert (address.area, address.wire(0), address.bit) == (area, wire, bit)


def test_base_one_shifts_named_addresses_but_not_modicon_numbers() -> None:
    assert parse_address("holding:1").wire(1) == 0
    assert parse_address("40001").wire(1) == 0
    assert "counts from 1" in told(base=1, tags={"t": {"address": "holding:0"}})
    assert device(base=1, tags={"t": {"address": "holding:65536"}}).tags["t"].place.wire(1) == 65535


@pytest.mark.parametrize(
    ("address", "right"),
    [
        ("hodling:0", "did you mean holding?"),
        ("register:0", "the areas are coil, discrete, holding, input"),
        ("100", "write holding:0, input:10"),
        ("holding", "write holding:0"),
        ("holding:-1", "write holding:0"),
        ("holding:20.16", "bit 16 is outside 0..15"),
        ("coil:3.1", "a coil is a single bit"),
        ("coil:3.low", "a coil is a single bit; leave out .low"),
        ("holding:3.hi", "holding:20.high or holding:20.low"),
        ("holding:10h", "hexadecimal as holding:0x10"),
        ("holding:٣", "write holding:0"),
        ("holding:" + "9" * 50, "write holding:0"),
        ("holding:65536", "outside 0..65535"),
        ("holding:70000", "outside 0..65535"),
        ("40000", "run from 40001 (address 0 on the wire) to 49999"),
        ("465537", "to 465536"),
        (1, "in quotes"),
        (40021.3, "in quotes"),
        (True, "in quotes"),
    ],
)
def test_a_wrong_address_is_told_what_would_be_right(address: Any, right: str) -> None:
    assert right in told_of_tag(address=address)


@pytest.mark.parametrize(
    ("keys", "right"),
    [
        ({"address": "holding:0", "type": "float"}, "did you mean float32?"),
        ({"address": "holding:0", "type": "int24"}, "allowed: bool, uint8, int8, uint16, int16"),
        ({"address": "holding:0", "type": "UINT16"}, "did you mean uint16?"),
        ({"address": "holding:0", "type": "float32", "order": "ABDC"}, "allowed: A, B, AB, BA, ABCD"),
        ({"address": "holding:0", "type": "float32", "order": "BA"}, "allowed: ABCD, BADC, CDAB, DCBA"),
        ({"address": "holding:0", "order": "ABCD"}, "does not fit uint16; allowed: AB, BA"),
        ({"address": "holding:0", "type": "int64", "order": "AB"}, "ABCDEFGH, BADCFEHG, CDABGHEF, DCBA"),
        ({"address": "coil:0", "type": "uint16"}, "its type is bool"),
        ({"address": "coil:0", "order": "AB"}, "has no order"),
        ({"address": "holding:0.1", "type": "uint16"}, "its type is bool"),
        ({"address": "holding:5", "type": "bool"}, "holding:5.0"),
        ({"address": "holding:0", "type": "string"}, "length: 16"),
        ({"address": "holding:0", "length": 16}, "only a string has a length"),
        ({"address": "holding:0", "type": "string", "length": 251}, "less than or equal to 250"),
        ({"address": "holding:0", "type": "string", "length": 4, "scale": 2.0}, "leave out scale"),
        ({"address": "holding:0", "type": "bytes"}, "a bytes needs its length in bytes"),
        ({"address": "holding:0", "type": "bytes", "length": 4, "order": "A"}, "allowed: AB, BA"),
        ({"address": "holding:0", "type": "bytes", "length": 4, "encoding": "gbk"}, "only a string has an encoding"),
        ({"address": "holding:0", "type": "string", "length": 4, "encoding": "gkb"}, "did you mean gbk?"),
        ({"address": "holding:0", "type": "string", "length": 4, "encoding": "hex"}, "for example utf-8, ascii"),
        ({"address": "holding:0", "type": "string", "length": 4, "count": 2}, "write a tag for each"),
        ({"address": "holding:0.high", "type": "uint16"}, "its type is uint8 or int8"),
        ({"address": "holding:0.3", "type": "uint8"}, "its type is bool"),
        ({"address": "holding:0", "type": "uint8", "order": "BA"}, "as holding:0.high or holding:0.low"),
        ({"address": "holding:0.low", "type": "uint8", "order": "BA", "count": 2}, "has no order"),
        ({"address": "holding:0", "mask": 0x10000}, "the largest is 0xffff"),
        ({"address": "holding:0", "mask": 0}, "greater than or equal to 1"),
        ({"address": "holding:0", "type": "float32", "mask": 1}, "needs an unsigned whole number"),
        ({"address": "holding:0", "type": "int16", "shift": 1}, "shift needs an unsigned whole number"),
        ({"address": "holding:0", "mask": 0x0F, "shift": 4}, "leaves nothing of mask 0xf"),
        ({"address": "holding:0", "shift": 16}, "leaves nothing of mask 0xffff"),
        ({"address": "holding:0", "invert": True}, "only a bool can be inverted"),
        ({"address": "coil:0", "invert": 1}, "valid boolean"),
        ({"address": "coil:0", "scale": 2.0}, "a bool is not a number"),
        ({"address": "holding:0", "map": {}}, "maps nothing"),
        ({"address": "holding:0", "map": {"a": "b"}}, "'a', which is no whole number"),
        ({"address": "holding:0", "map": {"16": "b", "0x10": "c"}}, "has 16 twice"),
        ({"address": "holding:0", "map": {"0": 5}}, "valid string"),
        ({"address": "holding:0", "map": ["idle"]}, "valid dictionary"),
        ({"address": "holding:0", "map": {"65536": "b"}}, "goes from 0 to 65535"),
        ({"address": "holding:0", "mask": 0xF0, "shift": 4, "map": {"16": "b"}}, "goes from 0 to 15"),
        ({"address": "holding:0", "map": {"0": "b"}, "scale": 0.1}, "a tag with a map is not a number"),
        ({"address": "holding:0", "type": "float32", "map": {"0": "b"}}, "map needs whole numbers"),
        ({"address": "coil:0", "map": {"0": "b"}, "invert": True}, "swap the texts"),
        ({"address": "coil:0", "map": {"2": "b"}}, "goes from 0 to 1"),
        ({"address": "holding:0", "range": [3, 1]}, "lowest value first"),
        ({"address": "holding:0", "count": 0}, "greater than or equal to 1"),
        ({"address": "holding:65530", "type": "float32", "count": 4}, "it can start at 65528 at most"),
        ({"address": "holding:65535.15", "count": 2}, "reaches to 65536"),
        ({"address": "holding:65535", "type": "uint8", "count": 3}, "it can start at 65534 at most"),
        ({"address": "49999", "count": 60_000}, "past the last address 65536"),
        ({"address": "holding:65535", "type": "uint32"}, "it can start at 65534 at most"),
        ({"address": "holding:65533", "type": "float64"}, "it can start at 65532 at most"),
        ({"address": "465536", "type": "uint32"}, "it can start at 65535 at most"),
        ({"address": "holding:0", "poll": "0s"}, "1ms"),
        ({"address": "holding:0", "poll": 1}, "needs a unit"),
        ({"address": "holding:0", "pol": "1s"}, "Extra inputs"),
    ],
)
def test_a_wrong_tag_is_told_what_would_be_right(keys: dict[str, Any], right: str) -> None:
    assert right in told_of_tag(**keys)


@pytest.mark.parametrize(
    ("url", "right"),
    [
        ("modbus+rtuu:///dev/ttyUSB0", "did you mean modbus+rtu://?"),
        ("tcp://10.0.0.5", "supported: modbus+tcp://"),
        ("10.0.0.5:502", "supported: modbus+tcp://"),
        ("modbus+tcp://", "names no host"),
        ("modbus+tcp://10.0.0.5:0", "from 1 to 65535"),
        ("modbus+tcp://10.0.0.5:x", "from 1 to 65535"),
        ("modbus+tcp://fd00::5:502", "in brackets"),
        ("modbus+tcp://10.0.0.5/plc", "write modbus+tcp://"),
        ("modbus+tcp://10.0.0.5?unit=256", "0 to 255"),
        ("modbus+tcp://10.0.0.5?unti=1", "did you mean unit?"),
        ("modbus+tcp://10.0.0.5?unit=1&unit=2", "given twice"),
        ("modbus+tcp://10.0.0.5?timeout=1", "timeout=500ms"),
        ("modbus+tcp://10.0.0.5?max_registers=126", "from 1 to 125"),
        ("modbus+tcp://10.0.0.5?max_bits=0", "from 1 to 2000"),
        ("modbus+tcp://a..b", "cannot be a host name"),
    ],
)
def test_a_wrong_url_is_told_what_would_be_right(url: str, right: str) -> None:
    assert right in told(url=url)


@pytest.mark.parametrize(
    ("keys", "right"),
    [
        ({"base": 2}, "0 (addresses as on the wire) or 1"),
        ({"base": True}, "0 (addresses as on the wire) or 1"),
        ({"order": "abcd"}, "did you mean ABCD?"),
        ({"order": "ABCDEFGH"}, "allowed: ABCD, BADC, CDAB, DCBA"),
        ({"timeout": "0s"}, "1ms"),
        ({"retries": "1"}, "valid integer"),
        ({"max_registers": 126}, "less than or equal to 125"),
        ({"timeout": "2s", "url": "modbus+tcp://h?timeout=1s"}, "keep one"),
        ({"max_registers": 3, "tags": {"t": {"address": "holding:0", "type": "float64"}}}, "never split"),
    ],
)
def test_a_wrong_device_key_is_told_what_would_be_right(keys: dict[str, Any], right: str) -> None:
    assert right in told(**keys)


def test_a_mistake_found_with_the_device_names_the_tag_it_is_in() -> None:
    tags = {"good": {"address": "holding:1"}, "bad": {"address": "holding:0"}, "worse": {"address": "coil:0"}}
    lines = told(base=1, tags=tags).splitlines()
    assert [line.split(":")[0] for line in lines] == ["tags.bad.address", "tags.worse.address"]


def test_url_options_are_settings() -> None:
    settings = device(
        url="modbus+tcp://[fd00::5]:1502?unit=7&timeout=300ms&max_registers=60&max_bits=100"
    ).settings()
    [line] = settings.lines
    assert (line.endpoint.host, line.endpoint.port, line.unit) == ("fd00::5", 1502, 7)
    assert (settings.timeout_ns, settings.max_registers, settings.max_bits) == (300_000_000, 60, 100)
    assert str(line) == "[fd00::5]:1502 unit 7"
    assert device(url="modbus+tcp://plc").settings().lines[0].endpoint.port == 502


def test_defaults_are_those_of_the_readme() -> None:
    settings = device().settings()
    assert (settings.timeout_ns, settings.retries, settings.max_registers, settings.max_bits) == (
        10**9,
        1,
        125,
        2000,
    )
    tag = ModbusTag(address="holding:0")
    assert (tag.form.name, ModbusTag(address="holding:0.1").form.name) == ("uint16", "bool")
    assert device(tags={"t": {"address": "coil:1"}}).period_ns(tag) == 10**9
    assert (
        device(poll="5s").period_ns(ModbusTag.model_validate({"address": "coil:1", "poll": "2s"}))
        == 2 * 10**9
    )


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({}, Kind.INT),
        ({"scale": 10.0}, Kind.INT),
        ({"scale": 0.1}, Kind.FLOAT),
        ({"type": "float32"}, Kind.FLOAT),
        ({"type": "string", "length": 3}, Kind.TEXT),
        ({"address": "holding:0.3"}, Kind.BOOL),
        ({"type": "bcd16"}, Kind.INT),
        ({"type": "unixtime"}, Kind.INT),
        ({"type": "unixtime_ms"}, Kind.FLOAT),
        ({"type": "bytes", "length": 3}, Kind.TEXT),
        ({"map": {"0": "idle"}}, Kind.TEXT),
        ({"address": "coil:0", "map": {"false": "open", "true": "closed"}}, Kind.TEXT),
    ],
)
def test_the_kind_of_a_tag_follows_from_type_and_scale(keys: dict[str, Any], kind: Kind) -> None:
    assert ModbusTag.model_validate({"address": "holding:0", **keys}).kind() is kind


@pytest.mark.parametrize(
    ("kind", "bits"), [("uint16", 16), ("uint32", 32), ("uint64", 64), ("int32", None), ("float32", None)]
)
def test_an_unsigned_value_tells_where_it_wraps_to_zero(kind: str, bits: int | None) -> None:
    assert ModbusTag.model_validate({"address": "holding:0", "type": kind}).bits() == bits


@pytest.mark.parametrize(
    ("keys", "bits"),
    [
        ({"mask": 0x0FF0, "shift": 4}, 8),
        ({"mask": 0xFFFF}, 16),
        ({"shift": 4}, 12),
        ({"mask": 0x0F0F}, None),
        ({"map": {"0": "idle"}}, None),
        ({"type": "uint8"}, 8),
        ({"type": "bcd16"}, None),
        ({"type": "unixtime"}, None),
    ],
)
def test_a_part_of_a_value_tells_where_that_part_wraps(keys: dict[str, Any], bits: int | None) -> None:
    assert ModbusTag.model_validate({"address": "holding:0", **keys}).bits() == bits


@pytest.mark.parametrize(
    ("keys", "places"),
    [
        ({"address": "holding:100", "type": "float32", "count": 3}, ["holding:100", "holding:102", "holding:104"]),
        ({"address": "coil:7", "count": 2}, ["coil:7", "coil:8"]),
        ({"address": "holding:20.14", "count": 3}, ["holding:20.14", "holding:20.15", "holding:21.0"]),
        ({"address": "input:5", "type": "int8", "count": 3}, ["input:5.high", "input:5.low", "input:6.high"]),
        ({"address": "input:5", "type": "int8", "count": 2, "order": "BA"}, ["input:5.low", "input:5.high"]),
        ({"address": "input:5.high", "count": 2}, ["input:5.high", "input:6.high"]),
        ({"address": "40101", "type": "bcd32", "count": 2}, ["40101", "40103"]),
        ({"address": "49999", "count": 2}, ["49999", "410000"]),
        ({"address": "holding:9", "count": 1}, ["holding:9"]),
    ],
)
def test_an_array_is_its_values_one_behind_the_other(keys: dict[str, Any], places: list[str]) -> None:
    built = device(tags={"before": "coil:0", "a": {"poll": "2s", **keys}, "after": "coil:1"})
    names = [f"a-{n}" for n in range(len(places))]
    assert list(built.tags) == ["before", *names, "after"]
    assert [built.tags[name].address for name in names] == places
    assert {built.tags[name].poll for name in names} == {2 * 10**9}
    assert all(built.tags[name].count is None for name in names)


def test_an_array_that_takes_the_name_of_another_tag_is_a_mistake_of_the_array() -> None:
    three = {"address": "holding:0", "count": 3}
    assert told(tags={"a": three, "a-2": "coil:0"}).startswith("tags.a.count: its elements are called a-0")
    assert told(tags={"a-2": "coil:0", "a": three}).startswith("tags.a.count:")
    assert told(tags={"a": three, "a-1": three, "a-1-0": "coil:0"}).startswith("tags.a.count:")
    assert "at most 63 characters" in told(tags={"a" * 61: {"address": "holding:0", "count": 11}})
    assert len(device(tags={"a" * 61: {"address": "holding:0", "count": 10}}).tags) == 10


def test_a_mistake_in_an_array_names_the_array() -> None:
    array = {"address": "holding:65534", "type": "float32", "count": 2}
    assert told(base=1, tags={"a": array}).startswith("tags.a.address:")
    assert told(max_registers=3, tags={"a": {"address": "holding:0", "type": "float64", "count": 2}}).startswith(
        "tags.a.address:"
    )


def test_an_array_longer_than_a_request_is_split_between_its_values() -> None:
    built = device(tags={"a": "holding:0 float64[100]"}, max_registers=62)
    table = [Tag(n, "d", name) for n, name in enumerate(built.tags)]
    assert list(plugin.describe("d", built, table)) == [
        *(f"every 1s: read holding {n}..{n + 59} (60 registers) for 15 tags" for n in range(0, 360, 60)),
        "every 1s: read holding 360..399 (40 registers) for 10 tags",
    ]


WRITABLE = [
    ({"address": "holding:0", "write": {"min": 0, "max": 65_535}}, None),
    ({"address": "holding:0", "scale": 0.1, "write": {"min": 0, "max": 6553.5}}, None),
    ({"address": "holding:0", "scale": -0.1, "offset": 5, "write": {"min": -6548.5, "max": 5}}, None),
    ({"address": "holding:0", "scale": 0.1, "write": {"values": [0.1, 0.7, 20.3]}}, None),
    ({"address": "holding:0", "type": "float64", "write": {"min": -1e300, "max": 1e300}}, None),
    ({"address": "coil:0", "write": {}}, None),
    ({"address": "coil:0", "write": {"values": [True]}}, None),
    ({"address": "holding:0", "type": "string", "length": 4, "write": {}}, None),
    ({"address": "holding:0", "type": "string", "length": 4, "write": {"values": ["A1"]}}, None),
    ({"address": "holding:0", "map": {"0": "idle", "1": "run"}, "write": {}}, ("idle", "run")),
    ({"address": "holding:0", "map": {"0": "idle", "1": "run"}, "write": {"values": ["run"]}}, ("run",)),
]


@pytest.mark.parametrize(("keys", "values"), WRITABLE)
def test_what_may_be_written_is_what_the_tag_says(keys: dict[str, Any], values: tuple[str, ...] | None) -> None:
    tag = ModbusTag.model_validate(keys)
    writing = tag.writing()
    assert writing is not None
    assert writing.min == keys["write"].get("min")
    assert values is None or writing.values == values


def test_a_tag_that_does_not_say_so_is_never_written() -> None:
    assert ModbusTag(address="holding:0").writing() is None


def test_every_element_of_an_array_may_be_written_like_the_array() -> None:
    built = device(tags={"a": {"address": "holding:0", "count": 2, "write": {"min": 0, "max": 9}}})
    assert [tag.writing().max for tag in built.tags.values()] == [9, 9]


@pytest.mark.parametrize(
    ("keys", "right"),
    [
        ({"address": "input:0", "write": {"min": 0, "max": 1}}, "write: no Modbus device lets input"),
        ({"address": "discrete:0", "write": {}}, "only coil can"),
        ({"address": "holding:0", "write": {}}, "write: a number needs min and max, or values"),
        ({"address": "holding:0", "write": {"min": 0}}, "a number needs min and max"),
        ({"address": "holding:0", "write": {"min": 2, "max": 1}}, "write.max: 1 is less than min: 2"),
        ({"address": "holding:0", "write": {"min": -1, "max": 1}}, "write.min: -1 is outside"),
        ({"address": "holding:0", "write": {"min": 0, "max": 65_536}}, "from 0 to 65535"),
        ({"address": "holding:0", "scale": 0.1, "write": {"min": 0, "max": 6553.6}}, "from 0 to 6553.5"),
        ({"address": "holding:0", "mask": 0xF0, "shift": 4, "write": {"min": 0, "max": 16}}, "from 0 to 15"),
        ({"address": "holding:0", "write": {"min": 0, "max": float("inf")}}, "write.max: inf is outside"),
        ({"address": "holding:0", "write": {"min": float("nan"), "max": 1}}, "write.min: nan is outside"),
        ({"address": "holding:0", "scale": 0.0, "write": {"min": 0, "max": 1}}, "makes every value the same"),
        ({"address": "holding:0", "scale": 0.1, "write": {"values": [0.15]}}, "write.values: 1.5 does not fit"),
        ({"address": "holding:0", "write": {"values": ["on"]}}, "write.values: 'on' is no number"),
        ({"address": "holding:0", "write": {"values": []}}, "lists nothing"),
        ({"address": "holding:0", "write": {"values": [1], "min": 0}}, "write.min: values already says"),
        ({"address": "coil:0", "write": {"min": 0}}, "write.min: only a number"),
        ({"address": "coil:0", "write": {"values": [2]}}, "neither true nor false"),
        ({"address": "holding:0", "type": "string", "length": 2, "write": {"values": ["ABC"]}}, "takes 3 bytes"),
        ({"address": "holding:0", "map": {"0": "idle"}, "write": {"values": ["run"]}}, "allowed: idle"),
        ({"address": "holding:0", "map": {"0": "off", "1": "off"}, "write": {}}, "has 'off' for several numbers"),
        ({"address": "holding:0", "write_function": "multiple"}, "write_function: is of no use without write"),
        ({"address": "holding:0", "write": {"min": 0, "max": 1}, "write_function": "many"}, "'single' or 'multiple'"),
    ],
)
def test_a_write_that_cannot_be_is_told_what_would_be_right(keys: dict[str, Any], right: str) -> None:
    assert right in told_of_tag(**keys)


@pytest.mark.parametrize(
    ("kind", "own", "default", "order"),
    [
        ("uint16", None, "DCBA", "AB"),
        ("uint16", "BA", "ABCD", "BA"),
        ("float32", None, "CDAB", "CDAB"),
        ("float32", "BADC", "CDAB", "BADC"),
        ("float64", None, "CDAB", "GHEFCDAB"),
        ("float64", "DCBA", "ABCD", "HGFEDCBA"),
        ("float64", "BADCFEHG", "ABCD", "BADCFEHG"),
        ("float64", "CDABGHEF", "ABCD", "CDABGHEF"),
        ("bcd32", None, "CDAB", "CDAB"),
        ("bcd16", None, "CDAB", "AB"),
        ("float16", None, "DCBA", "AB"),
        ("unixtime_ms", None, "DCBA", "HGFEDCBA"),
    ],
)
def test_the_order_in_force(kind: str, own: str | None, default: str, order: str) -> None:
    written = {"address": "holding:0", "type": kind} | ({"order": own} if own else {})
    built = device(order=default, tags={"t": written})
    assert built.order_of(built.tags["t"]) == order


def test_the_sample_works_as_it_stands() -> None:
    config = plugin.config.model_validate(yaml.safe_load(plugin.sample))
    assert len(config.tags) > 9


def test_the_schema_lists_types_and_orders() -> None:
    text = str(plugin.config.model_json_schema())
    assert "float64" in text
    assert "GHEFCDAB" in text


def test_what_makes_another_value_of_the_same_bytes_is_told() -> None:
    plain = ModbusTag.model_validate({"address": "holding:0"})
    assert plain.shape() == ModbusTag.model_validate({"address": "holding:7", "shift": 0, "order": "BA"}).shape() == ""
    shapes = {
        ModbusTag.model_validate({"address": address, **keys}).shape()
        for address, keys in (
            ("holding:0", {"mask": 0xFF}),
            ("holding:0", {"mask": 0xFF0, "shift": 4}),
            ("holding:0", {"map": {0: "off", 1: "on"}}),
            ("holding:0", {"map": {1: "off", 0: "on"}}),
            ("coil:0", {"invert": True}),
        )
    }
    assert len(shapes) == 5
    assert "" not in shapes
