"""Whatever is sent, the answer is 2xx or 4xx and a JSON document, and the agent stays as it is."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.peers.http_client import Reply, ask
from tests.web.conftest import TOKEN

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner))
BODIES = st.one_of(
    st.binary(max_size=200),
    JSON.map(lambda value: json.dumps(value).encode()),
    JSON.map(lambda value: json.dumps({"value": value}).encode()),
    st.tuples(JSON, JSON).map(lambda pair: json.dumps({"value": pair[0], "id": pair[1]}).encode()),
)
NAMES = st.text(max_size=60).map(lambda text: quote(text.encode("utf-8", "surrogatepass"), safe="")) | st.sampled_from(
    ["plc.state", "plc", ".", "..", "%2e%2e", "%2F", "%C3%28"]
)
HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)


@pytest.fixture
def agent(tmp_path: Path, site_text: Callable[..., str]) -> Iterator[tuple[int, Path]]:
    """An agent in a process of its own: the port of its API, and its log."""
    path, log = tmp_path / "site.yaml", tmp_path / "agent.log"
    path.write_text(site_text())
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, "-m", "edge_agent.cli", "run", str(path)], stderr=out)
    try:
        end = time.monotonic() + 90
        while not (found := re.search(r"listening at http://127.0.0.1:(\d+)", log.read_text())):
            assert process.poll() is None and time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield int(found[1]), log
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()


def test_no_path_body_query_or_header_leads_to_more_than_a_4xx(agent: tuple[int, Path]) -> None:
    port, log = agent

    def one(method: str, path: str, body: Any = None, **more: Any) -> Reply:
        return asyncio.run(ask(port, method, path, body, **more))

    quiet = settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))

    @quiet
    @given(name=NAMES, body=BODIES)
    def any_write(name: str, body: bytes) -> None:
        for path in (f"/api/v1/tags/{name}", "/api/v1/tags/plc.state"):
            assert 400 <= one("POST", path, body, token=TOKEN).status < 500

    @quiet
    @given(name=NAMES, query=st.text(max_size=30))
    def any_look(name: str, query: str) -> None:
        for path in (f"/api/v1/tags/{name}", f"/api/v1/tags?device={name}&limit={quote(query)}&bad={quote(query)}"):
            reply = one("GET", path)
            assert 200 <= reply.status < 500
            if reply.headers.get("content-type") == "application/json":
                reply.json()

    @quiet
    @given(host=HEADER, authorization=HEADER)
    def any_header(host: str, authorization: str) -> None:
        headers = {"Host": host, "Authorization": authorization}
        assert 400 <= one("POST", "/api/v1/tags/plc.state", {"value": 1}, headers=headers).status < 500

    for check in (any_write, any_look, any_header):
        check()
    assert one("GET", "/api/v1/status").status == 200
    assert "Traceback" not in log.read_text()
    assert " ERROR " not in log.read_text()
