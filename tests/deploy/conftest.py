"""What is slow to make is made once, and kept below build/deploy-check."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.bundles import HERE, made
from tests.deploy.podman import ROOT, Podman, can_run
from tests.deploy.rootfs import run

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


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For this computer, and the Python of Debian 12; unpacked, for everybody to read."""
    folder = made(HERE, tmp_path_factory.mktemp("bundle"), "3.11")
    run("chmod", "--recursive", "a+rX", folder)
    return folder
