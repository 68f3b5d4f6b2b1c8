"""What is refused of what people say, and how their names are kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge_agent.config.operator import OperatorModel
from edge_agent.core.command import Outcome
from edge_agent.core.engine import Engine
from edge_agent.core.overrides import MOST
from edge_agent.core.tags import TagTable
from edge_agent.health import Health
from edge_agent.south.operator import Operators, pseudonym_key
from tests.core.counting_machines import STATE, S, fed, machine

NOW = 1_764_000_000 * S
DAY = 86_400_000


class Witness:
    """Writes nothing down; says why it cannot, if it is told to."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Any]] = []
        self.trouble = ""

    async def asked(self, command: Any, old: Any) -> str:
        self.lines.append(("asked", command.value))
        return self.trouble

    async def ended(self, command: Any, outcome: Outcome, old: Any) -> None:
        self.lines.append(("ended", old))

    async def refused(self, command: Any, why: str, step: str = "refused") -> None:
        self.lines.append((step, why))


class Bench:
    """One machine, in FAULT for an hour."""

    def __init__(self, **section: Any) -> None:
        self.witness = Witness()
        self.kept = 0
        engine = Engine(TagTable([]), [], [], ring_bytes=1 << 16)
        engine.machines["m"] = self.machine = machine()
        fed(self.machine, [(STATE, NOW / S - 3600, 2)])
        self.operators = Operators(
            engine, {"m": OperatorModel(**section)}, b"k" * 32, ZoneInfo("Asia/Shanghai"),
            self.witness, self._keep, Health(), lambda: NOW,  # type: ignore[arg-type]
        )  # fmt: skip

    async def _keep(self) -> None:
        self.kept += 1

    async def say(self, said: Mapping[str, Any], *, id: str = "s", machine: str = "m", through: Any = "mqtt") -> str:
        return (await self.operators.take(id, machine, said, through, "platform")).error

    @property
    def names(self) -> list[str]:
        return [entry.who for entry in self.machine.ledger.overrides.entries]


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({}, "say a state, a reason, or both; or clear: true to take back what was said of a stretch"),
        ({"state": "MAINT", "clear": True}, "say a state, a reason, or both; or clear: true to take back"),
        ({"clear": 1}, "clear is true or false"),
        ({"state": "WORKING"}, 'WORKING\' is no state; states: UNKNOWN, OFF, IDLE'),
        ({"state": 4}, "4 is no state"),
        ({"state": "RUN", "reason": "x" * 65}, "reason is a text of 1 to 64 printable characters"),
        ({"state": "RUN", "reason": "a\nb"}, "reason is a text of 1 to 64 printable characters"),
        ({"state": "RUN", "who": ""}, "who is a text of 1 to 64 printable characters"),
        ({"state": "RUN", "from": "ten o'clock"}, "is no time; write 2026-11-23T06:00:00+08:00, or whole ms UTC"),
        ({"state": "RUN", "from": True}, "from: true is no time"),
        ({"state": "RUN", "from": NOW // 10**6 + 60_000}, "from lies in the future"),
        ({"state": "RUN", "until": NOW // 10**6 - 60_000}, "until must be after from"),
        ({"state": "RUN", "until": NOW // 10**6 + 8 * DAY}, "until lies more than 7 days ahead"),
        ({"state": "RUN", "form": 1}, "unknown key 'form'; a statement has from, until, state"),
    ],
)  # fmt: skip
async def test_a_statement_that_cannot_be_is_refused_with_what_would_be_right(
    said: dict[str, Any], error: str
) -> None:
    bench = Bench()
    assert error in await bench.say(said)
    assert (bench.names, bench.kept) == ([], 0)
    assert bench.witness.lines[0][0] == "refused"


async def test_what_is_not_allowed_is_not_taken() -> None:
    bench = Bench(through=["api"])
    assert "through mqtt is not allowed" in await bench.say({"reason": "TOOL"})
    assert "there is no machine" in await bench.say({"reason": "TOOL"}, machine="n")
    assert "the id of a statement" in await bench.say({"reason": "TOOL"}, id="a/b", through="api")
    assert await bench.say({"reason": "TOOL"}, through="api") == ""


async def test_a_reason_without_times_is_that_of_the_present_stop() -> None:
    bench = Bench()
    assert await bench.say({"reason": "TOOL"}) == ""
    [span] = bench.machine.ledger.spans(NOW - 3600 * S, NOW)
    assert (span.reason, span.source) == ("TOOL", "operator")
    assert bench.kept == 1
    assert bench.witness.lines == [("asked", "reason 'TOOL'"), ("ended", "FAULT")]


async def test_the_same_id_counts_once_and_another_statement_under_it_is_refused() -> None:
    bench = Bench()
    said = {"state": "MAINT", "from": NOW // 10**6 - 60_000}
    assert [await bench.say(said), await bench.say(said)] == ["", ""]
    assert len(bench.names) == 1
    assert "was used before" in await bench.say({**said, "state": "OFF"})


async def test_times_without_an_offset_are_those_of_the_site() -> None:
    bench = Bench()
    assert await bench.say({"state": "MAINT", "from": "2025-11-24T23:50"}) == ""
    assert bench.machine.ledger.overrides.entries[0].start == NOW - 10 * 60 * S


async def test_nothing_counts_while_the_audit_log_cannot_be_written() -> None:
    bench = Bench()
    bench.witness.trouble = "No space left on device"
    assert "the audit log cannot be written" in await bench.say({"reason": "TOOL"})
    assert bench.names == []


async def test_what_is_kept_is_bounded() -> None:
    bench = Bench()
    for n in range(MOST):
        assert await bench.say({"state": "MAINT", "from": NOW // 10**6 - n - 1}, id=str(n)) == ""
    assert f"{MOST} statements are kept already" in await bench.say({"state": "OFF"}, id="more")


async def test_names_are_kept_as_pseudonyms_plain_or_not_at_all() -> None:
    names = {}
    for how in ("pseudonym", "plain", "none"):
        bench = Bench(names=how)
        for id, who in (("1", "anna"), ("2", "anna"), ("3", "bo")):
            await bench.say({"reason": "TOOL", "who": who}, id=id)
        await bench.say({"reason": "TOOL"}, id="4")
        names[how] = bench.names
    assert names["plain"] == ["anna", "anna", "bo", "platform"]
    assert names["none"] == [""] * 4
    first, second, third, _ = names["pseudonym"]
    assert first == second != third
    assert first.startswith("op-") and "anna" not in first


def test_the_key_of_the_pseudonyms_is_on_the_medium_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    real = os.fsync

    def noting(fd: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))
        real(fd)

    monkeypatch.setattr(os, "fsync", noting)
    pseudonym_key(tmp_path)
    assert synced == [str(tmp_path / "operator.new"), str(tmp_path)]


def test_the_key_of_the_pseudonyms_is_made_once_and_only_the_agent_may_read_it(tmp_path: Path) -> None:
    key = pseudonym_key(tmp_path)
    assert len(key) == 32
    assert pseudonym_key(tmp_path) == key
    assert (tmp_path / "operator.key").stat().st_mode & 0o777 == 0o600
