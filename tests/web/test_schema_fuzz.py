"""The API against its own document: whatever fits the OpenAPI document, or does not, is answered as it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.web.conftest import TOKEN
from tests.web.test_machine_answers import SITE

schemathesis = pytest.importorskip("schemathesis", reason="pip install 'edge-agent[dev]'")

# Ends the session, or takes as long as somebody listens.
LEFT_OUT = ("/api/v1/logout", "/api/v1/live", "/api/v1/me/password")
EXAMPLES = settings(
    max_examples=8, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


class Agent:
    """An agent in a process of its own, and a session of its engineer."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "agent.log"
        path = folder / "site.yaml"
        path.write_text(SITE.replace("TOKEN", TOKEN))
        with self.log.open("w") as out:
            self.process = subprocess.Popen([sys.executable, "-m", "edge_agent.cli", "run", str(path)], stderr=out)
        self.port = int(self.found(r"listening at http://127.0.0.1:(\d+)"))
        self.headers = self.enter(self.found(r"first visit is (\S+)"))

    def found(self, pattern: str) -> str:
        end = time.monotonic() + 90
        while not (found := re.search(pattern, self.log.read_text())):
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)
        return found[1]

    def enter(self, code: str) -> dict[str, str]:
        body = json.dumps({"user": "anna", "password": "correct horse battery", "code": code}).encode()
        asked = urllib.request.Request(f"{self.url}/api/v1/first-user", body, {"content-type": "application/json"})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return {"Cookie": answer.headers["set-cookie"].partition(";")[0], "X-CSRF-Token": json.load(answer)["csrf"]}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    running = Agent(tmp_path)
    try:
        yield running
        running.process.terminate()
        assert running.process.wait(60) == 0
    finally:
        running.process.kill()


@pytest.mark.timeout(600)
def test_every_route_answers_as_its_document_says_whatever_is_asked(agent: Agent) -> None:
    schema = schemathesis.openapi.from_url(f"{agent.url}/api/openapi.json")
    tried = set()
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in LEFT_OUT:
            continue

        @EXAMPLES
        @given(case=operation.as_strategy())
        def answers(case: schemathesis.Case) -> None:
            case.call_and_validate(headers=agent.headers, timeout=60)

        answers()
        tried.add(operation.path)
    assert len(tried) > 40
    said = agent.log.read_text()
    assert "Traceback" not in said
    assert " ERROR " not in said
