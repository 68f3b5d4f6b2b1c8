"""Probing live registers, and measuring what a device can take: what is found is what the device does."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client import ModbusTcpClient

from edge_agent.api import Inquiry, Measured, NotConnected, Refused
from edge_agent_modbus import plugin
from edge_agent_modbus.commission.probe import places_of
from edge_agent_modbus.commission.tools import ModbusTools
from tests.peers.build import compiled
from tests.peers.misbehaving import Misbehaving
from tests.peers.serial_pair import SerialPair

FAST = {"reads": "3", "every": "10ms"}


@pytest.fixture
def serial_line(tmp_path: Path) -> Iterator[str]:
    """The port of a line with a slave, which shares no code with the driver."""
    with SerialPair(tmp_path, 115_200) as pair:
        command = [str(compiled("rtuslave", tmp_path)), pair.b, "115200"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as slave:
            assert slave.stdout is not None
            assert slave.stdout.readline().strip() == "ready"
            yield pair.a
            slave.kill()


async def probed(url: str, *addresses: str, options: dict[str, str] = FAST, **more: Any) -> list[dict[str, Any]]:
    rows = await ModbusTools().probe(url, addresses, Inquiry(lambda line: None, options=options, **more))
    return [dict(row) for row in rows]


async def measured(url: str, address: str, **more: Any) -> dict[str, Measured]:
    found = await ModbusTools().limits(url, [address], Inquiry(lambda line: None, **more))
    return {one.key: one for one in found}


def best(rows: list[dict[str, Any]]) -> list[str]:
    """The tag of the best reading at each address."""
    tags: dict[str, str] = {}
    for row in rows:
        tags.setdefault(row["address"], row["tag"])
    return list(tags.values())


# -- the wizard with a device --------------------------------------------------------------------


async def test_the_registers_of_a_meter_are_read_as_what_they_are(libmodbus: Any) -> None:
    registers = [
        *struct.unpack(">2H", struct.pack(">f", 230.1))[::-1],          # 200: CDAB
        *struct.unpack(">2H", struct.pack(">f", 49.98))[::-1],          # 202
        *struct.unpack(">2H", struct.pack(">I", 1_234_567))[::-1],      # 204
        0xFF90,                                                         # 206: -112
        *struct.unpack(">4H", b"PUMP-01 "),                             # 207
    ]  # fmt: skip
    with ModbusTcpClient("127.0.0.1", port=libmodbus.port) as client:
        client.write_registers(200, registers)
    rows = await probed(f"modbus+tcp://127.0.0.1:{libmodbus.port}", "holding:200-207")
    assert best(rows) == [
        "holding:200 float32 CDAB", "holding:202 float32 CDAB", "holding:204 uint32 CDAB", "holding:206 int16",
        "holding:207 string[8]",
    ]  # fmt: skip
    assert rows[0]["values"] == pytest.approx([230.1] * 3)
    assert "1 other address has this order" in rows[0]["why"]
    about = "holding:200 is holding 200 on the wire, Modicon 40201; registers from 198 on: 198 199 ["
    assert rows[0]["about"].startswith(about)


async def test_a_tag_shown_by_the_wizard_gives_in_the_agent_what_was_shown(
    libmodbus: Any, device: Any, first_row: Any
) -> None:
    rows = await probed(f"modbus+tcp://127.0.0.1:{libmodbus.port}", "input:20")
    numbers = [row for row in rows if row["type"] not in ("bits", "string")]
    row = await first_row(device(libmodbus.port, {f"t{n}": one["tag"] for n, one in enumerate(numbers)}))
    for n, one in enumerate(numbers):
        assert row[f"t{n}"][0] == pytest.approx(float(one["values"][-1]), nan_ok=True)


async def test_a_manual_that_counts_from_one_shows(libmodbus: Any) -> None:
    with ModbusTcpClient("127.0.0.1", port=libmodbus.port) as client:
        client.write_registers(300, [7, *struct.unpack(">2H", struct.pack(">f", 230.1)), 3, 4])
    rows = await probed(f"modbus+tcp://127.0.0.1:{libmodbus.port}", "holding:300")
    assert "one register on, float32 ABCD makes more sense: is the address one off?" in rows[0]["about"]


async def test_coils_modicon_numbers_and_base_one_are_as_in_a_site_file(libmodbus: Any) -> None:
    url = f"modbus+tcp://127.0.0.1:{libmodbus.port}"
    rows = await probed(url, "coil:3", "40011", "holding:11", keys={"base": 1})
    assert rows[0]["tag"] == "coil:3"
    assert rows[0]["values"] == [False] * 3         # coil 2 on the wire
    assert [row["values"] for row in rows if row["type"] == "uint16" and not row["order"]] == [[10] * 3, [10] * 3]
    assert "holding:11 is holding 10 on the wire, Modicon 40011" in rows[-1]["about"]


async def test_what_can_be_read_up_to_a_hole_or_a_small_limit_is_read() -> None:
    with Misbehaving("max_registers=4", "holes=3-9") as server:
        rows = await probed(f"modbus+tcp://127.0.0.1:{server.port}", "holding:1", "holding:12")
    assert rows[0]["tag"] == "holding:1 uint16"
    assert any(row["type"] == "float64" for row in rows if row["address"] == "holding:12")
    assert not any(row["type"] == "float64" for row in rows if row["address"] == "holding:1")


async def test_an_address_that_cannot_be_read_is_told_and_the_others_are_shown() -> None:
    told: list[str] = []
    with Misbehaving("holes=50-59") as server:
        url = f"modbus+tcp://127.0.0.1:{server.port}"
        rows = await ModbusTools().probe(url, ["holding:55", "holding:1"], Inquiry(told.append, options=FAST))
        assert {row["address"] for row in rows} == {"holding:1"}
        assert any(line.startswith("holding:55: exception 2") for line in told)
        with pytest.raises(Refused, match="holding:55 cannot be read: exception 2"):
            await probed(url, "holding:55")


async def test_enough_ends_the_reads_and_shows_those_there_were(libmodbus: Any) -> None:
    told: list[str] = []
    inquiry = Inquiry(told.append, lambda: "read 3 of 100" in told, {"reads": "100", "every": "10ms"})
    rows = await ModbusTools().probe(f"modbus+tcp://127.0.0.1:{libmodbus.port}", ["holding:5"], inquiry)
    assert len(rows[0]["values"]) == 2


async def test_nothing_is_ever_written() -> None:
    with Misbehaving() as server:
        url = f"modbus+tcp://127.0.0.1:{server.port}"
        await probed(url, "holding:0-20", "coil:3")
        await measured(url, "holding:0")
        await ModbusTools().discover(url, Inquiry(print, options={"units": "1", "range": "0-50"}))
        functions = {int(code) for code in server.counters()["functions"]}
    assert functions <= {1, 2, 3, 4, 43}


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("holdin:1", "did you mean holding?"),
        ("holding:1.3", "whole registers are probed; leave out .3"),
        ("holding:9-1", "runs backwards"),
        ("holding:0-999", "more than 125 addresses"),
        ("holding:65535-65536", "outside 0..65535"),
        ("40001-40000", "40000 is no Modicon number"),
    ],
)
async def test_an_address_that_is_none_is_a_value_error(address: str, what: str) -> None:
    with pytest.raises(ValueError) as wrong:
        await probed("modbus+tcp://127.0.0.1:1", address)
    assert what in str(wrong.value)


@pytest.mark.parametrize(
    ("options", "what"),
    [({"reads": "0"}, "--reads 0: not a number from 1 to 1000"), ({"every": "1"}, "--every 1: not a duration"),
     ({"units": "1"}, "there is no --units")],
)  # fmt: skip
async def test_an_option_that_is_none_is_a_value_error(options: dict[str, str], what: str) -> None:
    with pytest.raises(ValueError) as wrong:
        await probed("modbus+tcp://127.0.0.1:1", "holding:1", options=options)
    assert what in str(wrong.value)


@given(st.text(max_size=20), st.sampled_from([0, 1]))
def test_any_text_is_places_or_a_value_error(text: str, base: int) -> None:
    try:
        places = places_of(text, base)
    except ValueError:
        return
    assert 1 <= len(places) <= 125


def test_ranges_are_written_in_any_form() -> None:
    assert [place.text for place in places_of("holding:8-10", 0)] == ["holding:8", "holding:9", "holding:10"]
    assert [place.wire for place in places_of("40001-40003", 0)] == [0, 1, 2]
    assert [place.wire for place in places_of("holding:0x10-0x12", 0)] == [16, 17, 18]
    assert [place.wire for place in places_of("40001-3", 0)] == [0, 1, 2]


# -- limits --------------------------------------------------------------------------------------


async def test_a_device_without_limits_is_given_the_most_there_is(libmodbus: Any) -> None:
    found = await measured(f"modbus+tcp://127.0.0.1:{libmodbus.port}", "holding:0")
    assert {key: found[key].value for key in found if key != "timeout"} == {
        "pause_between_requests": "0s", "pause_after_connect": "0s", "max_registers": "125", "connections": "4",
        "in_flight": "4",
    }  # fmt: skip
    assert "20 answers with 125 registers took" in found["timeout"].why


async def test_the_largest_block_is_found_to_the_register_and_told_from_a_hole() -> None:
    with Misbehaving("max_registers=20", "holes=500-509") as server:
        url = f"modbus+tcp://127.0.0.1:{server.port}"
        found = await measured(url, "holding:0")
        assert found["max_registers"].value == "20"
        assert found["max_registers"].why == "20 registers were answered, 21 were not: exception 3 (illegal data value)"
        found = await measured(url, "input:490")
        assert found["max_registers"].value == ""
        assert "500 cannot be read at all" in found["max_registers"].why
        found = await measured(url, "coil:0")
        assert found["max_bits"].value == "320"


async def test_the_pauses_a_device_needs_are_found_and_a_single_connection_is_seen() -> None:
    with Misbehaving("needs_pause=20ms", "needs_pause_after_connect=100ms", "one_connection") as server:
        found = await measured(f"modbus+tcp://127.0.0.1:{server.port}?timeout=150ms", "holding:0")
    # what it needs and a step more, or two where this machine was busy
    assert found["pause_between_requests"].value in ("30ms", "50ms", "75ms", "100ms", "150ms")
    assert found["pause_after_connect"].value in ("200ms", "300ms", "500ms")
    assert found["max_registers"].value == "125"
    assert (found["connections"].value, found["in_flight"].value) == ("1", "1")


async def test_a_slow_device_gets_a_long_timeout() -> None:
    with Misbehaving("slow=60ms") as server:
        found = await measured(f"modbus+tcp://127.0.0.1:{server.port}", "holding:0", options={"reads": "5"})
    assert found["timeout"].value in ("300ms", "500ms", "1s")


async def test_the_settings_found_are_those_of_a_device_section() -> None:
    with Misbehaving("max_registers=16") as server:
        url = f"modbus+tcp://127.0.0.1:{server.port}"
        found = await measured(url, "holding:0")
    section = yaml.safe_load("\n".join(f"{one.key}: {one.value}   # {one.why}" for one in found.values()))
    config = plugin.config.model_validate({"driver": "modbus", "url": url, **section})
    assert config.max_registers == 16      # type: ignore[attr-defined]


async def test_on_a_serial_line_only_what_it_has_is_measured(serial_line: str) -> None:
    url = f"modbus+rtu://{serial_line}?baud=115200"
    found = await measured(url, "holding:0", options={"reads": "5"})
    rows = await probed(url, "input:7")
    assert list(found) == ["pause_between_requests", "max_registers", "timeout"]
    assert found["max_registers"].value == "125"
    assert rows[0]["tag"] == "input:7 uint16"


@pytest.mark.parametrize("face", ["rtuovertcp", "asciiovertcp", "udp"])
async def test_every_wire_can_be_probed(face: str) -> None:
    with Misbehaving("max_registers=16", face=face) as server:
        url = f"modbus+{face}://127.0.0.1:{server.port}?timeout=300ms"
        rows = await probed(url, "holding:7")
        found = await measured(url, "holding:0", options={"reads": "5"})
    assert rows[0]["tag"] == "holding:7 uint16"
    assert found["max_registers"].value == "16"


async def test_limits_need_one_address_that_can_be_read(libmodbus: Any) -> None:
    url = f"modbus+tcp://127.0.0.1:{libmodbus.port}"
    with pytest.raises(Refused, match="holding:5000 cannot be read, so nothing can be measured: exception 2"):
        await measured(url, "holding:5000")
    with pytest.raises(ValueError, match="is a range"):
        await measured(url, "holding:0-9")
    with pytest.raises(ValueError, match="measured at one address"):
        await ModbusTools().limits(url, ["holding:0", "holding:1"], Inquiry(print))
    with pytest.raises(NotConnected, match="connection refused"):
        await measured("modbus+tcp://127.0.0.1:1", "holding:0")
