"""Opening journals in a temporary folder, and letting go of them as a kill -9 would."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from edge_agent.journal import Journal

Opener = Callable[..., Awaitable[Journal]]


class Ticking:
    """A clock that moves 1 ms a reading, from November 2026 on."""

    def __init__(self) -> None:
        self.now = 1_795_000_000 * 10**9

    def __call__(self) -> int:
        self.now += 1_000_000
        return self.now


def let_go(journal: Journal) -> None:
    """Nothing more is written; what the kernel has, it has."""
    journal._thread.shutdown(wait=True)
    journal._writer.close()
    os.close(journal._lock)
    journal.closed = True


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def crash() -> Callable[[Journal], None]:
    return let_go


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest_asyncio.fixture
async def opened(folder: Path, clock: Ticking) -> AsyncIterator[Opener]:
    journals: list[Journal] = []

    async def open_one(**options: Any) -> Journal:
        settings = {"max_bytes": 1 << 30, "max_age_ns": None, "clock": clock, **options}
        journal = await Journal.open(settings.pop("folder", folder), **settings)
        journals.append(journal)
        return journal

    yield open_one
    for journal in journals:
        await journal.close()
