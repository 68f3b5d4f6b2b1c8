"""The verdict: what the source gave is held against what the subscriber heard, number by number.

What is promised (README, "What survives what"). Every answer of the source that the agent has committed is heard at
least once, but for what a destroyed piece of the journal or an eviction took, and reported. So an answer may be missing
only if

* the agent was killed before it was committed: then it is not in the journal that the killed process left, and neither
  is anything that came after it in that life; or
* the journal held it, and it was in the piece that was damaged before it had been heard, or in what the journal's cap
  removed; a gap record that was heard, too, names the place (damage to the newest segment is told in the log).

Final KPI records are those that a replay of what was committed gives, to the last digit; and those of an agent that
nobody disturbed, read at the same machine: the same counts, and times that differ by what two readers may.

Order: the numbers of a tag only grow, among what is live and among what is historical. Twice: only with the same `seq`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from edge_agent.encode import columns
from edge_agent.journal import RecordKind, records
from tests.campaign.faults import Life
from tests.campaign.source import APART, NUMBERS, Answer

NAMES = {f"n{k}": k * APART for k in range(NUMBERS)}


@dataclass(frozen=True, slots=True)
class Heard:
    """One number of one tag, as it arrived."""

    name: str
    number: int
    time_ms: int
    seq: int
    historical: bool


@dataclass(slots=True)
class Verdict:
    """How a run went; `faults` names everything that must not be."""

    answered: int = 0
    heard: int = 0
    kills: int = 0
    uncommitted: int = 0
    """answers that died with the process, uncommitted"""
    oldest_ms: float = 0.0
    """how long before the kill the oldest of them had been given, at most"""
    destroyed: int = 0
    """answers in pieces of the journal that were damaged before they were heard"""
    doubled: int = 0
    """records heard again, with their seq"""
    historical: int = 0
    """numbers heard first as historical"""
    finals: int = 0
    """final KPI records compared with those of a replay, and of a twin"""
    happened: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def blame(self, what: str, which: Iterable[object]) -> None:
        """A fault, if there is any of that."""
        if found := list(which):
            self.faults.append(f"{what}: {len(found)}, such as {found[:5]}")


def heard_first(payloads: Iterable[dict[str, Any]], verdict: Verdict) -> list[Heard]:
    """The numbers of first arrivals, in order; what comes again must be the same."""
    known: dict[tuple[int, int], Any] = {}
    numbers: list[Heard] = []
    for payload in payloads:
        key = payload["seq"], payload.get("part", 1)
        if key in known:
            verdict.doubled += 1
            verdict.blame("other content under the same seq", [] if known[key] == payload["samples"] else [key])
            continue
        known[key] = payload["samples"]
        for group in payload["samples"]:
            for name, value in group["values"].items():
                if name in NAMES and value is not None:
                    number = int(value) - NAMES[name]
                    numbers.append(Heard(name, number, group["t"], payload["seq"], payload["historical"]))
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


def in_journal(folder: Path, after: int = 0) -> Iterator[tuple[int, int]]:
    """(seq, number) of every number of the first tag in intact records behind seq `after`."""
    for record in records(folder, kinds={RecordKind.SAMPLES}):
        if record.seq > after and record.definition is not None:
            place = orjson.loads(record.definition)["names"].index("n0")
            batch, _ = columns.unpack(record.body)
            for value in batch.value[(batch.tag == place) & (batch.quality < 128)].tolist():
                yield record.seq, int(value)


def judge_losses(
    answers: Sequence[Answer],
    lives: Sequence[Life],
    numbers: Sequence[Heard],
    committed: set[int],
    destroyed: set[int],
    gaps: Sequence[dict[str, Any]],
    verdict: Verdict,
    *,
    evicts: bool,
) -> None:
    """Who is missing, and whether that may be. `committed`: what was found in the journal after each life; `evicts`:
    whether it was too small for what waited."""
    all_heard = [{one.number for one in numbers if one.name == name} for name in NAMES]
    whole = set.intersection(*all_heard)
    given = {one.number for one in answers}
    verdict.answered, verdict.heard = len(given), len(whole)
    # The source was stopped between its last answer and the line for it, at worst.
    verdict.blame("never given", sorted(set.union(*all_heard) - given - {max(given, default=0) + 1}))
    told = _told(sorted(given - whole), numbers, gaps)
    verdict.blame("destroyed, and no gap tells it", sorted(destroyed - whole - told))
    if evicts:
        destroyed = destroyed | told
    verdict.blame("committed, not heard", sorted(committed - whole - destroyed))
    verdict.blame("a gap was told where there is none", () if evicts or destroyed else gaps)
    verdict.destroyed = len(destroyed - whole)
    for life, following in zip(lives, [*lives[1:], None], strict=True):
        end = following.began_ns if following else 1 << 63
        mine = [one for one in answers if life.began_ns <= one.at_ns < end and one.number not in destroyed]
        tail = _tail(mine, whole) if life.killed else []
        missing = [one.number for one in mine[: len(mine) - len(tail)] if one.number not in whole]
        verdict.blame("lost, and the agent was not killed before it could commit", missing)
        verdict.uncommitted += len(tail)
        if tail:
            verdict.oldest_ms = max(verdict.oldest_ms, (life.ends_ns - tail[0].at_ns) / 1e6)


def _told(missing: Sequence[int], numbers: Sequence[Heard], gaps: Sequence[dict[str, Any]]) -> set[int]:
    """Those of the missing ones that stood where a gap is: between the seqs of what was heard around them."""
    places = sorted((one.number, one.seq) for one in numbers if one.name == "n0")
    spans = [(gap["from_seq"], gap["to_seq"]) for gap in gaps if gap["lane"] == "samples"]
    found = set()
    for number in missing:
        at = bisect_left(places, (number, 0))
        low = places[at - 1][1] if at else 0
        high = places[at][1] if at < len(places) else 1 << 62
        if any(first < high and last > low for first, last in spans):
            found.add(number)
    return found


def _tail(mine: Sequence[Answer], whole: set[int]) -> list[Answer]:
    """The last answers of a life, of which none was heard."""
    heard = [place for place, one in enumerate(mine) if one.number in whole]
    return list(mine[heard[-1] + 1 if heard else 0 :])


# Two agents read the same machine at different instants, on a busy computer.
NEAR_S = 1.0


def judge_finals(mine: dict[str, Any], replayed: dict[str, Any], verdict: Verdict) -> None:
    """Those that were told against those that the journal gives; of its oldest it may have made room for more."""
    both = mine.keys() & replayed.keys()
    verdict.finals += len(both)
    verdict.blame("a replay gives none of these final KPI records", mine if mine and not both else ())
    different = [order for order in both if mine[order] != replayed[order]]
    verdict.blame("final KPI records differ from those of a replay", different)


def judge_twins(mine: dict[str, Any], twins: dict[str, Any], known: Collection[str], verdict: Verdict) -> None:
    """Those that were told against those of an undisturbed agent, of orders that both saw from end to end (`known`)."""
    for order in known:
        one, other = mine.get(order), twins.get(order)
        if one is None or other is None:
            verdict.blame("no final KPI record of order", [order])
            continue
        verdict.finals += 1
        apart = {name: abs(one["time_s"][name] - other["time_s"][name]) for name in one["time_s"]}
        verdict.blame("counts differ from the twin's in order", [order] if one["counts"] != other["counts"] else [])
        verdict.blame("times differ from the twin's in order", [order] if max(apart.values()) > NEAR_S else [])


def finals(payloads: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Final KPI records by order, the newest revision of each."""
    found: dict[str, dict[str, Any]] = {}
    for record in payloads:
        order = record["window"].get("order", "")
        if record["window"]["kind"] == "job" and record["final"] and record["rev"] >= found.get(order, record)["rev"]:
            found[order] = record
    return found


HEAD = (
    "run", "seed", "kills", "given", "heard", "lost", "uncommitted", "oldest", "destroyed", "late", "twice", "finals",
)  # fmt: skip


def row(name: str, seed: int, verdict: Verdict) -> tuple[str, ...]:
    """A line of the table; `lost` counts what must not be missing."""
    lost = verdict.answered - verdict.heard - verdict.uncommitted - verdict.destroyed
    numbers = (seed, verdict.kills, verdict.answered, verdict.heard, lost, verdict.uncommitted)
    oldest = f"{verdict.oldest_ms:.0f} ms"
    rest = (verdict.destroyed, verdict.historical, verdict.doubled, verdict.finals)
    happened = ", ".join(f"{times} {what}" for what, times in sorted(verdict.happened.items()))
    return (name, *map(str, numbers), oldest, *map(str, rest), happened)


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """All runs, aligned."""
    lines = [(*HEAD, "what happened"), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
