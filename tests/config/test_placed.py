"""What only plugins find wrong, once all is put together, is told with file and line, too, and all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent import cli
from edge_agent.api import ConfigError, Mistake
from edge_agent.config import placed

SITE = """\
agent: {id: gw-1}
devices:
  press-1:
    driver: simulated
    url: simulated://
    tags: {temp: {signal: constant, value: 1}}
publish:
  tree:
    type: mqtt
    url: mqtt://127.0.0.1
    profile: uns
  cloud:
    type: mqtt
    url: mqtt://127.0.0.2
    profile: huawei-iotda
    device_id: gw
    secret: "${SECRET}"
    names: {press-1.temp: "no identifier!"}
  lines:
    type: mqtt
    url: mqtt://127.0.0.3
    profile: line-protocol
    commands: true
"""


def test_every_destination_is_told_of_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SECRET", "correct-horse")
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    for command in ("check", "run"):
        assert cli.main([command, str(path)]) == 78
        told = capsys.readouterr().err.splitlines()
        starts = [line.replace(f"{path}:", "").partition(" ")[0] for line in told]
        assert starts[:2] == ["8:", "18:"], told
        assert "publish.tree.path: " in told[0]
        assert "publish.cloud.names.press-1.temp: 'no identifier!' " in told[1]


def test_a_destination_that_knows_no_commands_is_told_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(SITE[: SITE.index("  tree:")] + SITE[SITE.index("  lines:") :])
    assert cli.main(["check", str(path)]) == 78
    hint = "leave out commands:, or use profile: json"
    said = f"{path}:11: publish.lines.profile: 'line-protocol' knows no commands; {hint}"
    assert capsys.readouterr().err.splitlines()[0] == said


def test_what_was_put_in_is_shown_as_it_is_written_and_what_has_a_file_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text('publish:\n  a: {x: "${NAME}"}\n  b.c: {d: 5}\n')
    mistakes = [
        Mistake("publish.a.x", "is wrong", "horse"), Mistake("publish.b.c.e", "is missing"),
        Mistake("samples", "is wrong", file="mine.yaml", line=7), Mistake("nothing", "is known"),
    ]  # fmt: skip
    told = [str(one).replace(f"{tmp_path}/", "") for one in placed(ConfigError(*mistakes), path).mistakes]
    assert told == [
        "site.yaml:1: nothing: is known", "site.yaml:2: publish.a.x: '${NAME}' is wrong",
        "site.yaml:3: publish.b.c.e: is missing", "mine.yaml:7: samples: is wrong",
    ]  # fmt: skip
    path.unlink()
    assert placed(ConfigError(*mistakes), path).mistakes == tuple(mistakes)
