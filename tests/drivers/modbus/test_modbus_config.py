"""What may be written about a Modbus device, and what is said when it is wrong."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from edge_agent.api import Kind
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
    ("kind", "own", "default", "order"),
    [
        ("uint16", None, "DCBA", "AB"),
        ("uint16", "BA", "ABCD", "BA"),
        ("float32", None, "CDAB", "CDAB"),
        ("float32", "BADC", "CDAB", "BADC"),
        ("float64", None, "CDAB", "GHEFCDAB"),
        ("float64", "DCBA", "ABCD", "HGFEDCBA"),
        ("float64", "BADCFEHG", "ABCD", "BADCFEHG"),
    ],
)
def test_the_order_in_force(kind: str, own: str | None, default: str, order: str) -> None:
    written = {"address": "holding:0", "type": kind} | ({"order": own} if own else {})
    built = device(order=default, tags={"t": written})
    assert built.order_of(built.tags["t"]) == order


def test_the_sample_works_as_it_stands() -> None:
    config = plugin.config.model_validate(yaml.safe_load(plugin.sample))
    assert len(config.tags) == 9


def test_the_schema_lists_types_and_orders() -> None:
    text = str(plugin.config.model_json_schema())
    assert "float64" in text
    assert "GHEFCDAB" in text
