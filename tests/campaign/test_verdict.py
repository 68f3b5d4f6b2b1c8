"""The verdict finds what must not be: each fault planted in a run that was right."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from edge_agent_hil.gateway import Life
from tests.campaign.committed import Committed, judge_events, said
from tests.campaign.ledger import heard_first, judge_gaps, judge_losses, judge_order
from tests.campaign.orders import finals, judge_counts, judge_replay, judge_twins, pieces_of, seen_by_both
from tests.campaign.source import APART, NUMBERS, Answer
from tests.campaign.verdict import Verdict

MS = 1_000_000
POLL_NS = 50 * MS
STATE = "/m1/state"


def answers() -> list[Answer]:
    """Four orders of ten answers, a piece each, every fourth scrap."""
    return [Answer(n, n * POLL_NS, n, n // 4, 1 + (n - 1) // 10) for n in range(1, 41)]


def samples(seq: int, *given: Answer, historical: bool = False) -> dict[str, Any]:
    """A record of these answers, as it arrives."""
    groups = [
        {"t": one.at_ns // MS, "values": {
            "total": one.total, "scrap": one.scrap, "order": one.order,
            **{f"n{k}": one.number + k * APART for k in range(NUMBERS)},
        }}
        for one in given
    ]  # fmt: skip
    return {"seq": seq, "historical": historical, "samples": groups}


def final(order: int, pieces: int, scrap: int, rev: int = 0) -> dict[str, Any]:
    """The record of an order that is over."""
    return {
        "window": {"kind": "job", "order": str(order), "start": str(order)}, "final": True, "rev": rev, "flags": [],
        "counts": {"pq": pieces, "gq": pieces - scrap, "sq": scrap}, "time_s": {"apt": 4.0, "pbt": 6.0},
    }  # fmt: skip


@dataclass
class World:
    """A run: two answers a record with an even seq, the agent killed after the 20th, a state change with every odd
    one."""

    answers: list[Answer] = field(default_factory=answers)
    lives: list[Life] = field(default_factory=lambda: [
        Life(0, 20 * POLL_NS + 1, killed=True), Life(20 * POLL_NS + 2)
    ])  # fmt: skip
    tags: list[dict[str, Any]] = field(default_factory=list)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    gaps: list[dict[str, Any]] = field(default_factory=list)
    committed: Committed = field(default_factory=Committed)
    evicts: bool = False
    finals: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for seq in range(2, 42, 2):
            pair = self.answers[seq - 2 : seq]
            self.tags.append(samples(seq, *pair))
            self.committed.numbers |= {one.number: seq for one in pair}
            self.events.append((STATE, {"state": "RUN", "since": seq}))
            self.committed.events[seq + 1] = said(*self.events[-1])
        self.committed.due = set(self.committed.events)
        self.finals = [final(1, 10, 2), final(2, 10, 3), final(3, 10, 2)]

    def judged(self) -> list[str]:
        """What the verdict blames."""
        verdict = Verdict()
        numbers = heard_first(self.tags, self.answers, verdict)
        judge_order(numbers, verdict)
        heard = judge_losses(
            self.answers, self.lives, numbers, self.committed, self.gaps, verdict,
            evicts=self.evicts, forgets=self.evicts,
        )  # fmt: skip
        if self.evicts:
            judge_gaps(self.answers, numbers, self.committed, self.gaps, verdict)
        judge_events(self.events, self.committed, verdict, forgets=self.evicts)
        pieces = pieces_of(self.answers, heard)
        judge_counts(finals(self.finals), pieces, "the agent", verdict)
        judge_replay(finals(self.finals), finals([final(1, 10, 2), final(2, 10, 3), final(3, 10, 2)]), pieces, verdict)
        return verdict.faults


def gap(first: int, last: int, records: int) -> dict[str, Any]:
    return {"lane": "samples", "from_seq": first, "to_seq": last, "records": records}


def test_a_run_that_was_right_is_not_blamed() -> None:
    assert World().judged() == []


def test_what_comes_again_under_its_seq_is_no_fault() -> None:
    world = World()
    world.tags[6:6] = copy.deepcopy(world.tags[2:6])
    world.events[6:6] = copy.deepcopy(world.events[2:6])
    assert world.judged() == []


def test_an_event_or_a_final_record_that_had_to_wait_and_says_so_is_no_fault() -> None:
    world = World()
    for place in (3, 4, 5):
        topic, payload = world.events[place]
        world.events[place] = topic, {**payload, "historical": True}
    world.events.insert(3, (STATE, {"state": "RUN", "since": 8}))     # heard before the link broke, and again after
    world.finals[1]["historical"] = True
    assert world.judged() == []


def test_the_last_answers_of_a_killed_life_may_be_missing_if_they_were_not_committed() -> None:
    world = World()
    del world.tags[9]
    for number in (19, 20):
        del world.committed.numbers[number]
    assert world.judged() == []


def test_what_a_gap_tells_to_be_evicted_may_be_missing() -> None:
    world = World(evicts=True)
    del world.tags[3:5]
    world.gaps.append(gap(8, 10, 2))
    assert world.judged() == []


def test_a_gap_may_be_told_again_as_part_of_a_longer_one() -> None:
    world = World(evicts=True)
    del world.tags[3:5]
    world.gaps += [gap(8, 8, 1), gap(8, 10, 2)]
    assert world.judged() == []


def test_a_gap_that_went_and_was_told_again_in_the_same_words_is_not_out_of_order() -> None:
    world = World(evicts=True)
    again = ("/gap", {"lane": "events", "from_seq": 5, "to_seq": 7})
    del world.events[1:3]
    world.committed.events |= {5: said(*again), 35: said(*again)}
    world.events[world.events.index((STATE, {"state": "RUN", "since": 34}))] = again
    assert world.judged() == []


def test_an_order_is_not_asked_for_if_a_gap_tells_of_its_final_record() -> None:
    committed = Committed()
    committed.events = {n: said("/m1/kpi/job", final(n, 10, 2)) for n in (1, 2, 3)}
    told = ("/gap", {"lane": "events", "from_seq": 2, "to_seq": 3})
    heard = ("/m1/kpi/job", final(3, 10, 2))
    assert committed.untold_orders([heard]) == set()
    assert committed.untold_orders([heard, told]) == {"2"}


def _lose(world: World) -> None:
    del world.tags[5]


def _lose_the_end_of_a_life(world: World) -> None:
    del world.tags[9]


def _lose_one_tag(world: World) -> None:
    world.tags[5]["samples"][0]["values"]["n3"] = None


def _never_commit(world: World) -> None:
    del world.tags[12]
    for number in (25, 26):
        del world.committed.numbers[number]


def _send_before_committing(world: World) -> None:
    del world.committed.numbers[19], world.committed.numbers[20]


def _swap(world: World) -> None:
    world.tags[3], world.tags[4] = world.tags[4], world.tags[3]


def _again_with_another_seq(world: World) -> None:
    world.tags.append({**world.tags[5], "seq": 1000})


def _another_seq(world: World) -> None:
    world.tags[5]["seq"] = 1000


def _other_content(world: World) -> None:
    world.tags.append({**world.tags[5], "samples": world.tags[6]["samples"]})


def _mix(world: World) -> None:
    first, second = world.tags[5]["samples"]
    first["values"]["n7"], second["values"]["n7"] = second["values"]["n7"], first["values"]["n7"]


def _other_value(world: World) -> None:
    world.tags[5]["samples"][0]["values"]["total"] += 1


def _backwards(world: World) -> None:
    world.tags[5]["samples"][0]["t"] -= 10_000


def _gap_of_nothing(world: World) -> None:
    world.gaps.append(gap(100, 101, 2))


def _destroyed_without_a_word(world: World) -> None:
    world.committed.destroyed.add(12)
    del world.tags[5]


def _evicted_with_a_gap_elsewhere(world: World) -> None:
    world.evicts = True
    del world.tags[5]
    world.gaps.append(gap(14, 14, 1))


def _evicted_more_than_told(world: World) -> None:
    world.evicts = True
    del world.tags[5:8]
    world.gaps.append(gap(12, 16, 2))


def _lose_an_event(world: World) -> None:
    del world.events[4]


def _swap_events(world: World) -> None:
    world.events[4], world.events[5] = world.events[5], world.events[4]


def _tell_what_was_not(world: World) -> None:
    world.events.append((STATE, {"state": "FAULT", "since": 7}))


def _miscount(world: World) -> None:
    world.finals[1] = final(2, 11, 3)


def _lose_scrap(world: World) -> None:
    world.finals[1] = final(2, 10, 2)


def _lose_a_final(world: World) -> None:
    del world.finals[1]


def _other_times_than_the_replay(world: World) -> None:
    world.finals[1]["time_s"]["apt"] = 3.9


@pytest.mark.parametrize(
    ("plant", "blamed"),
    [
        (_lose, "committed, not heard"),
        (_lose_the_end_of_a_life, "committed, not heard"),
        (_lose_one_tag, "committed, not heard"),
        (_never_commit, "lost, and the agent was not killed before it could commit"),
        (_send_before_committing, "heard, never committed"),
        (_swap, "n0 out of order"),
        (_again_with_another_seq, "n0 twice with another seq"),
        (_another_seq, "heard with another seq than it was committed with"),
        (_other_content, "other content under the same seq"),
        (_mix, "answers mixed up"),
        (_other_value, "other values than were given with number 11"),
        (_backwards, "n0 at times that run backwards"),
        (_gap_of_nothing, "a gap was told where there is none"),
        (_destroyed_without_a_word, "destroyed, and no gap tells it"),
        (_evicted_with_a_gap_elsewhere, "committed, not heard"),
        (_evicted_more_than_told, "3 evicted records were not heard, gaps tell"),
        (_lose_an_event, "committed, not heard"),
        (_swap_events, "events out of order"),
        (_tell_what_was_not, "heard, never committed"),
        (_miscount, "counts of the agent, order 2"),
        (_lose_scrap, "counts of the agent, order 2"),
        (_lose_a_final, "no final KPI record of the agent of order"),
        (_other_times_than_the_replay, "final KPI records differ from those of a replay"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found(plant: Callable[[World], None], blamed: str) -> None:
    world = World()
    plant(world)
    assert any(one.startswith(blamed) for one in world.judged()), world.judged()


def test_an_order_counts_from_its_first_answer_to_that_of_the_next() -> None:
    given = answers()
    known = {one.number for one in given}
    assert pieces_of(given, known) == {"1": {(10, 2)}, "2": {(10, 3)}, "3": {(10, 2)}}
    # Three that died uncommitted about the change from 1 to 2, of which the agent may have kept the meaning.
    assert pieces_of(given, known - {10, 11, 12})["1"] == {(10, 2), (11, 3), (12, 3)}
    assert pieces_of(given, known - {5})["1"] == {(10, 2)}
    # Nobody read in order 2.
    assert pieces_of(given, known - set(range(11, 21)))["1"] == {(n, (n + 1) // 4) for n in range(10, 21)}


def test_only_orders_that_two_readers_saw_begin_and_end_alike_are_compared() -> None:
    given = answers()
    still_s = 0.2
    assert seen_by_both(given, given, still_s) == {"2": 0.05, "3": 0.05}
    assert list(seen_by_both([one for one in given if not 28 < one.number < 35], given, still_s)) == ["2"]
    verdict = Verdict()
    judge_twins({"2": final(2, 10, 3)}, {"2": final(2, 11, 3)}, {"2": 0.05}, verdict)
    assert verdict.faults
