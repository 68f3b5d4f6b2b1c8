"""Compiles the peers written in C; a test that needs one is skipped, with the reason, where that cannot be."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

PEERS = Path(__file__).parent


def compiled(name: str, folder: Path) -> Path:
    """The program of `{name}.c`, which uses libmodbus, in a folder."""
    if shutil.which("gcc") is None:
        pytest.skip(f"needs gcc to build {name} (apt install gcc)")
    program = folder / name
    flags = ["-I/usr/include/modbus", "-I/usr/local/include/modbus", "-lmodbus"]
    built = subprocess.run(
        ["gcc", "-O2", str(PEERS / f"{name}.c"), "-o", str(program), *flags], capture_output=True, text=True
    )
    if "modbus.h" in built.stderr or "-lmodbus" in built.stderr:
        pytest.skip(f"needs libmodbus to build {name} (apt install libmodbus-dev)")
    assert built.returncode == 0, built.stderr
    return program
