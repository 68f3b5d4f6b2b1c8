"""Payloads of line protocol as the publisher handles them: cut into requests, taken apart where a server refuses."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

_NAME: Final = rb"(?:\\.|[^=,\\ ])+"
_VALUE: Final = rb'(?:"(?:\\.|[^"\\])*"|[^, ]+)'
_FIELD: Final = _NAME + b"=" + _VALUE
_LINE: Final = re.compile(
    rb"(?P<head>(?:\\.|[^\\ ])+) (?P<fields>" + _FIELD + b"(?:," + _FIELD + rb")*)(?P<time> -?[0-9]+)?", re.DOTALL
)
_ONE: Final = re.compile(b"(?P<name>" + _NAME + b")=" + _VALUE, re.DOTALL)


class Piece(NamedTuple):
    """One or more whole lines of the message at `position`."""

    position: int
    lines: bytes


def requests(payloads: Iterable[bytes], most_lines: int, most_bytes: int) -> Iterator[list[Piece]]:
    """As few requests as fit, in order; a line too large alone goes alone."""
    batch: list[Piece] = []
    lines = size = 0
    for piece in _fitting(payloads, most_lines, most_bytes):
        n = piece.lines.count(b"\n") + 1
        if batch and (lines + n > most_lines or size + len(piece.lines) + 1 > most_bytes):
            yield batch
            batch, lines, size = [], 0, 0
        batch.append(piece)
        lines += n
        size += len(piece.lines) + 1
    if batch:
        yield batch


def _fitting(payloads: Iterable[bytes], most_lines: int, most_bytes: int) -> Iterator[Piece]:
    """A piece a message, or a line where that is too large for a request."""
    for position, payload in enumerate(payloads):
        if not payload:
            continue
        piece = Piece(position, payload)
        if len(payload) > most_bytes or payload.count(b"\n") >= most_lines:
            yield from singly([piece])
        else:
            yield piece


def singly(pieces: Sequence[Piece]) -> list[Piece]:
    """The same, a piece a line."""
    return [Piece(piece.position, line) for piece in pieces for line in piece.lines.split(b"\n")]


def halves(pieces: Sequence[Piece]) -> tuple[list[Piece], list[Piece]]:
    """The first and the second half of two lines or more."""
    lines = singly(pieces)
    return lines[: len(lines) // 2], lines[len(lines) // 2 :]


def body(pieces: Sequence[Piece]) -> bytes:
    """What is sent."""
    return b"\n".join([piece.lines for piece in pieces])


def without(pieces: Sequence[Piece], field: bytes) -> tuple[list[Piece], list[Piece]]:
    """All but the field of that name (as written), and only it: lines of the same points, in the same order."""
    rest: list[Piece] = []
    only: list[Piece] = []
    for piece in singly(pieces):
        for part, lines in zip(_apart(piece.lines, field), (rest, only), strict=True):
            if part:
                lines.append(Piece(piece.position, part))
    return rest, only


def _apart(line: bytes, field: bytes) -> tuple[bytes, bytes]:
    if field + b"=" not in line or not (read := _LINE.fullmatch(line)):
        return line, b""
    parts: tuple[list[bytes], list[bytes]] = [], []
    for one in _ONE.finditer(read["fields"]):
        parts[one["name"] == field].append(one[0])
    rest, only = (read["head"] + b" " + b",".join(part) + (read["time"] or b"") if part else b"" for part in parts)
    return rest, only
