"""What is slow to make is made once, and kept below build/deploy-check."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.podman import ROOT, Podman, can_run

KEPT = ROOT / "build" / "deploy-check"


@pytest.fixture(scope="session")
def kept() -> Path:
    """A folder that outlives the tests."""
    KEPT.mkdir(parents=True, exist_ok=True)
    return KEPT


@pytest.fixture(scope="session")
def podman(kept: Path) -> Podman:
    """With the image of this checkout built."""
    podman = Podman(kept / "podman")
    podman.make_base()
    can_run(podman)
    podman.build()
    return podman
