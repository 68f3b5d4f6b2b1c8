"""Bundles as `make bundle` makes them, unpacked."""

from __future__ import annotations

import platform
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.rootfs import run

ROOT = Path(__file__).parents[2]
HERE = platform.machine()
# What pip says where it reaches no index; all else is a bundle that cannot be made.
AWAY = ("connection broken by", "Could not fetch URL", "Read timed out")


def made(arch: str, out: Path, *pythons: str) -> Path:
    """The unpacked bundle."""
    told = ["--pythons", *pythons] if pythons else []
    try:
        said = run(sys.executable, ROOT / "deploy" / "bundle.py", "--arch", arch, "--out", out, *told)
    except AssertionError as error:
        if not any(word in str(error) for word in AWAY):
            raise
        pytest.skip(f"no package index can be reached here: {str(error).strip().splitlines()[-1]}")
    path = Path(said.strip())
    print(f"\n{path.name}: {path.stat().st_size / 1e6:.0f} MB")
    run("sha256sum", "--check", "--quiet", f"{path.name}.sha256", cwd=out)
    with tarfile.open(path) as archive:
        archive.extractall(out, filter="data")
    return out / path.name.removesuffix(".tar.gz")


def bundle_module() -> Any:
    """deploy/bundle.py, which is no package."""
    sys.path.insert(0, str(ROOT / "deploy"))
    try:
        import bundle
    finally:
        sys.path.pop(0)
    return bundle


def platforms_of(arch: str) -> list[str]:
    """As `make bundle` asks for them."""
    return [f"--platform={glibc}_{arch}" for glibc in bundle_module().GLIBCS]
