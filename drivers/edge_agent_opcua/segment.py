"""One name of a browse path: how it is written, and which browse names it means."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

RESERVED: Final = "/.<>:#!&*?[]"
"""Characters that `&` makes part of a name: those of OPC UA Part 4, A.2, the wildcards, and the brackets of fields"""

_INDEX: Final = re.compile(r"([0-9]+):")
_INDEX_MAX: Final = 0xFFFF
_NEEDS: Final = re.compile(r"[&/#*?]|^[<!]|^[0-9]+:")


@dataclass(frozen=True, slots=True)
class Segment:
    """A browse name, or a pattern for some; without `index` and `uri`, in any namespace.

    `pattern` is a regular expression with a group for each `*`; '' where only `name` itself is meant.
    """

    name: str
    index: int | None = None
    uri: str | None = None
    pattern: str = ""

    @property
    def is_pattern(self) -> bool:
        """Whether it has wildcards."""
        return self.pattern != ""

    @property
    def is_exact(self) -> bool:
        """Whether it is a whole browse name, which a server can look up."""
        return not self.pattern and (self.index is not None or self.uri is not None)

    def index_in(self, namespaces: Sequence[str]) -> int | None:
        """The namespace index meant; None for any. LookupError: the server has no such namespace."""
        if self.uri is None:
            return self.index
        if self.uri not in namespaces:
            raise LookupError(self.uri)
        return namespaces.index(self.uri)

    def match(self, name: str) -> re.Match[str] | None:
        """Whether the name (its namespace apart) is meant; the groups are what stands for each `*`."""
        return _compiled(self.pattern or re.escape(self.name)).fullmatch(name)

    def __str__(self) -> str:
        """As a user may write it."""
        name = self.name if self.pattern else escaped(self.name)
        if self.uri is not None:
            return f"nsu={self.uri.replace('%', '%25').replace(';', '%3B').replace('#', '##')};{name}"
        return name if self.index is None else f"{self.index}:{name}"


@lru_cache(10_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


def escaped(name: str) -> str:
    """A name as it is written in a path."""
    if _NEEDS.search(name) is None:
        return name
    digits = _INDEX.match(name)
    if digits is not None:
        return f"{digits[1]}&:{_quoted(name[digits.end() :])}"
    return f"&{name[0]}{_quoted(name[1:])}" if name[0] in "<!" else _quoted(name)


def _quoted(name: str) -> str:
    return re.sub(r"[&/#*?]", r"&\g<0>", name)


class Reader:
    """Reads a path or node id from left to right; `stars` are the places of the wildcards `*` so far."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.stars: list[int] = []
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        """Nothing is left."""
        return self._at >= len(self.text)

    @property
    def rest(self) -> str:
        """What is not read yet."""
        return self.text[self._at :]

    def take(self, char: str) -> bool:
        """Whether `char` comes next; then it is read."""
        found = self.text.startswith(char, self._at)
        self._at += found
        return found

    def until(self, end: str) -> str | None:
        """What comes before `end`, which is read too; None if there is no `end`."""
        close = self.text.find(end, self._at)
        if close < 0:
            return None
        start, self._at = self._at, close + len(end)
        return self.text[start:close]

    def until_field(self) -> str:
        """What comes before a single `#`, each double one as one."""
        return self._doubled("")

    def name(self, ends: str) -> str:
        """What comes before one of `ends`, without the `&` of escaped characters."""
        return "".join(char for char, _ in self._characters(ends))

    def segment(self) -> Segment:
        """The next name of a path, up to a `/`, a single `#` or the end."""
        begin = self._at
        index, uri = self._namespace()
        if self.text[self._at : self._at + 1] == "<":
            raise ValueError(
                f"has a reference type at {self.rest!r}; / follows every hierarchical reference, "
                "and a < that belongs to the name is written &<"
            )
        start = self._at
        characters = self._characters("/")
        if not characters:
            rest = repr(self.text[begin:]) if begin < len(self.text) else "the end"
            raise ValueError(f"has an empty name before {rest}; write for example 2:Press between two /")
        name = "".join(char for char, _ in characters)
        if all(literal or char not in "*?" for char, literal in characters):
            return Segment(name, index, uri)
        return Segment(self.text[start : self._at], index, uri, _expression(characters))

    def _namespace(self) -> tuple[int | None, str | None]:
        if self.text.startswith("nsu=", self._at):
            return None, self._uri()
        match = _INDEX.match(self.text, self._at)
        if match is None:
            return None, None
        if len(match[1]) > 5 or int(match[1]) > _INDEX_MAX:
            raise ValueError(f"has the namespace index {match[1]}, the largest is {_INDEX_MAX}")
        self._at = match.end()
        return int(match[1]), None

    def _uri(self) -> str:
        begin = self._at
        self._at += len("nsu=")
        uri = self._doubled(";")
        if not uri or not self.take(";"):
            raise ValueError(
                f"has no namespace and ; after nsu= at {self.text[begin:]!r}; "
                "write for example nsu=http://acme.example/cnc/;Line, a # of the namespace doubled"
            )
        # As in node ids (Part 6, 5.3.1.11).
        return uri.replace("%3B", ";").replace("%3b", ";").replace("%25", "%")

    def _doubled(self, ends: str) -> str:
        read = ""
        while not self.is_at_end:
            char = self.text[self._at]
            if char in ends or (char == "#" and not self.text.startswith("##", self._at)):
                break
            self._at += 2 if char == "#" else 1
            read += char
        return read

    def _characters(self, ends: str) -> list[tuple[str, bool]]:
        """Characters, and whether each stands for nothing but itself."""
        read: list[tuple[str, bool]] = []
        while not self.is_at_end:
            char = self.text[self._at]
            following = self.text[self._at + 1 : self._at + 2]
            if char in ends or (char == "#" and following != "#"):
                break
            if char == "&" and (not following or following not in RESERVED):
                before = repr(following) if following else "the end"
                raise ValueError(
                    f"has a single & before {before}; write && for a & that belongs to the name "
                    f"(& goes before one of {RESERVED})"
                )
            doubled = char in "&#"
            if char == "*":
                self.stars.append(self._at)
            read.append((following if doubled else char, doubled))
            self._at += 1 + doubled
        return read


def _expression(characters: Sequence[tuple[str, bool]]) -> str:
    wild = {"*": "(.*)", "?": "."}
    return "".join(re.escape(char) if literal else wild.get(char, re.escape(char)) for char, literal in characters)
