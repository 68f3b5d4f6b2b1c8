"""A press with a state, a counter of all pieces and one of scrap; shifts from 06:00 and 14:00 in Shanghai."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_agent import cli

SITE = """
agent: {id: gw-1, timezone: Asia/Shanghai}
devices:
  press-1:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:1502?unit=1"
    tags:
      state: {address: holding:0}
      total: {address: holding:1, type: uint32}
      scrap: {address: holding:3, range: [0, 60000]}
      temp: {address: holding:5}
      program: {address: holding:10, type: string, length: 8}
machines:
  press-1:
    state: {tag: press-1.state, map: {0: IDLE, 1: RUN, 2: FAULT}}
    counts: {total: press-1.total, scrap: press-1.scrap}
    ideal_cycle: 50s
    calendar: two-shift
calendars:
  two-shift:
    shifts:
      day: {days: daily, start: "06:00", end: "14:00"}
      late: {days: daily, start: "14:00", end: "22:00"}
"""

DAY = """time,tag,value,quality
2026-11-23T06:00:00+08:00,press-1.state,1,good
2026-11-23T06:00:00+08:00,press-1.total,1000,good
2026-11-23T06:00:00+08:00,press-1.scrap,7,good
2026-11-23T09:00:00+08:00,press-1.total,1180,good
2026-11-23T10:00:00+08:00,press-1.state,2,good
2026-11-23T11:00:00+08:00,press-1.state,1,good
2026-11-23T13:00:00+08:00,press-1.total,1360,good
2026-11-23T13:00:00+08:00,press-1.scrap,16,good
2026-11-23T14:30:00+08:00,press-1.state,0,good
"""
"""Of the day shift 7 h run and 1 h down; 360 pieces, 9 of them scrap: OEE = 351 × 50 s / 8 h."""


@dataclass
class Told:
    """What the command gave."""

    code: int
    out: str
    err: str


Replay = Callable[..., Told]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    path = tmp_path / "site.yaml"
    path.write_text(SITE)
    return path


@pytest.fixture
def history(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file, by default the day."""

    def write(text: str | Iterable[str] = DAY, name: str = "day.csv") -> Path:
        path = tmp_path / name
        path.write_text(text if isinstance(text, str) else "".join(text))
        return path

    return write


@pytest.fixture
def replay(site: Path, capsys: pytest.CaptureFixture[str]) -> Replay:
    """`edge-agent replay site.yaml …`."""

    def run(*arguments: str | Path) -> Told:
        capsys.readouterr()
        try:
            code = cli.main(["replay", str(site), *map(str, arguments)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        told = capsys.readouterr()
        return Told(code, told.out, told.err)

    return run
