"""Passwords in files that somebody else renews: Kubernetes, Vault, a login service. Read at every connection.

A token that says when it expires (a JWT) is traded for its successor before it does: brokers hang up at that time,
and until then a link has time to end in good manners.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import orjson

from edge_agent.api import Credentials
from edge_agent.errors import AccessDenied

LARGEST: Final = 65535
"""bytes that CONNECT has room for"""
EARLY: Final = 0.2
EARLY_S: Final = 300.0
"""a successor is looked for in the last fifth of a token's life, five minutes at most: services renew theirs after
two thirds to four fifths of it (Kubernetes at 80 %)"""
LOOK_S: Final = 5.0
"""the file is looked at this often then"""


@dataclass(frozen=True, slots=True)
class Token:
    """What a file said."""

    text: str
    issued_s: float | None = None
    """unix time, where it is a JWT that says so"""
    expires_s: float | None = None

    @property
    def renew_s(self) -> float | None:
        """From when on a successor is looked for; None if it never expires, as far as one can see."""
        if self.expires_s is None:
            return None
        life = self.expires_s - self.issued_s if self.issued_s is not None else float("inf")
        return self.expires_s - min(EARLY_S, max(life, 0.0) * EARLY)

    def __repr__(self) -> str:
        """Never shows the token itself."""
        return f"Token(expires_s={self.expires_s})"


class Login:
    """Who we are on one connection, and until when."""

    def __init__(
        self,
        who: Credentials,
        path: Path | None = None,
        token: Token | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`path`: of the file that `token` came from. `now`: unix time, as those see it who issue tokens."""
        self.who = who
        self._path = path
        self._token = token
        self._now = now
        self._look = 0.0
        self._found = ""

    def outdated(self) -> str:
        """Why a new link should take the place of this one; '' if none should. May be asked at any time, in the event
        loop; it looks at the file in a thread, for files may lie on a network, and tells what it found the next time.
        """
        if self._token is None or self._token.renew_s is None or self._now() < self._token.renew_s:
            return ""
        if time.monotonic() >= self._look:
            self._look = float("inf")
            asyncio.get_running_loop().run_in_executor(None, self.successor).add_done_callback(self._note)
        return self._found

    def _note(self, looking: asyncio.Future[str]) -> None:
        self._look = time.monotonic() + LOOK_S
        if not looking.cancelled() and not looking.exception():
            self._found = looking.result()

    def successor(self) -> str:
        """Why the file makes this login outdated; '' if it does not. Blocks."""
        if self._path is None or self._token is None:
            return ""
        try:
            fresh = read_token("password_file", self._path)
        except AccessDenied:
            return ""       # perhaps being written just now; should it stay like this, the next connection says so
        if fresh.text == self._token.text or (fresh.expires_s or float("inf")) <= (self._token.expires_s or 0.0):
            return ""
        return "the token expires soon, and its successor has come"

    def hint(self) -> str:
        """What a broker's refusal may come from."""
        if self._token is None or self._token.expires_s is None or self._now() < self._token.expires_s:
            return ""
        return f"; the token in {self._path} expired {self._now() - self._token.expires_s:.0f} s ago by the clock here"


def read_login(who: Credentials, user_file: Path | None, password_file: Path | None) -> Login:
    """`who` with what the files say in its place. Blocks; `AccessDenied`, see `read_token`."""
    if user_file is not None:
        who = replace(who, user=read_token("user_file", user_file).text)
    if password_file is None:
        return Login(who)
    token = read_token("password_file", password_file)
    return Login(replace(who, password=token.text), password_file, token)


def read_token(key: str, path: Path) -> Token:
    """What the file at `path` says, without blanks around it. `AccessDenied` names `key`, the file and why not."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AccessDenied(f"{key}: {path}: {error}") from error
    if not text or len(text.encode()) > LARGEST:
        raise AccessDenied(f"{key}: {path}: {'is empty' if not text else 'is too long for MQTT'}")
    return Token(text, *_times(text))


def _times(text: str) -> tuple[float | None, float | None]:
    """`iat` and `exp` of a JWT (RFC 7519 section 4.1), which is not verified: that is the broker's to do."""
    parts = text.split(".")
    if len(parts) != 3:
        return None, None
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, binascii.Error):
        return None, None
    if not isinstance(claims, dict):
        return None, None
    return _number(claims.get("iat")), _number(claims.get("exp"))


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
