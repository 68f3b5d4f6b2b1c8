"""Discovery finds the units, what can be read of each, and writes sections that read it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent import registry
from edge_agent.api import Discovery, Inquiry, NotConnected
from edge_agent.config import load
from edge_agent_modbus import plugin
from edge_agent_modbus.commission.explore import Explorer
from edge_agent_modbus.commission.tools import ModbusTools
from tests.peers.build import compiled
from tests.peers.misbehaving import Misbehaving
from tests.peers.serial_pair import SerialPair

QUICK = {"range": "0-1200", "pause": "1ms"}


async def discovered(url: str, options: dict[str, str] = QUICK, **more: Any) -> tuple[Discovery, list[str]]:
    """What there is, and what was told meanwhile."""
    told: list[str] = []
    found = await ModbusTools().discover(url, Inquiry(told.append, options=options, **more))
    return found, told


def sections(found: Discovery, tmp_path: Path) -> dict[str, Any]:
    """The device sections, which a site file takes as they are."""
    path = tmp_path / "site.yaml"
    path.write_text("agent: {id: gw-01}\n" + found.section)
    load(path, registry.drivers(), registry.publishers())
    devices: dict[str, Any] = yaml.safe_load(found.section)["devices"]
    return devices


async def test_units_blocks_and_names_of_a_gateway_are_found(tmp_path: Path) -> None:
    with Misbehaving("max_registers=16", "holes=50-59,120", units="1,3,7") as server:
        found, told = await discovered(f"modbus+tcp://127.0.0.1:{server.port}", {**QUICK, "units": "1-8"})
        assert server.counters()["connections"]["most"] == 1
    devices = sections(found, tmp_path)
    assert list(devices) == [f"a-server-that-misbehaves-{unit}" for unit in (1, 3, 7)]
    assert [device["url"].partition("?")[2] for device in devices.values()] == ["unit=1", "unit=3", "unit=7"]
    assert "# vendor: Edge Agent" in found.section
    for area in ("holding", "input", "coil", "discrete"):
        assert f"# {area} 0-49, 60-119, 121-999 can be read" in found.section
    assert {device["max_registers"] for device in devices.values()} == {16}
    assert any("unit 3 answers" in line for line in told)


async def test_the_section_reads_the_device_as_it_stands(tmp_path: Path, device: Any, first_row: Any) -> None:
    with Misbehaving("max_registers=16", "holes=50-59") as server:
        found, _ = await discovered(f"modbus+tcp://127.0.0.1:{server.port}", {**QUICK, "range": "0-300"})
        [section] = sections(found, tmp_path).values()
        row = await first_row(device(server.port, section.pop("tags"), "?unit=1"))
    assert row["h60-5"] == (65.0, 0)
    assert row["c3"] == (1.0, 0) or row["c0-3"] == (1.0, 0)
    assert all(quality == 0 for _, quality in row.values())


async def test_the_tag_list_has_the_same_with_values(tmp_path: Path) -> None:
    with Misbehaving("holes=20-999") as server:
        found, _ = await discovered(f"modbus+tcp://127.0.0.1:{server.port}", {**QUICK, "units": "1"})
    rows = {row["address"]: row for row in found.rows}
    assert rows["input:7"]["value"] == "10007"
    assert rows["input:7"]["raw"] == "2717"
    assert rows["input:7"]["device"] == "a-server-that-misbehaves-1"
    assert rows["coil:3"]["type"] == "bool"
    assert {tuple(row) for row in found.rows} == {tuple(found.rows[0])}


async def test_a_device_that_does_not_look_at_the_unit_id_is_one_device(libmodbus: Any, tmp_path: Path) -> None:
    found, told = await discovered(f"modbus+tcp://127.0.0.1:{libmodbus.port}?unit=5")
    assert list(sections(found, tmp_path)) == ["unit-5"]
    assert "# answers to units 0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 247, 255 alike" in found.section
    assert "# holding 0-999 can be read" in found.section
    assert any("it is one" in line for line in told)


async def test_the_holes_of_another_server_are_found_and_a_busy_block_is_left_out(sparse: Any, tmp_path: Path) -> None:
    found, _ = await discovered(f"modbus+tcp://127.0.0.1:{sparse.port}", {**QUICK, "units": "1"}, keys={"retries": 0})
    sections(found, tmp_path)
    assert "# holding 0-49, 60-99 can be read" in found.section
    assert "# input 0-99 can be read" in found.section


async def test_a_unit_of_which_nothing_can_be_read_is_named_and_left_out() -> None:
    with Misbehaving("exception=4,unit=2", units="1,2") as server:
        options = {**QUICK, "units": "1-2", "range": "0-20"}
        found, _ = await discovered(f"modbus+tcp://127.0.0.1:{server.port}", options, keys={"retries": 0})
    assert list(yaml.safe_load(found.section)["devices"]) == ["a-server-that-misbehaves-1"]
    assert "# unit 2 answers, but nothing of it can be read: exception 4" in found.section


async def test_a_device_that_ends_the_connection_after_each_answer_is_read_all_the_same(tmp_path: Path) -> None:
    with Misbehaving("close_after_each") as server:
        options = {"units": "1", "range": "0-40", "pause": "1ms"}
        found, _ = await discovered(f"modbus+tcp://127.0.0.1:{server.port}", options)
    assert "# holding 0-40 can be read" in found.section


async def test_a_unit_that_falls_silent_costs_its_area_and_no_more(tmp_path: Path) -> None:
    with Misbehaving("deaf,fc=4") as server:
        options = {"units": "1", "range": "0-40", "pause": "1ms"}
        found, _ = await discovered(f"modbus+tcp://127.0.0.1:{server.port}?timeout=30ms", options)
    assert "# holding 0-40 can be read" in found.section
    assert "input" not in [line.split()[1] for line in found.section.splitlines() if line.endswith("can be read")]
    assert "# coil 0-40 can be read" in found.section


async def test_nobody_there_is_said_so() -> None:
    nobody = r"nobody answers as units 1-2 \(no answer\)"
    with Misbehaving("deaf") as server, pytest.raises(NotConnected, match=nobody):
        await discovered(f"modbus+tcp://127.0.0.1:{server.port}?timeout=30ms", {"units": "1-2"})
    with pytest.raises(NotConnected, match="connection refused"):
        await discovered("modbus+tcp://127.0.0.1:1")


async def test_enough_is_enough_and_what_was_found_is_kept() -> None:
    with Misbehaving(units="1,2") as server:
        told: list[str] = []
        inquiry = Inquiry(told.append, lambda: any("input" in line for line in told), {**QUICK, "units": "1,2"})
        found = await ModbusTools().discover(f"modbus+tcp://127.0.0.1:{server.port}", inquiry)
    assert "# holding 0-999 can be read" in found.section
    assert "coil" not in found.section
    assert found.section.endswith("# ended before everything was looked at\n")


@pytest.fixture
def serial_units(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The port of a line with the units 2 and 5, which share no code with the driver."""
    slave = compiled("rtuslave", tmp_path_factory.mktemp("peers"))
    with SerialPair(tmp_path, 115_200) as pair:
        command = [str(slave), pair.b, "115200", "N", "2", "5"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            assert server.stdout.readline().strip() == "ready"
            yield pair.a
            server.kill()


async def test_a_serial_line_is_searched_and_what_the_devices_do_not_know_leaves_them_well(
    serial_units: str, tmp_path: Path
) -> None:
    url = f"modbus+rtu://{serial_units}?baud=115200&timeout=80ms"
    found, _ = await discovered(url, {"units": "1-6", "range": "0-60", "pause": "1ms"})
    devices = sections(found, tmp_path)
    assert list(devices) == ["unit-2", "unit-5"]
    assert devices["unit-2"]["url"] == f"modbus+rtu://{serial_units}?unit=2&baud=115200&timeout=80ms"
    assert "# holding 0-60 can be read" in found.section


async def test_udp_and_keys_of_the_device_section_work_as_in_a_site_file(tmp_path: Path) -> None:
    with Misbehaving("max_registers=16", face="udp") as server:
        options = {"units": "1", "range": "0-40", "pause": "1ms"}
        keys = {"base": 1, "timeout": "500ms", "max_registers": 10}
        found, _ = await discovered(f"modbus+udp://127.0.0.1:{server.port}", options, keys=keys)
    [device] = sections(found, tmp_path).values()
    assert {key: device[key] for key in keys} == keys
    assert device["tags"]["h0"] == "holding:1 count=41"        # named as on the wire, addressed as in the manual
    assert "# holding 1-41 can be read" in found.section


@pytest.mark.parametrize(
    ("url", "options", "keys", "what"),
    [
        ("modbus+tpc://10.0.0.5", {}, {}, "did you mean modbus+tcp"),
        ("modbus+tcp://10.0.0.5?timeout=fast", {}, {}, "timeout=fast in the url is no duration"),
        ("modbus+tcp://10.0.0.5", {"units": "1-300"}, {}, "--units 1-300: 1-300 is not within 0-255"),
        ("modbus+rtu:///dev/ttyUSB0", {"units": "0"}, {}, "not within 1-255"),
        ("modbus+tcp://10.0.0.5", {"units": "one"}, {}, "not numbers"),
        ("modbus+tcp://10.0.0.5", {"range": "9-1"}, {}, "runs backwards"),
        ("modbus+tcp://10.0.0.5", {"range": "1-2,4-5"}, {}, "more than one range"),
        ("modbus+tcp://10.0.0.5", {"pause": "soon"}, {}, "--pause soon: not a duration"),
        ("modbus+tcp://10.0.0.5", {"depth": "3"}, {}, "there is no --depth with a Modbus device"),
        ("modbus+tcp://10.0.0.5", {}, {"timout": "1s"}, "timout: is no key of a Modbus device; did you mean timeout?"),
        ("modbus+tcp://10.0.0.5", {}, {"baud": 9600}, "baud: is no key"),
        ("modbus+tcp://10.0.0.5", {}, {"url": "x"}, "url cannot be set here"),
    ],
)
async def test_what_cannot_be_meant_is_a_value_error(
    url: str, options: dict[str, str], keys: dict[str, Any], what: str
) -> None:
    with pytest.raises(ValueError) as wrong:
        await plugin.tools.discover(url, Inquiry(print, options=options, keys=keys))  # type: ignore[union-attr]
    assert what in str(wrong.value)


# -- finding blocks ------------------------------------------------------------------------------


async def explored(readable: Sequence[range], first: int, last: int, cap: int = 124, even: bool = False) -> Explorer:
    """An area of which only `readable` can be read, in blocks of up to `cap`, or of an even length only."""

    async def read(start: int, count: int) -> bytes | int:
        if count > cap or (even and count % 2):
            return 3
        inside = any(start >= one.start and start + count <= one.stop for one in readable)
        return bytes(2 * count) if inside else 2

    explorer = Explorer(read, bits=False, most=125)
    await explorer.explore(first, last)
    return explorer


@pytest.mark.parametrize("cap", [1, 2, 7, 16, 100, 124])
async def test_blocks_are_found_to_the_register_whatever_the_largest_request(cap: int) -> None:
    readable = [range(7), range(8, 61), range(100, 230), range(2000, 2031), range(9990, 10_000)]
    explorer = await explored(readable, 0, 9999, cap)
    assert explorer.findings.runs == [(one.start, one.stop) for one in readable]
    assert explorer.findings.cap() == (max(n for n in (64, 32, 16, 8, 4, 2, 1) if n <= cap) if cap < 124 else 0)


async def test_a_device_that_gives_only_whole_values_of_two_registers_is_read() -> None:
    explorer = await explored([range(80), range(200, 210)], 0, 1000, even=True)
    assert explorer.findings.runs == [(0, 80), (200, 210)]


async def test_in_a_small_range_every_address_is_asked() -> None:
    explorer = await explored([range(507, 508), range(513, 515)], 500, 600)
    assert explorer.findings.runs == [(507, 508), (513, 515)]


async def test_an_area_that_the_device_does_not_have_costs_one_question() -> None:
    asked = []

    async def read(start: int, count: int) -> int:
        asked.append((start, count))
        return 1

    await Explorer(read, bits=False, most=125).explore(0, 9999)
    assert asked == [(0, 1)]


