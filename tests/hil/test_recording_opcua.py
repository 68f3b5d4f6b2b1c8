"""An OPC UA server is recorded by a subscription and served again: nodes, values, qualities and source times."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua

from edge_agent_hil.cli import main
from edge_agent_hil.program import Program
from edge_agent_hil.recording_opcua import change, node_id, node_text, written
from tests.peers.opcua_world import CNC, ROBOT, Process
from tests.peers.waiting import free_port, wait_for

PATIENCE_S = 60
VARIABLES = 16
FIRST = {"Boolean": True, "Int16": -300, "UInt64": 2**40, "Float": 0.5, "String": "A100"}
"""some of them, by name and type"""
BEGAN = datetime(2026, 1, 31, 10, tzinfo=UTC)
SPACES = ["http://opcfoundation.org/UA/", "urn:acme:server", CNC]


class Device:
    """A server under the test's hand."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"opc.tcp://127.0.0.1:{self.port}"
        self.process = Process([sys.executable, "-m", "tests.peers.opcua_server", str(self.port)])

    def write(self, *said: Any) -> None:
        assert self.process.ask("write", *said) == "ok"


@pytest.fixture
def device() -> Iterator[Device]:
    made = Device()
    yield made
    made.process.kill()


def lines(file: Path, node: str = "") -> list[dict[str, Any]]:
    whole = [line for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in map(json.loads, whole) if node in line.get("node", "")]


def said(file: Path, name: str) -> list[tuple[Any, Any]]:
    return [(line["value"], line["status"]) for line in lines(file, f";s={name}") if line["node"].endswith(f"={name}")]


