"""What was told last: of each machine, line, area and of the site the newest record of each kind of window."""

from __future__ import annotations

from edge_agent.core.report import Report
from edge_agent.core.rollup import Rollup

Record = Report | Rollup
MACHINE = "machine"


class Told:
    """The newest open record and the newest final one; bounded by the number of machines, scopes and kinds."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str, str], Record] = {}
        self._final: dict[tuple[str, str, str], Record] = {}

    def note(self, record: Record) -> None:
        """This was told."""
        whose = (record.kind, record.id) if isinstance(record, Rollup) else (MACHINE, record.machine)
        key = (*whose, record.window.kind)
        if not record.final:
            self._open[key] = record
            return
        before = self._final.get(key)
        if before is None or _age(before) <= _age(record):
            self._final[key] = record

    def open(self, scope: str, id: str, kind: str, now: int) -> Record | None:
        """The record of the window that is open at `now`."""
        record = self._open.get((scope, id, kind))
        return record if record is not None and now < record.window.end else None

    def final(self, scope: str, id: str, kind: str) -> Record | None:
        """The last revision of the latest window that is final."""
        return self._final.get((scope, id, kind))


def _age(record: Record) -> tuple[int, int]:
    return record.window.start, record.revision
