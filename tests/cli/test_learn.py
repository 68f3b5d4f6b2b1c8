"""`edge-agent learn`: thresholds from recorded history, as a plant engineer asks for them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.cli import main
from edge_agent.config.signals import PowerModel
from edge_agent.config.yaml_lines import parse

SITE = """\
agent: {id: gw-1, timezone: UTC}
devices:
  meter: {driver: modbus, url: "modbus+tcp://10.0.0.22", tags: {saw: "input:0 float32", idle: "input:2 float32"}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


def history(path: Path, days: int) -> Path:
    chance = np.random.default_rng(3)
    rows = ["time,tag,value"]
    for minute in range(0, days * 1440, 5):
        level = (0.006, 0.3, 2.2)[minute // 240 % 3]
        when = np.datetime64("2026-03-02T00:00") + np.timedelta64(minute, "m")
        rows.append(f"{when}:00Z,meter.saw,{level * (1 + 0.1 * chance.standard_normal()):.4f}")
    path.write_text("\n".join(rows) + "\n")
    return path


def test_it_prints_a_section_that_can_be_pasted(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["learn", str(site), "meter.saw", str(history(tmp_path / "march.csv", 5))]) == 0
    said = capsys.readouterr().out
    assert said.startswith("# 5.0 days: 0.00")
    assert "sigma apart" in said
    model = PowerModel.model_validate(parse(said).data["power"])
    assert model.tag == "meter.saw"
    assert model.off is not None
    assert model.run is not None
    assert 0.01 < model.off[0] < model.off[1] < 0.25
    assert 0.4 < model.run[0] < model.run[1] < 1.8


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["meter.saw", "march.csv"], 1, "edge-agent learn: meter.saw: 2.0 days of readings, 3 are needed"),
        (["meter.sow", "march.csv"], 2, "edge-agent learn: there is no tag 'meter.sow'; did you mean 'meter.saw'?"),
        (["meter.idle", "march.csv"], 2, "march.csv: has no samples of meter.idle"),
        (["meter.saw"], 2, "is a folder, but no journal"),
    ],
)
def test_it_says_why_it_cannot(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    history(tmp_path / "march.csv", 2)
    (tmp_path / "data").mkdir()
    tag, *files = arguments
    assert main(["learn", str(site), tag, *(str(tmp_path / name) for name in files)]) == code
    assert message in capsys.readouterr().err


def test_less_history_will_do_where_that_is_said(
    site: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = history(tmp_path / "march.csv", 2)
    assert main(["learn", str(site), "meter.saw", str(found), "--days", "1"]) == 0
    assert "power: {tag: meter.saw, off: [" in capsys.readouterr().out
