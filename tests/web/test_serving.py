"""How the API is served: a port that is taken, slow and many clients, TLS, names, and the end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from edge_agent.errors import ConfigError
from edge_agent.web import guard, serve
from edge_agent.web.guard import Guard
from tests.peers.certificates import Authority
from tests.peers.http_client import ask
from tests.web.conftest import TOKEN, until


async def test_a_taken_port_costs_one_line_in_the_log_and_the_api_comes_once_it_is_free(
    run_site: Any, site_text: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(serve, "AGAIN_S", 0.05)
    caplog.set_level(logging.INFO)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        text = site_text().replace("127.0.0.1:0", f"127.0.0.1:{port}")
        async with run_site(text, listening=False) as agent:
            await until(lambda: agent.parts.engine.seen.any(), "acquisition goes on")
            await asyncio.sleep(0.5)
            said = [r.getMessage() for r in caplog.records if "cannot listen" in r.getMessage()]
            assert said == [
                f"api: cannot listen at 127.0.0.1:{port} (Address already in use); the agent goes on without"
            ]
            assert agent.port == 0
            holder.close()
            await until(lambda: agent.port == port, "the API listens")
            assert (await agent.get("/api/v1/tags")).status == 200


async def test_off_is_off(run_site: Any, site_text: Any) -> None:
    text = site_text().replace("127.0.0.1:0", "off")
    async with run_site(text, listening=False) as agent:
        assert agent.parts.api is None


def test_an_agent_without_the_api_carries_no_web_framework() -> None:
    loaded = "import edge_agent.agent, edge_agent.cli, sys; print({'fastapi', 'uvicorn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


async def test_the_agent_ends_at_once_whatever_clients_do(run_site: Any, site_text: Any, caplog: Any) -> None:
    async def never(*_: Any) -> Any:
        await asyncio.Event().wait()

    async with run_site(site_text(), write=never) as agent:
        idle = [await asyncio.open_connection("127.0.0.1", agent.port) for _ in range(3)]
        idle[1][1].write(b"GET /api/v1/status HTTP/1.1\r\nHost: loc")
        idle[2][1].write(b"POST /api/v1/tags/plc.state HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
        writing = asyncio.create_task(agent.post("/api/v1/tags/plc.state", {"value": 1}, token=TOKEN))
        await asyncio.sleep(0.2)
        start = time.monotonic()
    assert time.monotonic() - start < 30, "connections are kept for a minute"
    with contextlib.suppress(Exception):
        await writing
    for _, writer in idle:
        writer.close()
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET /api/v1/status HTTP/1.1\r\nHost: ",
     b"POST /api/v1/tags/plc.state HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"],
    ids=["nothing", "half a head", "half a body"],
)  # fmt: skip
async def test_a_client_that_does_not_get_to_the_point_is_shown_out(
    run_site: Any, site_text: Any, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(serve, "ASKING_S", 0.3)
    monkeypatch.setattr(guard, "BODY_S", 0.3)
    async with run_site(site_text()) as agent:
        reader, writer = await asyncio.open_connection("127.0.0.1", agent.port)
        writer.write(sent)
        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionError):
                answer = await reader.read()
                assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")
        writer.close()


async def test_a_client_that_does_not_take_its_answer_is_cut_off(
    run_site: Any, site_text: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "ANSWERING_S", 0.5)
    async with run_site(site_text()) as agent:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            slow.connect(("127.0.0.1", agent.port))
            slow.setblocking(False)
            request = b"GET /api/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
            end = time.monotonic() + 30
            with contextlib.suppress(ConnectionError):
                while time.monotonic() < end:
                    with contextlib.suppress(BlockingIOError):
                        slow.send(request)
                    await asyncio.sleep(0.001)
            assert time.monotonic() < end, "it was never cut off"
        assert (await agent.get("/api/v1/status")).status == 200


async def test_more_connections_than_people_look_are_told_so_and_leave_the_agent_alone(
    run_site: Any, site_text: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "CONNECTIONS", 4)
    async with run_site(site_text()) as agent:
        held = [await asyncio.open_connection("127.0.0.1", agent.port) for _ in range(4)]
        await answered(agent, 503)
        held += [await asyncio.open_connection("127.0.0.1", agent.port) for _ in range(30)]
        await until(
            lambda: sum(not writer.is_closing() and not reader.at_eof() for reader, writer in held) <= 8,
            "those above twice as many are cut off",
        )
        assert agent.parts.health.devices["press-1"].state == "connected"
        for _, writer in held:
            writer.close()
        await answered(agent, 200)


async def answered(agent: Any, status: int) -> None:
    """Once the agent answers so; connections come and go when it is their turn."""
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(IndexError, OSError):      # cut off without an answer
                if (await agent.get("/api/v1/status")).status == status:
                    return
            await asyncio.sleep(0.05)


async def test_the_names_of_this_machine_itself_are_known(running: Any) -> None:
    for host in ("localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8080", "[::1]:8080", "[::1]"):
        assert (await running.get("/api/v1/status", headers={"Host": host})).status == 200


async def test_a_name_that_is_not_ours_is_421_also_for_a_write(running: Any) -> None:
    for host in ("evil.example", "evil.example:8080", "localhost.evil.example", "10.0.0.1", "", "["):
        reply = await running.get("/api/v1/status", headers={"Host": host})
        assert reply.status == 421
        reply = await running.post("/api/v1/tags/plc.state", {"value": 1}, token=TOKEN, headers={"Host": host})
        assert reply.status == 421


def test_a_certificate_for_a_whole_domain_speaks_for_the_names_below_it() -> None:
    held = Guard(None, {"*.plant.example", "gw-1.example"})     # type: ignore[arg-type]
    assert held.knows("gw-7.plant.example:8443")
    assert held.knows("gw-1.example")
    assert not held.knows("plant.example")
    assert not held.knows("a.b.plant.example")


async def test_with_a_certificate_it_is_https_and_known_under_the_names_in_it(
    run_site: Any, site_text: Any, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "authority")
    cert, key = authority.issue("gw-1", names=["gw-1.plant.example"])
    text = site_text().replace("127.0.0.1:0", "0.0.0.0:0").replace("tokens:", f"cert: {cert}, key: {key}, tokens:")
    trusting = ssl.create_default_context(cafile=authority.ca)
    async with run_site(text) as agent:
        assert agent.parts.api.url == f"https://0.0.0.0:{agent.port}"
        for host, status in (("127.0.0.1", 200), ("gw-1.plant.example:8443", 200), ("evil.example", 421)):
            reply = await agent.get("/api/v1/status", tls=trusting, headers={"Host": host}, token=TOKEN)
            assert reply.status == status
        with pytest.raises(ssl.SSLCertVerificationError):
            await agent.get("/api/v1/status", tls=ssl.create_default_context())
        with pytest.raises((OSError, IndexError)):
            await ask(agent.port, "GET", "/api/v1/status")     # not encrypted


@pytest.mark.parametrize("wrong", ["no such file", "another key", "not PEM"])
async def test_a_certificate_that_is_none_starts_nothing(
    run_site: Any, site_text: Any, tmp_path: Path, wrong: str
) -> None:
    authority = Authority(tmp_path, "authority")
    cert, key = authority.issue("gw-1")
    if wrong == "no such file":
        key = tmp_path / "missing.key"
    elif wrong == "another key":
        key = authority.issue("gw-2")[1]
    else:
        cert.write_text("not PEM")
    text = site_text().replace("tokens:", f"cert: {cert}, key: {key}, tokens:")
    with pytest.raises(ConfigError, match=r"api\.(cert|key)"):
        async with run_site(text):
            pass
