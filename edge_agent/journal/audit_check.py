"""Reads the audit log back: every line in order, and whatever shows that it is not as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from edge_agent.journal.audit import FIRST, NAME, closed_files, digest


def audit_lines(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every line with its place (`audit.log:12`), oldest first; a torn last line is left out."""
    for path in _files(folder):
        for number, line in enumerate(_whole(path), 1):
            yield f"{path.name}:{number}", line


def audit_entries(folder: Path) -> Iterator[dict[str, Any]]:
    """Every line that can be read, oldest first."""
    for _, line in audit_lines(folder):
        if (entry := _parsed(line)) is not None:
            yield entry


def audit_page(folder: Path, offset: int, limit: int) -> tuple[int, list[dict[str, Any]]]:
    """How many lines there are, and `limit` of them, the newest first, without the first `offset` of these.

    Of a log of ten files the older are read only if they are asked for, and one at a time.
    """
    files, found, passed = _files(folder), list[bytes](), 0
    while files and len(found) < limit:
        lines = _whole(files.pop())
        begin = max(offset - passed, 0)
        found += lines[::-1][begin : begin + limit - len(found)]
        passed += len(lines)
    return passed + _length(files), [entry for line in found if (entry := _parsed(line)) is not None]


def audit_faults(folder: Path) -> list[str]:
    """What is wrong with the chain, a sentence each; empty if nothing is.

    Where older files have gone by their number, the chain begins with the oldest line there is.
    """
    faults: list[str] = []
    before, number = FIRST, 0
    for first, (place, line) in enumerate(audit_lines(folder)):
        entry = _parsed(line)
        if entry is None:
            faults.append(f"{place}: is no line of an audit log")
            number, before = number + 1, digest(line)
            continue
        n = entry.get("n")
        begins = first == 0 and n != 1
        if not begins and entry.get("prev") != before:
            faults.append(f"{place}: does not follow the line before it: one of the two was changed, or lines are gone")
        if not begins and n != number + 1:
            faults.append(f"{place}: is line {n}, expected {number + 1}")
        number, before = n if isinstance(n, int) else number + 1, digest(line)
    return faults


def _files(folder: Path) -> list[Path]:
    """Oldest first."""
    return [*closed_files(folder), folder / NAME]


def _whole(path: Path) -> list[bytes]:
    """The lines of a file; none where there is none."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    return data[: data.rfind(b"\n") + 1].split(b"\n")[:-1]


def _length(closed: list[Path]) -> int:
    """How many lines files have that follow each other: each has the number of its last line in its name."""
    if not closed:
        return 0
    with closed[0].open("rb") as file:
        first = _parsed(file.readline()) or {}
    return int(closed[-1].name.split(".")[1]) - int(first.get("n", 1)) + 1


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = orjson.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
