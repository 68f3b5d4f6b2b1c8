"""How the pages ask the agent: with the session of whoever looks, and with no other."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge_agent.pages.client import NOBODY, Agent, Away, LoginNeeded, Session
from edge_agent.web.tls import server_context
from tests.peers.certificates import Authority

_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
    b"Set-Cookie: edge_session=annas; Path=/; HttpOnly\r\n\r\n{}"
)


@asynccontextmanager
async def agent_that_gives_cookies(
    tls: ssl.SSLContext | None = None, ca: Path | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[Agent, list[dict[str, str]]]]:
    """Asks a server that sets a session's cookie with each answer; and the headers it was sent."""
    asked: list[dict[str, str]] = []

    served: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError), contextlib.closing(writer):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                rows = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
                headers = {name.lower(): value for name, _, value in rows if name}
                await reader.readexactly(int(headers.get("content-length", 0)))
                asked.append(headers)
                writer.write(_ANSWER)

    async with await asyncio.start_server(serve, host, 0, ssl=tls) as server:
        scheme = "https" if tls else "http"
        agent = Agent(f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}", ca)
        yield agent, asked
        await agent.close()
        await asyncio.gather(*filter(None, served))


async def test_the_session_of_one_never_goes_along_with_the_question_of_another() -> None:
    async with agent_that_gives_cookies() as (agent, asked):
        assert await agent.login("/login", {"user": "anna", "password": "…"}, "10.0.0.9") == "annas"
        await agent.me(NOBODY)
        await agent.me(Session("berts", address="10.0.0.8"))
        await agent.post("/users", Session("berts", "token"), {})
    assert [one.get("cookie") for one in asked] == [None, None, "edge_session=berts", "edge_session=berts"]
    assert [one.get("x-forwarded-for") for one in asked] == ["10.0.0.9", None, "10.0.0.8", None]
    assert [one.get("x-csrf-token") for one in asked] == [None, None, None, "token"]


async def test_the_agents_own_certificate_is_enough_whoever_signed_it_and_no_other(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("gateway")
    other, _ = authority.issue("other")
    async with agent_that_gives_cookies(server_context(cert, key), cert) as (agent, asked):
        await agent.me(NOBODY)
        stranger = Agent(agent.url, other)
        with pytest.raises(Away, match="CERTIFICATE_VERIFY_FAILED"):
            await stranger.me(NOBODY)
        await stranger.close()
    assert len(asked) == 1


async def test_the_agents_own_certificate_is_enough_wherever_it_is_asked(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("gateway")
    async with agent_that_gives_cookies(server_context(cert, key), cert, "127.0.0.2") as (agent, asked):
        await agent.me(NOBODY)
        assert asked[-1]["host"].startswith("127.0.0.2:")
        signed = Agent(agent.url, authority.ca)
        with pytest.raises(Away, match="CERTIFICATE_VERIFY_FAILED"):
            await signed.me(NOBODY)     # of an authority anybody may have a certificate
        await signed.close()


async def test_those_who_look_at_the_same_are_told_the_same_and_others_are_asked_for() -> None:
    async with agent_that_gives_cookies() as (agent, asked):
        await asyncio.gather(*(agent.shared("/overview", NOBODY, 60.0) for _ in range(5)))
        assert len(asked) == 1
        await agent.shared("/overview", Session("berts"), 60.0)
        assert len(asked) == 2


@pytest.mark.parametrize("session", [NOBODY, Session(csrf="of nobody")])
async def test_where_a_login_is_needed_nobody_asks_without_a_session(session: Session) -> None:
    agent = Agent("http://127.0.0.1:9", open_reading=False)
    for ask in (agent.get("/tags", session), agent.shared("/tags", session, 1.0), agent.post("/users", session, {})):
        with pytest.raises(LoginNeeded):
            await ask
    await agent.close()
