"""The OPC UA server as a part of the agent: it starts and ends without a trace, and holds nobody up."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import struct
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from edge_agent.api import AccessDenied, ConfigError, Kind, NotConnected, Tag
from edge_agent_opcua.serving.connections import Rest
from edge_agent_opcua.serving.server import OpenServer, plugin
from edge_agent_opcua.serving.shown import Change
from tests.peers.shown_plant import Plant, client_of, config_of, connected, listening, shown
from tests.peers.waiting import free_port

OPEN: dict[str, Any] = {"security": "none", "anonymous": True}
LAG_AT_MOST_S = 0.1


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("opcua-server")]


def memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


async def test_it_opens_and_closes_again_and_again_on_one_port(tmp_path: Path) -> None:
    plant, port = Plant(), free_port()
    plant.all_good()
    server = plugin.build("scada", config_of(tmp_path, port, **OPEN), plant)
    used = []
    for n in range(3):
        plant.set("press-1.total", n)
        opened = await server.listen()
        client = await client_of(port)
        await client.connect()
        assert (await shown(client, "press-1.total")).Value.Value == n
        assert threads() == ["opcua-server-scada"]
        await opened.close()
        assert threads() == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        await client.disconnect()
        used.append(memory_mb())
    assert used[2] - used[0] < 15, "what one server took, the next one takes again"
    assert gc.isenabled()


async def test_the_agents_loop_runs_on_while_the_server_starts_and_works(tmp_path: Path) -> None:
    tags = [Tag(n, "press-1", f"t{n}", kind=Kind.FLOAT, unit="bar") for n in range(2_000)]
    plant = Plant(tags, [f"press-{n}" for n in range(10)])
    for tag in tags:
        plant.set(tag.id, 1.0)
    lags: list[float] = []

    async def measure() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.005)
            lags.append(time.perf_counter() - began - 0.005)

    measuring = asyncio.create_task(measure())
    # As the agent has it, whose own columns are arrays already.
    columns, plant.latest = plant.latest(), lambda: columns     # type: ignore[method-assign]
    try:
        async with listening(plant, tmp_path, **OPEN):
            await asyncio.sleep(0.3)
    finally:
        measuring.cancel()
    lags.sort()
    # One longer pause may be the machine's own, which runs other tests as well.
    assert lags[-2] < LAG_AT_MOST_S, [round(lag * 1e3) for lag in lags[-5:]]
    assert lags[-1] < 2.5 * LAG_AT_MOST_S, [round(lag * 1e3) for lag in lags[-5:]]


async def test_a_port_that_is_taken_costs_nothing_and_is_said(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        server = plugin.build("scada", config_of(tmp_path, port, **OPEN), Plant())
        began = time.process_time()
        with pytest.raises(NotConnected, match=f"port {port} is taken by another program"):
            await server.listen()
        assert time.process_time() - began < 0.5
    opened = await server.listen()
    await opened.close()


async def test_a_port_that_is_taken_while_the_server_is_being_built_is_said_as_well(tmp_path: Path) -> None:
    port = free_port()
    server = plugin.build("scada", config_of(tmp_path, port, **OPEN), Plant())
    opening = asyncio.create_task(server.listen())
    await asyncio.sleep(0.2)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(NotConnected, match=f"port {port} is taken by another program"):
            await opening
    assert threads() == []


async def test_an_address_this_computer_does_not_have_is_named(tmp_path: Path) -> None:
    server = plugin.build("scada", config_of(tmp_path, 4840, **{**OPEN, "listen": "192.0.2.7:4840"}), Plant())
    with pytest.raises(NotConnected, match=r"no address 192\.0\.2\.7"):
        await server.listen()


async def test_a_certificate_that_cannot_be_used_is_said_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "pki" / "own" / "certs"
    folder.mkdir(parents=True)
    (folder / "edge-agent.der").write_bytes(b"rubbish")
    port = free_port()
    server = plugin.build("scada", config_of(tmp_path, port), Plant())
    with pytest.raises(AccessDenied, match="cannot be used"):
        await server.listen()
    with socket.socket() as free:
        free.bind(("127.0.0.1", port))


async def test_who_stops_while_it_is_being_built_does_not_wait_for_it(tmp_path: Path) -> None:
    server = plugin.build("scada", config_of(tmp_path, free_port(), **OPEN), Plant())
    opening = asyncio.create_task(server.listen())
    await asyncio.sleep(0.7)
    began = time.monotonic()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert time.monotonic() - began < 1.0
    assert threads() == []


async def test_a_fault_in_the_thread_is_raised_where_the_agent_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_agent_opcua.serving.space import Space

    async def fault(self: Space, change: Change) -> None:
        raise RuntimeError("a bug")

    plant = Plant()
    plant.all_good()
    opened = await plugin.build("scada", config_of(tmp_path, free_port(), **OPEN), plant).listen()
    monkeypatch.setattr(Space, "put", fault)
    plant.set("press-1.temp", 99.0)
    with pytest.raises(RuntimeError, match="a bug"):
        async with asyncio.timeout(60):
            await opened.closed()
    await opened.close()
    assert threads() == []


async def test_a_fault_while_looking_is_raised_where_the_agent_waits(tmp_path: Path) -> None:
    plant = Plant()
    opened = await plugin.build("scada", config_of(tmp_path, free_port(), **OPEN), plant).listen()
    plant.latest = lambda: 1 / 0    # type: ignore[method-assign, assignment, return-value]
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(60):
            await opened.closed()
    await opened.close()


async def test_waiting_can_be_given_up(tmp_path: Path) -> None:
    opened = await plugin.build("scada", config_of(tmp_path, free_port(), **OPEN), Plant()).listen()
    waiting = asyncio.create_task(opened.closed())
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await opened.close()
    await opened.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert isinstance(opened, OpenServer)


async def test_a_tag_whose_kind_is_learned_late_has_the_type_of_its_values(tmp_path: Path) -> None:
    tags = [Tag(0, "cnc-7", "count"), Tag(1, "cnc-7", "mode")]
    plant = Plant(tags, ())
    async with listening(plant, tmp_path, **OPEN) as port, connected(port) as client:
        assert [v.StatusCode.name for v in await shown(client, "cnc-7.count", "cnc-7.mode")] == [
            "BadWaitingForInitialData", "BadWaitingForInitialData",
        ]  # fmt: skip
        tags[0].kind, tags[1].kind = Kind.INT, Kind.TEXT
        plant.set("cnc-7.count", 7)
        plant.set("cnc-7.mode", "automatic")
        async with asyncio.timeout(60):
            while (values := await shown(client, "cnc-7.count", "cnc-7.mode"))[1].Value.Value is None:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert [(v.Value.Value, v.Value.VariantType.name) for v in values] == [(7, "Int64"), ("automatic", "String")]


def hello(port: int) -> bytes:
    url = f"opc.tcp://127.0.0.1:{port}".encode()
    body = struct.pack("<IIIIII", 0, 65_535, 65_535, 0, 0, len(url)) + url
    return b"HELF" + struct.pack("<I", 8 + len(body)) + body


async def test_rude_clients_are_let_go_and_disturb_nobody(tmp_path: Path) -> None:
    dice, plant = random.Random(7), Plant()
    plant.all_good()
    async with listening(plant, tmp_path, **OPEN, sessions=5) as port:
        # one that announces a gigabyte and sends a lot of it
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(hello(port) + b"MSGF" + struct.pack("<I", 1 << 30))
        with pytest.raises(ConnectionError):
            for _ in range(100):
                writer.write(bytes(65_536))
                await writer.drain()
                await asyncio.sleep(0.005)
        writer.close()
        # many that say nothing, more than there is room for
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(25)]
        for _, one in silent:
            one.close()
        for _ in range(60):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            junk = dice.randbytes(dice.randrange(1, 300))
            writer.write(hello(port) + junk if dice.random() < 0.5 else junk)
            writer.close()
        await asyncio.sleep(0.2)
        async with connected(port) as client:
            assert (await shown(client, "press-1.temp")).Value.Value == 23.5


async def test_after_an_answer_the_server_rests_four_times_as_long() -> None:
    rest, began = Rest(), time.monotonic()
    await rest.wait()
    assert time.monotonic() - began < 0.03
    rest.add(0.02)
    rest.add(0.03)
    await rest.wait()
    assert time.monotonic() - began >= 0.2
    rest.add(10.0)      # no client waits for so long
    async with asyncio.timeout(3):
        await rest.wait()


async def test_every_request_of_a_greedy_client_waits_for_the_rest_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []
    wait, add = Rest.wait, Rest.add

    async def waits(self: Rest) -> None:
        await wait(self)
        happened.append("rested")

    def answered(self: Rest, spent_s: float) -> None:
        happened.append("answered" if spent_s > 0 else "answered in no time")
        add(self, spent_s)

    plant = Plant()
    plant.all_good()
    async with listening(plant, tmp_path, **OPEN) as port, connected(port) as client:
        monkeypatch.setattr(Rest, "wait", waits)
        monkeypatch.setattr(Rest, "add", answered)
        for _ in range(3):
            await shown(client, *["press-1.temp"] * 200)
        seen = happened[happened.index("rested") :]       # what was asked for at connecting may be answered late
    assert seen[:6] == ["rested", "answered"] * 3


def test_a_tag_with_the_node_id_of_a_machine_is_a_mistake(tmp_path: Path) -> None:
    plant = Plant([Tag(0, "machine", "press-1")])
    with pytest.raises(ConfigError, match=r"serve\.scada\.show.*machine\.press-1.*node id of machine press-1"):
        plugin.build("scada", config_of(tmp_path, 4840, **OPEN), plant)
    shows = {"tags": True, "machines": False}
    plugin.build("scada", config_of(tmp_path, 4840, **OPEN, show=shows), plant)
