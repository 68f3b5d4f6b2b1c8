"""`edge-hil misbehave` as a command: its ready line, its control port, and every way to call it wrongly."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edge_agent_hil.cli import main
from edge_agent_hil.misbehave_faults import KINDS
from tests.peers.misbehaving import COMMAND, Misbehaving, environment
from tests.peers.raw_modbus import Wire, read


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is said about wrong usage, which ends with 2."""
    with pytest.raises(SystemExit) as end:
        main(["misbehave", *arguments])
    assert end.value.code == 2
    return capsys.readouterr().err


def test_the_ready_line_and_the_ready_file_say_where_it_is(tmp_path: Path) -> None:
    file = tmp_path / "ready.json"
    with Misbehaving("late=300ms,every=3", units="1-3,7", **{"ready-file": file}) as server:
        assert server.ready["face"] == "tcp"
        assert server.ready["host"] == "127.0.0.1"
        assert server.ready["units"] == [1, 2, 3, 7]
        assert server.ready["faults"] == ["late=300ms,every=3"]
        assert json.loads(file.read_text()) == server.ready
        with Wire(server.port) as wire:
            assert wire.ask(read(0, 1), unit=7) is not None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_with_0_when_told_even_with_connections_open(number: signal.Signals) -> None:
    with Misbehaving() as server, Wire(server.port) as wire:
        assert wire.ask(read(0, 1))
        assert server.stop(number) == 0


def test_a_taken_port_and_a_missing_device_end_with_1(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wrong = [["--port", str(taken.getsockname()[1])], ["--face", "serial", "--device", str(tmp_path / "none")]]
        wrong.append(["--face", "serial", "--device", "/dev/null"])
        for arguments in wrong:
            done = subprocess.run(
                [*COMMAND, *arguments], capture_output=True, text=True, env=environment(), timeout=20
            )
            assert done.returncode == 1, arguments
            assert arguments[-1] in done.stderr
            assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("lat=300ms", "there is no fault 'lat'; did you mean late?"),
        ("hole=3", "did you mean holes?"),
        ("nonsense", "there are max_registers, holes"),
        ("late", "late needs a value: late=…"),
        ("late=300", "late: '300' is not a duration; write a number with a unit"),
        ("late=300ms,evry=3", "late takes no 'evry'; did you mean every?"),
        ("late=300ms,every=0", "late, every: '0' is no whole number from 1"),
        ("max_registers=126", "max_registers: '126' is no whole number from 1 to 125"),
        ("max_registers=16,code=4", "max_registers, code: '4' is no whole number from 2 to 3"),
        ("holes=9-5", "holes: '9-5' is no list such as 50-59,70"),
        ("holes=5,", "is no list such as"),
        ("silent_units=256", "numbers up to 255"),
        ("exception=0", "exception: '0' is no whole number from 1 to 255"),
        ("garble=lenght", "is none of length, count, protocol, check; did you mean length?"),
        ("garble=check", "garble: 'check' cannot be wrong on this face; there are length, count, protocol"),
        ("one_connection=close,every=2", "one_connection takes no 'every'"),
        ("deaf=yes", "deaf takes no value, but it says 'yes'"),
        ("deaf,7", "deaf takes no value, but it says '7'"),
        ("echo", "echo needs a serial line or its bytes over TCP"),
        ("wrong_unit=x", "wrong_unit: 'x' is no whole number from 0 to 255"),
        ("", "there is no fault ''"),
    ],
)
def test_a_wrong_fault_ends_with_2_and_says_what_would_be_right(
    capsys: pytest.CaptureFixture[str], fault: str, said: str
) -> None:
    assert said in refusal(capsys, "--fault", fault)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--face serial", "--face serial needs --device PATH"),
        ("--face serial --device /dev/x --port 5", "--port is none of --face serial"),
        ("--device /dev/x", "write --face serial"),
        ("--baud 9600", "--device and --baud are none of --face tcp"),
        ("--face serial --device /dev/x --baud 9601", "9601 is no speed of a serial device; there are 50,"),
        ("--face smoke", "invalid choice: 'smoke'"),
        ("--units 1,x", "'1,x' is no list such as"),
        ("--units 256", "numbers up to 255"),
        ("--port 65536", "'65536' is no port"),
        ("--ready-file /no/such/folder/r", "there is no folder"),
        ("--face udp --fault one_connection", "one_connection needs TCP connections"),
        ("--face udp --fault byte_by_byte", "byte_by_byte needs a stream of bytes"),
        ("--face serial --device /dev/x --fault close_after_each", "close_after_each needs TCP connections"),
        ("--face rtuovertcp --fault garble=length", "there are check"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_would_be_right(
    capsys: pytest.CaptureFixture[str], arguments: str, said: str
) -> None:
    assert said in refusal(capsys, *arguments.split())


def test_a_wrong_order_changes_nothing() -> None:
    with Misbehaving("exception=6") as server:
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"faults": ["late=300ms", "lat=1s"]}, "did you mean late?"),
            ({"faults": "late=300ms"}, 'write a list, such as ["late=300ms", "wrong_unit"]'),
            ({"faults": ["junk"]}, "junk needs a serial line"),
            ({"fault": []}, "an order is a JSON object with one of faults, counters"),
            ({"reset": True, "again": 1}, "there is no order 'again'"),
            ({"table": "holdings"}, "there is no table 'holdings'; there are coil, discrete, holding, input"),
            ({"table": "holding", "unit": 2}, "there is no unit 2; there are 1"),
            ({"table": "holding", "address": "x"}, "address: 'x' is no whole number"),
            ({"table": "holding", "adress": 1}, "a table has no 'adress'"),
        ]
        for order, said in wrong:
            assert said in server.order(**order)["error"]
        with socket.create_connection(("127.0.0.1", server.ready["control"]), 5) as line:
            line.sendall(b"late\n[1]\n")
            with line.makefile() as answers:
                assert "not JSON" in answers.readline()
                assert "an order is a JSON object" in answers.readline()
        with Wire(server.port) as wire:
            assert wire.ask(read(0, 1)) == bytes([0x83, 6])
        assert server.order(faults=["deaf", "late=1s,unit=1"]) == {"faults": ["deaf", "late=1s,unit=1"]}


def test_every_fault_is_in_the_table_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "hil" / "README.md").read_text()
    for name in KINDS:
        assert f"| `{name}" in page, name