class Heard:
    """What a subscription brings."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def datachange_notification(self, _node: Any, _value: object, data: Any) -> None:
        self.values.append(data.monitored_item.Value)

    async def until(self, what: Callable[[], Any]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not what():
            assert time.monotonic() < end, self.values
            await asyncio.sleep(0.02)


async def test_a_server_is_recorded_and_says_the_same_when_replayed(device: Device, tmp_path: Path) -> None:
    file = tmp_path / "cnc.jsonl"
    with Program("record", device.url, str(file), "--every", "50ms") as recording:
        assert recording.ready["variables"] == VARIABLES, "those of the two namespaces"
        await asyncio.to_thread(wait_for, lambda: len(lines(file)) > VARIABLES, PATIENCE_S, "the first values")
        await asyncio.sleep(4)      # so that who listens to the replay is there in time
        changes = [(7, "Good"), (8, "Uncertain"), (None, "BadNotConnected"), (9, "Good")]
        for value, status in changes:
            device.write("Count", "UInt32" if value else "Null", value, status, 5.0)
            told = (value, status)
            await asyncio.to_thread(wait_for, lambda told=told: said(file, "Count")[-1:] == [told], PATIENCE_S, "it")
    assert lines(file)[0]["namespaces"][2:] == [CNC, ROBOT]
    assert said(file, "Int16") == [(-300, "Good")]
    with Program("replay", str(file)) as replay:
        async with Client(replay.ready["url"], timeout=PATIENCE_S) as client:
            assert (await client.get_namespace_array())[2:] == [CNC, ROBOT]
            heard = Heard()
            subscription = await client.create_subscription(20, heard)
            await subscription.subscribe_data_change(client.get_node("ns=2;s=Count"), queuesize=10, sampling_interval=0)
            await heard.until(lambda: heard.values and heard.values[-1].Value.Value == 9)
            came = [one for one in heard.values if one.Value.Value != 0]
            assert [(one.Value.Value, one.StatusCode.name) for one in came] == changes[-len(came) :]
            ages = [one.ServerTimestamp - one.SourceTimestamp for one in came]
            assert min(ages) > timedelta(seconds=4), "the source's time is as old as it was"
            for name, value in FIRST.items():
                read = (await client.get_node(f"ns=2;s={name}").read_data_value()).Value
                assert (read.Value, read.VariantType.name) == (value, name)
            assert await client.get_node("ns=3;s=State").read_value() == "WRONG ROOM"


def test_only_the_nodes_that_were_asked_for_are_recorded(device: Device, tmp_path: Path) -> None:
    file = tmp_path / "cnc.jsonl"
    asked = ("--node", f"nsu={CNC};s=Temp", "--node", f"nsu={CNC};s=Nothing", "--every", "50ms")
    assert main(["record", device.url, str(file), *asked, "--for", "2s"]) == 0
    assert {line.get("node") for line in lines(file)[1:]} == {f"nsu={CNC};s=Temp"}


def test_a_server_that_goes_away_ends_the_recording(device: Device, tmp_path: Path) -> None:
    file = tmp_path / "cnc.jsonl"
    with Program("record", device.url, str(file), "--every", "50ms") as recording:
        wait_for(lambda: len(lines(file)) > 1, PATIENCE_S, "the first values")
        device.process.kill()
        assert recording.wait(PATIENCE_S) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--node", "nsu=urn:nobody;s=X"], 2, "there is no namespace 'urn:nobody'"),
        (["--node", "State"], 2, "'State' is no node id"),
        ([], 1, ""),
    ],
)
def test_what_cannot_be_recorded_says_why(
    arguments: list[str], code: int, says: str, device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = device.url if arguments else f"opc.tcp://127.0.0.1:{free_port()}"
    with pytest.raises(SystemExit) as end:
        sys.exit(main(["record", url, str(tmp_path / "f"), *arguments]))
    assert end.value.code == code
    assert (says or url) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("Boolean", True), ("SByte", -5), ("UInt64", 2**63), ("Double", 0.1), ("String", "ä"), ("Null", None),
        ("DateTime", datetime(2026, 1, 31, 9, 59)), ("Guid", uuid.UUID(int=7)), ("ByteString", b"\x00\xff"),
        ("LocalizedText", ua.LocalizedText("läuft")), ("Int32", [1, 2, 3]), ("String", ["a", None]), ("Float", []),
    ],
)  # fmt: skip
def test_every_type_reads_as_it_was_written(type_: str, value: Any) -> None:
    variant = ua.Variant(value, ua.VariantType[type_], is_array=isinstance(value, list))
    source = BEGAN.replace(tzinfo=None) - timedelta(seconds=3)
    given = ua.DataValue(variant, ua.StatusCode(ua.StatusCodes.UncertainLastUsableValue), source)
    line = json.loads(json.dumps(written(5, f"nsu={CNC};s=X", given, BEGAN)))
    found = change(line)
    assert (found.value.Value.Value, found.value.Value.VariantType) == (value, variant.VariantType)
    assert (found.value.StatusCode, found.source_us) == (given.StatusCode, -3_000_000)
    assert found.value_at(BEGAN).SourceTimestamp == BEGAN - timedelta(seconds=3)


@pytest.mark.parametrize("identifier", ["s=a;b", "i=7", "b=AP8=", f"g={uuid.UUID(int=9)}"])
def test_a_node_is_the_same_whatever_its_index(identifier: str) -> None:
    for text in (f"nsu={CNC};{identifier}", identifier):
        assert node_text(node_id(text, SPACES), SPACES) == text
    assert node_id(f"ns=2;{identifier}", SPACES) == node_id(f"nsu={CNC};{identifier}", SPACES)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"type": "Struct"}, "there is no type 'Struct'"),
        ({"status": "Bd"}, "there is no status 'Bd'"),
        ({"node": "nsu=urn:nobody;s=X"}, "there is no namespace 'urn:nobody'"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_served(
    said: dict[str, Any], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "f"
    head = {"recording": "opcua", "version": 1, "target": "x", "begun": "x", "namespaces": SPACES}
    line = {"at_us": 0, "node": f"nsu={CNC};s=X", "type": "Int32", "value": 1, "status": "Good", "source_us": None}
    file.write_text(json.dumps(head) + "\n" + json.dumps(line | said) + "\n")
    assert main(["replay", str(file)]) == 78
    assert says in capsys.readouterr().err


def test_options_of_modbus_are_none_of_an_opcua_recording(tmp_path: Path) -> None:
    file = tmp_path / "f"
    head = {"recording": "opcua", "version": 1, "target": "x", "begun": "x", "namespaces": SPACES}
    line = {"at_us": 0, "node": "i=2258", "type": "Int32", "value": 1, "status": "Good", "source_us": None}
    file.write_text(json.dumps(head) + "\n" + json.dumps(line) + "\n")
    for option in (["--fault", "deaf"], ["--in-order"], ["--face", "udp"]):
        with pytest.raises(SystemExit) as end:
            main(["replay", str(file), *option])
        assert end.value.code == 2
