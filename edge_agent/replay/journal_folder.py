"""History as an agent's journal: its samples in the order in which they came, and when the agent was not there.

Only what came from outside is replayed, the samples; what the agent made of them is worked out anew. What else
must be known, by kind of record, is in `_READERS`. A STATE record with the reason AGENT_DOWN says since when a
machine was out of sight; any other, when the agent believed in a change, which may have been long after the
sample that told it (`dwell`), and after which no other may have come. A REPORT or ROLLUP record says which revision
of a window was told, not what it was. A journal may be read while its agent writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from edge_agent.core.batch import Batch, Int32s, concat
from edge_agent.core.inputs import AWAY
from edge_agent.core.overrides import Entry
from edge_agent.core.report import Report, StateChange
from edge_agent.core.rollup import Rollup
from edge_agent.core.tags import Kind
from edge_agent.encode import columns, records
from edge_agent.encode.rollup_body import unpack_rollup
from edge_agent.journal import Record, RecordKind, stat
from edge_agent.journal import records as journal_records
from edge_agent.replay.history import OTHERS, HistoryError, Names, Place, plain

BATCH: Final = 1 << 17      # samples decoded before they are handed on: enough for columns to pay


class Samples(NamedTuple):
    """Samples in the order of their arrival; the last of them was journalled at `now`, ns UTC."""

    now: int
    batch: Batch


class Absence(NamedTuple):
    """From `since` on, ns UTC, nothing is known of `machine`: the agent was away."""

    now: int
    machine: str
    since: int


class Accepted(NamedTuple):
    """A change of a machine's state was believed."""

    now: int
    change: StateChange


class Told(NamedTuple):
    """A final report was made, or a final sum of a line, an area or the site."""

    now: int
    report: Report | Rollup


Event = Samples | Absence | Accepted | Told


@dataclass(slots=True)
class _Definition:
    """A device as the journal knows it: the position of each of its tags in the table, and its kind."""

    positions: Int32s
    kinds: list[Kind]
    texts: NDArray[np.bool_]
    names: list[str]


