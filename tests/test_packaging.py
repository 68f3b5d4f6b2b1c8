"""What `pip install .` gives: five packages and nothing else, with everything in them that they need."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGES = {
    "edge_agent": ROOT,
    "edge_agent_modbus": ROOT / "drivers",
    "edge_agent_opcua": ROOT / "drivers",
    "edge_agent_simulated": ROOT / "drivers",
    "edge_agent_hil": ROOT / "hil",
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="needs hatchling, as in the extra dev")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    command += ["--disable-pip-version-check", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [path] = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel laid out as in site-packages."""
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, code: str) -> str:
    """Run `code` where the wheel comes before anything else; what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=installed.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def sources() -> Iterator[str]:
    """Every file of ours that runs or is read by what runs, as it is named inside the wheel."""
    for package, shelf in PACKAGES.items():
        for path in sorted((shelf / package).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield path.relative_to(shelf).as_posix()


def test_the_wheel_holds_five_packages_and_nothing_else(names: list[str]) -> None:
    top = {name.split("/")[0] for name in names}
    about = f"edge_agent-{PROJECT['version']}.dist-info"
    assert top == {*PACKAGES, about}
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".so"))]


def test_everything_in_the_packages_is_in_the_wheel(names: list[str]) -> None:
    assert set(sources()) <= set(names)


def test_types_samples_readmes_and_the_demos_plant_are_included(names: list[str]) -> None:
    samples = {f"edge_agent/config/samples/{path.name}" for path in (ROOT / "configs").glob("*.yaml")}
    drivers = [name for name, shelf in PACKAGES.items() if shelf.name == "drivers"]
    pages = {f"{driver}/{file}" for driver in drivers for file in ("sample.yaml", "README.md")}
    assert samples
    assert {*samples, *pages, "edge_agent/py.typed", "edge_agent_hil/plants/demo.yaml"} <= set(names)


def test_every_entry_point_resolves_to_the_wheels_own_code(installed: Path) -> None:
    printed = run(
        installed,
        "import os, sys\n"
        "from importlib.metadata import distributions\n"
        "here = os.environ['PYTHONPATH']\n"
        "[own] = distributions(path=[here])\n"
        "for point in own.entry_points:\n"
        "    point.load()\n"
        "    assert sys.modules[point.module].__file__.startswith(here), point\n"
        "    print(point.group, point.name)\n",
    )
    wanted = {f"console_scripts {name}" for name in PROJECT["scripts"]}
    for group, points in PROJECT["entry-points"].items():
        wanted |= {f"{group} {name}" for name in points}
    assert set(printed.splitlines()) == wanted


def test_the_wheels_own_samples_plant_and_templates_are_found(installed: Path) -> None:
    printed = run(
        installed,
        "from edge_agent.config import sample, samples\n"
        "from edge_agent.config import load\n"
        "from importlib.resources import files\n"
        "print(*samples())\n"
        "assert all(sample(name) for name in samples())\n"
        "print((files('edge_agent_hil') / 'plants' / 'demo.yaml').is_file())\n"
        "from edge_agent_modbus import plugin\n"
        "print(*plugin.templates)\n",
    )
    names = " ".join(sorted(path.stem for path in (ROOT / "configs").glob("*.yaml")))
    shelf = ROOT / "drivers" / "edge_agent_modbus" / "templates"
    templates = " ".join(sorted(path.stem for path in shelf.glob("*.yaml")))
    assert printed.splitlines() == [names, "True", templates]


def test_a_source_archive_holds_what_the_tests_need_and_no_rubbish(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="needs hatchling, as in the extra dev")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=60)
    [path] = tmp_path.iterdir()
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"README.md", "LICENSE", "Makefile", "configs/minimal.yaml", "tests/test_packaging.py"} <= names
    rubbish = ("node_modules", "__pycache__", ".venv", ".hypothesis", ".git/")
    assert not [name for name in names if any(part in name for part in rubbish)]
    assert path.stat().st_size < 4_000_000
