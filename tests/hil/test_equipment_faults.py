"""Faults of simulated equipment: what a client sees of each, and that the truth stays what the machine did."""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymodbus.client import AsyncModbusTcpClient

from edge_agent_hil.equipment_control import EquipmentControl
from edge_agent_hil.face_modbus import ModbusServer
from tests.hil.watched import WatchedPlant

SECOND = 1_000_000_000
FACE: dict[str, Any] = {
    "tags": {
        "total": {"address": "holding:0", "type": "uint16", "start": 1000},
        "scrap": {"address": "holding:1", "type": "uint32"},
        "power": {"address": "holding:3", "type": "float32"},
        "state": {"address": "holding:5"},
    }
}


class Bench:
    """A machine, a client of it, and who gives it faults."""

    def __init__(
        self, plant: WatchedPlant, control: EquipmentControl, client: AsyncModbusTcpClient, clock: Any
    ) -> None:
        self.plant, self.control, self.client, self.clock = plant, control, client, clock

    async def give(self, kind: str, **said: Any) -> dict[str, Any]:
        return await self.control.begin({"machine": "m", "kind": kind, **said})

    async def read(self) -> tuple[int, int, float, int]:
        words = (await self.client.read_holding_registers(0, count=6)).registers
        total, scrap, power, state = struct.unpack(">HIfH", struct.pack(">6H", *words))
        return total, scrap, power, state

    async def after(self, seconds: float) -> tuple[int, int, float, int]:
        self.clock.forward(seconds)
        await self.control.settle()
        return await self.read()

    @property
    def true(self) -> Any:
        return self.plant.truths["m"].vector(self.plant.start, self.plant.advance())


@asynccontextmanager
async def bench(plant: WatchedPlant, clock: Any) -> AsyncIterator[Bench]:
    [(gateway, faces)] = plant.file.doors()
    server = ModbusServer(gateway, faces, plant)
    await server.start()
    port = urlsplit(str(server.describe("m", "modbus")["url"])).port or 0
    client = AsyncModbusTcpClient("127.0.0.1", port=port, reconnect_delay=0, retries=0, timeout=5)
    try:
        assert await client.connect()
        yield Bench(plant, EquipmentControl(plant, {"m": [server]}), client, clock)
    finally:
        client.close()
        await server.close()


@pytest.fixture
async def m(plant_of: Callable[..., WatchedPlant], clock: Any) -> AsyncIterator[Bench]:
    async with bench(plant_of({"m": {"modbus": FACE}}), clock) as found:
        clock.forward(30)
        yield found


async def test_a_counter_reset_shows_0_and_counts_on_from_there(m: Bench) -> None:
    assert (await m.read())[0] == 1000 + m.true.total
    before = m.true.total
    told = await m.give("counter-reset", signal="total")
    assert told == {"at": m.clock.now, "until": m.clock.now, "machines": ["m"]}
    assert (await m.read())[0] == 0
    assert (await m.after(20))[0] == m.true.total - before > 0


async def test_a_preset_and_a_wrap_are_seen_at_the_width_of_the_tag(m: Bench) -> None:
    await m.give("counter-preset", signal="total", value=65_530)
    before = m.true.total
    assert (await m.read())[0] == 65_530
    assert (await m.after(20))[0] == (65_530 + m.true.total - before) % 65_536 < 60_000
    await m.give("counter-wrap", below=3)
    assert (await m.read())[:2] == (65_533, 2**32 - 3)


async def test_a_glitch_is_seen_once(m: Bench) -> None:
    await m.give("glitch", signal="total")
    assert [(await m.read())[0] for _ in range(3)] == [0, 1000 + m.true.total, 1000 + m.true.total]


async def test_stuck_spike_and_nan_end_when_their_time_is_over(m: Bench) -> None:
    total, _, power, _ = await m.read()
    await m.give("stuck", signal="total", **{"for": "20s"})
    await m.give("spike", factor=50, **{"for": "2s"})
    assert (await m.read())[2] == pytest.approx(50 * power)
    assert (await m.after(10))[0] == total < 1000 + m.true.total
    await m.give("nan", signal="power", **{"for": "5s"})
    assert math.isnan((await m.read())[2])
    after = await m.after(10.5)
    assert after[0] == 1000 + m.true.total
    assert not math.isnan(after[2])


