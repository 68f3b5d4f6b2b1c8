"""The gateway: the agent's process, clock, disk and limits, each failing when told to and right again afterwards."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent_hil import gateway_limits
from edge_agent_hil.gateway import Gateway, GatewayError
from edge_agent_hil.gateway_faults import GatewayFault, gateway_fault, parse_gateway_fault
from edge_agent_hil.gateway_limits import Limits, NotPossible
from tests.peers.waiting import wait_for

PATIENCE_S = 60
HOUR = 3_600_000_000_000


class Watched:
    """A gateway, and what its agent says."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def said(self) -> list[dict[str, Any]]:
        lines = [line for line in self.gateway.log().splitlines(keepends=True) if line.endswith("\n")]
        return [json.loads(line) for line in lines if line.startswith("{")]

    def says(self, what: Callable[[dict[str, Any]], bool], why: str) -> None:
        """Soon, of what it says from now on."""
        before = len(self.said())
        wait_for(lambda: any(map(what, self.said()[before:])), PATIENCE_S, why)


def make(folder: Path, **options: Any) -> Iterator[Watched]:
    gateway = Gateway(folder / "gateway", agent="tests.peers.tiny_agent", **options)
    try:
        gateway.start()
        watched = Watched(gateway)
        watched.says(lambda line: True, "it lives")
        yield watched
    finally:
        gateway.close()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    yield from make(tmp_path)


@pytest.fixture
def on_a_small_disk(tmp_path: Path) -> Iterator[Watched]:
    yield from make(tmp_path, disk_mb=2)


def test_killed_it_is_gone_until_the_power_is_back(watched: Watched) -> None:
    gateway = watched.gateway
    first = gateway.pid
    gateway.apply(gateway_fault("kill"))
    assert (gateway.pid, gateway.exit_code) == (None, -signal.SIGKILL)
    gateway.clear("kill")
    watched.says(lambda line: True, "its second life")
    assert gateway.pid not in (None, first)
    assert [life.killed for life in gateway.lives] == [True, False]
    assert gateway.stop() == 0


def test_what_has_ended_by_itself_is_not_killed_but_told(watched: Watched) -> None:
    assert watched.gateway.stop() == 0
    with pytest.raises(GatewayError, match="had ended with 0; it said"):
        watched.gateway.kill()


def test_frozen_it_says_nothing_and_thawed_it_goes_on(watched: Watched) -> None:
    watched.gateway.apply(gateway_fault("freeze"))
    time.sleep(0.2)
    before = len(watched.said())
    time.sleep(0.3)
    assert len(watched.said()) == before
    watched.gateway.clear("freeze")
    watched.says(lambda line: True, "it goes on")


