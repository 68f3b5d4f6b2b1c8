"""What an agent's journal remembers of its machines, read from outside: reads only, also while the agent runs.

A ledger forgets what no open window needs; the journal keeps it for longer. So for a window of the past the ledger
is built again: from the checkpoint that was made before the window began, and the facts since.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
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

KINDS: Final = frozenset((RecordKind.CHECKPOINT, RecordKind.EVENT, RecordKind.REPORT))

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
    found = Recalled(blank(site), known_until(folder))
    restored = False
    for record in journal_records(folder, KINDS, _from(folder, start)):
        if record.kind == RecordKind.CHECKPOINT:
            if restored:
                continue        # what it holds has just been told, fact by fact
            restored = True
        try:
            _take(found, record)
        except _BROKEN:
            found.passed_over += 1
    return found


def _from(folder: Path, start: int) -> int:
    """When the newest file that was begun before `start` was begun; 0 if none was."""
    return max((one.created for one in stat(folder).segments if one.created <= start), default=0)


def _take(found: Recalled, record: Record) -> None:
    if record.kind == RecordKind.CHECKPOINT:
        found.engine.restore(record.body)
        found.evidence_at = record.time
    elif record.kind == RecordKind.EVENT:
        events = orjson.loads(record.body)
        found.engine.replay(events)
        if "evidence" in events:
            found.evidence_at = record.time
    else:
        report = records.unpack_report(record.body)
        window = report.window
        found.reports[report.machine, window.kind, window.start, window.end].append(report)
