"""Arrays of counters as text, for what is kept as JSON: neighbours differ little, so differences are packed."""

from __future__ import annotations

import base64
import zlib

import numpy as np

from edge_agent.core.batch import Int64s


def pack(counts: Int64s) -> str:
    """`counts`, shape (rows, n), as text; quick rather than small."""
    steps = np.diff(counts, axis=1, prepend=0).astype("<i8")
    return base64.b64encode(zlib.compress(steps.tobytes(), 1)).decode("ascii")


def unpack(text: str, rows: int) -> Int64s:
    """What `pack` was given, `rows` of it; ValueError if it was not that."""
    try:
        steps = np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i8").astype(np.int64)
    except zlib.error as problem:
        raise ValueError(f"damaged: {problem}") from problem
    counts: Int64s = steps.reshape(rows, -1).cumsum(axis=1)
    return counts
