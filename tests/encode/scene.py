"""A small plant and one of everything a profile is given to encode: what every profile's golden payloads are made of.

Golden payloads are the files `golden_payloads/<profile>/<what>.txt`, compared byte by byte. To write them again after
a change that was meant, and then read the difference before it is committed:

    GOLDEN=write .venv/bin/python -m pytest tests/encode -q -k golden && git diff tests/encode/golden_payloads
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.batch import Batch, empty
from edge_agent.core.calendar import Calendar
from edge_agent.core.cell import Cell
from edge_agent.core.ledger import Policy
from edge_agent.core.quality import GOOD, Reason, bad, uncertain
from edge_agent.core.report import Gap, Report, Samples, StateChange, Status, Window
from edge_agent.core.rollup import Scope, roll_up
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind, Tag, TagTable
from edge_agent.encode.message import Message
from edge_agent.encode.profile import Profile, Scene

MS = 1_000_000
S = 1_000_000_000
T0 = 1_795_384_800 * S      # 2026-11-23T06:00:00+08:00

TAGS = TagTable([
    Tag(0, "press-1", "temp", Kind.FLOAT, "Cel", low=-40, high=400),
    Tag(1, "press-1", "total", Kind.INT),
    Tag(2, "press-1", "running", Kind.BOOL),
    Tag(3, "press-1", "program", Kind.TEXT),
    Tag(4, "meter-1", "power", Kind.FLOAT, "kW"),
])  # fmt: skip
SCENE = Scene(
    destination="cloud",
    agent="gw-01",
    version="0.1.0",
    place={"enterprise": "acme", "site": "suzhou", "area": "machining"},
    tags=TAGS,
    machines={"press-1": ("", "line-a"), "press-2": ("", "line-a")},
    writable=frozenset({"press-1.temp"}),
)
NAMES = ("temp", "total", "running", "program")
KINDS = (Kind.FLOAT, Kind.INT, Kind.BOOL, Kind.TEXT)


def batch(*samples: tuple[int, int, float, int]) -> Batch:
    """Of (tag, time, value, quality)."""
    tag, time, value, quality = zip(*samples, strict=True)
    return Batch(
        np.array(tag, np.int32), np.array(time, np.int64), np.array(value, float), np.array(quality, np.uint8)
    )


SAMPLES = Samples(
    7, "press-1", NAMES, KINDS,
    batch(
        (0, T0, 21.5, GOOD), (1, T0, 1234.0, GOOD), (2, T0, 1.0, GOOD), (3, T0, 2.0, GOOD),
        (0, T0 + S, float("nan"), bad(Reason.COMM_LOST)), (1, T0 + S, 1235.0, uncertain(Reason.CLOCK)),
        (0, T0 + 2 * S, 500.0, bad(Reason.OUT_OF_RANGE)),
    ),
    {3: {2: "程序 7"}},
)  # fmt: skip
"""Two scans and a bit more: all kinds, a value that is missing, one that is out of range, one that is uncertain."""
METER = Samples(8, "meter-1", ("power",), (Kind.FLOAT,), batch((0, T0 + 500 * MS, 3.25, GOOD)))
HISTORY = Samples(
    5, "press-1", NAMES, KINDS, batch((0, T0 - 60 * S, 20.0, GOOD), (1, T0 - 60 * S, 1200.0, GOOD)), historical=True
)
NO_SAMPLES = Samples(6, "press-1", NAMES, KINDS, empty())
STATE = StateChange("press-1", MachineState.FAULT, "E17", T0 + 3 * S + 1)
RUN = StateChange("press-1", MachineState.RUN, "", T0 + 90 * S)

SHIFT = Window("shift", "day", T0, T0 + 8 * 3600 * S, date(2026, 11, 23), "Asia/Shanghai")
_CELL = Cell(
    ct=28800 * S, pdot=900 * S, apt=25000 * S, micro=100 * S, aust=1800 * S, adet_fault=1000 * S,
    unk_raw=S // 2, pq=1000, gq=990, sq=10,
    ipt=Fraction(1000) * Fraction(6, 5), igt=Fraction(990) * Fraction(6, 5),
)  # fmt: skip
FINAL = Report("press-1", SHIFT, 0, True, T0 + 29400 * S, "abc", _CELL, ("LOW_CONFIDENCE",))
OPEN = Report("press-1", SHIFT, 0, False, T0 + 600 * S, "abc", Cell(ct=600 * S, apt=600 * S, pq=20, gq=20))
ROLLUP = roll_up(
    Scope(
        "line", "line-a", ("press-1", "press-2"), {"press-1": Policy(), "press-2": Policy()},
        Calendar("UTC", None), "Asia/Shanghai", "h",
    ),
    SHIFT,
    [FINAL, Report("press-2", SHIFT, 0, True, T0 + 29400 * S, "abc", _CELL)],
)  # fmt: skip
DIGITAL: dict[str, Any] = {
    "since": T0 // MS - 86_400_000,
    "until": T0 // MS,
    "observed_s": 86_400,
    "register": {"entries": 2},
    "indices": {"connected_rate": 1, "numerical_control_rate": 0.5, "networking_rate": None},
    "declared": {"connected_rate": 1},
    "by_value": {"connected_rate": 1},
    "by_planned_time": {"connected_rate": None},
    "levels": [0, 0, 1, 1, 0],
    "published": {"acknowledged": 1234, "refused": 0},
    "sme": {"level": 2},
    "devices": {
        "press-1": {
            "level": 3, "name": "analysed", "declared_level": 3, "connected": True, "cloud": True,
            "online_ratio": 0.75, "completeness": 1.0, "tags": {"state": "fresh", "total": "mapped"},
        },
        "meter-1": {
            "level": 2, "name": "connected", "declared_level": 2, "connected": True, "cloud": False,
            "online_ratio": 1.0, "completeness": 0.5, "tags": {},
        },
    },
    "sources": {"press-1": {"protocol": "modbus"}, "meter-1": {"protocol": "modbus"}},
}  # fmt: skip
ALARMS = (
    AlarmSpan("press-1", "oil-low", T0 + 4 * S, None, 700, "油位低", "Hydraulics", "LevelAlarm", acknowledged=False,
              revision=1, newest_ns=T0 + 4 * S),
    AlarmSpan("press-1", "door", T0 - 9 * S, T0 + 5 * S, 300, "door open", "Guard", "", revision=2,
              newest_ns=T0 + 5 * S),
)  # fmt: skip
STATUS = Status(
    True, T0 + 5 * S, {"press-1": "connected", "meter-1": "lost"}, {"cloud": 12}, {"samples_read": 99}
)
GAP = Gap("cloud", "samples", 100, 249, 120, T0 - 7200 * S, T0 - 3600 * S, "space")


def told(profile: Profile) -> Iterator[tuple[str, list[Message]]]:
    """Everything the profile makes of the plant, in the order of a day, by the name of its golden file."""
    will = profile.will()
    yield "will", [will] if will else []
    yield "hello", profile.hello(STATUS)
    yield "samples", profile.samples(SAMPLES)
    yield "meter", profile.samples(METER)
    yield "history", profile.samples(HISTORY)
    yield "state", profile.state(STATE) + profile.state(RUN)
    yield "report_open", profile.report(OPEN)
    yield "report_final", profile.report(FINAL)
    yield "rollup", profile.rollup(ROLLUP)
    yield "digital", profile.digital(DIGITAL, T0)
    yield "alarms", profile.alarms(9, "press-1", ALARMS)
    yield "gap", profile.gap(GAP)
    yield "status", profile.status(STATUS)
    yield "goodbye", profile.goodbye(STATUS)


def compare_with_golden(name: str, profile: Profile) -> None:
    """AssertionError unless the profile says byte for byte what its golden files say."""
    folder = Path(__file__).parent / "golden_payloads" / name
    made = {f"{what}.txt": _written(messages) for what, messages in told(profile) if messages}
    if os.environ.get("GOLDEN") == "write":
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for file, text in made.items():
            (folder / file).write_bytes(text)
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(made) == sorted(kept)
    for file, text in made.items():
        assert text == kept[file], f"{folder.name}/{file} (see the head of {Path(__file__).name})"
    assert not profile.samples(NO_SAMPLES)


def _written(messages: list[Message]) -> bytes:
    """A line with topic, QoS and flags, then the payload: as text where it is one, else in hexadecimal."""
    lines: list[bytes] = []
    for one in messages:
        flags = " retained" * one.retain + f" answer={one.answer}" * bool(one.answer)
        lines.append(f"{one.topic} qos={one.qos}{flags}".encode())
        try:
            one.payload.decode()
            lines.append(one.payload)
        except UnicodeDecodeError:
            lines.append(b"hex " + one.payload.hex().encode())
    return b"\n".join(lines) + b"\n"
