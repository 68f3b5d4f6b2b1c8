"""Verdicts on the agent itself: memory, disk, what it said in its log and through its API, how it ended."""

from __future__ import annotations

import re
from collections.abc import Iterator

from edge_agent_hil.runner.played import Played
from edge_agent_hil.runner.verdict import Verdict, megabytes


def judge(played: Played) -> Iterator[Verdict]:
    """Those that are asked for, and always: no traceback, and how it ended."""
    yield from _sizes(played)
    yield from _words(played)
    yield from _signs(played)
    wanted = played.loaded.file.expect.exit
    yield Verdict("exit", str(wanted), str(played.exit_code), played.exit_code == wanted)


def _sizes(played: Played) -> Iterator[Verdict]:
    expect, gauges = played.loaded.file.expect, played.gauges
    memory = [gauge.memory for gauge in gauges if gauge.memory]
    measured = {
        "memory": (expect.memory, max(memory, default=None)),
        "memory growth": (expect.memory_growth, memory[-1] - memory[0] if memory else None),
        "disk": (expect.disk, max((gauge.disk for gauge in gauges), default=None)),
        "written": (expect.written, gauges[-1].written if gauges else None),
    }
    for name, (limit, found) in measured.items():
        if limit is not None:
            told = "not measured" if found is None else megabytes(found)
            yield Verdict(name, f"<= {megabytes(limit)}", told, found is not None and found <= limit)
    if (most := expect.connections) is not None:
        found = max(played.connections.values(), default=0)
        told = "; ".join(f"{device} {count}" for device, count in played.connections.items())
        yield Verdict("connections", f"<= {most}", str(found), found <= most, told)
    if expect.gaps is not None:
        low, high = expect.gaps
        count = len(played.heard.gaps)
        yield Verdict("gaps", f"{low} to {high}", str(count), low <= count <= high)


def _words(played: Played) -> Iterator[Verdict]:
    """The log, by regular expressions, each line for itself."""
    expect = played.loaded.file.expect
    lines = played.log.splitlines()
    for name, patterns, low, high in (
        ("log once", expect.log_once, 1, 1),
        ("log", expect.log, 1, None),
        ("log never", expect.log_never, 0, 0),
    ):
        for pattern in patterns:
            found = [line for line in lines if re.search(pattern, line)]
            holds = len(found) >= low and (high is None or len(found) <= high)
            told = {0: "never", 1: "once"}.get(len(found), f"{len(found)} times")
            yield Verdict(name, pattern, told, holds, "; ".join(found[:3]))


def _signs(played: Played) -> Iterator[Verdict]:
    """What it says is wrong, and what it says of the quality of tags."""
    expect = played.loaded.file.expect
    told = {problem for gauge in played.gauges for problem in gauge.problems}
    for pattern in expect.alarms:
        found = sorted(problem for problem in told if re.search(pattern, problem))
        yield Verdict("alarms", pattern, "said" if found else "never said", bool(found), "; ".join(sorted(told)[:3]))
    if expect.well_at_end:
        last = played.gauges[-1].problems if played.gauges else ()
        yield Verdict("well at the end", "no problem", f"{len(last)} problems", not last, "; ".join(last))
    for tag, quality in expect.quality.items():
        device, _, name = tag.partition(".")
        seen = {sample.quality for sample in played.heard.samples.get((device, name), [])}
        yield Verdict("quality", f"{tag} {quality}", ", ".join(sorted(seen)) or "nothing arrived", quality in seen)
