"""Bare Debian root file systems, kept between tests; and commands that say everything when they fail.

Where this computer finds Debian's packages and Python's is its own affair: its settings are used, never written down.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SUITE = "bookworm"
BASE = "docker.io/library/python:3.11-slim-bookworm"


def need(*programs: str) -> None:
    """Skip, with a line that says why, where a program or the rights are missing."""
    if os.geteuid() != 0:
        pytest.skip("not root: no root file system can be made")
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; sh tests/deploy/install.sh")


def run(*words: object, seconds: float = 1800, **more: object) -> str:
    """What it prints; fails with all of it if it fails."""
    done = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, timeout=seconds, check=False, **more  # type: ignore[call-overload]
    )
    assert done.returncode == 0, f"{' '.join(map(str, words))}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return str(done.stdout)


def debian(folder: Path, *packages: str, arch: str = "", variant: str = "minbase") -> Path:
    """A root file system at `folder`, with these packages beside the least; made once. `extract`: unpacked alone."""
    need("mmdebstrap")
    if not (folder / "etc").exists():
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        options = [f"--variant={variant}", f"--include={','.join(packages)}"]
        options += [f"--architectures={arch}"] if arch else []
        try:
            run("mmdebstrap", *options, SUITE, partial, *_sources())
        except AssertionError as error:
            pytest.skip(f"no Debian root can be made here: {str(error).strip().splitlines()[-1]}")
        partial.rename(folder)
    return folder


def _sources() -> list[str]:
    """Where this computer has its packages from."""
    files = [*Path("/etc/apt/sources.list.d").glob("*.sources"), *Path("/etc/apt/sources.list.d").glob("*.list")]
    return [str(path) for path in (Path("/etc/apt/sources.list"), *files) if path.exists() and path.stat().st_size]


def pip_settings(folder: Path) -> Path:
    """This computer's settings of pip as a file: they reach a build as a secret, and are nowhere afterwards."""
    listed = run(sys.executable, "-m", "pip", "config", "list")
    path = folder / "pip.conf"
    lines = [line.partition("=") for line in listed.splitlines() if not line.startswith(":env:.find-links")]
    pairs = {name.rpartition(".")[2]: value.strip("'") for name, _, value in lines}
    path.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in pairs.items()))
    return path
