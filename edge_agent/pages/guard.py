"""What every request to the pages must pass: its Host, its Origin where it has one, and the length of its body.

The pages load nothing from elsewhere and may be put into no frame: the headers tell the browser so.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Templates of the page library are compiled in the browser, hence eval.
_POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'; object-src 'none'"
)
# A site file is the longest thing that is sent here, and that through the socket.
BODY_LIMIT: Final = 100_000
_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
)


class Guard:
    """ASGI middleware; nothing that is too long is read.

    `hosts` are the names under which the pages may be asked, without port; `*.x` for those in x.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self.app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it here."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        wrong = self._wrong(host, headers.get(b"origin"))
        if wrong:
            await _refuse(scope, send, 421, wrong)
        elif scope["type"] == "http" and not _is_short(headers):
            await _refuse(scope, send, 413, f"a body of at most {BODY_LIMIT} bytes with its length in the head, please")
        else:
            await self.app(scope, receive, _with_headers(send))

    def _wrong(self, host: str, origin: str | None) -> str:
        """Why it must not pass; '' if it may."""
        name = _name(host)
        parent = name.partition(".")[2]
        if name not in self._hosts and f"*.{parent}" not in self._hosts:
            return (
                "these pages are not known under the name in the Host header; "
                "pages.cert has to be a certificate for it"
            )
        # Browsers say it of whatever changes something, of sockets, and of what a script of another site asks for.
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return "this comes from a page of another site"
        return ""


def _name(host: str) -> str:
    """The name in a Host header, without port; '' if there is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_short(headers: dict[bytes, str]) -> bool:
    """Whether the body is known to be short; the server holds it to the length it says."""
    length = headers.get(b"content-length", "0")
    return b"transfer-encoding" not in headers and length.isdigit() and int(length) <= BODY_LIMIT


def _with_headers(send: Send) -> Send:
    async def more(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return more


async def _refuse(scope: Scope, send: Send, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": why})
        return
    headers: list[Any] = [(b"content-type", b"text/plain; charset=utf-8"), *_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": why.encode()})
