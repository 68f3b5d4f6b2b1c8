"""History as CSV: columns `time,tag,value[,quality]` in any order, separated by comma, semicolon or tab; also .gz.

Where pyarrow is installed it is read in columns; whatever they make no sense of is read by `rows`.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, TextIO

from edge_agent.config.finding import did_you_mean
from edge_agent.core.batch import Batch
from edge_agent.replay.history import COLUMNS, NEEDED, HistoryError, Names, Place
from edge_agent.replay.rows import ROWS, Rows, is_integer

_SEPARATORS: Final = (",", ";", "\t")


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line says: the separator, and the name of each column, '' for one that is not used."""

    separator: str
    columns: tuple[str, ...]
    integers: bool
    """whether the time of the first row is a number"""


class CsvFile:
    """One file; reading it needs memory for `ROWS` rows, whatever its size."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = str(path)

    def batches(self, names: Names) -> Iterator[Batch]:
        """Its samples of wanted tags; raises `HistoryError` where it cannot be read, or no row of it can be placed."""
        header = self._header(names)
        read = 0
        if find_spec("pyarrow"):
            from edge_agent.replay import arrow

            try:
                for rows, batch in arrow.csv_batches(self.path, header, names):
                    read += rows
                    yield batch
            except arrow.NotUnderstoodError:
                pass    # by columns; read on by rows, which says what is wrong and where
            else:
                return
        yield from self._by_row(header, names, read)

    def _header(self, names: Names) -> Header:
        try:
            with self._open() as file:
                lines = csv.reader([first := file.readline()], delimiter=_separator(first))
                written = [name.strip() for name in next(lines, [])]
                columns = tuple(name.lower() if name.lower() in COLUMNS else "" for name in written)
                self._check(written, columns, names)
                reader = csv.reader(file, delimiter=_separator(first))
                row = next((row for row in reader if row), [])
        except OSError as error:
            raise HistoryError(Place(self.name, f"cannot be read: {error.strerror or error}")) from error
        except UnicodeDecodeError as error:
            raise self._not_utf8(1, error) from error
        at = columns.index("time")
        return Header(_separator(first), columns, len(row) > at and is_integer(row[at]))

    def _check(self, written: list[str], columns: tuple[str, ...], names: Names) -> None:
        missing = [name for name in NEEDED if name not in columns]
        if missing:
            near = did_you_mean(missing[0], [name for name in written if name], "its columns")
            hint = f"the first line is time,tag,value or time,tag,value,quality; {near}"
            raise HistoryError(Place(self.name, f"has no column {' and no column '.join(missing)}", 1, hint=hint))
        for name in COLUMNS:
            if columns.count(name) > 1:
                raise HistoryError(Place(self.name, f"has two columns {name}", 1))
        other = [name for name, column in zip(written, columns, strict=True) if not column]
        if other:
            names.found.notes.append(f"{self.name}: not used: column {', '.join(other)}")

    def _by_row(self, header: Header, names: Names, read: int) -> Iterator[Batch]:
        rows, skip = Rows(self.name, header.columns, names), read
        line = 1
        try:
            with self._open() as file:
                reader = csv.reader(file, delimiter=header.separator)
                next(reader)
                for row in reader:
                    line = reader.line_num
                    if not row:
                        continue
                    if skip:
                        skip -= 1
                        continue
                    rows.add(line, row)
                    if len(rows) >= ROWS:
                        yield rows.take()
        except UnicodeDecodeError as error:
            raise self._not_utf8(line + 1, error) from error
        except (OSError, EOFError, csv.Error) as error:
            raise HistoryError(Place(self.name, f"cannot be read on: {error}", line + 1)) from error
        if not read:
            rows.check()
        yield rows.take()

    def _open(self) -> TextIO:
        if self.path.suffix == ".gz":
            return gzip.open(self.path, "rt", encoding="utf-8-sig", newline="")
        return self.path.open(encoding="utf-8-sig", newline="")

    def _not_utf8(self, line: int, error: UnicodeDecodeError) -> HistoryError:
        hint = "save it as UTF-8"
        return HistoryError(Place(self.name, f"is not UTF-8, at or behind this line ({error.reason})", line, hint=hint))


def _separator(line: str) -> str:
    """The one that gives the most columns."""
    return max(_SEPARATORS, key=line.count)