def test_its_clock_is_set_ahead_and_back_while_it_runs(watched: Watched) -> None:
    watched.gateway.apply(parse_gateway_fault("clock:by=1h"))
    watched.says(lambda line: line["now"] > time.time_ns() + HOUR // 2, "an hour ahead")
    watched.gateway.apply(parse_gateway_fault("clock:by=-2h"))
    watched.says(lambda line: line["now"] < time.time_ns() - HOUR // 2, "an hour behind")
    watched.gateway.clear("clock")
    watched.says(lambda line: abs(line["now"] - time.time_ns()) < HOUR // 2, "right again")


def test_without_a_battery_it_starts_in_1970_and_jumps_once_it_is_told_the_time(watched: Watched) -> None:
    watched.gateway.apply(gateway_fault("no-rtc"))
    watched.says(lambda line: line["now"] < HOUR and not line["believed"], "1970, and it knows that nobody told it")
    watched.gateway.clear("no-rtc")
    watched.says(lambda line: abs(line["now"] - time.time_ns()) < HOUR // 2 and line["believed"], "told the time")
    assert len(watched.gateway.lives) == 2


def test_its_clock_is_believed_whether_this_computers_is_or_not_also_when_it_is_set(watched: Watched) -> None:
    watched.says(lambda line: bool(line["believed"]), "believed from the start")
    watched.gateway.apply(parse_gateway_fault("clock:by=1h"))
    watched.says(lambda line: line["now"] > time.time_ns() + HOUR // 2 and line["believed"], "believed an hour ahead")


@pytest.mark.parametrize("kind", ["RLIMIT_FSIZE", "tmpfs"])
def test_a_full_disk_takes_nothing_until_there_is_room_again(
    kind: str, request: pytest.FixtureRequest
) -> None:
    watched: Watched = request.getfixturevalue("on_a_small_disk" if kind == "tmpfs" else "watched")
    gateway = watched.gateway
    if gateway.disk.kind != kind:
        pytest.skip("needs a mount name space of its own (root)")
    watched.says(lambda line: line["wrote"], "room")
    gateway.apply(gateway_fault("disk-full"))
    if kind == "tmpfs":
        watched.says(lambda line: not line["wrote"], "no room")
        gateway.kill()
        gateway.start()
        watched.says(lambda line: not line["wrote"], "nor for the next life")
    else:       # its log does not grow either
        gateway.kill()
        gateway.start()
        full = (gateway.disk.seen / "written").stat().st_size
        time.sleep(0.3)
        assert (gateway.disk.seen / "written").stat().st_size == full
    gateway.clear("disk-full")
    watched.says(lambda line: line["wrote"], "room again")


def limited(watched: Watched, fault: str) -> Gateway:
    try:
        watched.gateway.apply(parse_gateway_fault(fault))
    except NotPossible as error:
        pytest.skip(str(error))
    return watched.gateway


def test_who_needs_more_memory_than_there_is_is_killed_by_the_kernel(watched: Watched) -> None:
    gateway = limited(watched, "memory:limit=60MB")
    assert 0 < gateway.memory() < 60_000_000
    (gateway.disk.seen / "hog").touch()
    wait_for(lambda: gateway.exit_code is not None, PATIENCE_S, "the kernel ends it")
    assert gateway.exit_code == -signal.SIGKILL
    (gateway.disk.seen / "hog").unlink()
    gateway.start()
    watched.says(lambda line: True, "it fits into that memory")


def test_a_share_of_a_core_is_all_it_gets(watched: Watched) -> None:
    gateway = limited(watched, "cpu:share=10%")
    (gateway.disk.seen / "busy").touch()
    began, used = time.monotonic(), cpu_s(gateway)
    time.sleep(2)
    used = cpu_s(gateway) - used
    assert used < 0.15 * (time.monotonic() - began)
    (gateway.disk.seen / "busy").unlink()
    gateway.clear("cpu")
    watched.says(lambda line: True, "it goes on")


def cpu_s(gateway: Gateway) -> float:
    fields = Path(f"/proc/{gateway.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_closed_it_leaves_nothing_behind(tmp_path: Path) -> None:
    for watched in make(tmp_path, disk_mb=2):
        pid = watched.gateway.pid
        groups = watched.gateway.control_groups
        assert all(group.exists() for group in groups)
    assert not Path(f"/proc/{pid}").exists()
    assert not any(group.exists() for group in groups)
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


def test_limits_are_written_as_control_groups_of_version_2_read_them(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory")
    limits = Limits(tmp_path)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +memory"
    [group] = limits.groups
    limits.cpu(0.25)
    limits.memory(256_000_000)
    assert (group / "cpu.max").read_text() == "25000 100000"
    assert (group / "memory.max").read_text() == "256000000"
    limits.cpu(None)
    limits.memory(None)
    assert (group / "cpu.max").read_text() == "max 100000"
    assert (group / "memory.max").read_text() == "max"
    assert f"> {group}/cgroup.procs" in " ".join(limits.prefix)


def test_where_no_group_may_be_made_a_limit_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_limits, "ROOT", tmp_path / "nothing")
    gateway = Gateway(tmp_path / "gateway")
    with pytest.raises(NotPossible, match=r"no control group may be made below .*nothing: No such file"):
        gateway.apply(gateway_fault("cpu"))
    gateway.close()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("clock:by=-90s", GatewayFault("clock", by_ns=-90_000_000_000)),
        ("cpu:share=25%", GatewayFault("cpu", share=0.25)),
        ("memory:limit=128MB", GatewayFault("memory", limit=128_000_000)),
        ("kill", GatewayFault("kill")),
    ],
)
def test_a_fault_is_read_as_it_is_written(text: str, fault: GatewayFault) -> None:
    assert parse_gateway_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kil", "a gateway has no fault 'kil'; did you mean kill?"),
        ("clock:by=soon", "clock, by: 'soon' is not a duration"),
        ("memory:limit=much", "memory, limit: 'much' is not a size"),
        ("kill:for=5s", "kill takes no 'for'"),
    ],
)
def test_a_wrong_fault_says_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_gateway_fault(text)
    assert says in str(error.value)
