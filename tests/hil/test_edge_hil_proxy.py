"""`edge-hil proxy` as a process: ready line, orders, end, and every way to call it wrongly."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient
from pymodbus.exceptions import ModbusException

from edge_agent_hil.cli import main
from edge_agent_hil.place import place
from edge_agent_hil.program import ProgramError, Proxy
from tests.peers.misbehaving import Misbehaving
from tests.peers.waiting import wait_for


@pytest.fixture
def device() -> Iterator[Misbehaving]:
    with Misbehaving() as server:
        yield server


def first_register(proxy: Proxy, patience_s: float = 20.0) -> int:
    client = ModbusTcpClient("127.0.0.1", port=proxy.port, timeout=patience_s, retries=0)
    assert client.connect()
    with client:
        return int(client.read_holding_registers(7, count=1).registers[0])


def test_a_client_reads_a_device_through_it_and_feels_its_faults(device: Misbehaving) -> None:
    with Proxy(f"modbus+tcp://127.0.0.1:{device.port}?unit=1") as proxy:
        assert proxy.url == f"modbus+tcp://127.0.0.1:{proxy.port}?unit=1"
        assert first_register(proxy) == 7
        wait_for(lambda: proxy.counters()["open"] == 0, 20, "both ends have gone")
        proxy.apply("black-hole", "delay:by=1ms")
        with pytest.raises(ModbusException):
            first_register(proxy, 0.3)
        wait_for(lambda: proxy.counters()["open"] == 0, 20, "the client has given up")
        proxy.clear("black-hole")
        assert first_register(proxy) == 7
        assert proxy.ask({"clear": True, "apply": ["lose:share=5%"]})["faults"] == ["lose:share=0.05,way=both"]
        counters = proxy.counters()
        assert (counters["connections"], counters["unreachable"]) == (3, 0)
        assert (counters["up_bytes"], counters["down_bytes"]) == (24, 22), "two requests and their answers"


def test_wrong_orders_are_refused_and_change_nothing(device: Misbehaving) -> None:
    with Proxy(f"127.0.0.1:{device.port}", "delay:by=1ms") as proxy:
        for order, says in [
            ({"apply": ["lose", "dely"]}, "did you mean delay?"),
            ({"apply": "delay"}, "apply: write a list"),
            ({"clear": ["dely"]}, "clear: a wire has no fault 'dely'"),
            ({"clear": "delay"}, "clear: write a list"),
            ({"counters": True, "drop": True}, "there is no order 'drop'"),
            ({}, "an order is a JSON object with one of apply, clear, counters"),
        ]:
            with pytest.raises(ProgramError, match=says.replace("?", r"\?")):
                proxy.ask(order)
        assert proxy.ask({"apply": []})["faults"] == ["delay:by=1ms,way=both"]


def test_the_ready_file_says_what_the_ready_line_says(device: Misbehaving, tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "edge_agent_hil.cli", "proxy", f"127.0.0.1:{device.port}"]
    process = subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.PIPE)
    assert process.stdout
    said = json.loads(process.stdout.readline())
    assert said == json.loads(ready.read_text())
    assert (said["url"], said["pid"]) == (f"127.0.0.1:{said['port']}", process.pid)
    process.terminate()
    assert process.wait(20) == 0
    process.stdout.close()


def test_a_taken_port_ends_with_1(device: Misbehaving, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert main(["proxy", "127.0.0.1:1", "--listen", f"127.0.0.1:{taken.getsockname()[1]}"]) == 1
    assert "Address already in use" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["here"], ["127.0.0.1:0"], ["127.0.0.1:99999"], ["modbus+udp://plc:502"],
        ["127.0.0.1:502", "--fault", "lost"], ["127.0.0.1:502", "--listen", "127.0.0.1"],
        ["127.0.0.1:1", "--ready-file", "/no/such/f"],
        ["modbus+rtu:///dev/x?baud=fast"], ["modbus+rtu:///dev/x?parity=X"], ["modbus+rtu://x"],
        ["modbus+rtu:///dev/x", "--fault", "reset"],
    ],
)  # fmt: skip
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["proxy", *arguments])
    assert end.value.code == 2


@pytest.mark.parametrize(
    ("url", "moved"),
    [
        ("modbus+tcp://10.0.0.5?unit=3", "modbus+tcp://127.0.0.1:99?unit=3"),
        ("opc.tcp://plc.example/path", "opc.tcp://127.0.0.1:99/path"),
        ("mqtt://me:secret@broker:1884", "mqtt://me:secret@127.0.0.1:99"),
        ("10.0.0.5:502", "127.0.0.1:99"),
        ("[::1]:502", "127.0.0.1:99"),
    ],
)
def test_a_url_leads_through_the_wire_with_all_it_says(url: str, moved: str) -> None:
    assert place(url).through("127.0.0.1", 99) == moved


def test_an_order_that_is_no_json_is_answered(device: Misbehaving) -> None:
    with (
        Proxy(f"127.0.0.1:{device.port}") as proxy,
        socket.create_connection(("127.0.0.1", proxy.control), 20) as line,
        line.makefile() as said,
    ):
        line.sendall(b"help\n")
        assert json.loads(said.readline())["error"].startswith("not JSON")
