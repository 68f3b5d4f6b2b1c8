"""Room for pieces between two machines of a line."""

from __future__ import annotations

from collections.abc import Callable

Wake = Callable[[int], None]


class Buffer:
    """`room` pieces fit; `wake_before` and `wake_behind` tell its neighbours that something has changed."""

    def __init__(self, room: int, wake_before: Wake, wake_behind: Wake) -> None:
        self.room = room
        self.pieces = 0
        self._wake_before, self._wake_behind = wake_before, wake_behind

    def is_empty(self) -> bool:
        """Nothing to take."""
        return self.pieces == 0

    def is_full(self) -> bool:
        """No room for another."""
        return self.pieces >= self.room

    def put(self, now: int) -> None:
        """One more; the machine behind may have waited for it."""
        self.pieces += 1
        self._wake_behind(now)

    def take(self, now: int) -> None:
        """One less; the machine before may have waited for the room."""
        self.pieces -= 1
        self._wake_before(now)
