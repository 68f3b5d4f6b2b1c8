"""Sessions of people who have logged in: in memory, by the hash of a key that only their browser has."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# A shift; and whoever works on is not asked again for a week.
IDLE_S: Final = 12 * 3600.0
LONGEST_S: Final = 7 * 86_400.0
# More than people at a plant have browsers; then the one that was used least lately ends.
MOST: Final = 1000


@dataclass(slots=True)
class Session:
    """Somebody's session; times are the loop's, seconds."""

    user: str
    csrf: str
    began: float
    used: float


class Sessions:
    """All of them."""

    def __init__(self, ticks: Callable[[], float]) -> None:
        self._ticks = ticks
        self._held: OrderedDict[str, Session] = OrderedDict()

    def begin(self, user: str) -> tuple[str, Session]:
        """The key for the browser, and the session."""
        key, now = secrets.token_urlsafe(32), self._ticks()
        session = Session(user, secrets.token_urlsafe(24), now, now)
        self._held[_digest(key)] = session
        while len(self._held) > MOST:
            self._held.popitem(last=False)
        return key, session

    def find(self, key: str) -> Session | None:
        """The session of a key, unless it has ended."""
        digest, now = _digest(key), self._ticks()
        session = self._held.get(digest)
        if session is None:
            return None
        if now - session.used > IDLE_S or now - session.began > LONGEST_S:
            del self._held[digest]
            return None
        session.used = now
        self._held.move_to_end(digest)
        return session

    def end(self, key: str) -> None:
        """This one ends."""
        self._held.pop(_digest(key), None)

    def end_all(self, user: str, but: Session | None = None) -> None:
        """All of one person end, as when the password changes."""
        for digest in [d for d, session in self._held.items() if session.user == user and session is not but]:
            del self._held[digest]


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
