"""What may pass to the pages: a Host that is theirs, an Origin that is theirs, a body that is short."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.pages.guard import BODY_LIMIT, Guard

HOSTS = ("127.0.0.1", "localhost", "::1", "gw-1.plant.example", "*.pages.example")


async def passed(kind: str = "http", method: str = "GET", **headers: str) -> tuple[bool, list[Any]]:
    """Whether the application has seen the request, and what was answered."""
    seen: list[Any] = []
    sent: list[Any] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        seen.append(scope)
        if kind == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": kind, "method": method,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    await Guard(app, HOSTS)(scope, None, send)      # type: ignore[arg-type]
    return bool(seen), sent


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8081", "localhost", "[::1]:8081", "GW-1.plant.example:8081", "gw-1.plant.example.", "a.pages.example"],
)
async def test_they_are_known_under_their_names(host: str) -> None:
    assert (await passed(host=host))[0]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "b.a.pages.example", "[", "a@127.0.0.1b"]
)
async def test_under_another_name_nothing_is_shown(host: str) -> None:
    seen, [start, body] = await passed(host=host)
    assert not seen
    assert start["status"] == 421
    assert b"Host header; pages.cert has to be a certificate for it" in body["body"]


async def test_a_page_from_elsewhere_may_neither_change_nor_read_anything_nor_open_a_socket() -> None:
    here, there = {"host": "localhost:8081", "origin": "http://localhost:8081"}, "http://evil.example"
    assert (await passed(method="POST", **here))[0]
    assert (await passed("websocket", **here))[0]
    assert not (await passed(method="POST", host="localhost:8081", origin=there))[0]
    assert not (await passed(method="POST", host="localhost:8081", origin="null"))[0]
    assert not (await passed(host="localhost:8081", origin=there))[0]      # a script of that page, which reads
    seen, [close] = await passed("websocket", host="localhost:8081", origin=there)
    assert not seen
    assert close["type"] == "websocket.close"
    # Another port of this machine is another program.
    assert not (await passed("websocket", host="localhost:8081", origin="http://localhost:8080"))[0]


async def test_a_body_is_short_and_says_how_short() -> None:
    head = {"host": "localhost"}
    assert (await passed(method="POST", content_length=str(BODY_LIMIT), **head))[0]
    for wrong in ({"content_length": str(BODY_LIMIT + 1)}, {"content_length": "-1"}, {"transfer_encoding": "chunked"}):
        seen, [start, _] = await passed(method="POST", **wrong, **head)
        assert not seen
        assert start["status"] == 413


async def test_the_browser_is_told_to_load_nothing_from_elsewhere_and_to_frame_nothing() -> None:
    _, [start] = await passed(host="localhost")
    headers = dict(start["headers"])
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert headers[b"x-content-type-options"] == b"nosniff"
