"""A replay from end to end: histories in, each machine's reports and states out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edge_agent.config import Site
from edge_agent.core.batch import Batch
from edge_agent.core.finals import Finals
from edge_agent.core.report import Report
from edge_agent.core.rollup import Rollup
from edge_agent.journal import Record
from edge_agent.replay.csv_file import CsvFile
from edge_agent.replay.history import Found, History, HistoryError, Names, Place
from edge_agent.replay.journal_folder import Absence, Accepted, JournalFolder, Samples, Told
from edge_agent.replay.machines import Machines, Outcome
from edge_agent.replay.order import Sorter
from edge_agent.replay.plan import Plan, make_plan
from edge_agent.replay.sums import sums_of
from edge_agent.replay.traits import settle_kinds, settle_silences
from edge_agent.replay.window import Asked

LATEST_NS: Final = 2 * 86_400_000_000_000
"""How late a sample may come into a journal and still find its windows open in a replay: what a device has kept for
a weekend. Memory holds so much of the past."""

JOURNALLED_NS: Final = 10 * 1_000_000_000
"""What was known at an instant is in the journal so long after the next flush, also on a busy machine."""

Progress = Callable[[int], None]
"""Told now and then how many samples have been read."""


@dataclass
class Replayed:
    """What a replay gives. `notes`: what should be known about the history, a sentence each."""

    machines: dict[str, Outcome]
    sums: list[Rollup]
    """of lines, areas and the site, each by time"""
    notes: list[str]
    first: int
    """time of the first sample, ns UTC; for a journal, when it was begun"""
    last: int
    """time of the last sample; for a journal, of its last record"""
    samples: int
    told: dict[str, Finals]
    """by line, area or site: its final figures, as the agent told them"""

    @property
    def reports(self) -> list[Report]:
        """All of them: machine by machine, each by time."""
        return [report for outcome in self.machines.values() for report in outcome.reports]


def replay(
    site: Site,
    paths: Sequence[Path],
    asked: Asked,
    *,
    machines: Collection[str] | None = None,
    progress: Progress = lambda _samples: None,
) -> Replayed:
    """Recompute the windows `asked` for from recorded history: CSV or Parquet files, journal folders.

    A journal's samples are taken in the order of their arrival, as the agent took them; files, and a journal beside
    files, in the order of time. `machines`: only these. Raises `HistoryError`.
    """
    return run(make_plan(site, asked, machines), paths, progress)


def run(plan: Plan, paths: Sequence[Path], progress: Progress = lambda _samples: None) -> Replayed:
    """The same for a plan."""
    histories = [opened(path) for path in paths]
    if len(histories) == 1 and isinstance(histories[0], JournalFolder):
        return _by_arrival(plan, histories[0], progress)
    return _by_time(plan, histories, progress)


def opened(path: Path) -> History:
    """The reader for a file or folder; raises `HistoryError` where there is none."""
    if path.is_dir():
        return JournalFolder(path)
    name = path.name.lower()
    if name.endswith((".parquet", ".pq")):
        from edge_agent.replay.parquet_file import ParquetFile

        return ParquetFile(path)
    if name.endswith((".csv", ".csv.gz", ".tsv", ".txt")) or path.is_file():
        return CsvFile(path)
    raise HistoryError(Place(str(path), "does not exist"))


def _by_arrival(plan: Plan, journal: JournalFolder, progress: Progress) -> Replayed:
    """As the agent itself did: what came late is late here, too."""
    first, last = journal.extent
    as_of = plan.asked.as_of
    until = None if as_of is None else as_of + plan.flush_ns + JOURNALLED_NS
    if as_of is None:
        plan = replace(plan, asked=replace(plan.asked, as_of=last))
    plan = replace(plan, open=frozenset())      # the journal says what its tags are
    found = Found()
    names = Names(plan, found)
    machines = Machines(plan, first, raw=False)
    known = _take_up(machines, journal, found)
    _say(machines, [journal])
    for event in journal.events(names, until, known):
        match event:
            case Samples():
                machines.feed(event.batch if as_of is None else event.batch.where(event.batch.time <= as_of))
                progress(found.samples)
            case Absence():
                machines.away(event.machine, event.since)
            case Accepted():
                machines.accept(event.change)
            case Told() if as_of is None or event.now <= as_of:
                machines.told(event.report)
        machines.reach(event.now - LATEST_NS)
    return _ended(machines, names, first, last)


def _take_up(machines: Machines, journal: JournalFolder, found: Found) -> Record | None:
    """Where the beginning of a journal is gone, the checkpoint at the head of what is left has what it led to; this
    checkpoint."""
    checkpoint = journal.checkpoint()
    if checkpoint is None:
        return None
    try:
        machines.take_up(checkpoint.body)
        found.notes.append(f"{journal.name}: its beginning is gone; what it led to is taken from a checkpoint")
    except ValueError as problem:
        found.notes.append(f"{journal.name}: its beginning is gone, and its checkpoint is no good: {problem}")
        return None
    return checkpoint


def _by_time(plan: Plan, histories: Sequence[History], progress: Progress) -> Replayed:
    found = Found()
    names = Names(plan, found)
    absences: list[Absence] = []
    with Sorter(plan.table, found) as sorter:
        for history in histories:
            for batch in _samples(history, names, absences):
                sorter.add(batch)
                progress(found.samples)
        final = settle_kinds(plan)
        settle_silences(plan, sorter.intervals())
        known = [*found.others, *([sorter.first, sorter.last] if found.samples else [])] or [0]
        first, last = min(known), max(known)
        machines = Machines(plan, first, raw=True)
        _say(machines, histories)
        absences.sort(key=lambda one: one.since)
        for batch, until in sorter.slices():
            batch = final(batch)
            while absences and absences[0].since < until:
                absence = absences.pop(0)
                before = batch.time <= absence.since
                machines.feed(batch.where(before))
                batch = batch.where(~before)
                machines.away(absence.machine, absence.since)
            machines.feed(batch)
            machines.reach(until)
            if plan.needed_until is not None and until > plan.needed_until:
                break
        return _ended(machines, names, first, last)


def _say(machines: Machines, histories: Sequence[History]) -> None:
    for history in histories:
        for machine, entry in history.statements() if isinstance(history, JournalFolder) else ():
            machines.say(machine, entry)


def _samples(history: History, names: Names, absences: list[Absence]) -> Iterator[Batch]:
    if not isinstance(history, JournalFolder):
        yield from history.batches(names)
        return
    for event in history.events(names):
        if isinstance(event, Absence):
            absences.append(event)
        elif isinstance(event, Samples):
            yield event.batch


def _ended(machines: Machines, names: Names, first: int, last: int) -> Replayed:
    outcomes = machines.finish(last)
    notes = names.notes()
    silent = machines.silent()
    if silent:
        notes.append(f"no samples of {', '.join(silent)}: nothing is known of {'it' if len(silent) == 1 else 'them'}")
    by_name = {one.machine: one for one in outcomes}
    sums = sums_of(machines.plan.scopes, by_name, machines.sums)
    return Replayed(by_name, sums, notes, first, last, names.found.samples, machines.sums)
