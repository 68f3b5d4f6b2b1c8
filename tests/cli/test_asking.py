"""`edge-agent status` and `edge-agent why`, asked of an agent that runs in a process of its own."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from edge_agent import cli
from edge_agent.web import tell
from tests.peers.certificates import Authority
from tests.peers.mosquitto import free_port

PLC = Path(__file__).parents[1] / "peers" / "plc.py"
SITE = """
agent: {{id: gw-1, timezone: UTC, data_dir: "{data}"}}
devices:
  press-1:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{plc}?unit=1"
    poll: 100ms
    timeout: 300ms
    tags: {{total: {{address: "holding:1", unit: "1"}}, temp: {{address: "holding:5"}}}}
publish:
  platform: {{type: mqtt, url: "mqtt://127.0.0.1:9", user: u, password: secret-of-the-test}}
api: {{listen: "{host}:0"{api}}}
"""

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """A command in this process: exit code, stdout, stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a Python program; killed at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **more: Any) -> subprocess.Popen[str]:
        started.append(subprocess.Popen([sys.executable, *arguments], text=True, **more))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


class Agent:
    """`edge-agent run` and its PLC, two processes; `url` is where its API listens."""

    def __init__(
        self, folder: Path, start: Callable[..., subprocess.Popen[str]], api: str = "", host: str = "127.0.0.1"
    ) -> None:
        self.plc_port = free_port()
        self._start = start
        self.start_plc()
        path = folder / "site.yaml"
        path.write_text(SITE.format(data=folder / "data", plc=self.plc_port, api=api, host=host))
        self.log = folder / "agent.log"
        with self.log.open("w") as out:
            self.process = start("-m", "edge_agent.cli", "run", str(path), stderr=out)
        self.url = self.wait(lambda: re.search(r"api: listening at (https?://\S+)", self.log.read_text()))[1]

    def start_plc(self) -> None:
        pipe = subprocess.PIPE
        self.plc = self._start(str(PLC), str(self.plc_port), "1 1067", stdin=pipe, stdout=pipe)
        assert self.plc.stdout
        assert self.plc.stdout.readline() == "ready\n"

    def wait(self, what: Callable[[], Any], seconds: float = 100) -> Any:
        end = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < end, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        return found


@pytest.fixture
def agent(tmp_path: Path, start: Callable[..., subprocess.Popen[str]]) -> Agent:
    return Agent(tmp_path, start)


def test_why_tells_of_a_good_value_of_the_killed_server_behind_a_bad_one_and_of_its_return(
    agent: Agent, call: Call
) -> None:
    def told(word: str) -> str | None:
        code, out, err = call("why", "press-1.total", "--url", agent.url)
        assert (code, err) == (0, "")
        return out if word in out else None

    first, second = agent.wait(lambda: told("is good")).splitlines()
    assert first.startswith("press-1.total is good: 1067 1, ")
    assert f"it comes from holding:1 of modbus+tcp://127.0.0.1:{agent.plc_port}?unit=1" in second
    agent.plc.kill()
    agent.plc.communicate()
    lines = agent.wait(lambda: told("attempts failed")).splitlines()
    assert re.fullmatch(r"press-1\.total is bad since [\d:]{8} \(\d+\.\d s\): the connection .* is lost", lines[0])
    assert lines[1].startswith(f"  the line modbus+tcp://127.0.0.1:{agent.plc_port}?unit=1 is lost since ")
    assert any(line.startswith("  the last good value was 1067 1 at ") for line in lines)
    agent.start_plc()
    assert agent.wait(lambda: told("is good"))


def test_status_shows_what_is_wrong_first_and_json_is_one_document(agent: Agent, call: Call) -> None:
    def told() -> str | None:
        code, out, err = call("status", "--url", agent.url)
        assert (code, err) == (0, "")
        return out if "1067" not in out and "2 of 2" in out and "refused" in out else None

    lines = agent.wait(told).splitlines()
    assert lines[0].startswith("gw-1  version ")
    assert lines[1].startswith("  ! platform: the line mqtt://127.0.0.1:9 is lost since ")
    assert any(re.match(r"press-1 +connected +\d{4}-", line) for line in lines)
    assert any(re.match(r"platform +lost +\d{4}-\S+ \S+ +\d+ +mqtt://127.0.0.1:9$", line) for line in lines)

    def document() -> Any:
        nonlocal out
        code, out, err = call("status", "--json", "--url", agent.url)
        assert (code, err) == (0, "")
        return json.loads(out)

    out = ""
    assert document()["agent"] == "gw-1"
    agent.wait(lambda: document()["backlog"]["platform"] >= 1)
    assert "secret-of-the-test" not in out + agent.log.read_text()
    agent.process.send_signal(signal.SIGTERM)
    assert agent.process.wait(60) == 0
    assert "Traceback" not in agent.log.read_text()


