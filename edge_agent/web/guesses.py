"""Wrong guesses, of tokens or passwords: counted by where they came from, and few of them a minute."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

# A person mistypes a few times; a program that guesses gets nowhere at ten a minute.
WRONG_A_MINUTE: Final = 10
MINUTE_S: Final = 60.0
# Sources whose wrong guesses are remembered; who comes from more of them is not stopped by counting.
SOURCES: Final = 1000


class Forbidden(Exception):
    """A request is not allowed; `status` is the HTTP status that says so, `retry_s` when to come back."""

    def __init__(self, status: int, message: str, retry_s: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.retry_s = retry_s


class Places:
    """From where people have logged in, the latest of them: whoever guesses at a name keeps nobody out who is there."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def note(self, user: str, address: str) -> None:
        """They have logged in from there."""
        self._known[user, address] = None
        self._known.move_to_end((user, address))
        if len(self._known) > SOURCES:
            self._known.popitem(last=False)

    def know(self, user: str, address: str) -> bool:
        """Whether they have done so before."""
        return (user, address) in self._known


class Guesses:
    """Wrong guesses of the last minute, by source (`from 10.0.0.9`, `for anna`); `what` is guessed, in the plural."""

    def __init__(self, what: str, ticks: Callable[[], float]) -> None:
        self._what = what
        self._ticks = ticks
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def check(self, source: str) -> None:
        """Raises Forbidden where there were too many."""
        wrong = self._wrong.get(source)
        now = self._ticks()
        while wrong and now - wrong[0] >= MINUTE_S:
            wrong.popleft()
        if wrong is not None and len(wrong) >= WRONG_A_MINUTE:
            wait = max(1, round(MINUTE_S - (now - wrong[0]) + 0.5))
            raise Forbidden(429, f"too many wrong {self._what} {source}; try again in {wait} s", wait)

    def note(self, source: str) -> int:
        """One more that was wrong; how many there are."""
        wrong = self._wrong.setdefault(source, deque(maxlen=WRONG_A_MINUTE))
        self._wrong.move_to_end(source)
        wrong.append(self._ticks())
        if len(self._wrong) > SOURCES:
            self._wrong.popitem(last=False)
        return len(wrong)
