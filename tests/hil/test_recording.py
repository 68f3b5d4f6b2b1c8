"""A device's answers are recorded as they pass, and served again: the same values, exceptions, silences and timing."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.api import ConfigError
from edge_agent_hil.cli import main
from edge_agent_hil.program import Program
from edge_agent_hil.reading import blocks
from edge_agent_hil.recorded_unit import RecordedUnit
from edge_agent_hil.recorder import Recorder
from edge_agent_hil.recording import read as read_file
from edge_agent_hil.recording_modbus import Exchange, exchange_of, written
from tests.peers.misbehaving import Misbehaving
from tests.peers.raw_modbus import Wire, mbap, read

HEAD = {"recording": "modbus", "version": 1, "target": "plc:502", "begun": "2026-01-31T10:00:00.000Z"}


def read_recording(path: Path) -> list[Exchange]:
    return read_file(path, {"modbus": exchange_of})[1]


def file_of(folder: Path, *lines: dict[str, Any]) -> Path:
    path = folder / "device.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in (HEAD, *lines)))
    return path


@contextmanager
def recorded(device: Misbehaving, file: Path) -> Iterator[int]:
    with Program("record", f"127.0.0.1:{device.port}", str(file)) as recording:
        yield recording.ready["port"]


def test_a_device_is_recorded_while_it_is_read_and_answers_the_same_when_replayed(tmp_path: Path) -> None:
    file = tmp_path / "device.jsonl"
    questions = [
        (1, read(0, 3)), (1, read(0, 9, 1)), (1, read(995, 9)), (7, read(5, 1, 4)), (1, bytes.fromhex("2b0e0100")),
        (1, bytes.fromhex("060005002a")), (1, read(5, 1)), (9, read(0, 1)),
    ]  # fmt: skip
    with (
        Misbehaving("slow=30ms,fc=4", "deaf,unit=9", units="1,7") as device,
        recorded(device, file) as port,
        Wire(port) as wire,
    ):
        first = [wire.ask(pdu, unit) for unit, pdu in questions[:-1]]
        wire.send(mbap(questions[-1][1], 9, 99))
        time.sleep(0.3)
    exchanges = read_recording(file)
    assert [(one.unit, one.request) for one in exchanges] == questions
    assert [one.answer for one in exchanges[:-1]] == first
    assert exchanges[-1].answer == b""
    assert exchanges[3].took_us >= 29_000
    with Program("replay", str(file), "--in-order") as replay, Wire(replay.ready["port"]) as wire:
        again = []
        for unit, pdu in questions[:-1]:
            began = time.monotonic()
            again.append(wire.ask(pdu, unit))
            if pdu[0] == 4:
                assert time.monotonic() - began >= 0.029
        assert again == first
        wire.send(mbap(questions[-1][1], 9, 99))
        assert wire.pieces(0.3) == []


def test_what_it_reads_by_itself_is_recorded_without_an_agent(tmp_path: Path) -> None:
    file = tmp_path / "device.jsonl"
    with Misbehaving("holes=300") as device:
        arguments = ["record", f"modbus+tcp://127.0.0.1:{device.port}", str(file), "--read", "holding:0-299"]
        process = subprocess.Popen(
            [sys.executable, "-m", "edge_agent_hil.cli", *arguments, "--read", "300", "--every", "50ms"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert process.wait(60) == 2, "300 is no block"
        assert process.stderr and "is nothing to read; write such as holding:0-99" in process.stderr.read()
        process.stderr.close()
        assert main([*arguments, "--read", "holding:300", "--every", "50ms", "--for", "700ms"]) == 0
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines[0]["target"] == f"modbus+tcp://127.0.0.1:{device.port}"
    assert {(line["read"], line["count"]) for line in lines[1:]} == {
        ("holding:0", 125), ("holding:125", 125), ("holding:250", 50), ("holding:300", 1),
    }  # fmt: skip
    assert {line.get("exception") for line in lines if line.get("read") == "holding:300"} == {2}
    assert next(line["values"] for line in lines if line.get("read") == "holding:250") == list(range(250, 300))


def test_a_device_that_never_answered_is_no_recording(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{nobody.getsockname()[1]}"
        assert main(["record", target, str(tmp_path / "d"), "--read", "holding:0", "--for", "300ms"]) == 1


def unit(now: list[int], *exchanges: Exchange, in_order: bool = False) -> RecordedUnit:
    return RecordedUnit(exchanges, lambda: now[0], in_order)


def answered(*values: int) -> bytes:
    return bytes([3, 2 * len(values)]) + b"".join(value.to_bytes(2, "big") for value in values)


def test_by_the_clock_an_answer_stands_until_the_next_one_and_the_last_for_ever() -> None:
    now = [0]
    one = unit(now, *(Exchange(at, 1, read(0, 1), 2000, answered(at // 100)) for at in (100, 200, 300)))
    said = {}
    for now[0] in (0, 100, 199, 200, 299, 301, 10**9):
        said[now[0]] = one.answer(read(0, 1))
    assert said == {0: answered(1), 100: answered(1), 199: answered(1), 200: answered(2), 299: answered(2),
                    301: answered(3), 10**9: answered(3)}  # fmt: skip
    assert one.took_s == 0.002


def test_in_order_each_request_has_its_next_answer_and_the_last_again() -> None:
    asked = [Exchange(n, 1, read(0, 1), 0, said) for n, said in enumerate([answered(1), b"\x83\x04", b"", answered(2)])]
    one = unit([0], *asked, in_order=True)
    assert [one.answer(read(0, 1)) for _ in range(5)] == [answered(1), b"\x83\x04", b"", answered(2), answered(2)]


def test_a_request_never_made_is_put_together_from_what_stood_at_each_address() -> None:
    coils = Exchange(0, 1, read(8, 3, 1), 0, b"\x01\x01\x05")
    registers = Exchange(0, 1, read(0, 4), 7000, answered(1, 2, 3, 4))
    one = unit([50], registers, Exchange(40, 1, read(2, 2), 0, answered(9, 8)), coils)
    assert one.answer(read(1, 3)) == answered(2, 9, 8)
    assert one.took_s == 0.007
    assert one.answer(read(1, 4)) == b"\x83\x02", "one of them was never read"
    assert one.answer(read(9, 2, 1)) == b"\x01\x01\x02"
    assert one.answer(bytes.fromhex("060000002a")) == b"\x86\x01"
    assert one.values("coil", 8, 3) == [1, 0, 1]


def test_answers_belong_to_their_requests_however_they_are_cut(tmp_path: Path) -> None:
    now = [1000]
    recorder = Recorder(tmp_path / "r", "plc:502", lambda: now[0])
    up = mbap(read(0, 1), 1, 1) + mbap(read(5, 1), 2, 2) + mbap(read(6, 1), 1, 3)
    for n in range(len(up)):
        recorder.hear(0, "up", up[n : n + 1])
    now[0] = 3500
    down = mbap(answered(22), 2, 2) + mbap(answered(11), 1, 1) + mbap(answered(99), 1, 77)
    recorder.hear(0, "down", down[:13])
    recorder.hear(0, "down", down[13:])
    recorder.hear(0, "up", b"")
    recorder.close()
    assert (recorder.exchanges, recorder.silences, recorder.unasked) == (3, 1, 1)
    assert read_recording(tmp_path / "r") == [
        Exchange(0, 2, read(5, 1), 2500, answered(22)),
        Exchange(0, 1, read(0, 1), 2500, answered(11)),
        Exchange(0, 1, read(6, 1), 0, b""),
    ]


@given(
    st.integers(0, 2**40), st.integers(0, 255), st.integers(0, 10**7),
    st.one_of(
        st.tuples(st.sampled_from([1, 2]), st.integers(0, 65535), st.integers(1, 2000)),
        st.tuples(st.sampled_from([3, 4]), st.integers(0, 65535), st.integers(1, 125)),
    ),
    st.data(),
)  # fmt: skip
def test_every_exchange_reads_as_it_was_written(
    at: int, unit: int, took: int, asked: tuple[int, int, int], data: st.DataObject
) -> None:
    function, first, count = asked
    request = read(first, count, function)
    size = 2 * count if function > 2 else (count + 7) // 8
    honest = st.binary(min_size=size, max_size=size).map(lambda body: bytes([function, size & 255]) + body)
    answer = data.draw(st.one_of(st.just(b""), st.just(bytes([function | 128, 2])), honest, st.binary(min_size=1)))
    exchange = Exchange(at, unit, request, took if answer else 0, answer)
    with TemporaryDirectory() as name:
        assert read_recording(file_of(Path(name), written(exchange))) == [exchange]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"at_us": 0, "unit": 1, "read": "register:0", "count": 1, "values": [1]}, "there is no table 'register'"),
        ({"at_us": 0, "unit": 1, "read": "holding:0", "count": 2, "values": [1]}, "1 values where 2 were asked for"),
        ({"at_us": 0, "read": "holding:0", "count": 1, "values": [1]}, "lacks 'unit'"),
        ({"at_us": 0, "unit": 1, "read": "holding:0", "count": 1, "values": [70000]}, "is no line of a recording"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_served(
    line: dict[str, Any], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = file_of(tmp_path, line)
    with pytest.raises(ConfigError, match=says):
        read_recording(file)
    assert main(["replay", str(file)]) == 78
    assert f"{file}:2: " in capsys.readouterr().err


def test_blocks_are_as_long_as_one_request_may_ask() -> None:
    cut = [(one.unit, one.first, one.count) for one in blocks("7/holding:10-300")]
    assert cut == [(7, 10, 125), (7, 135, 125), (7, 260, 41)]
    assert [(one.function, one.count) for one in blocks("coil:0-2000")] == [(1, 2000), (1, 1)]


@pytest.mark.parametrize(
    "arguments",
    [
        ["mqtt://plc:1883", "f"], ["plc:502", "/no/such/f"], ["plc:502"], ["plc:502", "f", "--every", "0s"],
        ["plc:502", "f", "--node", "i=1"], ["opc.tcp://plc:4840", "f", "--read", "coil:1"],
        ["opc.tcp://plc:4840", "f", "--listen", "127.0.0.1:0"],
    ],
)  # fmt: skip
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["record", *arguments])
    assert end.value.code == 2


def test_a_recorder_that_is_told_to_stop_has_written_everything(tmp_path: Path) -> None:
    file = tmp_path / "device.jsonl"
    with Misbehaving("deaf,fc=4") as device, recorded(device, file) as port, Wire(port) as wire:
        wire.ask(read(1, 1))
        wire.send(mbap(read(1, 1, 4), 1, 50))
        time.sleep(0.2)
    assert [bool(one.answer) for one in read_recording(file)] == [True, False]
