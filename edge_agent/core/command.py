"""A command to write to equipment, and what became of it: what every way in says, and gets back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from edge_agent.core.writing import Value

Through = Literal["mqtt", "api"]
"""Which way a command came."""

Step = Literal["done", "refused", "failed", "unknown"]
"""done: written and read back. refused: nothing was sent to the equipment. failed: it was sent, and the
equipment said no or holds something else. unknown: it was sent, and nobody knows whether it arrived."""


@dataclass(frozen=True, slots=True)
class Command:
    """Write `value` (in the tag's unit) to `device.tag`.

    id       chosen by who asks; the same id is carried out once, whichever way it comes
    value    as it was received: a number, a truth value or a text; anything else is refused, not an error
    through  the way it came
    who      who asks, as far as that way knows it: a user's name, or the destination's
    """

    id: str
    device: str
    tag: str
    value: Any
    through: Through
    who: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a command.

    ok         it was written, and what was read back is what was asked for
    error      why not, a sentence; '' if ok
    read_back  what the tag holds after the write, in its unit; None if that is not known
    step       how far it got
    """

    ok: bool
    error: str = ""
    read_back: Value | None = None
    step: Step = "refused"
