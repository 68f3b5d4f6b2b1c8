"""Reads the audit log back: every line in order, and whatever shows that it is not as it was written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from edge_agent.journal.audit import FIRST, NAME, closed_files, digest


def audit_lines(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every line with its place (`audit.log:12`), oldest first; a torn last line is left out."""
    for path in [*closed_files(folder), folder / NAME]:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        whole = data[: data.rfind(b"\n") + 1]
        for number, line in enumerate(whole.split(b"\n")[:-1], 1):
            yield f"{path.name}:{number}", line


def audit_entries(folder: Path) -> Iterator[dict[str, Any]]:
    """Every line that can be read, oldest first."""
    for _, line in audit_lines(folder):
        if (entry := _parsed(line)) is not None:
            yield entry


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


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = orjson.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
