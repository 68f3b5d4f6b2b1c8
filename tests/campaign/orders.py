"""The verdict on KPIs: the final records of every order, against four that know better.

* The source's own ledger: an order has the pieces that were counted between its first answer and that of the next. So
  says whoever reads at instants, and so it is for any agent, however rarely it came to read.
* A replay of what was committed, to the last digit.
* An agent that nobody disturbed and that read the same machine: the same counts, and times that differ by what two
  readers may.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from tests.campaign.source import Answer
from tests.campaign.verdict import Verdict

Record = Mapping[str, Any]
Pieces = tuple[int, int]
"""Total and scrap."""

# Two agents read the same machine at different instants: by so much more than the longest pause between two reads.
NEAR_S = 0.5


def finals(payloads: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Final KPI records by order, the newest revision of each; those that were withdrawn are none. Whether one had to
    wait is no part of it."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for payload in payloads:
        record = {key: value for key, value in payload.items() if key != "historical"}
        window = record["window"]
        key = window.get("order", ""), window["start"]
        if window["kind"] == "job" and record["final"] and record["rev"] >= found.get(key, record)["rev"]:
            found[key] = record
    return {order: record for (order, _), record in found.items() if "WITHDRAWN" not in record["flags"]}


def pieces_of(answers: Sequence[Answer], known: set[int]) -> dict[str, set[Pieces]]:
    """What the orders that are over may count, by the answers that the agent is known to have taken, `known`.

    Of those that died with it, it may have kept what they mean, or nothing: where such stand about the change of an
    order, there is more than one possibility.
    """
    changes: list[tuple[int, list[Answer]]] = []        # order, and where it may have begun for the agent
    doubtful: list[Answer] = []
    for answer in answers:
        doubtful.append(answer)
        if answer.number in known:
            if not changes or changes[-1][0] != answer.order:
                changes.append((answer.order, doubtful))
            doubtful = []
    found: dict[str, set[Pieces]] = {}
    for (order, starts), (_, ends) in pairwise(changes):
        begun = [one for one in starts if one.order == order]
        ended = [one for one in ends if one.order > order]
        found[str(order)] = {(b.total - a.total, b.scrap - a.scrap) for a in begun for b in ended}
    return found


def judge_counts(mine: Mapping[str, Record], pieces: Mapping[str, set[Pieces]], whose: str, verdict: Verdict) -> None:
    """Final records against the answers."""
    for order, may_be in pieces.items():
        record = mine.get(order)
        if record is None:
            verdict.blame(f"no final KPI record of {whose} of order", [order])
            continue
        verdict.finals += 1
        counts = record["counts"]
        if (counts["pq"], counts["sq"]) not in may_be or counts["gq"] != counts["pq"] - counts["sq"]:
            verdict.blame(f"counts of {whose}, order {order}, are {counts}, and not", may_be)


def judge_replay(
    mine: Mapping[str, Record], replayed: Mapping[str, Record], pieces: Mapping[str, object], verdict: Verdict
) -> None:
    """Those that were told against those that the journal gives."""
    verdict.blame("a replay gives no final KPI record of order", pieces.keys() - replayed.keys())
    both = mine.keys() & replayed.keys()
    verdict.finals += len(both)
    verdict.blame(
        "final KPI records differ from those of a replay",
        [(order, _apart(mine[order], replayed[order])) for order in both if mine[order] != replayed[order]],
    )


def _apart(one: Record, other: Record) -> dict[str, Any]:
    return {key: (one.get(key), other.get(key)) for key in one.keys() | other.keys() if one.get(key) != other.get(key)}


def judge_twins(
    mine: Mapping[str, Record], twins: Mapping[str, Record], orders: Mapping[str, float], verdict: Verdict
) -> None:
    """Those that were told against those of an undisturbed agent, of orders that both saw from end to end, with the
    longest pause, in seconds, between two answers to either."""
    for order, pause_s in orders.items():
        one, other = mine.get(order), twins.get(order)
        if one is None or other is None:
            continue    # blamed already
        verdict.finals += 1
        apart = {name: abs(one["time_s"][name] - other["time_s"][name]) for name in one["time_s"]}
        if one["counts"] != other["counts"]:
            verdict.blame(f"counts differ from the twin's in order {order}", [(one["counts"], other["counts"])])
        if max(apart.values()) > NEAR_S + pause_s:
            verdict.blame(f"times differ from the twin's in order {order}, {pause_s:.2f} s between reads", [apart])


def seen_by_both(one: Sequence[Answer], other: Sequence[Answer], still_s: float) -> dict[str, float]:
    """Orders that began and ended for both while the machine stood still, with the longest pause between two reads."""
    pauses: dict[str, float] = {}
    orders = [_pauses(one), _pauses(other)]
    for order in sorted(orders[0].keys() & orders[1].keys())[1:-1]:
        pause_s = max(mine[near] for mine in orders for near in (order, order + 1))
        if pause_s < still_s:
            pauses[str(order)] = pause_s
    return pauses


def _pauses(answers: Sequence[Answer]) -> dict[int, float]:
    """The longest pause before an answer, by its order."""
    found: dict[int, float] = {}
    for before, answer in pairwise(answers):
        found[answer.order] = max(found.get(answer.order, 0.0), (answer.at_ns - before.at_ns) / 1e9)
    return found
