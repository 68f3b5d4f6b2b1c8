"""One data folder for all tests that only read it; each test that writes makes its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edge_agent.report.model import OeeDocument
from tests.report import plant


@pytest.fixture(scope="session")
def site_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Monday from 05:00 to Tuesday 07:30 in Shanghai, on disk."""
    path = plant.site_file(tmp_path_factory.mktemp("plant"))
    asyncio.run(plant.live(plant.read_site(path), plant.ns("2026-11-23T05:00"), plant.ns("2026-11-24T07:30")))
    return path


@pytest.fixture(scope="session")
def shifts(site_file: Path) -> OeeDocument:
    """Its report of Monday's shifts."""
    return plant.document(site_file)
