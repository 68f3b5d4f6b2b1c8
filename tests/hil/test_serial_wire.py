"""A wire before a serial device: what passes, what is spoiled, and what is gone for good."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent_hil.cli import main
from edge_agent_hil.program import ProgramError, Proxy
from tests.peers.misbehaving import Misbehaving
from tests.peers.raw_modbus import Port, read, rtu
from tests.peers.serial_pair import SerialPair

ONE = bytes.fromhex("03020001")
QUIET_S = 0.4


@pytest.fixture
def line(tmp_path: Path) -> Iterator[SerialPair]:
    with SerialPair(tmp_path, 115_200) as pair, Misbehaving(face="serial", device=pair.a, baud=115_200):
        yield pair


def test_a_device_answers_through_it_and_feels_its_faults(line: SerialPair, tmp_path: Path) -> None:
    name = tmp_path / "port"
    with Proxy(f"modbus+rtu://{line.b}?baud=115200&parity=N", listen=str(name)) as proxy:
        assert proxy.url == f"modbus+rtu://{name}?baud=115200&parity=N"
        with Port(str(name)) as port:
            port.send(rtu(read(1, 1)))
            assert port.hear(7)[0] == rtu(ONE)
            proxy.apply("delay:by=200ms,way=up")
            port.send(rtu(read(1, 1)))
            answer, took = port.hear(7)
            assert answer == rtu(ONE)
            assert took >= 0.19
            proxy.clear()
            proxy.apply("corrupt:share=1,at=0,way=down")
            port.send(rtu(read(1, 1)))
            assert port.hear(7)[0] != rtu(ONE)
            assert proxy.counters()["corrupt"] > 0
    assert not name.is_symlink()


@pytest.mark.parametrize("fault", ["black-hole", "lose:share=1"])
def test_what_is_lost_on_it_does_not_come_later(line: SerialPair, fault: str) -> None:
    with Proxy(f"modbus+rtu://{line.b}?baud=115200") as proxy, Port(proxy.ready["device"]) as port:
        proxy.apply(fault)
        port.send(rtu(read(1, 1)))
        assert port.hear(1, QUIET_S)[0] == b""
        proxy.clear()
        assert port.hear(1, QUIET_S)[0] == b""
        port.send(rtu(read(1, 1)))
        assert port.hear(7)[0] == rtu(ONE)


def test_whoever_hangs_up_may_come_back(line: SerialPair) -> None:
    with Proxy(f"modbus+rtu://{line.b}?baud=115200") as proxy:
        for _ in range(3):
            with Port(proxy.ready["device"]) as port:
                port.send(rtu(read(1, 1)))
                assert port.hear(7)[0] == rtu(ONE)


def test_a_fault_that_needs_connections_is_refused(line: SerialPair) -> None:
    with Proxy(f"modbus+rtu://{line.b}?baud=115200", "delay:by=1ms") as proxy:
        with pytest.raises(ProgramError, match="reset needs connections"):
            proxy.ask({"clear": True, "apply": ["reset"]})
        assert proxy.ask({"apply": []})["faults"] == ["delay:by=1ms,way=both"]


def test_a_device_that_is_pulled_out_ends_it(line: SerialPair) -> None:
    with Proxy(f"modbus+rtu://{line.b}?baud=115200") as proxy:
        line.kill()
        assert proxy.wait(60) == 1


def test_a_device_that_is_not_there_and_a_name_that_is_taken_end_with_1(
    line: SerialPair, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["proxy", f"modbus+rtu://{tmp_path}/nothing"]) == 1
    assert "nothing" in capsys.readouterr().err
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert main(["proxy", f"modbus+rtu://{line.b}?baud=115200", "--listen", str(taken)]) == 1
    assert taken.read_text() == "mine"
