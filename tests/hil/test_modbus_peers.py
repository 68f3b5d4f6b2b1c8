"""The other Modbus peers of the tests are what they say: slaves on serial lines, TLS servers, the C client."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymodbus import FramerType
from pymodbus.client import ModbusSerialClient
from pymodbus.exceptions import ModbusIOException

from tests.peers.build import PEERS, compiled
from tests.peers.certificates import Authority, Identity
from tests.peers.process import Peer
from tests.peers.raw_modbus import mbap, read, values
from tests.peers.serial_pair import SerialPair
from tests.peers.tls_server import socat_tls
from tests.peers.waiting import free_port

pytestmark = pytest.mark.peer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("peers")


@pytest.fixture(scope="module")
def authority(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def theirs(authority: Authority) -> Identity:
    """The server's certificate."""
    return authority.issue("server")


@pytest.fixture
def line(tmp_path: Path) -> Iterator[SerialPair]:
    pytest.importorskip("serial", reason="needs pyserial for pymodbus's serial client")
    with SerialPair(tmp_path, 19200) as pair:
        yield pair


def serial_client(line: SerialPair, framer: FramerType = FramerType.RTU) -> ModbusSerialClient:
    return ModbusSerialClient(line.b, framer=framer, baudrate=19200, timeout=0.8, retries=0)


def holding(client: ModbusSerialClient, first: int, count: int, unit: int = 1) -> list[int]:
    answer = client.read_holding_registers(first, count=count, device_id=unit)
    assert not answer.isError(), answer
    return list(answer.registers)


@pytest.mark.parametrize("units", [[1], [1, 2, 7]])
def test_the_libmodbus_slave_answers_for_its_units_and_no_others(
    folder: Path, line: SerialPair, units: list[int]
) -> None:
    with Peer([compiled("rtuslave", folder), line.a, 19200, "N", *units]), serial_client(line) as client:
        for unit in units:
            assert holding(client, 998, 2, unit) == [998, unit]
        began = time.monotonic()
        assert holding(client, 0, 125, units[-1]) == list(range(125))
        assert time.monotonic() - began >= 0.13, "the line has its speed"
        assert client.read_input_registers(5, count=1).registers == [10_005]
        assert client.read_coils(0, count=4).bits[:4] == [True, False, False, True]
        assert client.write_registers(10, [7, 8], device_id=units[-1]).registers is not None
        assert not client.mask_write_register(address=10, and_mask=0, or_mask=9, device_id=units[-1]).isError()
        assert holding(client, 10, 2, units[-1]) == [9, 8]
        assert client.read_holding_registers(999, count=2).exception_code == 2
        with pytest.raises(ModbusIOException, match="No response"):
            client.read_holding_registers(0, count=1, device_id=9)
        assert holding(client, 3, 1) == [3], "and it goes on"


@pytest.mark.parametrize("framer", [FramerType.RTU, FramerType.ASCII])
def test_the_pymodbus_slave_answers_for_its_units_and_no_others(line: SerialPair, framer: FramerType) -> None:
    command = [sys.executable, PEERS / "pymodbus_rtu.py", line.a, 19200, "1,7", framer.value]
    with Peer(command), serial_client(line, framer) as client:
        assert holding(client, 0, 2, 1) == [100, 101]
        assert holding(client, 0, 2, 7) == [700, 701]
        with pytest.raises(ModbusIOException, match="No response"):
            client.read_holding_registers(0, count=1, device_id=2)
        assert holding(client, 2, 1, 7) == [702]


def over_tls(port: int, authority: Authority, ours: Identity | None = None) -> list[int]:
    """Holding 10 to 12, read through TLS that verifies the server; OSError (ssl's are some) if that fails."""
    context = ssl.create_default_context(cafile=authority.ca)
    if ours:
        context.load_cert_chain(ours.certificate, ours.key)
    with (
        socket.create_connection(("127.0.0.1", port), 3) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as line,
    ):
        line.sendall(mbap(read(10, 3), 1, 77))
        answer = line.recv(300)
        if not answer:
            raise ConnectionResetError("ended without an answer")
        assert answer[:7] == mbap(bytes(8), 1, 77)[:7], "MBAP inside TLS"
        return values(answer[7:])


def test_the_tls_server_speaks_mbap_inside_tls(authority: Authority, theirs: Identity) -> None:
    port = free_port()
    with Peer([sys.executable, PEERS / "tls_server.py", port, theirs.certificate, theirs.key]):
        assert over_tls(port, authority) == [10, 11, 12]


def test_the_tls_server_verifies_clients_when_told(
    authority: Authority, theirs: Identity, tmp_path: Path
) -> None:
    port = free_port()
    command = [sys.executable, PEERS / "tls_server.py", port, theirs.certificate, theirs.key]
    stranger = Authority(tmp_path, "other-ca").issue("stranger")
    with Peer([*command, "--ca", authority.ca]):
        for ours in (None, stranger):
            with pytest.raises(OSError):
                over_tls(port, authority, ours)
        assert over_tls(port, authority, authority.issue("client")) == [10, 11, 12]


@pytest.mark.parametrize("verify", [False, True])
def test_socat_ends_tls_in_front_of_the_libmodbus_server(
    folder: Path, authority: Authority, theirs: Identity, verify: bool
) -> None:
    if shutil.which("socat") is None:
        pytest.skip("needs socat (apt install socat)")
    plain, port = free_port(), free_port()
    files = [str(file) for file in (theirs.certificate, theirs.key, *([authority.ca] if verify else []))]
    with (
        Peer([compiled("mbserver", folder), plain]),
        Peer(socat_tls(port, plain, *files), listens=port),
    ):
        assert over_tls(port, authority, authority.issue("client")) == [10, 11, 12]
        if verify:
            with pytest.raises(OSError):
                over_tls(port, authority)


def test_an_expired_certificate_and_one_of_another_authority_are_refused_by_who_looks(
    authority: Authority, tmp_path: Path
) -> None:
    old, strange = authority.issue("old", expired=True), Authority(tmp_path, "other-ca").issue("server")
    for theirs, why in ((old, "expired"), (strange, "unable to get local issuer")):
        port = free_port()
        with (
            Peer([sys.executable, PEERS / "tls_server.py", port, theirs.certificate, theirs.key]),
            pytest.raises(ssl.SSLCertVerificationError, match=why),
        ):
            over_tls(port, authority)


def test_the_c_client_measures_itself(folder: Path) -> None:
    port = free_port()
    with Peer([compiled("mbserver", folder), port]):
        done = subprocess.run(
            [compiled("mbclient", folder), str(port), "100", "2000"], capture_output=True, text=True, check=True
        )
    figures = json.loads(done.stdout)
    assert (figures["requests"], figures["registers"]) == (2000, 100)
    assert figures["requests_per_s"] > 100
    assert 0 < figures["cpu_us_per_request"] < 1000
