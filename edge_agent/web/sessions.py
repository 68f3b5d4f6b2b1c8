"""Sessions of people who have logged in: by the hash of a key that only their browser has, and kept over a restart.

In memory, and in `data_dir/sessions.json` (mode 0600, written whole beside and put in place): a screen on a wall shows
its plant again after an update without somebody who walks to it. The file lets nobody in: it has no key.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from edge_agent.web.disk import write

log = logging.getLogger(__name__)

NAME: Final = "sessions.json"
# A shift; and whoever works on is not asked again for a week.
IDLE_S: Final = 12 * 3600.0
LONGEST_S: Final = 7 * 86_400.0
# More than people at a plant have browsers; then the one that was used least lately ends.
MOST: Final = 1000
# That a session was used is written so often; beside half a day that is nothing, and a card wears out from writes.
USED_EVERY_S: Final = 1800.0


@dataclass(slots=True)
class Session:
    """Somebody's session; times are the loop's, seconds."""

    user: str
    proof: str
    """which password it was begun with: with another it has ended, whatever a disk still has"""
    csrf: str
    began: float
    used: float


class Sessions:
    """All of them; `keep` after what has changed them."""

    def __init__(self, ticks: Callable[[], float], path: Path | None = None) -> None:
        """`path`: where they are kept; blocks on the disk. A file that cannot be read is as if it were not there."""
        self._ticks = ticks
        self._path = path
        self._read = _read(path) if path else {}
        self._held: OrderedDict[str, Session] = OrderedDict()
        self._due = math.inf
        self._writing = asyncio.Lock()

    def begin(self, user: str, proof: str) -> tuple[str, Session]:
        """The key for the browser, and the session."""
        key, now = secrets.token_urlsafe(32), self._now()
        session = Session(user, proof, secrets.token_urlsafe(24), now, now)
        self._held[_digest(key)] = session
        while len(self._held) > MOST:
            self._held.popitem(last=False)
        self._due = now
        return key, session

    def find(self, key: str) -> Session | None:
        """The session of a key, unless it has ended."""
        digest, now = _digest(key), self._now()
        session = self._held.get(digest)
        if session is None:
            return None
        if now - session.used > IDLE_S or now - session.began > LONGEST_S:
            self._end(digest)
            return None
        session.used = now
        self._held.move_to_end(digest)
        self._due = min(self._due, now + USED_EVERY_S)
        return session

    def end(self, key: str) -> None:
        """This one ends."""
        self._now()
        self._end(_digest(key))

    def end_all(self, user: str, but: Session | None = None) -> None:
        """All of one person end, as when the password changes."""
        self._now()
        for digest in [d for d, session in self._held.items() if session.user == user and session is not but]:
            self._end(digest)

    def goes_on(self, session: Session, proof: str) -> None:
        """With another password."""
        session.proof = proof
        self._due = self._ticks()

    async def keep(self) -> None:
        """Write what is worth it, and mostly nothing is. A disk that does not take it costs the sessions a restart."""
        if self._path is None or self._due > self._ticks():
            return
        async with self._writing:
            if self._due > self._ticks():
                return      # whoever was before has written this, too
            self._due = math.inf
            now, clock = self._now(), time.time()
            told = {
                digest: {
                    "user": one.user, "proof": one.proof, "csrf": one.csrf,
                    "began": clock - (now - one.began), "used": clock - (now - one.used),
                }
                for digest, one in self._held.items()
            }  # fmt: skip
            try:
                await asyncio.to_thread(_write, self._path, told)
            except OSError as error:
                self._due = now + USED_EVERY_S
                log.warning("api: %s cannot be written (%s); who is logged in is asked again after a restart",
                            self._path, error.strerror or error)  # fmt: skip

    def _end(self, digest: str) -> None:
        if self._held.pop(digest, None) is not None:
            self._due = self._ticks()

    def _now(self) -> float:
        """The loop's time; what was read is taken up with the first question, before which there is no loop."""
        now, clock = self._ticks(), time.time()
        for digest, one in self._read.items():
            # A clock that was set back makes nothing live longer than from now on.
            began, used = (now - max(0.0, clock - float(one[name])) for name in ("began", "used"))
            self._held[digest] = Session(str(one["user"]), str(one["proof"]), str(one["csrf"]), began, used)
        self._read = {}
        return now


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _read(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Digest → session, the least lately used first."""
    try:
        said = orjson.loads(path.read_bytes())["sessions"]
        return {
            str(digest): {"user": one["user"], "proof": one["proof"], "csrf": one["csrf"],
                          "began": float(one["began"]), "used": float(one["used"])}
            for digest, one in list(said.items())[-MOST:]
        }  # fmt: skip
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning("api: %s cannot be read (%r); everybody logs in again", path, error)
        return {}


def _write(path: Path, sessions: Mapping[str, Mapping[str, Any]]) -> None:
    write(path, orjson.dumps({"v": 1, "sessions": sessions}), 0o600)
