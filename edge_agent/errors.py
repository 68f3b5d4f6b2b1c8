"""What can go wrong, sorted by what the caller should do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


class EdgeAgentError(Exception):
    """Base of every error this package raises on purpose."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake in a configuration: where, what was written, and what would be right."""

    key: str
    message: str
    value: str = ""
    hint: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        """`site.yaml:12: devices.press-1.poll: 'fast' is not a duration; write 500ms, 1s or 5min`."""
        place = f"{self.file}:{self.line}: " if self.file else ""
        shown = f"{self.value!r} " if self.value else ""
        return f"{place}{self.key}: {shown}{self.message}" + (f"; {self.hint}" if self.hint else "")


class ConfigError(EdgeAgentError):
    """The configuration is wrong: start nothing, show every mistake, exit 78."""

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


def made_of_all(names: Iterable[K], make: Callable[[K], V]) -> dict[K, V]:
    """What `make` makes of each; a ConfigError has the mistakes of all, not only of the first."""
    made: dict[K, V] = {}
    found: list[Mistake] = []
    for name in names:
        try:
            made[name] = make(name)
        except ConfigError as error:
            found += error.mistakes
    if found:
        raise ConfigError(*found)
    return made


class NotConnected(EdgeAgentError):
    """The line is gone or never came up: drop the session, wait, try a fresh one.

    reason          a `core.quality.Reason`: what the tags of that line are marked with
    retry_after_s   before so many seconds have passed, the next attempt makes no sense
    """

    def __init__(self, message: str, *, reason: int = 1, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.reason = reason
        self.retry_after_s = retry_after_s


class Busy(NotConnected):
    """The line works, but the peer takes no more at present: send again, over the same line, all items from `start` on,
    once `retry_after_s` have passed. (Or over a fresh one: who does not know this error is right with that, too.)

    reasons  by position before `start`: why the peer refuses that item for good
    """

    def __init__(
        self, message: str, start: int, retry_after_s: float, reasons: Mapping[int, str] | None = None
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.start = start
        self.reasons = dict(reasons or {})


class AccessDenied(EdgeAgentError):
    """The peer knows us and says no (password, certificate, licence): retrying soon will not help."""


class Refused(EdgeAgentError):
    """A write (or what an engineer's tool needs to begin with) that was not carried out, or not as asked: says
    why; the line is as it was. `sent`: whether anything was sent that was meant to change something."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class Rejected(EdgeAgentError):
    """The line works, but the peer refuses these items for good: mark them, go on with the rest.

    parts  by position: what of an item was refused, where the peer has taken the rest of it
    """

    def __init__(
        self,
        positions: Sequence[int],
        reasons: Mapping[int, str] | None = None,
        parts: Mapping[int, bytes] | None = None,
    ) -> None:
        self.positions = tuple(positions)
        self.reasons = dict(reasons or {})
        self.parts = dict(parts or {})
        super().__init__(f"rejected positions {self.positions}: {self.reasons}")
