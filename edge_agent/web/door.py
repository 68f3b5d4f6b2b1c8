"""Who asks, and what they may: a token of the site file, or the session of somebody who has logged in."""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Final, Literal, NamedTuple

from fastapi import Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer
from starlette.requests import HTTPConnection

from edge_agent.web.access import Access
from edge_agent.web.guesses import Forbidden, Guesses, Places
from edge_agent.web.people import People, Role
from edge_agent.web.sessions import Session, Sessions

log = logging.getLogger(__name__)

Right = Literal["read", "say", "write", "configure"]
RIGHTS: Final[Mapping[str, frozenset[Right]]] = {
    "viewer": frozenset({"read"}),
    "operator": frozenset({"read", "say"}),
    "engineer": frozenset({"read", "say", "write", "configure"}),
    "token": frozenset({"read", "say", "write"}),
    "anyone": frozenset({"read"}),
}
"""Role → what it may; a token of the site file is for programs, and no program changes the site file."""
_NEEDED: Final[Mapping[Right, str]] = {
    "read": "a viewer", "say": "an operator", "write": "an engineer", "configure": "an engineer",
}  # fmt: skip

COOKIE: Final = "edge_session"
CSRF: Final = "x-csrf-token"
_SAFE: Final = ("GET", "HEAD", "OPTIONS")
# Without letters that look like others; 58 bits, and ten guesses a minute.
_CODE_LETTERS: Final = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_CODE_LENGTH: Final = 12


class Who(NamedTuple):
    """Whoever asks."""

    name: str
    role: Role | Literal["token", "anyone"]
    session: Session | None = None

    def may(self, right: Right) -> bool:
        """Whether the role has it."""
        return right in RIGHTS[self.role]


ANYONE: Final = Who("", "anyone")


class Lobby:
    """What outlives a change of the site file: people, their sessions, and the code of the first visit."""

    def __init__(self, people: People, sessions: Sessions, ticks: Callable[[], float]) -> None:
        self.people = people
        self.sessions = sessions
        self.guesses = Guesses("passwords", ticks)
        self.places = Places()
        letters = "".join(secrets.choice(_CODE_LETTERS) for _ in range(_CODE_LENGTH))
        self.code = "-".join(letters[at : at + 4] for at in range(0, _CODE_LENGTH, 4))

    @property
    def is_new(self) -> bool:
        """Nobody can log in yet, and somebody may be the first."""
        return not len(self.people) and not self.people.trouble

    def is_code(self, given: str) -> bool:
        """Whether it is the code of the first visit, however it was typed."""
        typed = "".join(given.split()).replace("-", "").upper()
        return hmac.compare_digest(typed.encode("utf-8", "replace"), self.code.replace("-", "").encode())


class Door:
    """Lets in or refuses; `reading_is_open`: whoever reaches the API may look."""

    def __init__(self, access: Access, lobby: Lobby, *, reading_is_open: bool, secure: bool) -> None:
        self._access = access
        self.lobby = lobby
        self.reading_is_open = reading_is_open
        self.secure = secure
        """whether it is served by TLS, and cookies are for that only"""
        self.over = asyncio.Event()
        """what is shown is shown no more: streams of it end"""

    def admit(self, request: Request, right: Right) -> Who:
        """Whoever asks, if they may; raises Forbidden."""
        who = self._by_session(request)
        if who is None and right == "read" and self.reading_is_open:
            return ANYONE
        who = who or self._by_token(request) or self._stranger(request)
        if not who.may(right):
            raise Forbidden(403, f"{who.name} is {_a(who.role)}; this needs {_NEEDED[right]}")
        if who.session and request.method not in _SAFE:
            given = request.headers.get(CSRF, "").encode("utf-8", "replace")
            if not hmac.compare_digest(given, who.session.csrf.encode()):
                raise Forbidden(403, f"send the header {CSRF} with what /api/v1/me says; a page from elsewhere cannot")
        return who

    def lets_look(self, request: Request) -> bool:
        """Whether whoever asks may look, and go on looking."""
        try:
            return self.reading_is_open or self.known(request) is not None
        except Forbidden:
            return False

    def has_session(self, request: HTTPConnection) -> bool:
        """Whether whoever asks has logged in."""
        return self._by_session(request) is not None

    def known(self, request: Request) -> Who | None:
        """Whoever has a session that goes on, or a token; None: nobody said who they are. Raises Forbidden."""
        return self._by_session(request) or self._by_token(request)

    def _by_session(self, request: HTTPConnection) -> Who | None:
        key = request.cookies.get(COOKIE)
        session = self.lobby.sessions.find(key) if key else None
        person = self.lobby.people.find(session.user) if session else None
        if session is None or person is None or session.proof != person.proof:
            return None
        return Who(person.name, person.role, session)

    def _by_token(self, request: Request) -> Who | None:
        authorization = request.headers.get("authorization")
        return self._named(authorization, request) if authorization else None

    def _named(self, authorization: str | None, request: Request) -> Who:
        name = self._access.who(authorization, address_of(request))
        return Who(name, "viewer" if self._access.only_looks(name) else "token")

    def _stranger(self, request: Request) -> Who:
        if request.cookies.get(COOKIE):
            raise Forbidden(401, "the session has ended; log in again")
        if not self.lobby.is_new and not self._access.knows_any:
            raise Forbidden(401, "this needs somebody who has logged in: POST /api/v1/login")
        return self._named(None, request)


def may(right: Right) -> Callable[..., Awaitable[Who]]:
    """A dependency: whoever asks, if they have the right; else the request ends here."""

    async def admitted(
        request: Request, _token: object = Security(_BEARER), _session: object = Security(_SESSION)
    ) -> Who:
        door: Door = request.app.state.door
        who = door.admit(request, right)
        await door.lobby.sessions.keep()
        return who

    return admitted


# Only for the document: the door reads both itself, to say what is wrong with them.
_BEARER: Final = HTTPBearer(auto_error=False, description="a token of the site file")
_SESSION: Final = APIKeyCookie(name=COOKIE, auto_error=False, description="what POST /api/v1/login sets")


def address_of(request: Request) -> str:
    """Where a request came from: what a process on this machine, such as the pages', says of its own client."""
    peer = request.client.host if request.client else "an unknown address"
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    try:
        return str(ip_address(forwarded)) if forwarded and ip_address(peer).is_loopback else peer
    except ValueError:
        return peer


def _a(role: str) -> str:
    return f"an {role}" if role[0] in "aeiou" else f"a {role}"
