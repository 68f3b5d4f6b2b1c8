"""What a destination refuses for good stands in a file, with the reason."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from edge_agent.north import dead_letters
from edge_agent.north.dead_letters import DeadLetter, DeadLetters

NOON = 1_790_000_000_000_000_000


def lines(path: Path) -> list[dict[str, str]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_a_refused_message_can_be_read_again_with_the_reason(tmp_path: Path) -> None:
    letters = DeadLetters(tmp_path / "dead", "scada")
    said = DeadLetter(NOON, "a/b", '{"x":"阀"}'.encode(), "quota")
    assert letters.add([said, DeadLetter(NOON, "c", b"\xff", "no")]) == ""
    assert lines(tmp_path / "dead" / "scada.jsonl") == [
        {"time": "2026-09-21T14:13:20.000+00:00", "topic": "a/b", "reason": "quota", "payload": '{"x":"阀"}'},
        {"time": "2026-09-21T14:13:20.000+00:00", "topic": "c", "reason": "no", "base64": "/w=="},
    ]


def test_the_file_is_bounded_and_the_one_before_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "MOST_BYTES", 400)
    letters = DeadLetters(tmp_path, "scada")
    for n in range(10):
        letters.add([DeadLetter(NOON, str(n), b"x" * 100, "no")])
    kept = [line["topic"] for name in ("scada.1.jsonl", "scada.jsonl") for line in lines(tmp_path / name)]
    assert kept == ["6", "7", "8", "9"]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 800


def test_many_at_once_are_bounded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "MOST_BYTES", 400)
    letters = DeadLetters(tmp_path, "scada")
    letters.add([DeadLetter(NOON, str(n), b"x" * 100, "no") for n in range(10)])
    assert [line["topic"] for line in lines(tmp_path / "scada.jsonl")] == ["8", "9"]
    assert [line["topic"] for line in lines(tmp_path / "scada.1.jsonl")] == ["6", "7"]
    letters.add([DeadLetter(NOON, "large", b"x" * 1000, "no")])
    assert [line["topic"] for line in lines(tmp_path / "scada.jsonl")] == ["large"]


def test_a_disk_that_takes_nothing_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "dead").write_text("a file where the folder should be")
    assert "dead" in DeadLetters(tmp_path / "dead", "scada").add([DeadLetter(NOON, "a", b"x", "no")])
