"""The verdict on samples: what the source gave is held against what the subscriber heard, number by number.

What is promised (README, "What survives what"). Every answer of the source that the agent has committed is heard at
least once, but for what a destroyed piece of the journal or an eviction took, and reported. So an answer may be missing
only if

* the agent was killed before it was committed: then it is not in the journal that the killed process left, and neither
  is anything that came after it in that life; or
* the journal held it, and it was in the piece that was damaged before it had been heard, or in what the journal's cap
  removed; a gap record that was heard, too, names its seq.

Nothing is heard that was never committed. Order: the numbers of a tag only grow, among what is live and among what is
historical. Twice: only with the `seq` that the journal has it under.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from edge_agent_hil.gateway import Life
from tests.campaign.committed import Committed, spans_of
from tests.campaign.source import APART, NUMBERS, Answer
from tests.campaign.verdict import Verdict

NAMES = {f"n{k}": k * APART for k in range(NUMBERS)}


@dataclass(frozen=True, slots=True)
class Heard:
    """One number of one tag, as it arrived."""

    name: str
    number: int
    time_ms: int
    seq: int
    historical: bool


def heard_first(payloads: Iterable[dict[str, Any]], answers: Sequence[Answer], verdict: Verdict) -> list[Heard]:
    """The numbers of first arrivals, in order; what comes again must be the same, and what comes beside them is what
    was given with them."""
    known: dict[tuple[int, int], Any] = {}
    given = {one.number: one for one in answers}
    numbers: list[Heard] = []
    for payload in payloads:
        key = payload["seq"], payload.get("part", 1)
        if key in known:
            verdict.doubled += 1
            verdict.blame("other content under the same seq", [] if known[key] == payload["samples"] else [key])
            continue
        known[key] = payload["samples"]
        for group in payload["samples"]:
            mine = [
                Heard(name, int(value) - NAMES[name], group["t"], payload["seq"], payload["historical"])
                for name, value in group["values"].items()
                if name in NAMES and value is not None
            ]
            numbers += mine
            verdict.blame("answers mixed up", [group] if len({one.number for one in mine}) > 1 else [])
            answer = given.get(mine[0].number) if mine else None
            if answer:
                other = [
                    name
                    for name in ("total", "scrap", "order")
                    if group["values"].get(name, getattr(answer, name)) != getattr(answer, name)
                ]
                verdict.blame(f"other values than were given with number {answer.number}", other)
    return numbers


def judge_order(numbers: Sequence[Heard], verdict: Verdict) -> None:
    """Order, doubles, and times that go on with the numbers."""
    for name in NAMES:
        mine = [one for one in numbers if one.name == name]
        for historical in (False, True):
            lane = [one.number for one in mine if one.historical == historical]
            verdict.blame(
                f"{name} out of order, historical: {historical}", [two for two in pairwise(lane) if two[0] >= two[1]]
            )
        seen = Counter(one.number for one in mine)
        verdict.blame(f"{name} twice with another seq", [number for number, times in seen.items() if times > 1])
        mine.sort(key=lambda one: one.number)
        back = [(a.number, b.number) for a, b in pairwise(mine) if a.time_ms > b.time_ms]
        verdict.blame(f"{name} at times that run backwards", back)
    verdict.historical = sum(one.historical for one in numbers if one.name == "n0")


def judge_losses(
    answers: Sequence[Answer],
    lives: Sequence[Life],
    numbers: Sequence[Heard],
    committed: Committed,
    gaps: Sequence[dict[str, Any]],
    verdict: Verdict,
    *,
    evicts: bool,
    forgets: bool,
) -> set[int]:
    """Who is missing, and whether that may be; returns the numbers heard. `evicts`, `forgets`: see `Plan`."""
    all_heard = [{one.number for one in numbers if one.name == name} for name in NAMES]
    whole = set.intersection(*all_heard)
    given = {one.number for one in answers}
    verdict.answered, verdict.heard = len(given), len(whole)
    # The source was stopped between its last answer and the line for it, at worst.
    verdict.blame("never given", sorted(set.union(*all_heard) - given - {max(given, default=0) + 1}))
    _judge_numbering(numbers, committed, verdict, forgets=forgets)
    told = _told(given - whole, numbers, committed, gaps)
    destroyed = {number for number, seq in committed.numbers.items() if seq in committed.destroyed} - whole
    verdict.blame("destroyed, and no gap tells it", sorted(destroyed - told))
    allowed = told if evicts else destroyed
    verdict.blame("committed, not heard", sorted(committed.numbers.keys() - whole - allowed))
    verdict.blame("a gap was told where there is none", () if evicts or committed.destroyed else gaps)
    verdict.destroyed = len(allowed)
    for life, following in zip(lives, [*lives[1:], None], strict=True):
        end = following.began_ns if following else 1 << 63
        mine = [one for one in answers if life.began_ns <= one.at_ns < end and one.number not in allowed]
        tail = _tail(mine, whole) if life.killed else []
        missing = [one.number for one in mine[: len(mine) - len(tail)] if one.number not in whole]
        verdict.blame("lost, and the agent was not killed before it could commit", missing)
        verdict.uncommitted += len(tail)
        if tail:
            verdict.oldest_ms = max(verdict.oldest_ms, (life.ends_ns - tail[0].at_ns) / 1e6)
    return whole


def _judge_numbering(numbers: Sequence[Heard], committed: Committed, verdict: Verdict, *, forgets: bool) -> None:
    """What was heard was committed, under that seq. (What is forgotten may have come and gone between two looks.)"""
    first = [one for one in numbers if one.name == "n0"]
    unknown = [one.number for one in first if one.number not in committed.numbers]
    verdict.blame("heard, never committed", () if forgets else unknown)
    other = [one.number for one in first if committed.numbers.get(one.number, one.seq) != one.seq]
    verdict.blame("heard with another seq than it was committed with", other)


def _told(
    missing: set[int], numbers: Sequence[Heard], committed: Committed, gaps: Sequence[dict[str, Any]]
) -> set[int]:
    """Those of the missing ones that a gap tells: by their seq; where nobody saw it, between those of their
    neighbours."""
    known = committed.numbers | {one.number: one.seq for one in numbers}
    places = sorted(known.items())
    spans = list(spans_of(gaps))
    found = set()
    for number in missing:
        at = bisect_left(places, (number, 0))
        low = high = known.get(number, 0)
        if not low:
            low = places[at - 1][1] if at else 0
            high = places[at][1] if at < len(places) else 1 << 62
        if any(first <= high and last >= low for first, last in spans):
            found.add(number)
    return found


def judge_gaps(
    answers: Sequence[Answer],
    numbers: Sequence[Heard],
    committed: Committed,
    gaps: Sequence[dict[str, Any]],
    verdict: Verdict,
) -> None:
    """Of an agent that lived on: gaps of evicted samples tell as many records as were not heard, no less; more only by
    those that were heard, and evicted before that was acknowledged, or came and went between two looks. So may a gap
    itself: it is told again, as part of a longer one."""
    heard = {one.seq for one in numbers}
    said = {(gap["from_seq"], gap["to_seq"]): gap["records"] for gap in gaps if gap["lane"] == "samples"}
    told = {one: records for one, records in said.items() if not any(_is_within(one, other) for other in said)}
    unheard = len(set(committed.numbers.values()) - heard)
    within = sum(any(first <= seq <= last for first, last in told) for seq in heard)
    unseen = len({one.number for one in answers} - committed.numbers.keys() - {one.number for one in numbers})
    if not unheard <= sum(told.values()) <= unheard + within + unseen:
        verdict.blame(f"{unheard} evicted records were not heard, gaps tell", [told])


def _is_within(span: tuple[int, int], other: tuple[int, int]) -> bool:
    return span != other and other[0] <= span[0] and span[1] <= other[1]


def _tail(mine: Sequence[Answer], whole: set[int]) -> list[Answer]:
    """The last answers of a life, of which none was heard."""
    heard = [place for place, one in enumerate(mine) if one.number in whole]
    return list(mine[heard[-1] + 1 if heard else 0 :])
