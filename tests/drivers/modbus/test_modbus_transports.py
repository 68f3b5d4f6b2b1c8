"""Every way to a device over a network: UDP, TLS, RTU and ASCII over TCP, IPv6, shared and backup addresses."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_agent.api import AccessDenied, NotConnected
from tests.peers.build import PEERS
from tests.peers.certificates import Authority
from tests.peers.misbehaving import Misbehaving
from tests.peers.tls_server import socat_tls
from tests.peers.waiting import free_port

Build = Callable[..., Any]


def many(n: int) -> dict[str, Any]:
    return {f"r{i}": f"holding:{i}" for i in range(n)}


@contextmanager
def started(command: list[str], port: int) -> Iterator[None]:
    """A server process; returns once its port takes connections."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 40
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 0.2).close()
                    break
                except OSError:
                    assert process.poll() is None and time.monotonic() < end, f"{command} did not start"
                    time.sleep(0.03)
            yield
        finally:
            process.kill()


@pytest.mark.parametrize("face", ["udp", "rtuovertcp", "asciiovertcp"])
async def test_every_framing_reads_registers_and_bits_and_finds_its_way_around_holes(
    device: Build, session: Any, face: str
) -> None:
    with Misbehaving("holes=5", face=face, units="1,2") as server:
        tags = {**many(10), "c": "coil:3", "d": "discrete:6", "i": "input:7 uint32 CDAB"}
        driver = device(f"modbus+{face}://127.0.0.1:{server.port}?unit=2", tags, poll="10ms", timeout="500ms")
        async with session(driver) as opened:
            for _ in range(3):
                batch = await opened.read()
                row = dict(zip([driver.tags[t].name for t in batch.tag], batch.value, strict=True))
                assert [row[f"r{n}"] for n in range(10) if n != 5] == [n for n in range(10) if n != 5]
                assert row["r5"] != row["r5"]
                assert (row["c"], row["d"], row["i"]) == (1, 0, 10_008 * 65_536 + 10_007)


async def test_datagrams_that_are_lost_are_asked_for_again(device: Build, session: Any) -> None:
    with Misbehaving(face="udp") as server:
        url = f"modbus+udp://127.0.0.1:{server.port}"
        async with session(device(url, many(5), poll="10ms", timeout="60ms", retries=2)) as opened:
            server.switch("deaf,every=2")
            for _ in range(6):
                assert list((await opened.read()).value) == list(range(5))


async def test_a_udp_port_where_nobody_listens_is_said_so(device: Build) -> None:
    with pytest.raises(NotConnected, match="connection lost"):
        await device(f"modbus+udp://127.0.0.1:{free_port()}", many(1), timeout="300ms").connect()


@pytest.mark.parametrize("face", ["rtuovertcp", "asciiovertcp"])
async def test_late_answers_of_serial_gateways_are_never_taken_for_the_next_one(
    device: Build, session: Any, face: str
) -> None:
    with Misbehaving(face=face) as server:
        tags = {"a": "holding:1", "b": "holding:300", "c": "holding:600"}
        url = f"modbus+{face}://127.0.0.1:{server.port}"
        async with session(device(url, tags, timeout="80ms", retries=2, poll="10ms")) as opened:
            server.switch("late=110ms,every=3")
            for _ in range(8):
                assert list((await opened.read()).value) == [1, 300, 600]


