"""Verdicts on samples: lost, wrong, twice, out of order; against what the machines showed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from edge_agent.core.quantity import SECOND
from edge_agent_hil.runner.blind import FAR, Span, blinds, overlaps
from edge_agent_hil.runner.heard import Sample
from edge_agent_hil.runner.played import Fault, Machine, Played
from edge_agent_hil.runner.shown import COUNTERS, Shown
from edge_agent_hil.runner.verdict import Verdict, most, no_truth

MILLISECOND = 1_000_000
# A value that stands so long is seen by whoever polls ten times a second, on a computer that is busy, too.
SEEN = SECOND
# A sample's time is when it was asked for or when it came; a busy computer may take so long for that.
ASIDE = SECOND
# After these a counter shows something else than it has counted, for good.
SHIFTING = frozenset({"counter-reset", "counter-wrap", "counter-preset"})
# With these of the gateway the times it gives are not those of anybody else.
TIMELESS = frozenset({"clock", "no-rtc"})
# With these it shows what is so, if it shows anything.
TRUTHFUL = frozenset({"restart", "slow", "exception", "certificate-change", "namespace-reorder"})


def judge(played: Played) -> Iterator[Verdict]:
    """Those that are asked for."""
    expect = played.loaded.file.expect
    machines = played.machines.values()
    for name, limit, search in (("lost", expect.lost, lost), ("wrong values", expect.wrong_values, wrong)):
        if limit is not None and not machines:
            yield no_truth(name, f"<= {limit}")
        elif limit is not None:
            yield most(name, limit, (found for machine in machines for found in search(played, machine)))
    if expect.duplicates is not None:
        yield most("duplicates", expect.duplicates, duplicates(played))
    if expect.out_of_order is not None:
        found = (f"{device}, seq {seq}" for device, seq in played.heard.out_of_order)
        yield most("out of order", expect.out_of_order, found)
    if played.heard.unkept:
        yield Verdict("samples", "<= as many as can be kept", f"{played.heard.unkept} more", holds=False)


def lost(played: Played, machine: Machine) -> Iterator[str]:
    """Values that a machine showed, where nothing kept the agent from seeing them, that never arrived."""
    spans = [*blinds(played, machine.name), *untrue(played, machine.name)]
    for tag, story in machine.shown.items():
        samples = played.heard.samples.get((machine.name, tag), [])
        arrived = Counter((sample.t_ms, sample.value) for sample in samples)
        times: dict[object, list[int]] = {}
        for sample in samples:
            times.setdefault(sample.value, []).append(sample.t_ms * MILLISECOND)
        for t, value in story.changes(played.begin, played.end):
            if machine.driver == "opcua":
                is_lost = not arrived[t // MILLISECOND, value] and not overlaps(spans, t, t)
            else:
                is_lost = _unseen(story, t, times.get(value, []), played.end, spans)
            if is_lost:
                yield f"{machine.name}.{tag} = {value} {_at(played, t)}"


def _unseen(story: Shown, t: int, times: list[int], end: int, spans: list[Span]) -> bool:
    """Whether a polled value that stood long enough is at none of these times."""
    until = story.until(t)
    if until - t < SEEN or t + SEEN > end or overlaps(spans, t, t + SEEN):
        return False
    return not any(t - ASIDE <= time <= until + ASIDE for time in times)


def wrong(played: Played, machine: Machine) -> Iterator[str]:
    """Samples that arrived as good of what the machine did not show at their time."""
    hidden = blinds(played, machine.name)
    for tag, story in machine.shown.items():
        spans = untrue(played, machine.name, is_counter=tag in COUNTERS)
        for sample in played.heard.samples.get((machine.name, tag), []):
            t = sample.t_ms * MILLISECOND
            if sample.quality != "good" or t < played.begin or overlaps(spans, t, t):
                continue
            # After a break an agent may give a value that stood through it the time at which it was seen again.
            aside = 0 if machine.driver == "opcua" and not overlaps(hidden, t, t) else ASIDE
            if sample.value not in story.between(t - aside, t + MILLISECOND + aside):
                yield f"{machine.name}.{tag} = {sample.value} {_at(played, t)}"


def untrue(played: Played, device: str, *, is_counter: bool = True) -> list[Span]:
    """Spans in which what a device shows, or the time it is given, is not what it is."""
    found = []
    for fault in played.concerning(device):
        if fault.is_gateway and fault.step.name in TIMELESS:
            found.append((fault.begin - ASIDE, FAR))
        elif fault.step.equipment is not None and (fault.step.name not in TRUTHFUL or _shifts(fault)):
            found.append((fault.begin - ASIDE, FAR if is_counter and _shifts(fault) else fault.end + ASIDE))
    return found


def _shifts(fault: Fault) -> bool:
    """Whether counters show something else afterwards."""
    return fault.step.name in SHIFTING or fault.step.said.get("counters") == "reset"


def duplicates(played: Played) -> Iterator[str]:
    """Samples that arrived again under another number, and numbers that came again with other content."""
    for device, seq in played.heard.unlike:
        yield f"{device}, seq {seq}, came again with other content"
    for (device, tag), samples in played.heard.samples.items():
        seen: dict[tuple[int, str], Sample] = {}
        for sample in samples:
            before = seen.setdefault((sample.t_ms, f"{sample.value!r} {sample.quality}"), sample)
            if before.seq != sample.seq:
                yield f"{device}.{tag} = {sample.value} {_at(played, sample.t_ms * MILLISECOND)}"


def _at(played: Played, t: int) -> str:
    return f"at {(t - played.begin) / 1e9:.3f} s"