class JournalFolder:
    """A journal's folder, or the `data_dir` that it is in."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.path = path if stat(path).segments else path / "journal"
        if not stat(self.path).segments:
            hint = "give the agent's data_dir, or the folder journal in it"
            raise HistoryError(Place(self.name, "is a folder, but no journal", hint=hint))

    @property
    def extent(self) -> tuple[int, int]:
        """When it was begun and when its last record was written, ns UTC."""
        segments = stat(self.path).segments
        return min(segment.created for segment in segments), max(segment.newest for segment in segments)

    def checkpoint(self) -> Record | None:
        """What the agent knew where this journal begins, if its beginning is gone: for age, or for its size."""
        begins = self._begins()
        if not begins:
            return None
        checkpoints = journal_records(self.path, {RecordKind.CHECKPOINT})
        return next((one for one in checkpoints if one.seq >= begins), None)

    def _begins(self) -> int:
        """The number from which on nothing has gone for age or size, neither samples nor what is told of them; 0 if
        nothing has gone."""
        oldest: dict[str, int] = {}
        for segment in stat(self.path).segments:
            oldest.setdefault(segment.lane, segment.first if segment.follows else 0)
        return max(oldest.values())

    def events(
        self, names: Names, until: int | None = None, known: Record | None = None
    ) -> Iterator[Event]:
        """What a replay must know, in the order in which it came; of records from before `until`, ns UTC, only, and
        not of those that the checkpoint `known` was made after: it stands before the commit that it was made for."""
        reader = _Reader(self.name, names)
        before = 0
        missing = 0
        begins = self._begins()
        heard = 0
        for record in journal_records(self.path):
            if record.seq < begins:
                continue
            # Appended before the checkpoint was made; a clock that was set back says nothing of before and after.
            if known and heard <= record.time <= known.time:
                before, heard = record.seq, record.time
                continue
            known = None
            if before and record.seq > before + 1:
                missing += record.seq - before - 1
            before = record.seq
            if until is not None and record.time > until:
                break
            read = _READERS.get(record.kind)
            if read is not None:
                yield from read(reader, record)
            reader.now = max(reader.now, record.time)
        yield from reader.flush()
        if missing:
            names.found.notes.append(f"{self.name}: {missing} records are missing within it (damaged, or dropped)")
        names.found.notes += reader.notes()

    def statements(self) -> Iterator[tuple[str, Entry]]:
        """What operators have said, and of which machine: facts that no sample has."""
        for record in journal_records(self.path, {RecordKind.EVENT}):
            if b'"operator"' in record.body:
                said = orjson.loads(record.body)
                for method, fact in said.get("facts", ()):
                    if method == "operator":
                        yield said["machine"], Entry.of(fact)

    def batches(self, names: Names) -> Iterator[Batch]:
        """Its samples alone."""
        for event in self.events(names):
            if isinstance(event, Samples):
                yield event.batch


class _Reader:
    """Records on their way into events."""

    def __init__(self, name: str, names: Names) -> None:
        self._name = name
        self._names = names
        self._definitions: dict[bytes, _Definition] = {}
        self._waiting: list[Batch] = []
        self._n_waiting = 0
        self._unreadable = 0
        self._dwelling = {spec.id for spec in names.plan.specs if spec.lag_ns}
        self.now = 0

    def notes(self) -> list[str]:
        """What could not be read."""
        n = self._unreadable
        return [f"{self._name}: {n} records of samples cannot be read; passed over"] if n else []

    def samples(self, record: Record) -> Iterator[Event]:
        """A SAMPLES record."""
        try:
            definition = self._definition(record.definition)
            batch, texts = columns.unpack(record.body)
        except (ValueError, KeyError, TypeError):
            self._unreadable += 1
            return
        if any(self._differs(definition, local) for local in np.unique(batch.tag).tolist()):
            yield from self.flush()     # from here on a tag is of another kind
            self._take_kinds(definition)
        position = definition.positions[batch.tag]
        value = batch.value
        for local in np.unique(batch.tag[definition.texts[batch.tag]]).tolist():
            value = value.copy() if value is batch.value else value
            here = (batch.tag == local) & np.isfinite(value)
            value[here] = self._recoded(definition, local, value[here], texts.get(local, {}))
        for local, n in enumerate(np.bincount(batch.tag, minlength=len(definition.names)).tolist()):
            if n:
                self._names.count(definition.names[local], n)
        others = batch.time[position == OTHERS]
        if len(others):
            self._names.saw_others(int(others.min()), int(others.max()))
        wanted = position >= 0
        self._waiting.append(Batch(position, batch.time, value, batch.quality).where(wanted))
        self._n_waiting += int(wanted.sum())
        if self._n_waiting >= BATCH:
            self.now = max(self.now, record.time)
            yield from self.flush()

    def state(self, record: Record) -> Iterator[Event]:
        """A STATE record."""
        try:
            change = records.unpack_state(record.body)
        except ValueError:
            return
        if change.reason == AWAY:
            yield from self.flush()
            yield Absence(record.time, change.machine, change.since)
        elif change.machine in self._dwelling:
            yield from self.flush()
            yield Accepted(record.time, change)

    def report(self, record: Record) -> Iterator[Event]:
        """A REPORT record."""
        try:
            yield Told(record.time, records.unpack_report(record.body))
        except ValueError:
            return

    def rollup(self, record: Record) -> Iterator[Event]:
        """A ROLLUP record."""
        try:
            yield Told(record.time, unpack_rollup(record.body))
        except ValueError:
            return

    def flush(self) -> Iterator[Event]:
        """The samples that wait."""
        if self._n_waiting:
            yield Samples(self.now, concat(self._waiting))
        self._waiting, self._n_waiting = [], 0

    def _definition(self, body: bytes | None) -> _Definition:
        if body is None:
            raise ValueError("the definition is gone")
        known = self._definitions.get(body)
        if known is None:
            said = orjson.loads(body)
            names = [f"{said['device']}.{name}" for name in said["names"]]
            positions = np.array([self._names.position(name) for name in names], np.int32)
            kinds = [Kind(kind) for kind in said["kinds"]]
            texts = np.array([kind is Kind.TEXT for kind in kinds], np.bool_)
            known = self._definitions[body] = _Definition(positions, kinds, texts | self._are_open(positions), names)
        return known

    def _are_open(self, positions: Int32s) -> NDArray[np.bool_]:
        return np.array([position in self._names.plan.open for position in positions.tolist()], np.bool_)

    def _differs(self, definition: _Definition, local: int) -> bool:
        position = int(definition.positions[local])
        return position >= 0 and self._names.table[position].kind is not definition.kinds[local]

    def _take_kinds(self, definition: _Definition) -> None:
        for position, kind in zip(definition.positions.tolist(), definition.kinds, strict=True):
            if position >= 0:
                self._names.table[position].kind = kind

    def _recoded(
        self, definition: _Definition, local: int, codes: NDArray[np.float64], texts: dict[int, str]
    ) -> NDArray[np.float64]:
        """Codes of the run of the agent that wrote them, or numbers, as codes of our own vocabulary."""
        position = int(definition.positions[local])
        if position < 0:
            return codes
        is_text = definition.kinds[local] is Kind.TEXT
        different, inverse = np.unique(codes, return_inverse=True)
        said = [texts.get(int(one), "") if is_text else plain(one) for one in different.tolist()]
        return np.array([self._names.code(position, text) for text in said])[inverse]


_READERS: Final[dict[int, Callable[[_Reader, Record], Iterator[Event]]]] = {
    RecordKind.SAMPLES: _Reader.samples,
    RecordKind.STATE: _Reader.state,
    RecordKind.REPORT: _Reader.report,
    RecordKind.ROLLUP: _Reader.rollup,
}
"""What a replay takes from a record, by its kind; other kinds follow from the samples."""
