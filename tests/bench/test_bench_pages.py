"""The pages with a hundred machines: how soon a page is there, how soon a change is seen, what the process holds."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.pages.conftest import answers, browser  # noqa: F401 (a fixture)
from tests.peers.waiting import free_port, wait_for

MACHINES = 100
LOADS = 5
CHANGES = 12
WATCHED_S = 10


class Pages:
    """Pages of a shop that stands still but for what it is told."""

    def __init__(self, shop: str, url: str, pid: int) -> None:
        self.shop = shop
        self.url = url
        self.pid = pid

    @property
    def resident_mb(self) -> float:
        """Memory of the pages' process."""
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        assert found
        return int(found.group(1)) / 1024


@pytest.fixture(scope="module")
def pages() -> Iterator[Pages]:
    pytest.importorskip("nicegui", reason="needs the extra ui")
    shop, own = free_port(), free_port()
    url = f"http://127.0.0.1:{shop}"
    commands = (
        (sys.executable, "-m", "tests.pages.shop", str(shop), str(MACHINES)),
        (sys.executable, "-m", "edge_agent.pages", "--url", url, "--listen", f"127.0.0.1:{own}"),
    )
    # The page library does not compress where it believes to be tested.
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    started = [subprocess.Popen(command, env=outside) for command in commands]
    wait_for(lambda: answers(f"{url}/api/v1/overview"), 60, "the shop answers")
    wait_for(lambda: answers(f"http://127.0.0.1:{own}/login"), 60, "the pages answer")
    yield Pages(url, f"http://127.0.0.1:{own}", started[1].pid)
    for process in started:
        process.terminate()
        process.wait(30)


def shown(page: Any, url: str) -> float:
    """Seconds until every tile is drawn."""
    began = time.perf_counter()
    page.goto(url)
    page.wait_for_function(f"document.querySelectorAll('.tile').length === {MACHINES}")
    return time.perf_counter() - began


def changed(page: Any, shop: str, state: str) -> float:
    """Seconds from a change of a machine's state until it is on the screen."""
    urllib.request.urlopen(urllib.request.Request(f"{shop}/changed/press-1/{state}", method="POST"))
    began = time.perf_counter()
    page.wait_for_selector(f'.tile.s-{state}[data-machine="press-1"]')
    return time.perf_counter() - began


class Wire:
    """What a page takes from the network, bytes: by requests, compressed as they come, and by its socket."""

    def __init__(self, page: Any) -> None:
        self.loaded = self.pushed = 0
        watch = page.context.new_cdp_session(page)
        watch.send("Network.enable")
        watch.on("Network.loadingFinished", self._load)
        watch.on("Network.webSocketFrameReceived", self._push)

    def _load(self, event: Any) -> None:
        self.loaded += int(event["encodedDataLength"])

    def _push(self, event: Any) -> None:
        self.pushed += len(event["response"]["payloadData"])


def test_a_hundred_machines_are_there_at_once_and_change_within_two_seconds(
    pages: Pages,
    browser: Any,  # noqa: F811
    benchmark: Any,
) -> None:
    at_rest = pages.resident_mb
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    context.set_default_timeout(120_000)
    page = context.new_page()
    wire = Wire(page)
    first = shown(page, pages.url)
    loaded, pushed, began = wire.loaded, wire.pushed, time.perf_counter()
    page.wait_for_timeout(1000 * WATCHED_S)
    a_second = (wire.pushed - pushed) / (time.perf_counter() - began)
    again = [shown(page, pages.url) for _ in range(LOADS)]
    seen = [changed(page, pages.shop, ("FAULT", "RUN")[turn % 2]) for turn in range(CHANGES)]
    benchmark.pedantic(lambda: shown(page, pages.url), rounds=3)
    others = [context.new_page() for _ in range(4)]
    for other in others:
        shown(other, pages.url)
    benchmark.extra_info |= {
        "first_load_s": round(first, 2), "load_s": round(statistics.median(again), 2),
        "change_median_s": round(statistics.median(seen), 2), "change_worst_s": round(max(seen), 2),
        "first_load_kb": round(loaded / 1000), "pushed_kb_s": round(a_second / 1000, 1),
        "at_rest_mb": round(at_rest), "five_screens_mb": round(pages.resident_mb),
    }  # fmt: skip
    print(f"\npages, {MACHINES} machines: {benchmark.extra_info}")
    context.close()
    assert statistics.median(seen) < 2.0
