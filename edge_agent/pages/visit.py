"""One visitor on one page: who they are, their language and colours, and how the page asks the agent for them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from nicegui import Client, ui
from starlette.requests import Request

from edge_agent.pages.client import COOKIE, NOBODY, Agent, Away, LoginNeeded, Refused, Session
from edge_agent.pages.words import LANGUAGES, Language, Words

log = logging.getLogger(__name__)

LANGUAGE_COOKIE: Final = "edge_agent_language"
THEME_COOKIE: Final = "edge_agent_theme"
SIZE_COOKIE: Final = "edge_agent_size"
ROLES: Final = ("viewer", "operator", "engineer")
"""each may what those before it may"""

# An agent answers within milliseconds; what is seen is no longer what is now when it has been silent for so long.
LATE_S: Final = 5.0
# How long a session that has ended may go on looking at an open page.
STILL_THERE_S: Final = 30.0
# Of what equipment has said before it could not be asked, what it said last; and time to read it.
_LAST: Final = 3
_READ_MS: Final = 20_000


class Visit:
    """What a page knows of whoever looks at it; `params` are the names in its path and query."""

    def __init__(self, request: Request, agent: Agent, session: Session, me: Mapping[str, Any]) -> None:
        self.agent = agent
        self.session = session
        self.me = me
        self.path = request.url.path
        self.params: Mapping[str, str] = {**request.query_params, **request.path_params}
        self.words = Words(language_of(request, me))
        self.dark = request.cookies.get(THEME_COOKIE) == "dark"
        self.theme_known = THEME_COOKIE in request.cookies
        self.scale = scale_of(request.cookies.get(SIZE_COOKIE, ""))
        """how large letters are on the visitor's screen; 1 is usual"""
        self._client: Client | None = None
        self._say_wrong: Callable[[str], None] = lambda _: None
        self._clock = ZoneInfo(self.zone)
        self._heard = datetime.now(self._clock)
        self._checked = time.monotonic()

    async def get(self, path: str, **query: object) -> Any:
        """A document of the API. Raises Away, Refused."""
        answer = await self.agent.get(path, self.session, **query)
        self._heard = datetime.now(self._clock)
        return answer

    async def shared(self, path: str, fresh_s: float, **query: object) -> Any:
        """The same for what many screens show: an answer that young will do."""
        answer = await self.agent.shared(path, self.session, fresh_s, **query)
        self._heard = datetime.now(self._clock)
        return answer

    async def post(self, path: str, body: object) -> Any:
        """Change something, as the user who looks. Raises Away, Refused."""
        return await self.agent.post(path, self.session, body)

    async def delete(self, path: str) -> Any:
        """Take something away, as the user who looks. Raises Away, Refused."""
        return await self.agent.delete(path, self.session)

    def may(self, role: str) -> bool:
        """Whether the user has that role, or one that may more."""
        own = self.me.get("role")
        return own in ROLES and ROLES.index(own) >= ROLES.index(role)

    @property
    def zone(self) -> str:
        """The IANA zone of the site."""
        return str(self.me.get("timezone") or "UTC")

    @property
    def place(self) -> tuple[str, ...]:
        """Enterprise, site, area: those that the site names."""
        named = self.me.get("place") or {}
        return tuple(str(named[level]) for level in ("enterprise", "site", "area") if named.get(level))

    def seen_in(self, client: Client, say_wrong: Callable[[str], None]) -> None:
        """The page is put together there. `say_wrong`: that it is not what is now, a sentence; '' once it is again.

        Whatever goes wrong in what a click does is told there, too.
        """
        self._client = client
        self._say_wrong = say_wrong
        client.on_exception(self.failed)

    def every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> ui.timer:
        """Do `work` again and again while the page is open; what goes wrong is said on the page."""

        async def once() -> None:
            late = asyncio.get_running_loop().call_later(LATE_S, self._away)
            try:
                await self._still_there()
                await work()
            except LoginNeeded as error:
                self.failed(error)
            except Away:
                self._away()
            except Refused as refusal:
                self._say_wrong(self.words.refused(refusal))
            else:
                self._say_wrong("")
            finally:
                late.cancel()

        return ui.timer(seconds, once, immediate=False)

    async def attempt(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do `work`, which somebody has asked for by a click; True if it was done, else the page says why not."""
        try:
            await self._still_there()
            await work()
        except (Away, Refused) as error:
            self.failed(error)
            return False
        self._say_wrong("")
        return True

    def failed(self, error: Exception) -> None:
        """What somebody has asked for has failed: the page says why."""
        if self._client is None or self._client.is_deleted:
            return
        with self._client:
            if isinstance(error, LoginNeeded):
                ui.navigate.to(login_url(self.path))
            elif isinstance(error, Away):
                self._away()
                ui.notify(self.words("shell.away.now"), type="negative")
            elif isinstance(error, Refused):
                first, *more = str(error).splitlines() or [""]
                told = "\n".join(self.words.told(line) for line in (first, *more[-_LAST:]))
                ui.notify(
                    self.words("shell.refused", error=told),
                    type="negative",
                    multi_line=True,
                    timeout=_READ_MS,
                    close_button=self.words("shell.close"),
                    classes="said",
                )
            else:
                ui.notify(self.words("shell.broken"), type="negative", multi_line=True)

    def _away(self) -> None:
        self._say_wrong(self.words("shell.away", time=f"{self._heard:%H:%M:%S}"))

    async def _still_there(self) -> None:
        """Where a login is needed to look, whoever has logged out or is no longer known looks no longer."""
        if self.agent.open_reading or time.monotonic() - self._checked < STILL_THERE_S:
            return
        self._checked = time.monotonic()
        if not (await self.agent.me(self.session)).get("user"):
            raise LoginNeeded(401, "the session has ended")


async def enter(request: Request, agent: Agent) -> Visit:
    """A visitor comes. Raises LoginNeeded where one has to log in first, Away."""
    cookie, address = request.cookies.get(session_cookie(request), ""), request.client.host if request.client else ""
    me = await agent.me(Session(cookie, address=address))
    known = bool(me.get("user"))
    if not known and not (me.get("reading_is_open") and agent.open_reading):
        raise LoginNeeded(401, "log in first")
    session = Session(cookie, str(me.get("csrf") or ""), address) if known else NOBODY
    return Visit(request, agent, session, me)


def session_cookie(request: Request) -> str:
    """The name of the session's cookie in the browser.

    Cookies know no ports: with the port in its name, the session of another agent on the same computer is another.
    """
    port = request.headers.get("host", "").rpartition(":")[2]
    return f"{COOKIE}_{port}" if port.isascii() and port.isdigit() else COOKIE


def language_of(request: Request, me: Mapping[str, Any]) -> Language:
    """What the visitor has chosen, else what the site says."""
    for wish in (request.cookies.get(LANGUAGE_COOKIE), me.get("language")):
        if wish in LANGUAGES:
            return wish
    return LANGUAGES[0]


def scale_of(letter_px: str) -> float:
    """Of the size of a letter as the browser has told it, px: 1 to 2."""
    known = letter_px.isascii() and letter_px.isdecimal()
    return min(max(int(letter_px[:3]) / _USUAL_PX, 1.0), 2.0) if known else 1.0


# What browsers come with.
_USUAL_PX: Final = 16


def login_url(path: str) -> str:
    """The login, and back to `path` after it."""
    return f"/login?next={quote(path)}" if path != "/" else "/login"