async def test_a_shifted_register_map_shows_every_value_beside_its_place(m: Bench) -> None:
    there = (await m.client.read_holding_registers(0, count=6)).registers
    await m.give("register-map-shift", by=2)
    assert (await m.client.read_holding_registers(2, count=6)).registers == there
    assert (await m.client.read_holding_registers(0, count=6)).exception_code == 2
    await m.control.clear("m")
    assert (await m.client.read_holding_registers(0, count=6)).registers == there


async def test_exceptions_and_slow_answers_last_until_they_are_cleared(m: Bench) -> None:
    await m.give("exception", code=6)
    assert (await m.client.read_holding_registers(0, count=1)).exception_code == 6
    await m.control.clear(True)
    await m.give("slow", by="300ms")
    began = asyncio.get_running_loop().time()
    await m.read()
    assert asyncio.get_running_loop().time() - began >= 0.3


async def test_a_restart_closes_the_port_and_the_machine_stands_meanwhile(m: Bench) -> None:
    before, running = m.true.total, m.true.time_ns["RUN"]
    told = await m.give("restart", counters="reset", **{"for": "5s"})
    assert told["until"] == told["at"] + 5 * SECOND
    with pytest.raises(Exception, match=r"(?i)connect|response"):
        await m.client.read_holding_registers(0, count=1)
    assert not await m.client.connect()
    m.clock.forward(5)
    await m.control.settle()
    assert await m.client.connect()
    assert (await m.read())[0] == m.true.total - before == 0
    assert m.true.time_ns["RUN"] == running, "it stood"
    assert (await m.after(20))[0] == m.true.total - before > 0


async def test_a_fault_of_what_is_shown_changes_no_truth(
    plant_of: Callable[..., WatchedPlant], clock: Any
) -> None:
    found = []
    for kinds in ([], ["stuck", "nan", "glitch", "counter-reset", "exception", "register-map-shift", "slow"]):
        async with bench(plant_of({"m": {"modbus": FACE}}), clock) as one:
            for kind in kinds:
                clock.forward(1)
                await one.give(kind)
            clock.now = one.plant.start + 100 * SECOND
            found.append(one.true.to_json())
    assert found[0] == found[1]


async def test_the_log_says_what_was_when(m: Bench) -> None:
    first = await m.give("nan")
    second = await m.give("slow", by="5ms", **{"for": "1s"})
    m.clock.forward(3)
    cleared = await m.control.clear("m")
    assert m.control.log() == [
        {"kind": "nan", "at": first["at"], "until": cleared["at"], "machines": ["m"], "signals": ["power"]},
        {"kind": "slow", "at": second["at"], "until": second["until"], "machines": ["m"], "signals": []},
    ]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({"machine": "z", "kind": "nan"}, "machine: no machine 'z'; there are m"),
        ({"machine": "m", "kind": "restrat"}, "kind: there is no fault 'restrat'; did you mean restart?"),
        ({"machine": "m", "kind": "clock"}, "kind: clock needs opcua, which m has not"),
        ({"machine": "m", "kind": "slow", "by": 3}, "by: '3' is not a duration; write a number with a unit"),
        ({"machine": "m", "kind": "slow", "bye": "3s"}, "slow takes no 'bye'; did you mean by?"),
        ({"machine": "m", "kind": "counter-preset"}, "counter-preset needs value"),
        ({"machine": "m", "kind": "nan", "signal": "total"}, "signal: 'total' is not one of power"),
        ({"machine": "m", "kind": "exception", "code": 0}, "code: '0' is no whole number from 1 to 255"),
        ({"machine": "m", "kind": "glitch", "for": "1s"}, "glitch takes no 'for'; it takes value, reads, signal"),
        (7, "machine: no machine 7; there are m"),
    ],
)  # fmt: skip
async def test_a_wrong_order_says_what_would_be_right(m: Bench, question: Any, expected: str) -> None:
    with pytest.raises(ValueError) as found:
        await m.control.begin(question)
    assert str(found.value).startswith(expected)
    assert m.control.log() == []
