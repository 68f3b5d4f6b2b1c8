"""Simulated machines read by a real Modbus client."""

from __future__ import annotations

import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymodbus.client import AsyncModbusTcpClient

from edge_agent_hil.face_file import Gateway, ModbusTag
from edge_agent_hil.face_modbus import ModbusServer
from edge_agent_hil.modbus_unit import packed
from tests.hil.watched import WatchedPlant
from tests.peers.waiting import free_port

FACE: dict[str, Any] = {
    "unit": 9,
    "states": {"IDLE": 0, "RUN": 1, "FAULT": 2, "SETUP": 3},
    "tags": {
        "state": {"address": "holding:0"},
        "total": {"address": "holding:1", "type": "uint32", "order": "CDAB"},
        "scrap": {"address": "holding:3", "type": "uint16", "start": 65525},
        "good": {"address": "holding:4", "type": "uint64", "order": "GHEFCDAB"},
        "power": {"address": "input:20", "type": "float32", "order": "DCBA"},
        "product": {"address": "input:22"},
        "program": {"address": "input:30", "type": "string", "length": 5},
        "running": {"address": "coil:35"},
        "fault": {"address": "holding:10.3"},
    },
}


@asynccontextmanager
async def served(plant: WatchedPlant) -> AsyncIterator[AsyncModbusTcpClient]:
    """A client of the plant's one way in."""
    [(gateway, faces)] = plant.file.doors()
    server = ModbusServer(gateway, faces, plant)
    await server.start()
    port = urlsplit(str(server.describe(*next(iter(faces)))["url"])).port or 0
    client = AsyncModbusTcpClient("127.0.0.1", port=port)
    try:
        assert await client.connect()
        yield client
    finally:
        client.close()
        await server.close()


def swapped(words: Sequence[int]) -> bytes:
    return struct.pack(f">{len(words)}H", *reversed(words))


async def test_every_read_equals_the_truth_at_its_instant(plant_of: Callable[..., WatchedPlant], clock: Any) -> None:
    plant = plant_of({"m": {"modbus": FACE}})
    codes = {"IDLE": 0, "RUN": 1, "FAULT": 2, "SETUP": 3}
    async with served(plant) as client:
        for _ in range(300):
            clock.forward(0.317)
            words = (await client.read_holding_registers(0, count=11, device_id=9)).registers
            truth = plant.truths["m"].vector(plant.start, clock.now)
            latest = plant.events["m"][-1]
            assert words[0] == codes[latest.state]
            assert int.from_bytes(swapped(words[1:3])) == truth.total
            assert words[3] == (65525 + truth.scrap) % 65536
            assert int.from_bytes(swapped(words[4:8])) == truth.total - truth.scrap
            assert bool(words[10] & 8) == (latest.state == "FAULT")
        assert truth.scrap > 10, "the 16-bit counter has wrapped"


async def test_a_counter_steps_exactly_at_the_event(plant_of: Callable[..., WatchedPlant], clock: Any) -> None:
    plant = plant_of({"m": {"modbus": FACE}})
    async with served(plant) as client:
        for _ in range(50):
            wake = plant.machines["m"].wake
            clock.now = wake - 1
            before = (await client.read_holding_registers(1, count=2, device_id=9)).registers
            clock.now = wake
            after = (await client.read_holding_registers(1, count=2, device_id=9)).registers
            step = int.from_bytes(swapped(after)) - int.from_bytes(swapped(before))
            assert step == sum(e.t == wake and e.what == "piece" for e in plant.events["m"])


async def test_floats_text_codes_and_coils_show_the_same_reading(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    plant = plant_of({"m": {"modbus": FACE}})
    async with served(plant) as client:
        seen = set()
        for _ in range(60):
            clock.forward(0.9)
            words = (await client.read_input_registers(20, count=13, device_id=9)).registers
            running = (await client.read_coils(35, count=1, device_id=9)).bits[0]
            latest = plant.events["m"][-1]
            assert struct.unpack("<f", struct.pack(">2H", *words[:2]))[0] == pytest.approx(latest.power / 1000)
            assert words[2] == {"A": 1, "B": 2}[latest.product]
            assert struct.pack(">3H", *words[10:13]).rstrip(b"\0").decode() == latest.product
            assert running == (latest.state == "RUN")
            seen.add((latest.product, running))
        assert len(seen) == 4


async def test_machines_with_the_same_port_are_units_of_one_server(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    port = free_port()
    tags = {"total": {"address": "holding:1"}}
    faces = [{"port": port, "unit": unit, "tags": tags} for unit in (1, 2)]
    plant = plant_of({"a": {"modbus": faces[0]}, "b": {"modbus": faces[1]}})
    assert [(gateway.port, list(faces)) for gateway, faces in plant.file.doors()] == [
        (port, [("a", "modbus"), ("b", "modbus")])
    ]
    async with served(plant) as client:
        clock.forward(60)
        for unit, name in ((1, "a"), (2, "b")):
            answer = await client.read_holding_registers(1, count=1, device_id=unit)
            assert answer.registers == [plant.truths[name].vector(plant.start, clock.now).total]


async def test_writing_and_addresses_without_a_tag_are_refused(plant_of: Callable[..., WatchedPlant]) -> None:
    plant = plant_of({"m": {"modbus": FACE}})
    async with served(plant) as client:
        assert (await client.write_register(0, 1, device_id=9)).exception_code == 1
        assert (await client.write_coil(35, True, device_id=9)).exception_code == 1
        assert (await client.read_discrete_inputs(0, count=1, device_id=9)).exception_code == 2
        assert (await client.read_holding_registers(0, count=12, device_id=9)).exception_code == 2
        assert not (await client.read_holding_registers(8, count=2, device_id=9)).isError(), (
            "gaps are readable"
        )


async def test_a_taken_port_is_an_error_that_names_it(plant_of: Callable[..., WatchedPlant]) -> None:
    plant = plant_of({"m": {}})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        [(_, faces)] = plant.file.doors()
        server = ModbusServer(Gateway(port=port), faces, plant)
        with pytest.raises(OSError, match=str(port)):
            await server.start()
        await server.close()


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ("ABCD", [0x0102, 0x0304]),
        ("CDAB", [0x0304, 0x0102]),
        ("BADC", [0x0201, 0x0403]),
        ("DCBA", [0x0403, 0x0201]),
    ],
)
def test_an_order_names_the_bytes_as_they_arrive(order: str, words: list[int]) -> None:
    tag = ModbusTag.model_validate({"address": "holding:0", "type": "uint32", "order": order})
    assert list(struct.unpack(">2H", packed(tag, 0x01020304))) == words
