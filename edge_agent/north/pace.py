"""How fast a destination may be told: so many messages, or bytes, a second; computes, never waits."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

SLOWER_S: Final = (5.0, 15.0)
"""long enough for a quota to refill, and spread, for others are told the same"""

# What may come at once after a pause: a platform that allows ten a second does not mind ten in one moment.
BURST_S = 1.0


@dataclass(slots=True)
class Pace:
    """A bucket that fills by `rate` a second, up to one second's worth; 0: as fast as it goes.

    More than it holds may be taken: the debt is waited for afterwards. So what is larger than a second's worth goes
    through, too.
    """

    rate: float
    _level: float = 0.0
    _at: float | None = None

    def wait(self, now: float, amount: float = 0.0) -> float:
        """Seconds from `now` (monotonic) until `amount` may be taken; 0: how much will be known only afterwards."""
        if not self.rate:
            return 0.0
        self._fill(now)
        return max(0.0, (min(amount, self.rate * BURST_S) - self._level) / self.rate)

    def take(self, amount: float, now: float) -> None:
        """So much goes out now."""
        if self.rate:
            self._fill(now)
            self._level -= amount

    def _fill(self, now: float) -> None:
        most = self.rate * BURST_S
        self._level = most if self._at is None else min(most, self._level + self.rate * (now - self._at))
        self._at = now


def slower_s() -> float:
    """Seconds to leave a peer in peace that cannot take more at present."""
    return random.uniform(*SLOWER_S)  # noqa: S311 — spreads load, keeps no secret