def test_an_unknown_tag_ends_with_1_and_the_nearest_names(agent: Agent, call: Call) -> None:
    code, out, err = call("why", "press-1.totl", "--url", agent.url)
    assert (code, out) == (1, "")
    assert err == "edge-agent: there is no tag press-1.totl; did you mean press-1.total?\n"
    code, out, err = call("why", "press-1", "--url", agent.url)
    assert (code, out) == (1, "")
    assert err == "edge-agent: press-1 is a device, not a tag; did you mean press-1.total, press-1.temp?\n"
    code, out, err = call("why", "no-such", "--url", agent.url, "--json")
    assert (code, json.loads(out)["error"], err) == (1, "there is no tag no-such", "")
    for odd in ("", "../../etc", "a b", "ü", "x" * 5000, "%"):
        code, out, err = call("why", odd, "--url", agent.url)
        assert (code, out) == (1, "")
        assert err.startswith("edge-agent: ")


def test_over_https_the_certificate_is_verified(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]], call: Call
) -> None:
    authority = Authority(tmp_path, "authority")
    cert, key = authority.issue("gw-1")
    agent = Agent(tmp_path, start, f", cert: {cert}, key: {key}")
    assert agent.url.startswith("https://127.0.0.1:")
    code, out, err = call("status", "--url", agent.url, "--ca", authority.ca)
    assert (code, err) == (0, "")
    assert out.startswith("gw-1")
    code, out, err = call("status", "--url", agent.url)
    assert (code, out) == (1, "")
    assert "is not trusted" in err
    assert "--ca FILE" in err
    code, _, err = call("status", "--url", agent.url.replace("https", "http"))
    assert code == 1
    assert err.startswith("edge-agent: ")


def test_an_agent_that_listens_beyond_its_machine_wants_a_token(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]], call: Call
) -> None:
    authority = Authority(tmp_path, "authority")
    cert, key = authority.issue("gw-1")
    token = "a-token-of-sixteen-or-more"
    agent = Agent(tmp_path, start, f", cert: {cert}, key: {key}, tokens: {{ops: {token}}}", host="0.0.0.0")
    asked = ("status", "--url", agent.url.replace("0.0.0.0", "127.0.0.1"), "--ca", authority.ca)
    code, out, err = call(*asked)
    assert (code, out) == (1, "")
    assert "token" in err
    (tmp_path / "token").write_text(f"{token}\n")
    code, out, err = call(*asked, "--token", tmp_path / "token")
    assert (code, err) == (0, "")
    assert out.startswith("gw-1")
    (tmp_path / "token").write_text(f"{token}x")
    assert call(*asked, "--token", tmp_path / "token")[0] == 1


def test_where_no_agent_answers_it_ends_with_1_and_one_sentence(call: Call) -> None:
    port = free_port()
    for command in (["status"], ["why", "a.b"]):
        code, out, err = call(*command, "--url", f"http://127.0.0.1:{port}")
        assert (code, out) == (1, "")
        assert err == f"edge-agent: no agent answers at http://127.0.0.1:{port} (Connection refused)\n"


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[1, 2]", b"{}", b"\xff", b"[" * 100_000])
def test_what_answers_and_is_no_agent_is_told_so(call: Call, body: bytes) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if body != b"{}" else 418)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        code, out, err = call("status", "--url", url)
        server.shutdown()
        thread.join()
    assert (code, out, err) == (1, "", f"edge-agent: what answers at {url} is no agent\n")


def test_what_speaks_no_http_is_told_so(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            held, _ = server.accept()
            with held:
                held.recv(1000)
                held.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        code, _, err = call("status", "--url", f"http://127.0.0.1:{server.getsockname()[1]}")
        thread.join()
    assert code == 1
    assert err.endswith("is no agent\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["why"], ["why", "a.b", "c.d"], ["status", "x"], ["status", "--url", "localhost:8080"],
        ["status", "--url", "http://"], ["status", "--url", "http://h:99999"], ["status", "--url", "http://u:p@h"],
        ["status", "--url", "http://h/x"], ["status", "--url", "http://h", "--ca", "ca.pem"],
        ["status", "--url", "https://h", "--ca", "/no/such/file"],
        ["status", "--url", "https://h", "--ca", "/dev/null"], ["status", "--token", "/no/such/file"],
        ["status", "--token", "/dev/null"],
    ],
)  # fmt: skip
def test_wrong_usage_is_2_with_a_word_on_what_is_right(call: Call, arguments: list[str]) -> None:
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert "edge-agent" in err
    assert "Traceback" not in err


def test_an_agent_that_is_well_says_so() -> None:
    said = {
        "agent": "gw-1", "version": "0.1.0", "started": "2026-11-25T14:03:07.123+08:00", "problems": [], "devices": {},
        "destinations": {}, "counts": {"samples_read": 4}, "journal": {"ok": True, "pending": 0},
    }  # fmt: skip
    assert tell.status(said) == [
        "gw-1  version 0.1.0, running since 2026-11-25 14:03:07",
        "  all is well",
        "",
        "4 samples read",
        "journal fine, 0 records not yet on disk",
    ]
