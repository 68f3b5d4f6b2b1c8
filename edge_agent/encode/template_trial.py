"""Tries a user's templates on everything they may be given of a plant, before the agent runs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import date
from fractions import Fraction
from typing import Any, Final

import numpy as np

from edge_agent.core.alarm import AlarmSpan
from edge_agent.core.batch import concat, row
from edge_agent.core.cell import Cell
from edge_agent.core.quality import Reason, bad
from edge_agent.core.report import OPEN, Gap, Report, Samples, StateChange, Status, Window
from edge_agent.core.rollup import Rollup
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind
from edge_agent.encode.profile import Scene
from edge_agent.encode.template import Rule, Unusable
from edge_agent.encode.template_data import Data, Facts, points

_S: Final = 1_000_000_000
_HOUR: Final = 3600 * _S
_T0: Final = 1_767_225_600 * _S     # 2026-01-01T00:00:00Z
_WINDOW: Final = Window("hour", "hour", _T0, _T0 + _HOUR, date(2026, 1, 1), "UTC")
_JOB: Final = Window("job", "A100", _T0, OPEN, date(2026, 1, 1), "UTC", "4711")
_CELLS: Final = (
    Cell(),     # nothing was made: no ratio is defined
    Cell(ct=_HOUR, apt=_HOUR, pq=10, gq=9, sq=1, ipt=Fraction(3000), igt=Fraction(2700)),
)
# A site may have hundreds of devices of a few sorts.
_DEVICES: Final = 50


def trial(rule: Rule, scene: Scene) -> None:
    """Nothing, if the rule makes messages of all that may come; else raises `Unusable`."""
    facts = Facts(scene)
    for data in _given(rule, facts, scene):
        if rule.kind == "samples" and rule.each == "device":
            data["samples"] = points(data["groups"], data["units"])
        rule.message(data)
    if not rule.will:
        return
    try:
        rule.message(facts.will())
    except Unusable as error:
        why = f"as the will: {error.why}; then t is none, and devices, backlog and counts have nothing in them"
        raise Unusable(error.part, why) from error


def _given(rule: Rule, facts: Facts, scene: Scene) -> Iterator[Data]:
    devices = (scene.tags.devices() or ("device-1",))[:_DEVICES]
    machine = next(iter(scene.machines), "machine-1")
    made: dict[str, Callable[[], Iterable[list[Data]]]] = {
        "samples": lambda: (
            facts.samples(one, rule.each) for device in devices for one in _samples(scene, device)
        ),
        "state": lambda: (facts.state(StateChange(machine, state, "", _T0)) for state in MachineState),
        "report": lambda: map(facts.report, _reports(machine, scene.windows)),
        "rollup": lambda: map(facts.rollup, map(_rollup, _reports(machine))),
        "digital": lambda: [facts.digital(_digital(devices), _T0)],
        "alarms": lambda: [facts.alarms(1, devices[0], _alarms(devices[0]), rule.each)],
        "status": lambda: map(facts.status, _statuses(devices)),
        "gap": lambda: [facts.gap(Gap(scene.destination, "samples", 1, 9, 9, 0, 0, "space"))],
    }  # fmt: skip
    for given in made[rule.kind]():
        yield from given


def _statuses(devices: tuple[str, ...]) -> Iterator[Status]:
    for online in (False, True):
        yield Status(online, _T0, dict.fromkeys(devices, "connected"), {"x": 1}, {"n": 1})


def _reports(machine: str, windows: Collection[str] = ()) -> Iterator[Report]:
    for cell in _CELLS:
        for final in (False, True):
            yield Report(machine, _WINDOW, 0, final, _T0 + _HOUR, "", cell)
    if "job" in windows:        # while it goes on, nobody knows when it ends
        yield Report(machine, _JOB, 0, False, _T0 + _HOUR, "", _CELLS[1])


def _rollup(one: Report) -> Rollup:
    return Rollup("line", "line-1", one.window, 0, one.final, one.as_of, "", one.cell, 1, (one,))


def _alarms(device: str) -> list[AlarmSpan]:
    return [AlarmSpan(device, "a-1", _T0, end, 500, "why", "where", "") for end in (None, _T0 + _S)]


def _samples(scene: Scene, device: str) -> Iterator[Samples]:
    """Of all its tags: a scan with values and one without, live and as history."""
    tags = scene.tags.device_tags(device)
    names = tuple(tag.name for tag in tags) or ("tag-1",)
    kinds = tuple(tag.kind for tag in tags) or (Kind.FLOAT,)
    all_tags = np.arange(len(names), dtype=np.int32)
    nothing = np.full(len(names), np.nan)
    batch = concat([
        row(all_tags, _T0, np.ones(len(names))),
        row(all_tags, _T0 + _S, nothing, np.full(len(names), bad(Reason.COMM_LOST), np.uint8)),
    ])
    texts = {position: {1: "text"} for position, kind in enumerate(kinds) if kind == Kind.TEXT}
    for historical in (False, True):
        yield Samples(1, device, names, kinds, batch, texts, historical)


def _digital(devices: tuple[str, ...]) -> dict[str, Any]:
    device = {
        "level": 1, "name": "digital", "declared_level": 1, "connected": True, "cloud": False, "online_ratio": 1.0,
        "completeness": 1.0,
    }  # fmt: skip
    return {
        "since": 0, "until": 0, "observed_s": 0, "indices": {"device_digital_rate": 1.0, "maturity": None},
        "declared": {}, "levels": [0, 1], "devices": dict.fromkeys(devices, device), "sources": {},
    }  # fmt: skip
