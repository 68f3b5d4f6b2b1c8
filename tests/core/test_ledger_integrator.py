"""The ledger against an integrator that looks at every tick of time on its own.

The integrator shares no code and no idea with the ledger: it paints time tick by tick, judges stops
and gaps by walking over the painting, and sums what a window covers. Slow, plain and easy to check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_agent.core import kpi
from edge_agent.core.calendar import CalendarKind, CalendarSpan, FixedCalendar
from edge_agent.core.cell import Cell
from edge_agent.core.ledger import Ledger, Policy
from edge_agent.core.states import MachineState

TICK = 600_000_000_000      # ns; a story spans twenty hours, so that the ledger settles parts of it
TICKS = 120
SECOND = 1_000_000_000
EPOCH = 1_700_000_000_000_000_000

State = tuple[int, str, str, bool | None]
Job = tuple[int, str, Fraction | None]
Count = tuple[int, str, int, int, int, int | None]


@dataclass(frozen=True)
class Story:
    """Everything that happened to a machine; times in ticks."""

    calendar: list[tuple[int, int, str]]
    states: list[State]
    jobs: list[Job]
    counts: list[Count]
    micro: int
    unknown: str
    outside: str
    hold_max: int | None
    no_order_planned: bool
    versions: dict[str, list[tuple[int, Fraction]]]

    def facts(self) -> list[Callable[[Ledger], None]]:
        """Each fact as something to be told to a ledger."""
        states = [partial(Ledger.state, t=ns(t), state=MachineState[state], reason=reason, order=order)
                  for t, state, reason, order in self.states]
        jobs = [partial(Ledger.job, t=ns(t), product=product, ideal=ideal) for t, product, ideal in self.jobs]
        counts = [partial(Ledger.count, t=ns(t), source=source, total=total, scrap=scrap, rework=rework,
                          since=None if since is None else ns(since))
                  for t, source, total, scrap, rework, since in self.counts]
        return [*states, *jobs, *counts]

    def ledger(self, facts: list[Callable[[Ledger], None]] | None = None) -> Ledger:
        spans = [CalendarSpan(ns(a), ns(b), CalendarKind(kind)) for a, b, kind in self.calendar]
        hold_max = None if self.hold_max is None else self.hold_max * TICK
        policy = Policy(
            self.micro * TICK, self.unknown, self.outside, hold_max, STARTUP * TICK,  # type: ignore[arg-type]
            no_order_planned=self.no_order_planned,
        )  # fmt: skip
        versions = {name: [(ns(t), ideal) for t, ideal in many] for name, many in self.versions.items()}
        ledger = Ledger(FixedCalendar(spans), policy, versions)
        for tell in self.facts() if facts is None else facts:
            tell(ledger)
        return ledger


STARTUP = 3


def ns(tick: int) -> int:
    return EPOCH + tick * TICK


# -- the integrator ----------------------------------------------------------------------------


class Integrator:
    """Paints a story, as known at `as_of`, into one cell a tick."""

    def __init__(self, story: Story, as_of: int | None = None) -> None:
        self.story = story
        bounds = [x for a, b, _ in story.calendar for x in (a, b)] or [0]
        self.last = max(bounds) if as_of is None else as_of
        known = [s for s in story.states if as_of is None or s[0] <= as_of]
        self.events = sorted({s[0] for s in known})
        self.kind = [self.kind_at(x) for x in range(TICKS)]
        self.raw = [self.state_at(x, known) for x in range(TICKS)]
        # An order that begins later than as_of cannot be seen before it.
        self.order = [self.order_at(x, known) for x in range(TICKS)]
        self.counts: dict[tuple[int, str], tuple[int, int, int, int]] = {}
        for count in story.counts:
            if as_of is None or count[0] <= as_of:
                key = count[:2]
                since = count[0] if count[5] is None else count[5]
                row = (count[2], count[3], count[4], since)
                self.counts[key] = max(row, self.counts.get(key, row))
        self.state = self.effective()
        self.cells = [self.tick(x) for x in range(TICKS)]
        self.add_pieces()
        self.add_stops()

    def kind_at(self, x: int) -> str:
        kinds = {kind for a, b, kind in self.story.calendar if a <= x < b}
        return "PLANNED_DOWN" if "PLANNED_DOWN" in kinds else "BUSY" if "BUSY" in kinds else "NON_SCHEDULED"

    def state_at(self, x: int, known: list[State]) -> tuple[str, str]:
        times = [s[0] for s in known if s[0] <= x]
        if not times:
            return "UNKNOWN", ""
        rank = ["OFF", "IDLE", "SETUP", "RUN", "FAULT", "MAINT", "UNKNOWN"]
        there = [s for s in known if s[0] == max(times)]
        winner = max(there, key=lambda s: (rank.index(s[1]), s[2]))
        return winner[1], winner[2]

    def order_at(self, x: int, known: list[State]) -> bool:
        said = [(s[0], s[3]) for s in known if s[0] <= x and s[3] is not None]
        return max(said)[1] is not False if said else True

    def stretches(self, painted: list[Any]) -> list[tuple[int, int]]:
        cuts = [0, *(x for x in range(1, TICKS) if painted[x] != painted[x - 1]), TICKS]
        return list(pairwise(cuts))

    def effective(self) -> list[tuple[str, str]]:
        state = list(self.raw)
        for a, b in self.stretches([s == "UNKNOWN" for s, _ in self.raw]):
            if self.raw[a][0] != "UNKNOWN" or a == 0 or self.story.unknown != "hold":
                continue
            end = b if any(e == b for e in self.events) else self.last
            if self.story.hold_max is None or end - a <= self.story.hold_max:
                for x in range(a, b):
                    state[x] = state[a - 1]
        return state

    def busy(self, a: int, b: int) -> int:
        return sum(self.kind[x] == "BUSY" for x in range(max(a, 0), min(b, TICKS, self.last)))

    def tick(self, x: int) -> dict[str, Any]:
        kind, (state, reason), order = self.kind[x], self.state[x], self.order[x]
        cell: dict[str, Any] = {"ct": TICK}

        def add(*names: str) -> dict[str, Any]:
            return {**cell, **dict.fromkeys(names, TICK)}

        unknown = self.raw[x][0] == "UNKNOWN"
        if kind != "BUSY":
            if state == "RUN" and self.story.outside == "promote":
                return add("apt", "promoted", *(["held"] if unknown else []))
            if kind == "NON_SCHEDULED":
                return add("nst")
            return add("pdot", "pmt") if state == "MAINT" else add("pdot")
        if unknown:
            cell["unk_raw"] = TICK
        if state == "UNKNOWN":
            by_policy = {"exclude": ("unk", "excluded"), "down": ("adet_other",)}
            return add(*by_policy.get(self.story.unknown, ("unk",)))
        if state == "RUN":
            return add("apt", "held") if unknown else add("apt")
        if state == "SETUP":
            return add("aust", "trial") if reason == "TRIAL" else add("aust")
        if state == "MAINT":
            return add("maint", "pmt" if reason == "preventive" else "cmt")
        if state in ("IDLE", "FAULT") and order and self.is_micro(x):
            return add("micro")
        if state == "FAULT":
            return add("adet_fault", "cmt")
        if not order and self.story.no_order_planned:
            cell.pop("unk_raw", None)
            return add("pdot")
        return add("adet_other") if order else add("adot")

    def stop_around(self, x: int) -> tuple[int, int]:
        a = b = x
        while a > 0 and self.state[a - 1][0] in ("IDLE", "FAULT"):
            a -= 1
        while b < TICKS and self.state[b][0] in ("IDLE", "FAULT"):
            b += 1
        return a, b

    def is_micro(self, x: int) -> bool:
        return self.busy(*self.stop_around(x)) <= self.story.micro

    def add(self, x: int, name: str, amount: Any) -> None:
        self.cells[x][name] = self.cells[x].get(name, 0) + amount

    def add_pieces(self) -> None:
        """Pieces belong to the tick that ends at their time."""
        proof: dict[int, Fraction] = {}
        for (t, _), (total, scrap, rework, since) in self.counts.items():
            for x, made in self.shares(t, since, (total, scrap, rework)).items():
                if not self.counted(x):
                    continue
                jobs = [j for j in self.story.jobs if j[0] < x + 1]
                job = max(jobs, key=lambda j: (j[0], j[1], j[2] is not None, j[2] or 0)) if jobs else None
                good = made[0] - made[1] - made[2]
                for name, n in zip(("pq", "sq", "rq", "gq"), (*made, good), strict=True):
                    self.add(x, name, n)
                if job is None or job[2] is None:
                    self.add(x, "unrated", made[0])
                    continue
                later = [ideal for t, ideal in sorted(self.story.versions.get(job[1], [])) if t < x + 1]
                ideal = later[-1] if later else job[2]
                if any(self.raw[y][0] == "SETUP" for y in range(max(x - STARTUP, 0), x + 1)):
                    self.add(x, "ist", ideal * (made[0] - good))
                self.add(x, "ipt", ideal * made[0])
                self.add(x, "igt", ideal * good)
                if self.raw[x][0] == "UNKNOWN":
                    self.add(x, "igt_gap", ideal * good)
                    proof[x] = proof.get(x, Fraction(0)) + ideal * made[0]
        for a, b in self.stretches([s == "UNKNOWN" for s, _ in self.raw]):
            credited = self.raw[a][0] == "UNKNOWN" and self.state[a][0] == "UNKNOWN"
            if credited and self.story.unknown in ("bridge", "hold"):
                self.credit(a, b, sum((proof.get(x, Fraction(0)) for x in range(a, b)), Fraction(0)))

    def shares(self, t: int, since: int, made: tuple[int, int, int]) -> dict[int, tuple[int, ...]]:
        ticks = [x for x in range(max(since, 0), t) if self.kind[x] == "BUSY"]
        if since >= t or not ticks:
            return {t - 1: made} if t > 0 else {}
        found: dict[int, tuple[int, ...]] = {}
        before: tuple[int, ...] = (0, 0, 0)
        for at, x in enumerate(ticks, start=1):
            upto = tuple(int((Fraction(n * at, len(ticks)) + Fraction(1, 2)).__floor__()) for n in made)
            found[x] = tuple(n - m for n, m in zip(upto, before, strict=True))
            before = upto
        return found

    def counted(self, x: int) -> bool:
        if self.story.outside == "exclude" and self.kind[x] != "BUSY":
            return False
        return not (self.story.unknown == "exclude" and self.raw[x][0] == "UNKNOWN")

    def credit(self, a: int, b: int, ideal: Fraction) -> None:
        end = b if any(e == b for e in self.events) else min(b, self.last)
        ticks = [x for x in range(a, end) if self.kind[x] == "BUSY"]
        proven = min(len(ticks) * TICK, int(max(ideal, Fraction(0)) * SECOND))
        for at, x in enumerate(ticks, start=1):
            self.add(x, "credited", proven * at // len(ticks) - proven * (at - 1) // len(ticks))

    def add_stops(self) -> None:
        x = 0
        while x < TICKS:
            if self.state[x][0] not in ("IDLE", "FAULT"):
                x += 1
                continue
            a, b = self.stop_around(x)
            self.add_stop(a, b)
            x = b

    def add_stop(self, a: int, b: int) -> None:
        end = min(b, self.last) if b == TICKS or b not in self.events else b
        busy = [x for x in range(a, end) if self.kind[x] == "BUSY"]
        if busy and busy[0] < TICKS:
            micro = len(busy) <= self.story.micro
            if micro and self.order[busy[0]]:
                self.add(busy[0], "n_micro", 1)
            elif self.order[busy[0]] or self.state[busy[0]][0] == "FAULT":
                self.add(busy[0], "n_stop", 1)
        faults = self.stretches([s == "FAULT" for s, _ in self.state])
        for c, d in faults:
            if self.state[c][0] != "FAULT" or c < a or d > b:
                continue
            down = [x for x in busy if c <= x < d]
            if not down or (self.order[down[0]] and len(busy) <= self.story.micro):
                continue
            self.add(down[0], "fe", 1)
            if d < TICKS or d in self.events:
                self.add(d - 1, "n_ttr_closed", 1)
                self.add(d - 1, "ttr_sum", len(down) * TICK)

    def window(self, a: int, b: int) -> Cell:
        return sum((Cell(**self.cells[x]) for x in range(a, b)), Cell())


# -- stories -----------------------------------------------------------------------------------

RATED = [Fraction(7), Fraction(333, 10), Fraction(90), Fraction(1000, 3)]
IDEALS = [*RATED, None]
KINDS = ["BUSY", "BUSY", "PLANNED_DOWN"]
STATES = [state.name for state in MachineState] + ["IDLE", "FAULT", "UNKNOWN", "RUN"]


def story(seed: int, size: int) -> Story:
    """A story of `size` states and half as many reports; a smaller size leaves out the last ones."""
    rules, rng, counted = Random(seed), Random(seed + 1), Random(seed + 2)
    cuts = [(rules.randrange(TICKS), rules.randint(1, 60), rules.choice(KINDS)) for _ in range(rules.randint(1, 6))]
    reasons, orders = ["", "", "TRIAL", "preventive"], [None, None, None, True, False]
    counts: list[Count] = []
    for _ in range(size // 2):
        t = counted.randint(1, TICKS - 1)
        pieces = counted.randint(0, 40), counted.randint(-3, 9), counted.randint(0, 3)
        since = counted.choice([None, max(0, t - counted.randint(0, 30))])
        counts.append((t, counted.choice("ab"), *pieces, since))
    return Story(
        calendar=[(a, min(a + n, TICKS), kind) for a, n, kind in cuts],
        states=[(rng.randrange(TICKS), rng.choice(STATES), rng.choice(reasons), rng.choice(orders))
                for _ in range(size)],
        jobs=[(rules.randrange(TICKS), rules.choice("pq"), rules.choice(IDEALS)) for _ in range(rules.randint(0, 4))],
        counts=counts,
        micro=rules.randint(0, 6),
        unknown=rules.choice(["bridge", "exclude", "down", "hold"]),
        outside=rules.choice(["promote", "exclude"]),
        hold_max=rules.choice([None, *range(10)]),
        no_order_planned=rules.choice([False, True]),
        versions={name: list({rules.randrange(TICKS): rules.choice(RATED) for _ in range(rules.randint(0, 3))}.items())
                  for name in "pq"},
    )


ticks = st.integers(0, TICKS - 1)
stories = st.builds(story, st.integers(0, 2**32), st.integers(0, 40))
windows = st.tuples(st.integers(0, TICKS), st.integers(0, TICKS)).map(sorted).map(tuple)
slow = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slow
@given(stories, windows)
def test_a_window_is_the_sum_of_its_ticks(story: Story, window: tuple[int, int]) -> None:
    a, b = window
    assert story.ledger().cell(ns(a), ns(b)) == Integrator(story).window(a, b)


@slow
@given(stories, windows, st.integers(0, TICKS))
def test_a_window_is_the_sum_of_its_ticks_as_of_any_instant(
    story: Story, window: tuple[int, int], as_of: int
) -> None:
    a, b = window
    expected = Integrator(story, as_of).window(a, min(b, as_of)) if a < as_of else Cell()
    assert story.ledger().cell(ns(a), ns(b), ns(as_of)) == expected


@slow
@given(stories, st.integers(0, 2**32))
def test_asking_along_the_way_changes_no_answer(story: Story, seed: int) -> None:
    """Late, shuffled and repeated facts, with questions in between: each answer is that of a fresh ledger."""
    rng, facts = Random(seed), story.facts()
    told = rng.sample(facts, len(facts)) + rng.sample(facts, len(facts) // 4)
    live, starts = story.ledger([]), [rng.randrange(TICKS // 2) for _ in range(2)]
    for at, tell in enumerate(told, start=1):
        tell(live)
        start, end = ns(rng.choice(starts)), ns(rng.randint(TICKS // 2, TICKS))
        as_of = rng.choice([None, end, ns(rng.randint(0, TICKS))])
        answer = live.cell(start, end, as_of)
        if at % 3 == 0:
            assert answer == story.ledger(told[:at]).cell(start, end, as_of)
    assert live.cell(ns(0), ns(TICKS)) == Integrator(story).window(0, TICKS)


@slow
@given(stories, windows, st.lists(st.integers(0, TICKS * TICK), max_size=4), st.none() | ticks)
def test_cutting_a_window_anywhere_changes_nothing(
    story: Story, window: tuple[int, int], cuts: list[int], as_of: int | None
) -> None:
    ledger, (a, b) = story.ledger(), window
    known = None if as_of is None else ns(as_of)
    bounds = [ns(a), *sorted(EPOCH + cut for cut in cuts if ns(a) < EPOCH + cut < ns(b)), ns(b)]
    parts = [ledger.cell(low, high, known) for low, high in pairwise(bounds)]
    assert sum(parts, Cell()) == story.ledger().cell(ns(a), ns(b), known)
    assert [ledger.part(low, high, known) for low, high in pairwise(bounds)] == parts


@slow
@given(stories, windows, st.none() | st.integers(0, TICKS), st.integers(0, 2**32))
def test_a_part_is_the_sum_of_its_ticks_and_leaves_open_windows_as_they_are(
    story: Story, window: tuple[int, int], as_of: int | None, seed: int
) -> None:
    """Asked of a ledger that has been told late, asked for windows that grow, and has forgotten what was before."""
    rng, (a, b) = Random(seed), window
    known = None if as_of is None else ns(as_of)
    facts = story.facts()
    live = story.ledger(rng.sample(facts, len(facts)))
    opened = ns(rng.randint(0, a))
    for end in sorted(rng.randint(0, TICKS) for _ in range(4)):
        live.cell(opened, ns(TICKS), ns(end))
    live.prune(ns(rng.randint(0, a)))
    if as_of is None:
        expected = Integrator(story).window(a, b)
    else:
        expected = Integrator(story, as_of).window(a, min(b, as_of)) if a < as_of else Cell()
    before = live.cell(opened, ns(TICKS), ns(TICKS))
    assert live.part(ns(a), ns(b), known) == expected
    assert live.part(ns(a), ns(b), known) == expected
    assert live.cell(opened, ns(TICKS), ns(TICKS)) == before == story.ledger().cell(opened, ns(TICKS), ns(TICKS))


@slow
@given(stories, windows, ticks)
def test_forgetting_and_restoring_changes_no_later_window(
    story: Story, window: tuple[int, int], before: int
) -> None:
    ledger, (a, b) = story.ledger(), window
    expected = story.ledger().cell(ns(a), ns(b))
    ledger.prune(ns(min(before, a)))
    other = story.ledger([])
    other.restore(ledger.snapshot())
    assert ledger.cell(ns(a), ns(b)) == other.cell(ns(a), ns(b)) == expected
    for tell in story.facts():
        tell(other)
    assert other.cell(ns(a), ns(b)) == expected


@slow
@given(stories, windows)
def test_the_books_always_balance(story: Story, window: tuple[int, int]) -> None:
    cell = story.ledger().cell(ns(window[0]), ns(window[1]))
    assert cell.ct == (window[1] - window[0]) * TICK == cell.nst + cell.pdot + cell.pbt + cell.excluded
    assert sum(kpi.waterfall(cell).values()) == Fraction(cell.pbt, SECOND)
    assert 0 <= cell.credited <= cell.unk
    assert Cell.from_dict(cell.to_dict()) == cell
    values = kpi.kpis(cell)
    if cell.igt >= 0 and values["nee"] is not None and values["oee"] is not None:
        assert values["nee"] >= values["oee"]
    ordered = [values[name] for name in ("teep", "ooe", "oee")]
    if not cell.promoted and not cell.excluded and cell.igt >= 0 and None not in ordered:
        assert ordered == sorted(ordered)   # type: ignore[type-var]


@slow
@given(stories, st.integers(0, 20))
def test_the_micro_stop_threshold_moves_no_oee(story: Story, micro: int) -> None:
    one, other = story, Story(**{**vars(story), "micro": micro})
    a, b = (kpi.kpis(s.ledger().cell(ns(0), ns(TICKS)))["oee"] for s in (one, other))
    assert a == b
