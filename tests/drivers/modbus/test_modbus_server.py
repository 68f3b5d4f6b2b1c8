"""The Modbus server on a real socket: independent clients, too many of them, rude ones."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pymodbus.client import AsyncModbusTcpClient

from edge_agent.api import NotConnected
from edge_agent_modbus.serving.image import Image
from edge_agent_modbus.serving.server import plugin
from tests.peers.known import Known
from tests.peers.waiting import free_port

MAP: list[dict[str, Any]] = [
    {"address": "holding:0", "tag": "a.t", "type": "float32"},
    {"address": "holding:2", "tag": "a.n", "type": "uint32", "order": "CDAB"},
    {"address": "input:0", "tag": "a.n", "type": "uint32"},
    {"address": "coil:0", "connected": "a"},
]
READ = struct.pack(">HHHBBHH", 7, 0, 6, 1, 3, 0, 4)


def server_on(port: int, known: Known, entries: list[dict[str, Any]] = MAP, **keys: Any) -> Any:
    section = {"type": "modbus", "listen": f"127.0.0.1:{port}", "map": entries, **keys}
    return plugin.build("hmi", plugin.config.model_validate(section), known)


@asynccontextmanager
async def listening(known: Known, **keys: Any) -> AsyncIterator[int]:
    port = free_port()
    opened = await server_on(port, known, **keys).listen()
    watch = asyncio.create_task(opened.closed())
    try:
        yield port
        assert not watch.done(), "the server has failed"
    finally:
        watch.cancel()
        await opened.close()
        await asyncio.sleep(0.01)


@pytest.fixture
def known() -> Known:
    held = Known()
    held.set("a.t", 23.5)
    held.set("a.n", 0x12345678)
    held.lines["a"] = True
    return held


async def connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def ended(reader: asyncio.StreamReader, seconds: float = 3.0) -> bool:
    """Whether the server has ended this connection, after whatever it had to say."""
    try:
        async with asyncio.timeout(seconds):
            while await reader.read(65536):
                pass
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


async def answers(port: int) -> bool:
    reader, writer = await connect(port)
    writer.write(READ)
    try:
        async with asyncio.timeout(60):
            return (await reader.readexactly(17))[:9] == b"\0\7\0\0\0\x0b\1\3\x08"
    except (asyncio.IncompleteReadError, ConnectionError):
        return False
    finally:
        writer.close()


async def test_a_client_that_is_not_ours_reads_what_the_agent_knows(known: Known) -> None:
    async with listening(known) as port, AsyncModbusTcpClient("127.0.0.1", port=port) as client:
        held = await client.read_holding_registers(0, count=4)
        kinds = client.DATATYPE
        assert client.convert_from_registers(held.registers[:2], kinds.FLOAT32) == 23.5
        assert client.convert_from_registers(held.registers[2:], kinds.UINT32, word_order="little") == 0x12345678
        assert (await client.read_input_registers(0, count=2)).registers == [0x1234, 0x5678]
        assert (await client.read_coils(0, count=1)).bits[0] is True
        known.set("a.t", None, 0x81)
        assert (await client.read_holding_registers(0, count=2)).registers == [0x7FC0, 0]


async def test_nothing_can_be_written(known: Known) -> None:
    async with listening(known) as port, AsyncModbusTcpClient("127.0.0.1", port=port) as client:
        before = (await client.read_holding_registers(0, count=4)).registers
        for attempt in (
            client.write_register(0, 1), client.write_registers(0, [1, 2]), client.write_coil(0, False),
            client.write_coils(0, [False]), client.mask_write_register(address=0, and_mask=0, or_mask=1),
            client.readwrite_registers(read_address=0, read_count=2, write_address=0, values=[1]),
        ):  # fmt: skip
            assert (await attempt).exception_code == 1
        assert (await client.read_holding_registers(0, count=4)).registers == before


async def test_only_its_unit_answers_unless_any_may(known: Known) -> None:
    async with listening(known, unit=3) as port, AsyncModbusTcpClient("127.0.0.1", port=port) as client:
        assert not (await client.read_input_registers(0, count=2, device_id=3)).isError()
        for unit in (1, 2, 255):
            assert (await client.read_input_registers(0, count=2, device_id=unit)).exception_code == 11
    async with listening(known, unit="any") as port, AsyncModbusTcpClient("127.0.0.1", port=port) as client:
        for unit in (1, 3, 247, 255):
            assert not (await client.read_input_registers(0, count=2, device_id=unit)).isError()


async def test_of_twenty_clients_at_once_as_many_are_served_as_may_be(known: Known) -> None:
    async with listening(known, connections=8) as port:
        clients = [await connect(port) for _ in range(20)]
        for _, writer in clients:
            writer.write(READ)
        served = []
        for number, (reader, _) in enumerate(clients):
            try:
                async with asyncio.timeout(60):
                    await reader.readexactly(17)
                served.append(number)
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
        assert served == list(range(8))
        assert not await answers(port)
        for _, writer in clients:
            writer.close()
        await asyncio.sleep(0.1)
        assert await answers(port)


async def test_a_client_that_asks_nothing_for_too_long_makes_room(known: Known) -> None:
    async with listening(known, connections=1, idle="1s") as port:
        reader, writer = await connect(port)
        writer.write(READ[:5])          # and never the rest
        assert not await answers(port)
        began = time.monotonic()
        assert await ended(reader)
        assert 0.7 < time.monotonic() - began < 2.5
        assert await answers(port)
        writer.close()


async def test_a_client_that_keeps_asking_is_not_idle(known: Known) -> None:
    async with listening(known, idle="1s") as port:
        reader, writer = await connect(port)
        for _ in range(8):
            writer.write(READ)
            await reader.readexactly(17)
            await asyncio.sleep(0.25)
        writer.close()


async def test_requests_sent_ahead_are_answered_in_their_order(known: Known) -> None:
    async with listening(known) as port:
        reader, writer = await connect(port)
        requests = [struct.pack(">HHHBBHH", n, 0, 6, 1, 3, 0, 4) for n in range(300)]
        for half in (b"".join(requests)[:1801], b"".join(requests)[1801:]):
            writer.write(half)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(60):
            got = [struct.unpack(">H", (await reader.readexactly(17))[:2])[0] for _ in range(300)]
        assert got == list(range(300))
        writer.close()


async def test_a_client_that_asks_without_pause_does_not_hold_up_the_agent_nor_the_others(known: Known) -> None:
    entries = [{"address": f"input:{2 * n}", "tag": "a.t", "type": "float32"} for n in range(62)]
    busiest = struct.pack(">HHHBBHH", 1, 0, 6, 1, 4, 0, 124)
    async with listening(known, entries=entries) as port:
        floods = [await connect(port) for _ in range(4)]
        for _, writer in floods:
            writer.write(busiest * 3_000)

        async def swallow(reader: asyncio.StreamReader) -> None:
            while await reader.read(65536):
                pass

        eaters = [asyncio.create_task(swallow(reader)) for reader, _ in floods]
        loop, late, slow = asyncio.get_running_loop(), [], []
        reader, writer = await connect(port)
        began_cpu, began = time.process_time(), loop.time()
        for _ in range(40):
            due = loop.time() + 0.02
            await asyncio.sleep(0.02)
            late.append(loop.time() - due)
            asked = loop.time()
            writer.write(busiest)
            async with asyncio.timeout(60):
                await reader.readexactly(257)
            slow.append(loop.time() - asked)
        share = (time.process_time() - began_cpu) / (loop.time() - began)
        for _, line in (*floods, (reader, writer)):
            line.close()
        await asyncio.gather(*eaters, return_exceptions=True)
        assert share < 0.6, share          # a fifth, and this test's own swallowing
        assert sorted(late)[len(late) // 2] < 0.01
        assert sorted(slow)[len(slow) // 2] < 0.2


async def test_a_client_that_takes_no_answers_gets_no_more_and_is_let_go(known: Known) -> None:
    entries = [{"address": f"input:{2 * n}", "tag": "a.t", "type": "float32"} for n in range(62)]
    async with listening(known, entries=entries, idle="2s") as port:
        line = socket.socket()
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", port))
        line.setblocking(False)
        busiest = struct.pack(">HHHBBHH", 1, 0, 6, 1, 4, 0, 124)
        asked, quiet = -1, 0
        while quiet < 5:                # nothing is asked of the agent any more
            with contextlib.suppress(BlockingIOError):
                line.send(busiest * 50)
            await asyncio.sleep(0.1)
            quiet = quiet + 1 if known.asked == asked else 0
            asked = known.asked
        assert known.asked < 62 * 2_000
        async with asyncio.timeout(60):
            while True:
                await asyncio.sleep(0.1)
                try:
                    line.send(busiest)
                except BlockingIOError:
                    continue
                except ConnectionError:
                    break
        line.close()


@pytest.mark.parametrize("seed", range(4))
async def test_random_bytes_end_a_connection_or_get_an_exception_and_nothing_else(known: Known, seed: int) -> None:
    dice = random.Random(seed)
    async with listening(known) as port:
        for _ in range(40):
            reader, writer = await connect(port)
            junk = dice.randbytes(dice.randrange(1, 600))
            if dice.random() < 0.5:     # a good head, anything behind it
                body = dice.randbytes(dice.randrange(1, 254))
                junk = struct.pack(">HHHB", 1, 0, len(body) + 1, 1) + body + junk
            writer.write(junk)
            try:
                writer.write_eof()
                async with asyncio.timeout(60):
                    said = await reader.read()
            except (ConnectionError, OSError):
                said = b""
            while said:
                length = struct.unpack(">H", said[4:6])[0]
                assert said[7] & 0x80 or said[7] in (1, 2, 3, 4)
                said = said[6 + length :]
            writer.close()
        assert await answers(port)


async def test_a_port_that_is_taken_is_not_connected_and_free_again_after_close(known: Known) -> None:
    port = free_port()
    server = server_on(port, known)
    first = await server.listen()
    with pytest.raises(NotConnected, match=f"port {port} is taken by another program"):
        await server.listen()
    reader, writer = await connect(port)
    writer.write(READ)
    await reader.readexactly(17)
    await first.close()
    assert await ended(reader)
    writer.close()
    second = await server.listen()
    assert await answers(port)
    await second.close()


async def test_an_address_this_computer_does_not_have_is_named(known: Known) -> None:
    section = {"type": "modbus", "listen": "192.0.2.7:1502", "map": MAP}
    server = plugin.build("hmi", plugin.config.model_validate(section), known)
    with pytest.raises(NotConnected, match=r"no address 192\.0\.2\.7"):
        await server.listen()


async def test_a_fault_of_the_server_is_raised_where_the_agent_waits(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object) -> bytes:
        raise RuntimeError("a bug")

    port = free_port()
    opened = await server_on(port, known).listen()
    monkeypatch.setattr(Image, "answer", fault)
    _, writer = await connect(port)
    writer.write(READ)
    with pytest.raises(RuntimeError, match="a bug"):
        async with asyncio.timeout(60):
            await opened.closed()
    writer.close()
    await opened.close()
    await asyncio.sleep(0.01)
