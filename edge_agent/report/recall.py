"""What an agent's journal remembers of its machines, read from outside: reads only, also while the agent runs.

A ledger forgets what no open window needs; the journal keeps it for longer. So for a window of the past the ledgers
are built again: from the newest checkpoint that still knows the time since the window began, and the facts after it.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

from edge_agent.config import Site, machine_specs, plant
from edge_agent.core.engine import Engine
from edge_agent.core.report import Report, Window
from edge_agent.encode import records
from edge_agent.journal import Record, RecordKind, stat
from edge_agent.journal import records as journal_records

# Nobody looks at samples here: the least that a ring takes.
_RING_BYTES: Final = 1 << 16

_BROKEN: Final = (ValueError, KeyError, TypeError, IndexError, AttributeError, zlib.error)


class NothingRecorded(Exception):
    """There is no journal, or nothing in it; says where it was looked for."""


@dataclass(slots=True)
class Recalled:
    """What is known. `engine` has the machines' facts from some time before the windows asked for.

    `until`, ns UTC: what came later is not in the journal. `passed_over`: records that could not be read.
    """

    engine: Engine
    until: int
    reports: dict[tuple[str, str, int, int], list[Report]] = field(default_factory=lambda: defaultdict(list))
    passed_over: int = 0
    evidence_at: int = 0
    """when the evidence of how digital the plant is was written, ns UTC; 0: never"""

    def revisions(self, machine: str, window: Window) -> list[Report]:
        """The reports of a window that the agent made, the latest revision last."""
        found = self.reports.get((machine, window.kind, window.start, window.end), [])
        return sorted(found, key=lambda report: (report.revision, report.as_of))


def blank(site: Site) -> Engine:
    """The machines of a site, knowing nothing."""
    table = site.tag_table()
    return Engine(
        table, [], machine_specs(site, table), ring_bytes=_RING_BYTES, windows=site.kpi.windows,
        watermark_ns=site.kpi.watermark, restate_ns=site.kpi.restate, plant=plant(site, table),
    )  # fmt: skip


def folder_of(site: Site) -> Path:
    """Where the site's journal lies."""
    return Path(site.agent.data_dir) / "journal"


def known_until(folder: Path) -> int:
    """When the newest record was written, ns UTC; raises `NothingRecorded`."""
    if not folder.is_dir():
        raise NothingRecorded(f"{folder} does not exist: has the agent run with this site file, on this computer?")
    newest = max((segment.newest for segment in stat(folder).segments), default=0)
    if not newest:
        raise NothingRecorded(f"nothing is recorded in {folder}")
    return newest


def recall(site: Site, folder: Path, start: int) -> Recalled:
    """Everything known from `start` on, ns UTC; raises `NothingRecorded`."""
    until = known_until(folder)
    engine, at = _restored(site, folder, start)
    found = Recalled(engine, until, evidence_at=at)
    for machine in engine.machines.values():
        machine.facts.forgets = True
    _each(journal_records(folder, (RecordKind.EVENT,), at), found, _event)
    _each(journal_records(folder, (RecordKind.REPORT,), start), found, _report)
    return found


def _restored(site: Site, folder: Path, start: int) -> tuple[Engine, int]:
    """The engine from the newest checkpoint that knows the time since `start`, and when that was made.

    What a checkpoint knows begins later the newer it is, so it is looked for by halving. Should none reach back so
    far, it is the oldest; without any, an engine that knows nothing.
    """
    made = sorted({segment.created for segment in stat(folder).segments})
    low = max((at for at, created in enumerate(made) if created <= start), default=0)
    high = len(made) - 1
    best = _engine(site, folder, made[low]) or blank(site), made[low]
    at = high
    while low < high:
        engine = _engine(site, folder, made[at])
        if engine is not None and _knows(engine, start):
            best, low = (engine, made[at]), at
        else:
            high = at - 1
        at = (low + high + 1) // 2
    return best


def _engine(site: Site, folder: Path, at: int) -> Engine | None:
    """From the checkpoint made when a file was begun at an instant; None if there is none that is intact."""
    record = next(journal_records(folder, (RecordKind.CHECKPOINT,), at), None)
    engine = blank(site)
    try:
        if record is not None:
            engine.restore(record.body)
            return engine
    except _BROKEN:
        pass    # the one before it tells the same, and the facts since
    return None


def _knows(engine: Engine, start: int) -> bool:
    floors = [machine.ledger.remembered_from for machine in engine.machines.values()]
    return all(floor is None or floor <= start for floor in floors)


def _each(found: Iterable[Record], known: Recalled, take: Callable[[Recalled, Record], None]) -> None:
    for record in found:
        try:
            take(known, record)
        except _BROKEN:
            known.passed_over += 1


def _event(known: Recalled, record: Record) -> None:
    told = orjson.loads(record.body)
    if "evidence" in told:
        known.engine.evidence.restore(told["evidence"])
        known.evidence_at = record.time
    elif (machine := known.engine.machines.get(told["machine"])) is not None:
        machine.facts.again(told["facts"])      # all that reports rest on; where it stands now is nobody's question


def _report(known: Recalled, record: Record) -> None:
    report = records.unpack_report(record.body)
    window = report.window
    known.reports[report.machine, window.kind, window.start, window.end].append(report)
