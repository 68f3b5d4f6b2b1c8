"""Tag and device ids out of browse names: readable, unique, within what the site file allows. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

LONGEST: Final = 63
"""characters of an id"""

# CurMachSpeed → Cur Mach Speed, HTTPServer → HTTP Server; digits stay with the word before them.
_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")


def slug(name: str) -> str:
    """`CurMachSpeed` → `cur-mach-speed`, `Größe [mm]` → `grosse-mm`; '' where nothing of it can be kept."""
    plain = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
    plain = "".join(char for char in plain if char.isascii())
    return _NO_NAME.sub("-", _WORDS.sub("-", plain).lower()).strip("-")


def ids_of(paths: Sequence[Sequence[str]]) -> list[str]:
    """An id for each path of names, the outermost first: its last name, behind those names above it that tell it
    from others with the same last name. What is still the same, or nothing, gets a number.
    """
    words = [[word for name in path if (word := slug(name))] or ["tag"] for path in paths]
    used: set[str] = set()
    ids = []
    for base in map(_cut, _distinct(words)):
        name, number = base, 1
        while name in used:
            number += 1
            end = f"-{number}"
            name = base[: LONGEST - len(end)].rstrip("-") + end
        used.add(name)
        ids.append(name)
    return ids


def _distinct(words: Sequence[Sequence[str]]) -> list[str]:
    """The last word of each, with what distinguishes those that share it before it."""
    names = [own[-1] for own in words]
    groups = [(1, part) for part in _by_word(range(len(words)), words, 1).values()]
    while groups:
        level, group = groups.pop()
        if len(group) == 1 or all(len(words[n]) <= level for n in group):
            continue
        split = _by_word(group, words, level + 1)
        for word, part in split.items() if len(split) > 1 else ():
            for n in part if word else ():
                names[n] = f"{word}-{names[n]}"
        groups += [(level + 1, part) for part in split.values()]
    return names


def _by_word(numbers: Iterable[int], words: Sequence[Sequence[str]], level: int) -> dict[str, list[int]]:
    """Which of them have which word at that level from the end; '' for those that have none."""
    groups: dict[str, list[int]] = {}
    for n in numbers:
        groups.setdefault(words[n][-level] if len(words[n]) >= level else "", []).append(n)
    return groups


def _cut(name: str) -> str:
    """The end of a name that is too long: what tells it from others stands there."""
    if len(name) <= LONGEST:
        return name
    end = name[-LONGEST:]
    return (end.partition("-")[2] or end).strip("-") or end.strip("-")
