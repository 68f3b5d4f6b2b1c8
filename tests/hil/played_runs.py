"""Runs that nobody has played: a machine's story, and what arrived of it, made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import yaml

from edge_agent_hil.runner.heard import Heard
from edge_agent_hil.runner.load import load
from edge_agent_hil.runner.played import Fault, Gauge, Machine, Played
from edge_agent_hil.runner.scenario_file import Step
from edge_agent_hil.runner.shown import Shown

BEGIN = 1_764_547_200 * 10**9
SECOND = 10**9
MS = BEGIN // 10**6
# cnc-7 counts a piece every 250 ms, and stands from 4 s to 6 s.
PIECES = [(BEGIN + at * 250_000_000, number) for number, at in enumerate(n for n in range(1, 80) if not 16 <= n < 24)]
STATES = [(BEGIN - SECOND, "RUN"), (BEGIN + 4 * SECOND, "FAULT"), (BEGIN + 6 * SECOND, "RUN")]


def played(tmp_path: Path, expect: dict[str, Any], timeline: list[dict[str, Any]] | None = None) -> Played:
    """20 s of cnc-7 that went well."""
    path = tmp_path / "made.yaml"
    document = {"scenario": "made", "plant": "cell", "duration": "20s", "judged": ["cnc-7"], "expect": expect}
    path.write_text(yaml.safe_dump({**document, "timeline": timeline or []}))
    loaded = load(path)
    run = Played(loaded, 1, BEGIN, BEGIN + 20 * SECOND, devices=("cnc-7",), drained=BEGIN + SECOND)
    shown = {"total": Shown(*map(list, zip(*PIECES, strict=True)))}
    states = Shown(*map(list, zip(*STATES, strict=True)))
    end = BEGIN + 20 * SECOND
    run.machines["cnc-7"] = Machine("cnc-7", "opcua", shown, states, {end: truth(0.5)}, SECOND)
    run.faults = [_fault(step) for step in loaded.file.timeline]
    run.heard = Heard("edge/hil/hil")
    run.gauges = [Gauge(BEGIN + n * SECOND, 90_000_000, 0, 1_000_000, 500_000, ()) for n in range(21)]
    for t, number in PIECES:
        tell(run, t // 10**6, {"total": number}, number + 1)
    for t, state in STATES:
        hear(run, "cnc-7/state", {"since": t // 10**6, "state": state}, t + 300_000_000)
    hear(run, "cnc-7/kpi/shift", record(0.5), end)
    return run


def _fault(step: Step) -> Fault:
    devices = frozenset({"cnc-7"})
    return Fault(step, BEGIN + step.at, BEGIN + step.end, devices)


def tell(run: Played, t_ms: int, values: dict[str, Any], seq: int, *, after_ms: int = 200, **more: Any) -> None:
    """A message with one group of samples; `quality=` and `historical=` as they stand."""
    group = {"t": t_ms, "values": values} | ({"quality": more["quality"]} if "quality" in more else {})
    payload = {"v": 1, "seq": seq, "historical": more.get("historical", False), "samples": [group]}
    hear(run, "cnc-7/tags", payload, (t_ms + after_ms) * 10**6)


def hear(run: Played, topic: str, payload: dict[str, Any], arrived: int) -> None:
    run.heard.take(f"edge/hil/hil/{topic}", orjson.dumps(payload), arrived)


def truth(oee: float) -> dict[str, Any]:
    times = {"apt": 18.0, "micro": 0.0, "aust": 0.0, "adet_fault": 2.0, "adet_other": 0.0}
    return {
        "kpi": {"oee": oee},
        "busy_ns": 20 * SECOND,
        "record": {"counts": {"pq": 70, "sq": 3, "rq": 0}, "time_s": times},
    }


def record(oee: float, **more: Any) -> dict[str, Any]:
    """A KPI record of 20 s as of their end."""
    times = dict.fromkeys(("micro", "aust", "adet_other", "maint", "adot", "unk", "unk_raw", "nst", "pdot"), 0)
    return {
        "as_of": "2025-12-01T00:00:20.000000001+00:00".replace(".000000001", ""),
        "rev": 0,
        "time_s": {**times, "ct": 20, "pbt": 20, "apt": 18, "adet_fault": 2},
        "counts": {"pq": 70, "sq": 3, "rq": 0},
        "kpi": {"oee": oee},
        "bounds": {"oee": [oee, oee]},
        "flags": [],
        **more,
    }
