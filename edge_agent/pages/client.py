"""Asks the agent's API on behalf of whoever looks: their session goes along, the pages have no power of their own."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from edge_agent.web.tls import names_of

API: Final = "/api/v1"
COOKIE: Final = "edge_session"
CSRF_HEADER: Final = "X-CSRF-Token"
UNKNOWN: Final = 404
"""the agent knows nothing of that name"""

# An agent answers within milliseconds; one that is asked to try a device has the device's time, too.
PATIENCE_S: Final = 20.0
# Of the 32 connections an agent serves: others want to ask it, too.
CONNECTIONS: Final = 8
# Answers shared among those who look at the same thing; a hundred screens on one plant look at fewer.
SHARED: Final = 200


class Away(Exception):
    """The agent does not answer; a sentence."""


class Refused(Exception):
    """The agent says no: its HTTP status, a sentence, and names that may have been meant."""

    def __init__(self, status: int, message: str, near: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.near = near


class LoginNeeded(Refused):
    """Nobody is logged in, or no longer."""


@dataclass(frozen=True, slots=True)
class Session:
    """What shows the API who asks, and from where; empty: nobody."""

    cookie: str = ""
    csrf: str = ""
    address: str = ""


NOBODY: Final = Session()
# A session is its browser's to keep: one kept here would go along with the next question, whoever asks it.
_KEEPS_NONE: Final = DefaultCookiePolicy(allowed_domains=[])


class Agent:
    """One agent's API. `open_reading`: who is not logged in may look, as far as the API lets them."""

    def __init__(self, url: str, ca: Path | None = None, *, open_reading: bool = True) -> None:
        """No I/O but reading `ca`."""
        self.url = url.rstrip("/")
        self.open_reading = open_reading
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS, keepalive_expiry=10.0)
        # trust_env: a proxy for the internet is none for the agent beside us.
        self._http = httpx.AsyncClient(
            base_url=self.url, limits=limits, timeout=PATIENCE_S, verify=_trusting(self.url, ca), trust_env=False,
            cookies=CookieJar(_KEEPS_NONE),
        )  # fmt: skip
        self._as = _known_as(self.url, ca)
        self._shared: OrderedDict[tuple[str, ...], tuple[float, asyncio.Task[Any]]] = OrderedDict()

    async def get(self, path: str, session: Session = NOBODY, **query: object) -> Any:
        """The document at `/api/v1` + path; `query` without what is None. Raises Away, Refused."""
        self._let_in(session)
        return _document(await self._ask("GET", path, session, query=query))

    async def shared(self, path: str, session: Session, fresh_s: float, **query: object) -> Any:
        """As `get`, but one that somebody with the same session has asked for less than `fresh_s` ago will do."""
        key = (session.cookie, path, *(f"{name}={value}" for name, value in sorted(query.items())))
        asked, task = self._shared.get(key, (0.0, None))
        if task is None or time.monotonic() - asked >= fresh_s:
            task = asyncio.create_task(self.get(path, session, **query), name=f"ask {path}")
            task.add_done_callback(_heard)
            self._shared[key] = (time.monotonic(), task)
            self._shared.move_to_end(key)
            if len(self._shared) > SHARED:
                self._shared.popitem(last=False)
        return await asyncio.shield(task)

    async def post(self, path: str, session: Session, body: object) -> Any:
        """Post JSON; the document that comes back. Raises Away, Refused."""
        self._let_in(session)
        return _document(await self._ask("POST", path, session, body=body))

    async def delete(self, path: str, session: Session) -> Any:
        """Take something away; the document that comes back. Raises Away, Refused."""
        self._let_in(session)
        return _document(await self._ask("DELETE", path, session))

    async def me(self, session: Session) -> dict[str, Any]:
        """Who that is, and what the site says of itself. Raises Away, Refused."""
        found: dict[str, Any] = _document(await self._ask("GET", "/me", session))
        return found

    async def login(self, path: str, body: Mapping[str, str], address: str) -> str:
        """Post to `/login` or `/first-user`; the new session's cookie. Raises Away, Refused."""
        cookie = (await self._ask("POST", path, Session(address=address), body=body)).cookies.get(COOKIE)
        if cookie is None:
            raise Away("what answers gives no session; is it an agent of this version?")
        return cookie

    async def close(self) -> None:
        """Let go of all connections."""
        for _, task in self._shared.values():
            task.cancel()
        await self._http.aclose()

    def _let_in(self, session: Session) -> None:
        if not self.open_reading and not session.cookie:
            raise LoginNeeded(401, "log in first")

    async def _ask(
        self,
        method: str,
        path: str,
        session: Session,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
    ) -> httpx.Response:
        # Wrong passwords are counted by where they come from, and that is not the pages.
        sent = {"X-Forwarded-For": session.address} if session.address else {}
        if session.cookie:
            sent["Cookie"] = f"{COOKIE}={session.cookie}"
        if session.csrf and method != "GET":
            sent[CSRF_HEADER] = session.csrf
        content = None
        if body is not None:
            content = json.dumps(body, ensure_ascii=False).encode()
            sent["Content-Type"] = "application/json"
        params = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        try:
            answer = await self._http.request(
                method, API + path, params=params, content=content, headers=sent, extensions=self._as
            )
        except (httpx.HTTPError, OSError) as error:
            raise Away(f"{self.url}: {error or type(error).__name__}") from error
        if answer.is_success:
            return answer
        raise _refusal(answer)


def place(*names: str) -> str:
    """A path of names: `place("machines", "press 1")` is `/machines/press%201`."""
    return "".join(f"/{quote(name, safe='')}" for name in names)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _document(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise Away("what answers is no agent") from error


def _refusal(answer: httpx.Response) -> Refused:
    try:
        said = answer.json()
    except ValueError:
        said = {}
    said = said if isinstance(said, dict) else {}
    message = str(said.get("error") or f"HTTP {answer.status_code}")
    kind = LoginNeeded if answer.status_code == 401 else Refused
    return kind(answer.status_code, message, tuple(map(str, said.get("near") or ())))


def _heard(task: asyncio.Task[Any]) -> None:
    """Whoever asked may be gone: what went wrong is nobody's then."""
    if not task.cancelled():
        task.exception()


def _trusting(url: str, ca: Path | None) -> ssl.SSLContext | bool:
    """For https the certificate must be, or be signed by, what is in `ca`; without it, the system decides."""
    parts = urlsplit(url)
    if parts.scheme != "https" or ca is None:
        return True
    context = ssl.create_default_context(cafile=ca)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN   # the agent's own certificate is enough, whoever signed it
    # The agent beside us is asked at this machine's own address, under which no certificate knows it.
    context.check_hostname = parts.hostname not in ("localhost", "127.0.0.1", "::1")
    return context


def _known_as(url: str, ca: Path | None) -> dict[str, str]:
    """The agent's own certificate may not name the address at which it is asked: it is asked as one that it names."""
    parts = urlsplit(url)
    if parts.scheme != "https" or ca is None:
        return {}
    names = names_of(ca)
    return {} if not names or parts.hostname in names else {"sni_hostname": min(names).replace("*", "agent")}
