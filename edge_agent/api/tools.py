"""What an engineer wants to know of equipment before there is a site file: finding, probing, measuring."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from edge_agent.core.quantity import duration_ns

Tell = Callable[[str], None]
"""Shows progress to whoever waits, a line at a time."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found at a URL.

    section  the YAML of a device section that works as it stands
    rows     the same as a tag list: device, tag, address, type, order, scale, offset, unit, and more;
             every row with the same keys
    """

    section: str
    rows: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Measured:
    """A setting found by experiment: as the device section writes it, and what was seen. An empty `value`:
    nothing can be said of the key, and `why` says why."""

    key: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What an engineer asks of a tool besides URL and addresses.

    tell     shows progress
    enough   whether to end now, with what was found so far; asked between requests
    options  what else the command line says, by name, as written; ValueError for one that is not understood
    keys     of a device section, such as a timeout, that hold while asking
    """

    tell: Tell
    enough: Callable[[], bool] = lambda: False
    options: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=dict)

    def check(self, known: Collection[str], equipment: str) -> None:
        """ValueError names an option that the tool does not have for such equipment (`a Modbus device`)."""
        for name in self.options:
            if name not in known:
                raise ValueError(f"there is no --{name} with {equipment}; there are {', '.join(sorted(known))}")

    def seconds(self, name: str, default_s: float) -> float:
        """An option such as 20ms, in seconds. ValueError if it is none."""
        if name not in self.options:
            return default_s
        try:
            return duration_ns(self.options[name]) / 1e9
        except ValueError:
            told = f"--{name} {self.options[name]}: not a duration; write for example 20ms or 1s"
            raise ValueError(told) from None

    def whole(self, name: str, default: int, most: int) -> int:
        """An option that is a number from 1 to `most`. ValueError if it is none."""
        text = self.options.get(name, str(default))
        if text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most:
            return int(text)
        raise ValueError(f"--{name} {text}: not a number from 1 to {most}")


@dataclass(frozen=True, slots=True)
class Branch:
    """What stands directly below a node of equipment that has a tree.

    children  one mapping each, in the order of the equipment:
              node      as a site file writes it, and as `browse` takes it again
              name      in the equipment's own words        display   what it calls itself besides, or ""
              sort      "object" (may have children) or "variable"
              kind, unit, value, status   of a variable, as text; status "" for a good value
              writable  for whoever asks                    names     number → name, of an enumeration
              fields    names of a structure's fields
              field_tags  field → what a site file says of it; {} where it has none, or may be left out
              tag       what a site file says of it, None where it makes no tag
              machine   the key of `machines:` that takes it as an instance (`packml`), None for anything else
    cut       there are more
    """

    children: Sequence[Mapping[str, Any]]
    cut: bool = False


class Tools(Protocol):
    """What an engineer wants to know of a device before there is a site file; may take minutes. Never writes.

    All raise `ValueError` for a URL, address, option or key that is none, `NotConnected` where nothing
    answers, `AccessDenied` where it may not be asked, `Refused` where it does not give what the rest needs.
    """

    schemes: Sequence[str]
    """of the URLs it understands, without ://"""

    async def discover(self, url: str, inquiry: Inquiry) -> Discovery:
        """What is there: devices behind the URL, what can be read of each."""
        ...

    async def probe(self, url: str, addresses: Sequence[str], inquiry: Inquiry) -> Sequence[Mapping[str, Any]]:
        """All plausible readings of live values, address by address, best first; one mapping a reading:

        address  as given, or one of a range      about   what else is to be known of the address, in words
        type, order, values   as a site file names them; the values over the reads
        score    0 to 99                          why     the reason, in words
        tag      a tag in one line that gives it
        """
        ...

    async def limits(self, url: str, addresses: Sequence[str], inquiry: Inquiry) -> Sequence[Measured]:
        """The settings to use with the device."""
        ...


@runtime_checkable
class Browser(Protocol):
    """Tools of equipment that shows a tree of what it has. Raises as `Tools` does."""

    async def browse(self, url: str, node: str, inquiry: Inquiry) -> Branch:
        """What stands directly below `node`, with the values of now; "" for where one begins."""
        ...
