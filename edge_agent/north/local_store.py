"""A folder of tables that only grow: `{kind}/{day}.csv`, or `{kind}/{day}/part-0000.parquet` and one part still open.

Rows are appended, synced, and then written down as had: `.had.json` says of each file that still grows how long it was
then, and of each kind which records it has. What stands behind that length was never acknowledged and is cut off when
the folder is opened, what is sent again is known and left out: so each row is there once, whenever the agent is killed.

Parquet cannot be appended to. Its rows gather in `part-0007.open.csv`; a part that is large enough, or whose day is
over, is written as `part-0007.parquet` beside it and renamed when complete: a file of that name is always whole.

Everything here blocks.
"""

from __future__ import annotations

import csv
import fcntl
import io
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import orjson

from edge_agent.encode.table import COLUMNS
from edge_agent.errors import NotConnected

log = logging.getLogger(__name__)

HAD: Final = ".had.json"
PART_BYTES: Final = 64_000_000
"""of an open part: half a million to a million rows, a row group or a few"""
QUIET_S: Final = 600.0
"""a day that is over may still get what comes late; after so long without any its last part is closed"""
GROWING: Final = 40
"""files whose length is remembered: one a kind and day, of the days that rows may still come for"""
RANGES: Final = 200
"""of record numbers a kind has; the agent may send again what it sent within seconds, these reach back for minutes"""

ToParquet = Callable[[Path, Path, Mapping[str, str]], None]
Rows = tuple[str, str, int, Sequence[Sequence[Any]]]
"""Kind, day, number of the record (0: of none), rows."""


@dataclass(slots=True)
class Had:
    """What is known to be on the disk. `sizes`: file → bytes; `parts`: kind/day → number of the open part."""

    sizes: dict[str, int] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    records: dict[str, list[list[int]]] = field(default_factory=dict)

    def has(self, kind: str, seq: int) -> bool:
        """Whether the rows of this record are there."""
        return any(first <= seq <= last for first, last in reversed(self.records.get(kind, [])))

    def add(self, kind: str, seq: int) -> None:
        """They are now."""
        ranges = self.records.setdefault(kind, [])
        for one in ranges[-2:]:         # what is new, and beside it what has waited
            if seq == one[1] + 1:
                one[1] = seq
                return
        ranges.append([seq, seq])
        del ranges[:-RANGES]

    def copy(self) -> Had:
        """One that can be thrown away if it does not come true."""
        records = {kind: [list(one) for one in ranges] for kind, ranges in self.records.items()}
        return Had(dict(self.sizes), dict(self.parts), records)


