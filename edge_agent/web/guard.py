"""What every request must pass before a route sees it: its Host header and the size of its body."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from typing import Any, Final

import orjson
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT: Final = 16_384
# A site file of some thousand tags.
FILE_LIMIT: Final = 2_000_000
FILES: Final = "/api/v1/config/"
# A body of 16 kB comes in one piece, or somebody is wasting our time.
BODY_S: Final = 10.0
# A body that is too long is read on for so many bytes, and forgotten: who is still sending hears no answer.
_PATIENCE: Final = 4_000_000
_FORM: Final = b"application/x-www-form-urlencoded"
_HEADERS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))


class Guard:
    """ASGI middleware; `hosts` are the names under which the agent may be asked, without port.

    A page from elsewhere that has its own name resolve to our address (DNS rebinding) is read by the
    browser as if it were ours; it cannot hide that name, though: it stands in the Host header.
    """

    def __init__(
        self, app: ASGIApp, hosts: Collection[str], is_known: Callable[[HTTPConnection], bool] = lambda _: False
    ) -> None:
        """`is_known`: whether whoever asks has logged in, and may send a file."""
        self._app = app
        self._is_known = is_known
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it here."""
        if scope["type"] != "http":
            return
        with contextlib.suppress(asyncio.CancelledError):   # at the agent's end, once the client is cut off
            await self._judge(scope, receive, send)

    async def _judge(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        if not self.knows(headers.get(b"host", b"").decode("latin-1")):
            await _answer(send, 421, "this agent is not known under the name in the Host header")
            return
        a_file = scope["path"].startswith(FILES) and self._is_known(HTTPConnection(scope))
        body, limit = bytearray(), FILE_LIMIT if a_file else BODY_LIMIT
        try:
            async with asyncio.timeout(BODY_S):
                whole = await _read(receive, body, limit)
        except TimeoutError:
            await _answer(send, 408, f"the body did not come within {BODY_S:g} s")
            return
        if whole is None:
            return
        if not whole:
            file = f"; a site file of {FILE_LIMIT} bytes is taken from somebody who has logged in"
            await _answer(send, 413, f"the body is longer than {limit} bytes{'' if a_file else file}")
            return
        if body and headers.get(b"content-type", _FORM).startswith(_FORM):
            # What curl says of a body of which nobody has said anything; a form may come from any page.
            await _answer(send, 422, "the body is to be JSON: add the header Content-Type: application/json")
            return
        await self._app(scope, _replay(bytes(body), receive), _with_headers(send))

    def knows(self, host: str) -> bool:
        """True for a Host header that names us."""
        name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
        name = name or port
        name = name.removeprefix("[").removesuffix("]").rstrip(".").lower()
        _, dot, parent = name.partition(".")
        return name in self._hosts or bool(dot and f"*.{parent}" in self._hosts)


async def _read(receive: Receive, body: bytearray, limit: int) -> bool | None:
    """True for the whole body; False if it is too long, None if the client has gone."""
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        piece = message.get("body", b"")
        size += len(piece)
        if size <= limit:
            body += piece
        if size > _PATIENCE or not message.get("more_body", False):
            return size <= limit


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _with_headers(send: Send) -> Send:
    async def more(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return more


async def _answer(send: Send, status: int, error: str) -> None:
    body = orjson.dumps({"error": error, "near": []})
    length = str(len(body)).encode()
    headers: list[Any] = [(b"content-type", b"application/json"), (b"content-length", length), *_HEADERS]
    # What was not read of the request must not be taken for the next one.
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
