"""The golden cases: `pytest tests/golden --cases FILE` runs any file of schema golden_oee/1."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

DEFAULT = Path(__file__).with_name("oee.json")
SCHEMA = "golden_oee/1"


def pytest_addoption(parser: pytest.Parser) -> None:
    about = f"golden cases of schema {SCHEMA}; default: {DEFAULT.name}"
    parser.addoption("--cases", metavar="FILE", help=about)


def _load(config: pytest.Config) -> dict[str, Any]:
    given = config.getoption("--cases", default=None)
    path = config.invocation_params.dir / given if given else DEFAULT
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if data.get("schema") != SCHEMA:
        raise pytest.UsageError(f"{path}: schema is {data.get('schema')!r}, not {SCHEMA!r}")
    return data


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `case` runs once for each case of the kinds its module knows."""
    if "case" not in metafunc.fixturenames:
        return
    cases = _load(metafunc.config)["cases"]
    mine = [case for case in cases if case["kind"] in metafunc.module.CHECKS]
    metafunc.parametrize("case", mine, ids=[case["id"] for case in mine])


@pytest.fixture(scope="session")
def golden(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The whole file."""
    return _load(request.config)