class Store:
    """One folder, held by one process. `to_parquet(csv, parquet, columns)` makes the one of the other."""

    def __init__(self, folder: Path, to_parquet: ToParquet | None = None) -> None:
        self._folder = folder
        self._to_parquet = to_parquet
        self._had = Had()
        self._held: IO[bytes] | None = None
        self._working = threading.Lock()
        self._is_left = False
        self._touched: dict[str, float] = {}

    def open(self) -> None:
        """Take the folder, and cut off what was never acknowledged; NotConnected says why that is not possible."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._held = (self._folder / ".lock").open("ab")
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._had = self._read()
            for name, size in self._had.sizes.items():
                _cut(self._folder / name, size)
            self._tidy()
        except BlockingIOError as error:
            self.close()
            raise NotConnected(f"{self._folder} is in use by another process") from error
        except (OSError, ValueError, TypeError, KeyError) as error:
            self.close()
            raise NotConnected(f"{self._folder} cannot be used: {_why(error)}") from error

    def close(self) -> None:
        """Let go of the folder; while something is still being appended, as soon as that is over. Never waits."""
        self._is_left = True
        if self._working.acquire(blocking=False):
            self._let_go()
            self._working.release()

    def _let_go(self) -> None:
        if self._held is not None:
            self._held.close()
            self._held = None

    def append(self, given: Iterable[Rows]) -> None:
        """Return once all rows are on the disk; those of records it has are left out. NotConnected: none is taken."""
        with self._working:
            if self._is_left:
                raise NotConnected(f"{self._folder} was let go of")
            try:
                self._append(given)
            except OSError as error:
                raise NotConnected(f"{self._folder} cannot be written: {_why(error)}") from error
            finally:
                if self._is_left:
                    self._let_go()

    def _append(self, given: Iterable[Rows]) -> None:
        had = self._had.copy()
        texts: dict[str, list[str]] = {}
        taken: set[tuple[str, int]] = set()
        for kind, day, seq, rows in given:
            if not seq or not self._had.has(kind, seq):
                texts.setdefault(self._file(had, kind, day), []).append(_text(seq, rows))
                taken.add((kind, seq))
        for kind, seq in sorted(taken, key=lambda one: one[1]):
            if seq:
                had.add(kind, seq)
        self._intend(had, texts)
        for name, parts in texts.items():
            had.sizes.pop(name)         # the one written last stands last
            had.sizes[name] = self._write(name, self._had.sizes[name], "".join(parts))
        if texts:
            self._keep(had)
        self._roll()

    def _intend(self, had: Had, names: Iterable[str]) -> None:
        """Write down how long files are that rows are to be appended to for the first time."""
        for name in names:
            if name not in had.sizes:
                path = self._folder / name
                had.sizes[name] = path.stat().st_size if path.exists() else 0
        if had.sizes.keys() - self._had.sizes.keys():
            records = self._had.copy().records
            self._keep(Had(dict(had.sizes), dict(had.parts), records))

    # -- files -------------------------------------------------------------------------------

    def _file(self, had: Had, kind: str, day: str) -> str:
        if self._to_parquet is None:
            return f"{kind}/{day}.csv"
        part = had.parts.setdefault(f"{kind}/{day}", self._next_part(f"{kind}/{day}"))
        return f"{kind}/{day}/part-{part:04}.open.csv"

    def _next_part(self, of: str) -> int:
        numbers = [int(path.stem.split("-")[1]) for path in (self._folder / of).glob("part-*.parquet")]
        return max(numbers, default=-1) + 1

    def _write(self, name: str, size: int, text: str) -> int:
        """Append to what is `size` long; the length then."""
        path = self._folder / name
        is_new = not path.exists()
        if is_new:
            _make_folder(path.parent, self._folder)
            size = 0                    # somebody took it away
        with path.open("ab") as file:
            file.truncate(size)         # what an earlier attempt has left there
            data = (_header(name) if not size else "").encode() + text.encode("utf-8", "replace")
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            _sync_folder(path.parent)
        self._touched[name] = time.monotonic()
        return size + len(data)

    def _keep(self, had: Had) -> None:
        """From now on these rows are had."""
        open_parts = {f"{of}/part-{part:04}.open.csv" for of, part in had.parts.items()}
        for name in list(had.sizes)[:-GROWING]:
            if name not in open_parts:
                del had.sizes[name]
        path = self._folder / HAD
        fresh = path.with_suffix(".tmp")
        with fresh.open("wb") as file:
            file.write(orjson.dumps({"v": 1, "sizes": had.sizes, "parts": had.parts, "records": had.records}))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        _sync_folder(self._folder)
        self._had = had

    def _tidy(self) -> None:
        """Put away what a kill has left half done: of each part there is one file."""
        for of, part in self._had.parts.items():
            (self._folder / f"{of}/part-{part:04}.parquet").unlink(missing_ok=True)
        for left in self._folder.glob("*/*/part-*.tmp"):
            left.unlink()
        for source in self._folder.glob("*/*/part-*.open.csv"):
            if source.with_name(source.name.replace(".open.csv", ".parquet")).exists():
                source.unlink()

    def _read(self) -> Had:
        try:
            said = orjson.loads((self._folder / HAD).read_bytes())
        except FileNotFoundError:
            return Had()
        return Had(said["sizes"], said["parts"], said["records"])

    # -- parts -------------------------------------------------------------------------------

    def _roll(self) -> None:
        """Close the parts that are full, or whose day is over and quiet."""
        if self._to_parquet is None:
            return
        newest = max((of.rpartition("/")[2] for of in self._had.parts), default="")
        for of, part in list(self._had.parts.items()):
            name = f"{of}/part-{part:04}.open.csv"
            is_over = of.rpartition("/")[2] < newest and self._touched.get(name, 0.0) + QUIET_S < time.monotonic()
            if is_over or self._had.sizes.get(name, 0) >= PART_BYTES:
                self._close_part(of, part, name)

    def _close_part(self, of: str, part: int, name: str) -> None:
        assert self._to_parquet is not None
        source, target = self._folder / name, self._folder / f"{of}/part-{part:04}.parquet"
        had = self._had.copy()
        del had.sizes[name], had.parts[of]
        try:
            fresh = target.with_suffix(".tmp")
            self._to_parquet(source, fresh, {"seq": "whole", **COLUMNS[of.partition("/")[0]]})
            with fresh.open("rb") as file:
                os.fsync(file.fileno())
            fresh.replace(target)
            _sync_folder(target.parent)
        except OSError:
            raise
        except Exception:
            # Somebody has edited it, or it is gone: what is there stays as CSV, and rows go on in another part.
            log.exception("%s cannot be made Parquet, and stays as it is", source)
            had.parts[of] = part + 1
        self._keep(had)
        if target.exists():
            source.unlink(missing_ok=True)


def _text(seq: int, rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    number = seq or ""
    csv.writer(text, lineterminator="\n").writerows([number, *row] for row in rows)
    return text.getvalue()


def _header(name: str) -> str:
    return ",".join(("seq", *COLUMNS[name.partition("/")[0]])) + "\n"


def _cut(path: Path, size: int) -> None:
    """To what was acknowledged; a file that is shorter was damaged from outside, and one that is gone begins again."""
    with suppress(FileNotFoundError):
        if path.stat().st_size > size:
            os.truncate(path, size)


def _make_folder(folder: Path, upto: Path) -> None:
    """With those above it, `upto` being there; so that a power cut cannot take them away with what is in them."""
    if folder.exists():
        return
    if folder != upto:
        _make_folder(folder.parent, upto)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
