"""The floors hold: imports go down only, and floor 0 computes and does nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SHELVES = (ROOT, ROOT / "drivers", ROOT / "hil")
TOOLS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
CONTRACTS: list[dict[str, Any]] = TOOLS["importlinter"]["contracts"]
PURE = next(contract for contract in CONTRACTS if contract["name"].startswith("floor 0"))
FLOOR_0 = tuple(PURE["source_modules"])
# The house's rule, in full: what the contract in pyproject.toml must at least forbid.
IMPURE = {"asyncio", "time", "logging", "socket", "pydantic", "yaml", "sqlite3", "threading", "os"}
# Ways around an import statement.
DOORS = {"importlib", "ctypes", "subprocess", "multiprocessing", "concurrent", "signal", "selectors", "pathlib", "io"}


def file_of(module: str) -> Path | None:
    """The file of one of our modules; None for anybody else's."""
    for shelf in SHELVES:
        base = shelf.joinpath(*module.split("."))
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file() and path.is_relative_to(ROOT):
                return path
    return None


def modules_of(package: str) -> Iterator[str]:
    """A package with everything in it, or a single module."""
    path = file_of(package)
    assert path, f"there is no {package}"
    yield package
    if path.name == "__init__.py":
        for inner in sorted(path.parent.rglob("*.py")):
            name = ".".join((package, *inner.relative_to(path.parent).with_suffix("").parts))
            if inner != path:
                yield name.removesuffix(".__init__")


@cache
def imports_of(module: str) -> frozenset[str]:
    """Every module that `module` imports, anywhere in it; with packages on the way, which run as well."""
    path = file_of(module)
    assert path
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute here"
            source = str(node.module)
            found.add(source)
            found.update(f"{source}.{alias.name}" for alias in node.names if file_of(f"{source}.{alias.name}"))
    return frozenset(package for name in found for package in _with_parents(name))


def _with_parents(module: str) -> list[str]:
    parts = module.split(".")
    return [".".join(parts[: n + 1]) for n in range(len(parts))]


def reached_by(module: str) -> dict[str, str]:
    """Everything `module` imports, directly or through our own modules → who imports it."""
    reached: dict[str, str] = {}
    waiting = [module]
    while waiting:
        here = waiting.pop()
        for name in imports_of(here) - reached.keys():
            reached[name] = here
            if file_of(name):
                waiting.append(name)
    return reached


def is_in(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def test_the_import_contracts_hold() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"Contracts: {len(CONTRACTS)} kept, 0 broken." in done.stdout


def test_every_room_has_a_floor() -> None:
    layers = next(contract for contract in CONTRACTS if contract["type"] == "layers")
    rooms = {room.strip() for layer in layers["layers"] for room in layer.split("|")}
    house = ROOT / "edge_agent"
    there = {path.stem for path in (*house.glob("*.py"), *(file.parent for file in house.glob("*/__init__.py")))}
    assert rooms == there - {"__init__"}


def test_the_contract_forbids_floor_0_all_that_waits_writes_or_looks_at_the_clock() -> None:
    assert set(PURE["forbidden_modules"]) >= IMPURE
    assert set(FLOOR_0) == {"edge_agent.core", "edge_agent.encode", "edge_agent.errors"}


@pytest.mark.parametrize("module", [module for package in FLOOR_0 for module in modules_of(package)])
def test_floor_0_is_pure_through_and_through(module: str) -> None:
    reached = {module: "", **reached_by(module)}
    ours = {name for name in reached if file_of(name)}
    above = {f"{name} (by {reached[name]})" for name in ours if not is_in(name, (*FLOOR_0,)) and name != "edge_agent"}
    assert above == set()
    impure = {f"{name} (by {reached[name]})" for name in reached if is_in(name, (*IMPURE, *DOORS))}
    assert impure == set()


def test_the_package_itself_imports_nothing() -> None:
    """`edge_agent/__init__.py` runs before every floor."""
    assert imports_of("edge_agent") <= {"__future__"}


@pytest.mark.parametrize("driver", ["edge_agent_modbus", "edge_agent_opcua", "edge_agent_simulated"])
def test_a_driver_knows_the_plugin_page_and_nothing_else(driver: str) -> None:
    ours = {name for module in modules_of(driver) for name in imports_of(module) if is_in(name, ("edge_agent",))}
    assert ours <= {"edge_agent", "edge_agent.api"}
