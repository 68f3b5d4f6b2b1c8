"""How much goes to a destination at once: as much as takes about half a second, whatever the link can carry.

What is under way is released only as a whole, and all else waits for it meanwhile; so a thin link must be given little,
or it is lost before anything is done, again and again.
"""

from __future__ import annotations

from typing import Final

RECORDS: Final = 400
"""several windows of a link, for at the end of each sending the window runs empty; little enough to repeat"""
TURN_S: Final = 0.5
"""what is new waits at most for the turn of a backlog under way: less than a person notices"""


class Turn:
    """Of one kind of records, over one link: begins with one record, doubles and halves."""

    def __init__(self) -> None:
        self.size = 1
        """records"""
        self._least_s = float("inf")

    def took(self, records: int, seconds: float) -> None:
        """The last one had so many records, and took so long.

        What the shortest one took counts for nothing: over a satellite each takes a second, be it ever so small.
        """
        self._least_s = min(self._least_s, seconds)
        beyond = seconds - self._least_s
        if beyond > TURN_S:
            self.size = max(self.size // 2, 1)
        elif beyond < TURN_S / 2 and records >= self.size:
            self.size = min(2 * self.size, RECORDS)