class Pki:
    """An authority, a server's and a client's certificate."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.server = self.authority.issue("plc")
        self.client = self.authority.issue("gw-01")
        (folder / "other").mkdir()
        self.other = Authority(folder / "other", "other-ca")

    @property
    def mutual(self) -> dict[str, Any]:
        """The keys of a device that asks for a client certificate."""
        return {"ca": self.authority.ca, "cert": self.client.certificate, "key": self.client.key}


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


@pytest.fixture(params=["pymodbus", "socat and libmodbus"])
def tls_port(request: pytest.FixtureRequest, pki: Pki) -> Iterator[int]:
    """A server inside TLS that asks for a client certificate."""
    port = free_port()
    files = (str(pki.server.certificate), str(pki.server.key))
    if request.param == "pymodbus":
        command = [sys.executable, str(PEERS / "tls_server.py"), str(port), *files, "--ca", str(pki.authority.ca)]
    else:
        behind = request.getfixturevalue("libmodbus")
        command = socat_tls(port, behind.port, *files, ca=str(pki.authority.ca))
    with started(command, port):
        yield port


async def test_tls_is_verified_on_both_sides(tls_port: int, pki: Pki, device: Build, session: Any) -> None:
    url = f"modbus+tls://127.0.0.1:{tls_port}"
    driver = device(url, many(100), poll="10ms", **pki.mutual)
    async with session(driver) as opened:
        for _ in range(3):
            assert list((await opened.read()).value) == list(range(100))


async def test_a_device_whose_certificate_is_not_trusted_is_not_talked_to(
    tls_port: int, pki: Pki, device: Build
) -> None:
    url = f"modbus+tls://127.0.0.1:{tls_port}"
    for ca in (None, pki.other.ca):
        with pytest.raises(AccessDenied, match=r"certificate is not trusted .* name the authority"):
            await device(url, many(1), **{**pki.mutual, "ca": ca}).connect()
    with pytest.raises(AccessDenied, match="not trusted"):
        await device(url, many(1), server_name="another-plc", **pki.mutual).connect()


async def test_a_device_that_wants_a_certificate_and_gets_none_says_so(
    tls_port: int, pki: Pki, device: Build
) -> None:
    with pytest.raises(NotConnected, match=r"TLS|connection lost"):
        await device(f"modbus+tls://127.0.0.1:{tls_port}", many(1), ca=pki.authority.ca).connect()


async def test_certificate_files_that_are_missing_are_named(pki: Pki, device: Build, tmp_path: Path) -> None:
    port = free_port()
    with pytest.raises(AccessDenied, match=r"nowhere\.pem"):
        await device(f"modbus+tls://127.0.0.1:{port}", many(1), ca=tmp_path / "nowhere.pem").connect()
    with pytest.raises(AccessDenied, match=r"cert: .*nowhere\.pem"):
        keys = {"ca": pki.authority.ca, "cert": tmp_path / "nowhere.pem"}
        await device(f"modbus+tls://127.0.0.1:{port}", many(1), **keys).connect()


async def test_ipv6_addresses_are_read(device: Build, session: Any, registers: Any) -> None:
    gone = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(12):
            writer.write(registers(request))
        writer.close()
        await writer.wait_closed()
        gone.set()

    try:
        server = await asyncio.start_server(serve, "::1", 0)
    except OSError:
        pytest.skip("this computer has no IPv6 loopback")
    port = server.sockets[0].getsockname()[1]
    async with session(device(f"modbus+tcp://[::1]:{port}", many(3))) as opened:
        assert list((await opened.read()).value) == [0, 1, 2]
    await gone.wait()
    server.close()


async def test_the_backup_address_is_used_while_the_first_one_does_not_answer(
    device: Build, session: Any
) -> None:
    with Misbehaving() as first, Misbehaving() as second:
        urls = [f"modbus+tcp://127.0.0.1:{first.port}", f"modbus+tcp://127.0.0.1:{second.port}"]
        driver = device(None, many(3), urls=urls, poll="20ms", timeout="1s", retries=0)
        async with session(driver) as opened:
            assert list((await opened.read()).value) == [0, 1, 2]
            assert second.counters()["requests"] == {}
            first.kill()
            with pytest.raises(NotConnected):
                await opened.read()
        async with session(driver) as opened:
            assert list((await opened.read()).value) == [0, 1, 2]
            assert second.counters()["requests"]["1"] >= 2
            second.kill()
            with pytest.raises(NotConnected):
                await opened.read()
        with pytest.raises(NotConnected, match=f":{urls[0][-5:].strip(':')}.*; .*:{urls[1][-5:].strip(':')}"):
            await driver.connect()


@pytest.mark.parametrize("allowed", [1, 2, 3])
async def test_there_are_never_more_connections_to_a_host_than_allowed(device: Build, allowed: int) -> None:
    with Misbehaving("slow=5ms", units="1,2,3,4,5") as server:
        drivers = [
            device(server.port, many(3), f"?unit={unit}", connections=allowed, poll="10ms") for unit in range(1, 6)
        ]
        sessions = await asyncio.gather(*(driver.connect() for driver in drivers))
        for _ in range(3):
            for batch in await asyncio.gather(*(opened.read() for opened in sessions)):
                assert list(batch.value) == [0, 1, 2]
        assert server.counters()["connections"]["most"] == allowed
        for opened in sessions:
            await opened.close()
        await asyncio.sleep(0.05)
        assert server.counters()["connections"]["now"] == 0


async def test_devices_that_wait_for_the_same_dead_gateway_wait_together(device: Build) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = []
        for _ in range(4):      # the queue of the port is full: further attempts are not answered
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            fillers.append(filler)
        drivers = [device(port, many(1), f"?unit={unit}", timeout="400ms") for unit in range(1, 21)]
        began = time.monotonic()
        outcomes = await asyncio.gather(*(driver.connect() for driver in drivers), return_exceptions=True)
        assert time.monotonic() - began < 1.5
        assert all(isinstance(outcome, NotConnected) for outcome in outcomes)
        assert "nobody answers the attempt to connect within 0.4s" in str(outcomes[7])
        for filler in fillers:
            filler.close()
