"""A step function of time that does not care in which order, or how often, it is told."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any, Generic, Protocol, TypeVar


class Ordered(Protocol):
    def __lt__(self, other: Any, /) -> bool: ...


V = TypeVar("V", bound=Ordered)


class Steps(Generic[V]):
    """Values that hold from their instant until the next one.

    Of two values given for the same instant the greater one stays, whichever came first: any
    permutation and any duplication of the same calls leaves the same function. `times` is strictly
    increasing, `values` runs beside it.
    """

    def __init__(self) -> None:
        self.times: list[int] = []
        self.values: list[V] = []

    def put(self, t: int, value: V) -> bool:
        """From `t` on, `value`. Whether that changed anything."""
        if not self.times or t > self.times[-1]:
            self.times.append(t)
            self.values.append(value)
            return True
        at = bisect_left(self.times, t)
        if self.times[at] != t:
            self.times.insert(at, t)
            self.values.insert(at, value)
            return True
        if self.values[at] < value:
            self.values[at] = value
            return True
        return False

    def before(self, t: int) -> V | None:
        """The value that held just before `t`; `None` before the first."""
        at = bisect_left(self.times, t) - 1
        return self.values[at] if at >= 0 else None

    def at(self, t: int) -> V | None:
        """The value that holds from `t` on; `None` before the first."""
        at = bisect_right(self.times, t) - 1
        return self.values[at] if at >= 0 else None

    def changes(self, start: int, end: int) -> list[int]:
        """The instants strictly inside (start, end) at which a value begins."""
        return self.times[bisect_right(self.times, start) : bisect_left(self.times, end)]

    def drop_from(self, t: int) -> None:
        """Forget all that begins at `t` or later."""
        at = bisect_left(self.times, t)
        del self.times[at:]
        del self.values[at:]

    def copy(self) -> Steps[V]:
        """The same function, on its own from now on."""
        made: Steps[V] = Steps()
        made.times, made.values = list(self.times), list(self.values)
        return made

    def drop_before(self, t: int) -> None:
        """Forget what no longer matters from `t` on; the value that holds at `t` stays."""
        at = bisect_right(self.times, t) - 1
        if at > 0:
            del self.times[:at]
            del self.values[:at]
