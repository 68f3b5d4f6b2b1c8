"""Verdicts on how soon: live again after a fault, a change of state known, nothing waiting any more."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from edge_agent_hil.runner.blind import FAR, Span, blinds, overlaps, recoveries
from edge_agent_hil.runner.judge_samples import ASIDE, SEEN, untrue
from edge_agent_hil.runner.played import Machine, Played
from edge_agent_hil.runner.verdict import Verdict, no_truth, seconds, some

MILLISECOND = 1_000_000
# One state in twenty may be late: the computer that plays everything is one, too.
LATE_SHARE = 0.05


def judge(played: Played) -> Iterator[Verdict]:
    """Those that are asked for, and always: whether the end was heard of."""
    expect = played.loaded.file.expect
    if not played.settled:
        yield Verdict("end", "heard of", "not heard of", holds=False, detail="a record or the backlog never came")
    if expect.live_within is not None:
        yield _live(played, expect.live_within)
        yield _good_at_end(played)
    if expect.state_latency is not None:
        yield _latency(played, expect.state_latency)
    if expect.drained_within is not None:
        last = max((fault.end for fault in played.faults), default=played.begin)
        took = None if played.drained is None else max(0, played.drained - last)
        holds = took is not None and took <= expect.drained_within
        yield Verdict("drained within", seconds(expect.drained_within), seconds(took), holds)


def _live(played: Played, limit: int) -> Verdict:
    slow, worst = [], 0
    for device in played.devices:
        for fault, took in recoveries(played, device):
            worst = max(worst, FAR if took is None else took)
            if took is None or took > limit:
                slow.append(f"{device} after {fault.step}: {seconds(took)}")
    return Verdict("live within", seconds(limit), seconds(None if worst == FAR else worst), not slow, some(slow))


def _good_at_end(played: Played) -> Verdict:
    """Every tag is good in the end, but for those that are expected not to be."""
    expected = played.loaded.file.expect.quality
    bad = [
        f"{device}.{tag} is {samples[-1].quality}"
        for (device, tag), samples in played.heard.samples.items()
        if device in played.devices and f"{device}.{tag}" not in expected and samples[-1].quality != "good"
    ]
    return Verdict("good at the end", "every tag", f"{len(bad)} not" if bad else "every tag", not bad, some(bad))


def _latency(played: Played, limit: int) -> Verdict:
    found = sorted(took for machine in played.machines.values() for took in latencies(played, machine))
    if not played.machines:
        return no_truth("state latency", f"<= {seconds(limit)}")
    if not found:
        return Verdict("state latency", f"<= {seconds(limit)}", "no change of state", holds=False)
    worst = found[ceil(len(found) * (1 - LATE_SHARE)) - 1]
    told = f"of {len(found)} changes; the slowest {seconds(None if found[-1] == FAR else found[-1])}"
    shown = seconds(None if worst == FAR else worst)
    return Verdict("state latency", f"<= {seconds(limit)}", shown, worst <= limit, told)


def latencies(played: Played, machine: Machine) -> Iterator[int]:
    """From each change of state to the arrival of its message, ns; FAR if it never came. Changes during faults, and
    those too short to be seen by whoever polls, are left out."""
    spans = [*blinds(played, machine.name), *untrue(played, machine.name), *_north(played)]
    heard = played.heard.states[machine.name]
    story = machine.states
    for t, state in story.changes(played.begin, played.end - SEEN):
        until = story.until(t)
        if until - t < SEEN or overlaps(spans, t, t + SEEN):
            continue
        earliest = t - (MILLISECOND if machine.driver == "opcua" else ASIDE)
        told = (one for one in heard if one.state == state and earliest <= one.since_ms * MILLISECOND < until)
        first = min((one.arrived for one in told), default=None)
        yield FAR if first is None else first - t


def _north(played: Played) -> Iterator[Span]:
    """When messages had to wait: faults on the way to the broker, and until nothing waited any more."""
    for fault in played.faults:
        if fault.is_north:
            drained = (gauge.t for gauge in played.gauges if gauge.t > fault.end and gauge.backlog == 0)
            yield fault.begin, next(drained, FAR)
