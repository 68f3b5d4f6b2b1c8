"""The shipped scenarios: which there are, and which are meant by a word."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from edge_agent.api import ConfigError, Mistake
from edge_agent_hil.runner.load import LIBRARY, Loaded, load

ALL, FAST = "all", "fast"


def library() -> list[str]:
    """Names of the shipped scenarios."""
    return sorted(path.stem for path in LIBRARY.glob("*.yaml"))


def chosen(words: Iterable[str]) -> list[Loaded]:
    """The scenarios meant by files, names, `all` and `fast`; `ConfigError` has every mistake in any of them."""
    found: dict[Path, Loaded] = {}
    mistakes: list[Mistake] = []
    for word in words:
        is_set = word in (ALL, FAST) and not Path(word).exists()
        for path in [_file(name) for name in library()] if is_set else [find(word)]:
            try:
                loaded = found.get(path) or load(path)
            except ConfigError as error:
                mistakes += error.mistakes
            else:
                if not is_set or word == ALL or loaded.file.fast:
                    found[path] = loaded
    if mistakes:
        raise ConfigError(*dict.fromkeys(mistakes))
    return _told_apart(found.values())


def _told_apart(scenarios: Iterable[Loaded]) -> list[Loaded]:
    """Files of the same name in different folders get numbers."""
    made: list[Loaded] = []
    for one in scenarios:
        alike = sum(one.name == other.name.rpartition("~")[0] or one.name == other.name for other in made)
        made.append(replace(one, name=f"{one.name}~{alike + 1}") if alike else one)
    return made


def find(word: str) -> Path:
    """A scenario file by its path, or a shipped one by its name."""
    return _file(word) if word in library() and not Path(word).exists() else Path(word)


def listed() -> Sequence[str]:
    """A line each, for people."""
    files = [load(_file(name)) for name in library()]
    width = max((len(one.name) for one in files), default=0)
    return [f"{one.name:{width}}  {one.file.duration / 1e9:4.0f} s  {one.file.scenario}" for one in files]


def _file(name: str) -> Path:
    return LIBRARY / f"{name}.yaml"
