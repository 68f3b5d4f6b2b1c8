"""Property identifiers of thing models (物模型), made from names of tags and figures by one rule.

What is no letter, digit or underscore becomes an underscore; what does not begin with a letter gets `p_` before it;
what is too long is cut, and the end replaced by an underscore and six hexadecimal digits of the SHA-256 of the whole
name. The things of one owner that is a sub-device are called by their own name (`temp`), all others by owner and name
(`press_1_temp`). Exceptions are written by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

_OTHER: Final = re.compile(r"[^A-Za-z0-9_]")
_GOOD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_TAIL: Final = 7


@dataclass(frozen=True, slots=True)
class Rule:
    """What a platform allows as an identifier; `reserved` in lower case."""

    longest: int
    reserved: frozenset[str] = frozenset()

    def made(self, name: str) -> str:
        """An identifier for any name that is not empty."""
        made = _OTHER.sub("_", name)
        if not made[0].isalpha() or made.lower() in self.reserved:
            made = f"p_{made}"
        if len(made) > self.longest:
            made = f"{made[: self.longest - _TAIL]}_{sha256(name.encode()).hexdigest()[: _TAIL - 1]}"
        return made

    def mistake(self, identifier: str) -> str:
        """Why this is no identifier there; '' if it is one."""
        if not _GOOD.fullmatch(identifier):
            return "is no identifier: a letter, then letters, digits and _"
        if len(identifier) > self.longest:
            return f"is too long: at most {self.longest} characters"
        return "is reserved by the platform" if identifier.lower() in self.reserved else ""


class Names:
    """The identifiers of one destination; bounded by the number of names the site has.

    apart       owners (devices, machines …) that are sub-devices of their own
    exceptions  `owner.name` → identifier
    """

    def __init__(self, rule: Rule, apart: Iterable[str], exceptions: Mapping[str, str]) -> None:
        self.rule = rule
        self._apart = frozenset(apart)
        self._exceptions = dict(exceptions)
        self._known: dict[tuple[str, str], str] = {}

    def of(self, owner: str, name: str) -> str:
        """The identifier of `name` of `owner`; an owner '' is the gateway itself."""
        key = owner, name
        found = self._known.get(key)
        if found is None:
            whole = name if not owner or owner in self._apart else f"{owner}_{name}"
            found = self._known[key] = self._exceptions.get(f"{owner}.{name}") or self.rule.made(whole)
        return found


def clashes(names: Names, named: Iterable[tuple[str, str, str]]) -> list[str]:
    """`(thing, owner, name)` of all that is reported: a sentence for every two of one thing with one identifier."""
    taken: dict[tuple[str, str], str] = {}
    found = []
    for thing, owner, name in named:
        identifier, said = names.of(owner, name), f"{owner}.{name}"
        first = taken.setdefault((thing, identifier), said)
        if first != said:
            found.append(f"{first} and {said} would both be {identifier!r}")
    return found
