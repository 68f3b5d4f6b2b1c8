"""The shipped register maps: each loads as it is, and reads the right registers of a real server."""

from __future__ import annotations

import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent import registry
from edge_agent.api import GOOD, ConfigError
from edge_agent.config import Site, about, load
from edge_agent_modbus import plugin

PEER = Path(__file__).parents[2] / "peers" / "pymodbus_registers.py"


def loaded(folder: Path, template: str, port: int = 502, more: str = "") -> Site:
    path = folder / "site.yaml"
    path.write_text(f"""\
agent: {{id: gw-01}}
devices:
  d:
    driver: modbus
    url: modbus+tcp://127.0.0.1:{port}?unit=7
    template: {template}
{more}""")
    return load(path, registry.drivers(), {})


@dataclass
class Values:
    """What a server holds: big-endian bytes by area and wire address."""

    holding: dict[int, bytes]
    input: dict[int, bytes]


@pytest.fixture
def serve() -> Iterator[Callable[[Values], int]]:
    """`serve(values)`: the port of a pymodbus server of unit 7 that has these registers and no others."""
    started: list[subprocess.Popen[str]] = []

    def start(values: Values) -> int:
        pairs = [("holding", values.holding), ("input", values.input)]
        written = [f"{area}:{at}:{data.hex()}" for area, held in pairs for at, data in held.items()]
        process = subprocess.Popen([sys.executable, str(PEER), *written], stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        return int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def read(tmp_path: Path, serve: Any, session: Any) -> Any:
    """`await read(template, values, more)`: the scaled value of every tag; all of them must be good."""

    async def values_of(template: str, values: Values, more: str = "") -> dict[str, float]:
        site = loaded(tmp_path, template, serve(values), more)
        table = site.tag_table()
        driver = plugin.build("d", site.devices["d"], table.device_tags("d"), lambda: 0)
        found: dict[str, float] = {}
        async with session(driver) as opened:
            for _ in driver.groups:
                batch = await opened.read()
                assert set(batch.quality.tolist()) == {GOOD}
                for position, value in zip(batch.tag.tolist(), batch.value.tolist(), strict=True):
                    tag = table[position]
                    text = bool(tag.vocabulary.texts)
                    found[tag.name] = tag.vocabulary.text(value) if text else value * tag.scale + tag.offset
        return found

    return values_of


def float32(value: float) -> bytes:
    return struct.pack(">f", value)


def approx(**wanted: float) -> Any:
    return pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("name", plugin.templates)
def test_every_shipped_template_loads_with_its_defaults(tmp_path: Path, name: str) -> None:
    site = loaded(tmp_path, name)
    device: Any = site.devices["d"]
    assert device.tags
    assert plugin.describe("d", device, site.tag_table().device_tags("d"))
    assert about(plugin.templates[name])


@pytest.mark.parametrize("name", plugin.templates)
def test_no_two_tags_of_a_template_are_read_from_one_place(tmp_path: Path, name: str) -> None:
    addresses = [tag.address for tag in loaded(tmp_path, name).devices["d"].tags.values()]  # type: ignore[attr-defined]
    assert len(set(addresses)) == len(addresses)


@pytest.mark.parametrize("name", plugin.templates)
def test_every_parameter_of_a_shipped_template_says_what_it_is(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, name, more="    parameters: {zzz: 1}\n")
    [mistake] = raised.value.mistakes
    assert mistake.hint.startswith("parameters: ")
    for parameter in mistake.hint.removeprefix("parameters: ").split(", "):
        assert f"  {parameter}: {{default: " in plugin.templates[name]
        assert "about: " in plugin.templates[name].partition(f"  {parameter}: ")[2].partition("\n")[0]


async def test_an_eastron_sdm630_is_read(read: Any) -> None:
    # Addresses as in the maker's list: parameter 1 is input register 0, two registers each.
    held = {
        0: 230.5, 2: 231.25, 4: 229.75, 6: 1.5, 8: 2.5, 10: 3.5, 12: 300, 14: 500, 16: -700,
        52: 100, 56: 1600.5, 62: 0.875, 70: 50.02, 72: 12345.5, 74: 7.25, 342: 12352.75,
    }  # fmt: skip
    values = {at: float32(held.get(at, 0)) for at in range(0, 76, 2)} | {342: float32(held[342])}
    assert await read("eastron-sdm630", Values({}, values)) == approx(
        voltage_l1=230.5, voltage_l2=231.25, voltage_l3=229.75, current_l1=1.5, current_l2=2.5, current_l3=3.5,
        power_l1=300, power_l2=500, power_l3=-700, power=100, apparent=1600.5, power_factor=0.875, frequency=50.02,
        energy_import=12345.5, energy_export=7.25, energy_total=12352.75,
    )  # fmt: skip


async def test_a_schneider_iem3000_is_read_although_it_has_nothing_between_its_values(read: Any) -> None:
    # The manual's register 3000 is 2999 on the wire.
    held = {
        3000: 1.5, 3002: 2.5, 3004: 3.5, 3028: 230.5, 3030: 231.25, 3032: 229.75, 3054: 0.3, 3056: 0.5, 3058: -0.75,
        3060: 0.05, 3076: 1.625, 3110: 49.98,
    }  # fmt: skip
    values = {register - 1: float32(value) for register, value in held.items()}
    values |= {3203: struct.pack(">q", 123_456_789), 3207: struct.pack(">q", 4_321)}
    assert await read("schneider-iem3000", Values(values, {})) == approx(
        current_l1=1.5, current_l2=2.5, current_l3=3.5, voltage_l1=230.5, voltage_l2=231.25, voltage_l3=229.75,
        power_l1=0.3, power_l2=0.5, power_l3=-0.75, power=0.05, apparent=1.625, frequency=49.98,
        energy_import=123456.789, energy_export=4.321,
    )  # fmt: skip


DTSU666 = {
    0x2000: 4002, 0x2002: 4003, 0x2004: 4001, 0x2006: 2310, 0x2008: 2311, 0x200A: 2309, 0x200C: 1500, 0x200E: 2500,
    0x2010: 500, 0x2012: 9500, 0x2014: 3200, 0x2016: 5400, 0x2018: 900, 0x202A: 975, 0x2044: 5001,
}  # fmt: skip


async def test_a_chint_dtsu666_is_read(read: Any) -> None:
    values = {at: float32(value) for at, value in DTSU666.items()} | {0x101E: float32(77.5), 0x1028: float32(3.25)}
    assert await read("chint-dtsu666", Values(values, {})) == approx(
        voltage_l1_l2=400.2, voltage_l2_l3=400.3, voltage_l3_l1=400.1, voltage_l1=231, voltage_l2=231.1,
        voltage_l3=230.9, current_l1=1.5, current_l2=2.5, current_l3=0.5, power=950, power_l1=320, power_l2=540,
        power_l3=90, power_factor=0.975, frequency=50.01, energy_import=77.5, energy_export=3.25,
    )  # fmt: skip


async def test_the_ratios_of_its_transformers_make_a_dtsu666_tell_what_the_plant_uses(read: Any) -> None:
    values = {at: float32(value) for at, value in DTSU666.items()} | {0x401E: float32(77.5), 0x4028: float32(3.25)}
    more = "    parameters: {ct: 40, vt: 10, energy: 0x401E, energy_ratio: 400}\n"
    found = await read("chint-dtsu666", Values(values, {}), more)
    names = ("voltage_l1", "voltage_l1_l2", "current_l2", "power", "power_l3", "frequency", "energy_import")
    assert [found[name] for name in names] == pytest.approx([2310, 4002, 100, 380_000, 36_000, 50.01, 31_000], rel=1e-6)


async def test_a_plc_that_fills_the_generic_block_is_read(read: Any) -> None:
    block = struct.pack(">HHIIIHH", 3, 0b10, 70_000, 1_234, 68_766, 42, 0) + b"A100".ljust(16, b"\0")
    assert await read("generic-plc", Values({0: block}, {})) == {
        "state": 3, "running": 0, "fault": 1, "total": 70_000, "scrap": 1_234, "good": 68_766, "program": 42,
        "product": "A100",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parameters", "counters"),
    [
        ("base: 300, order: CDAB", np.array([0x1170, 1, 1_234, 0, 5, 0], ">u2").tobytes()),
        ("base: 300, counter: uint16", np.array([70, 0, 12, 0, 58, 0], ">u2").tobytes()),
    ],
)
async def test_the_generic_block_lies_anywhere_and_counts_as_the_plc_does(
    read: Any, parameters: str, counters: bytes
) -> None:
    block = struct.pack(">HH", 1, 0b01) + counters + struct.pack(">HH", 42, 0) + b"B200".ljust(16)
    found = await read("generic-plc", Values({300: block}, {}), f"    parameters: {{{parameters}}}\n")
    wanted = (70_000, 1_234, 5) if "CDAB" in parameters else (70, 12, 58)
    assert (found["total"], found["scrap"], found["good"]) == wanted
    assert (found["state"], found["running"], found["fault"], found["product"]) == (1, 1, 0, "B200")
