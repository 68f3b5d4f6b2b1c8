"""The pages' process: started as the site file says, again when it ends, and gone with the agent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from edge_agent import front, registry
from edge_agent.config import Site, load
from edge_agent.front import Front
from edge_agent.supervise import Backoff

ROOT = Path(__file__).parents[2]
SITE = "agent: {id: gw-1}\napi: {listen: '127.0.0.1:0'}\npages: {listen: '127.0.0.1:8089'}\n"


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(front.ENVIRONMENT, "on")
    monkeypatch.setenv("NICEGUI_TOLD", str(tmp_path / "told.json"))
    monkeypatch.setenv("MQTT_PASSWORD", "secret-of-the-test")
    monkeypatch.setattr(front, "_MODULE", "tests.peers.tiny_pages")
    monkeypatch.setattr(front, "BACKOFF", Backoff(first=0.05, longest=0.1))
    monkeypatch.setattr(front, "are_installed", lambda: True)
    return tmp_path / "told.json"


@pytest.fixture
def site(tmp_path: Path) -> Callable[[str], Site]:
    def made(text: str) -> Site:
        path = tmp_path / "site.yaml"
        path.write_text(text)
        return load(path, registry.drivers(), registry.publishers())

    return made


@pytest.fixture
async def pages(told: Path) -> AsyncIterator[Front]:
    held = Front()
    task = asyncio.create_task(held.keep_running())
    yield held
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def another(told: Path, than: int = 0) -> dict[str, Any]:
    """What the process has said, once it is another than this."""
    async with asyncio.timeout(60):
        while True:
            said = _read(told) or {"pid": than}
            if said["pid"] != than:
                return said
            await asyncio.sleep(0.02)


def _read(told: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(told.read_text())
    except (FileNotFoundError, ValueError):     # not yet, or not all of it
        return {}
    return found


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def behind(pid: int) -> bool:
    """Whether the kernel gives the processor to the agent first, and takes memory from it last."""
    nice, score = os.getpriority(os.PRIO_PROCESS, pid), int(Path(f"/proc/{pid}/oom_score_adj").read_text())
    return nice == max(front.NICE, os.getpriority(os.PRIO_PROCESS, 0)) and score == front.OOM_SCORE


async def test_they_are_started_with_what_the_site_file_says_and_wait_behind_the_agent(
    pages: Front, told: Path, site: Callable[[str], Site]
) -> None:
    pages.want(site(SITE), 8079)
    said = await another(told)
    assert said["arguments"][:4] == ["--url", "http://127.0.0.1:8079", "--listen", "127.0.0.1:8089"]
    assert "MQTT_PASSWORD" not in said["environment"]
    async with asyncio.timeout(60):     # it may say so before the agent has told the kernel
        while not behind(said["pid"]):  # noqa: ASYNC110 (the kernel has no event of ours)
            await asyncio.sleep(0.02)


async def test_one_that_ends_is_started_again_and_one_that_is_wanted_otherwise_anew(
    pages: Front, told: Path, site: Callable[[str], Site]
) -> None:
    pages.want(site(SITE), 8079)
    first = await another(told)
    os.kill(first["pid"], signal.SIGKILL)
    second = await another(told, first["pid"])
    pages.want(site(SITE), 8079)        # as it is
    pages.want(site(SITE.replace("8089", "8090")), 8079)
    third = await another(told, second["pid"])
    assert "127.0.0.1:8090" in third["arguments"]
    assert not runs(second["pid"])
    pages.want(site(SITE.replace("{listen: '127.0.0.1:8089'}", "off")), 8079)
    async with asyncio.timeout(60):
        while runs(third["pid"]):       # noqa: ASYNC110 (another process has no event of ours)
            await asyncio.sleep(0.02)


async def test_they_end_with_the_agent(told: Path, site: Callable[[str], Site]) -> None:
    held = Front()
    task = asyncio.create_task(held.keep_running())
    held.want(site(SITE), 8079)
    said = await another(told)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not runs(said["pid"])


async def test_that_whoever_ends_the_agent_ends_them_too_is_no_error(
    told: Path, site: Callable[[str], Site], caplog: pytest.LogCaptureFixture
) -> None:
    held = Front()
    task = asyncio.create_task(held.keep_running())
    held.want(site(SITE), 8079)
    said = await another(told)
    [watch] = (one for one in asyncio.all_tasks() if one.get_name() == "pages-process")
    watch.add_done_callback(lambda _: task.cancel())        # in the same moment
    os.kill(said["pid"], signal.SIGTERM)
    await asyncio.gather(task, return_exceptions=True)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


_AGENT = """
import asyncio, sys
from pathlib import Path
from edge_agent import front, registry
from edge_agent.config import load
front._MODULE = "tests.peers.tiny_pages"
front.are_installed = lambda: True

async def main():
    held = front.Front()
    held.want(load(Path(sys.argv[1]), registry.drivers(), registry.publishers()), 8079)
    await held.keep_running()

asyncio.run(main())
"""


async def test_they_end_with_the_agent_also_when_it_is_killed(
    told: Path, site: Callable[[str], Site], tmp_path: Path
) -> None:
    site(SITE)
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", _AGENT, str(tmp_path / "site.yaml"), cwd=ROOT)
    said = await another(told)
    agent.kill()
    await agent.wait()
    async with asyncio.timeout(60):
        while runs(said["pid"]):        # noqa: ASYNC110 (another process has no event of ours)
            await asyncio.sleep(0.02)
