"""The fixtures for tests of others: the example of the page works as it stands, and nothing of it stays behind."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ("pytester",)
PAGE = Path(__file__).parents[2] / "hil" / "README.md"


def example() -> str:
    [found] = [
        code for code in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.M | re.S) if "def test_" in code
    ]
    return str(found)


def test_the_example_of_the_page_works_as_it_stands(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(example())
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", timeout=100)
    result.assert_outcomes(passed=1)
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(pytester.path).encode() in bytes_of(path)]
    assert left == []


def test_what_the_agent_said_is_shown_where_a_test_fails(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_wrong(agent):
            gateway = agent({"agent": {"id": "gw-1"}, "devices": {"a": {"driver": "modbus"}}})
            assert gateway.wait(60) == 0
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", timeout=100)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert 78 == 0*", "*devices.a: needs a url*"])


def test_the_fixtures_are_explained(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--fixtures", "-p", "no:cacheprovider", timeout=100)
    result.stdout.fnmatch_lines(["plant -- *", "proxy -- *", "broker -- *", "agent -- *"])


def bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
