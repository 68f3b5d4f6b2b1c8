"""Why is it blank: the chain of reasons behind a tag's value, in plain sentences, the outermost first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from edge_agent.api import Kind, Reason, Tag, Value
from edge_agent.core.advice import WORDS, words
from edge_agent.core.phrase import clock, length, shown, without_password
from edge_agent.core.quality import UNCERTAIN, class_name
from edge_agent.core.quantity import SECOND
from edge_agent.core.ring import NEVER, Ring
from edge_agent.health import Line

# How far back the last good value is looked for, ns: mostly it is just behind, and each step copies more.
LOOK_BACK_NS: Final = (60 * SECOND, 960 * SECOND, 15_360 * SECOND, 245_760 * SECOND)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a tag at one instant; times are ns UTC, NEVER where there is none.

    time      of the last sample; known: up to when the tag is known to hold its value
    started   since when the agent has been running
    source    how the driver finds the tag, '' if it does not say
    since     when the present run of samples that are not good began; good_*: the last good one before it
    driver    what the driver says, see `Driver.why`
    """

    tag: Tag
    zone: ZoneInfo
    now: int
    started: int
    value: Value | None
    quality: int
    time: int
    known: int
    line: Line
    source: str = ""
    since: int = NEVER
    good_time: int = NEVER
    good_value: Value | None = None
    driver: tuple[str, ...] = ()


class Run(NamedTuple):
    """The present run of samples that are not good: since when, and the last good one before it."""

    since: int
    good_time: int
    good_raw: float


def run_of(ring: Ring, position: int) -> Run:
    """The run of a tag whose last sample is not good; `good_time` is NEVER if no good one is in memory."""
    newest = int(ring.latest.time[position])
    for start in (*(newest - back for back in LOOK_BACK_NS), 0):
        time, value, quality = ring.window(position, start, newest + 1)
        good = (quality < UNCERTAIN).nonzero()[0]
        if len(good):
            at = int(good[-1])
            since = int(time[at + 1]) if at + 1 < len(time) else newest
            return Run(since, int(time[at]), float(value[at]))
    return Run(int(time[0]) if len(time) else newest, NEVER, math.nan)


def plain(tag: Tag, raw: float) -> Value | None:
    """What the ring holds of `tag`, as a value of its kind; None for what is no value."""
    if not np.isfinite(raw):
        return None
    if tag.kind is Kind.TEXT:
        return tag.vocabulary.proper(raw)
    if tag.kind is Kind.BOOL:
        return bool(raw)
    return int(raw) if tag.kind is Kind.INT and raw.is_integer() else float(raw)


def why(facts: Facts) -> list[str]:
    """The chain, a sentence each, the outermost first; no password of a URL is in it."""
    if facts.time == NEVER:
        chain = _never(facts)
    elif facts.quality < UNCERTAIN:
        chain = _good(facts)
    else:
        chain = _not_good(facts)
    return [without_password(sentence) for sentence in chain]


def _good(facts: Facts) -> list[str]:
    value = shown(facts.value, facts.tag.unit)
    came = f"it comes from {facts.source} of" if facts.source else "it comes from"
    chain = [
        f"{facts.tag.id} is good: {value}, {length(facts.now - facts.known)} old",
        f"{came} {_addresses(facts.line)}, {facts.line.state} since {_clock(facts, facts.line.since_ns)}",
    ]
    reason = words(facts.quality)
    if facts.quality & 63:
        chain += [f"worth knowing: {reason.said}", f"what to do: {reason.do}"]
    return [*chain, *facts.driver]


def _never(facts: Facts) -> list[str]:
    chain = [
        f"{facts.tag.id} has had no value yet: nothing has arrived since the agent started "
        f"at {_clock(facts, facts.started)} ({length(facts.now - facts.started)} ago)",
        *line_chain(facts.line, facts.now, facts.zone),
        *facts.driver,
    ]
    if facts.line.state == "connected":
        return [*chain, "the device has answered, but has not sent this tag so far"]
    return [*chain, f"what to do: {WORDS[Reason.COMM_LOST].do}"]


def _not_good(facts: Facts) -> list[str]:
    reason = words(facts.quality)
    lasts = f"since {_clock(facts, facts.since)} ({length(facts.now - facts.since)})"
    return [
        f"{facts.tag.id} is {class_name(facts.quality)} {lasts}: {reason.said}",
        *_of_reason(facts),
        *line_chain(facts.line, facts.now, facts.zone),
        *facts.driver,
        _last_good(facts),
        f"what to do: {reason.do}",
    ]


def _of_reason(facts: Facts) -> list[str]:
    """What the tag itself adds to its reason."""
    tag, reason = facts.tag, facts.quality & 63
    if reason == Reason.OUT_OF_RANGE:
        value, low = shown(facts.value, tag.unit), shown(tag.low)
        return [f"the value is {value}, its range {low} to {shown(tag.high, tag.unit)}"]
    if reason == Reason.STALE:
        last = f"the last one is {length(facts.now - facts.known)} old"
        return [f"the tag allows {length(tag.stale_ns)} without a sample; {last}"]
    if reason == Reason.REFUSED and facts.source:
        return [f"what was asked for is {facts.source}"]
    return []


def _last_good(facts: Facts) -> str:
    if facts.good_time == NEVER:
        return "no good value is in memory"
    when = f"at {_clock(facts, facts.good_time)} ({length(facts.now - facts.good_time)} ago)"
    return f"the last good value was {shown(facts.good_value, facts.tag.unit)} {when}"


def line_chain(line: Line, now: int, zone: ZoneInfo) -> list[str]:
    """What is to be said of a connection: where it goes, how it stands, when it is tried again."""
    place = _addresses(line)
    since = f"since {clock(line.since_ns, now, zone)} ({length(now - line.since_ns)})"
    if line.state == "connected":
        return [f"the line {place} stands {since}"]
    if line.state == "connecting" and not line.error:
        return [f"the line {place} is being opened {since}"]
    chain = [f"the line {place} is lost {since}: {line.error}"]
    if line.failures:
        attempts = "1 attempt" if line.failures == 1 else f"{line.failures} attempts"
        wait = line.next_ns - now
        due = f"is due in {length(wait)}" if wait > 0 else "is under way"
        chain.append(f"{attempts} failed; the next {due}")
    return [without_password(sentence) for sentence in chain]


def _addresses(line: Line) -> str:
    return line.place or " or ".join(line.addresses)


def _clock(facts: Facts, t_ns: int) -> str:
    return clock(t_ns, facts.now, facts.zone)
