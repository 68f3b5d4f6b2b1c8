"""The agent on arm64, as far as an emulated processor can show it: it starts, reads, computes and answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.bundles import made, platforms_of
from tests.deploy.rootfs import debian, need, run
from tests.peers.waiting import free_port, wait_for

pytestmark = pytest.mark.deploy

QEMU = "qemu-aarch64-static"
SITE = """
agent: {{id: gw-arm, timezone: UTC, data_dir: data}}
devices:
  toy-1:
    driver: simulated
    url: "simulated://"
    tags:
      state: {{signal: constant, value: 1}}
      total: {{signal: counter, every: 1s}}
      scrap: {{signal: counter, every: 9s}}
machines:
  m-1:
    state: {{tag: toy-1.state, map: {{1: RUN}}}}
    counts: {{total: toy-1.total, scrap: toy-1.scrap}}
    ideal_cycle: 1s
api: {{listen: "127.0.0.1:{port}"}}
pages: off
kpi: {{windows: [day], every: 1s}}
"""


@pytest.fixture(scope="module")
def programs(kept: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A Debian for arm64 of which no script has run, and the wheels of its bundle, unpacked."""
    need(QEMU)
    # libstdc++6, as apt of a whole Debian needs it.
    root = debian(kept / "arm64", "python3", "libstdc++6", arch="arm64", variant="extract")
    bundle = made("aarch64", tmp_path_factory.mktemp("bundle"), "3.11")
    unpacked = tmp_path_factory.mktemp("programs")
    told = ["--quiet", "--no-index", "--no-deps", "--require-hashes", "--no-compile", "--only-binary=:all:"]
    told += ["--python-version=3.11", *platforms_of("aarch64"), f"--find-links={bundle / 'wheels'}"]
    wanted = f"--requirement={bundle / 'requirements-3.11.txt'}"
    run(sys.executable, "-m", "pip", "install", *told, f"--target={unpacked}", wanted)
    size = int(run("du", "--summarize", "--bytes", unpacked).split()[0])
    print(f"\ninstalled: {size / 1e6:.0f} MB on arm64, without byte code")
    return root, unpacked


def emulated(programs: tuple[Path, Path]) -> tuple[list[str], dict[str, str]]:
    """Python for arm64 with these programs: how it is called, and its environment."""
    root, unpacked = programs
    environ = {**os.environ, "PYTHONPATH": str(unpacked), "PYTHONHOME": str(root / "usr")}
    return [QEMU, "-L", str(root), str(root / "usr" / "bin" / "python3.11")], environ


@pytest.fixture
def status(programs: tuple[Path, Path], tmp_path: Path) -> Iterator[Any]:
    """`status()`: what an emulated agent answers; None while it does not."""
    port = free_port()
    site = tmp_path / "site.yaml"
    site.write_text(SITE.format(port=port))
    python, environ = emulated(programs)
    with subprocess.Popen([*python, "-m", "edge_agent.cli", "run", str(site)], env=environ, cwd=tmp_path) as process:

        def ask() -> Any:
            assert process.poll() is None, "the agent has ended"
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/status", timeout=60) as answer:
                    return json.load(answer)
            except (OSError, urllib.error.URLError):
                return None

        yield ask
        process.terminate()
        assert process.wait(300) == 0


def test_the_agent_starts_reads_and_computes_on_arm64(status: Any) -> None:
    wait_for(lambda: (said := status()) and said["devices"]["toy-1"]["tags"]["good"] == 3, 300, "three good tags")
    wait_for(lambda: (said := status()) and any(one["oee"] for one in said["kpis"]), 120, "an OEE")


def test_the_pages_and_what_they_need_are_whole_on_arm64(programs: tuple[Path, Path]) -> None:
    python, environ = emulated(programs)
    run(*python, "-c", "import argon2, nicegui.ui, edge_agent.pages.serve", env=environ)
