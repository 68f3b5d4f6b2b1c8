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
from hypothesis.errors import Unsatisfiable

from tests.web.conftest import TOKEN
from tests.web.test_machine_answers import SITE

requests = pytest.importorskip("requests", reason="pip install 'edge-agent[dev]'")
schemathesis = pytest.importorskip("schemathesis", reason="pip install 'edge-agent[dev]'")

from schemathesis import checks  # noqa: E402
from schemathesis.core.failures import FailureGroup  # noqa: E402

# What a time, a name or a window may be is said by no schema: what is refused for that, is refused rightly.
CHECKS = [
    checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_schema_conformance,
]  # fmt: skip

# Takes as long as somebody listens.
LEFT_OUT = ("/api/v1/live",)
# Asked by nobody in particular: it would end the session of the others.
ANONYMOUS = ("/api/v1/logout",)
# Few, and the same every time; `make explore` asks others, and more of them.
EXPLORES = not settings().derandomize
EXAMPLES = settings(
    max_examples=50 if EXPLORES else 4, deadline=None, database=None, derandomize=not EXPLORES,
    phases=[Phase.generate], suppress_health_check=list(HealthCheck),
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
    tried, wrong, session = set(), [], requests.Session()
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path.startswith(LEFT_OUT):
            continue

        for mode in schemathesis.GenerationMode:

            @EXAMPLES
            @given(case=operation.as_strategy(generation_mode=mode))
            def answers(case: schemathesis.Case) -> None:
                headers = None if case.operation.path in ANONYMOUS else agent.headers
                case.call_and_validate(headers=headers, timeout=60, checks=CHECKS, session=session)

            try:
                answers()
            except Unsatisfiable:
                pass        # nothing can be wrong about a request without parameters
            except FailureGroup as failure:
                wrong.append(str(failure))
        tried.add(operation.path)
    assert not wrong, "\n\n".join(wrong)
    assert tried == {path for path in schema.raw_schema["paths"] if path not in LEFT_OUT}
    assert {"/api/v1/config/apply", "/api/v1/browse/scan", "/api/v1/secrets", "/api/v1/users", "/metrics"} <= tried
    said = agent.log.read_text()
    assert "Traceback" not in said
    assert " ERROR " not in said
