"""Files that people write: every mistake at once, with file, line, key, value and what would be right."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from edge_agent.api import ConfigError, Mistake

Key = tuple[str | int, ...]
Found = tuple[Key, str, str, str]           # key, message, value, hint
File = TypeVar("File", bound=BaseModel)


def read(
    path: Path,
    model: type[File],
    kind: str,
    begins: str,
    modules: Iterable[ModuleType],
    checks: Callable[[File], Iterable[Found]],
) -> File:
    """The file as its model; `ConfigError` names everything that is wrong with it.

    `kind` is what such a file is called, `begins` a key it must have; `modules` hold the models whose keys may have
    been meant by one that is none; `checks` finds what is wrong although every single value is well formed.
    """
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(Mistake("file", f"cannot be read: {error.strerror}", str(path))) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(Mistake("file", f"is not YAML: {error}", str(path), file=str(path))) from error
    if not isinstance(data, Mapping):
        raise ConfigError(Mistake("file", f"is no {kind}", str(path), f"it begins with the key {begins}"))
    lines = dict(_lines(root))
    mistakes: list[Found] = [(key, "is written twice", "", "keep one of them") for key in _duplicates(root)]
    try:
        file = model.model_validate(data)
    except ValidationError as error:
        mistakes += found_in(error, kind, modules)
    else:
        mistakes += checks(file)
    if mistakes:
        raise ConfigError(*(_placed(path, lines, mistake) for mistake in mistakes))
    return file


def found_in(error: ValidationError, kind: str, modules: Iterable[ModuleType]) -> list[Found]:
    """What pydantic has found, in our words."""
    known = set(_keys(modules))
    return [_mistake(dict(item), kind, known) for item in error.errors()]


def _keys(modules: Iterable[ModuleType]) -> Iterator[str]:
    for module in modules:
        for item in vars(module).values():
            if isinstance(item, type) and issubclass(item, BaseModel):
                yield from (field.alias or name for name, field in item.model_fields.items())


def _placed(path: Path, lines: Mapping[Key, int], found: Found) -> Mistake:
    """A mistake with the line of its key, or of the nearest key above it that is written."""
    key, message, value, hint = found
    written = next((key[:depth] for depth in range(len(key), 0, -1) if key[:depth] in lines), ())
    return Mistake(".".join(map(str, key)), message, value, hint, str(path), lines.get(written, 1))


def _mistake(item: Mapping[str, Any], kind: str, known_keys: Collection[str]) -> Found:
    key = tuple(part for part in item["loc"] if part != "[key]")
    value = "" if isinstance(item["input"], dict | list) or item["type"] == "missing" else str(item["input"])
    if item["type"] == "extra_forbidden":
        near = get_close_matches(str(key[-1]), sorted(known_keys), n=1)
        return key, f"is no key of a {kind} here", "", f"did you mean {near[0]}?" if near else ""
    if item["type"] == "missing":
        return key, "is missing", "", ""
    message = str(item["msg"]).removeprefix("Value error, ")
    fact, _, hint = message.partition("; ")
    return key, fact if fact.startswith(("is ", "needs ", "begins ")) else f"is wrong: {fact}", value, hint


def _children(node: yaml.Node) -> Iterator[tuple[str | int, yaml.Node, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), value, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            yield position, value, value.start_mark.line + 1


def _lines(node: yaml.Node | None, above: Key = ()) -> Iterator[tuple[Key, int]]:
    """Every key of the file and the line it stands on."""
    for key, child, line in _children(node) if node else ():
        yield (*above, key), line
        yield from _lines(child, (*above, key))


def _duplicates(node: yaml.Node | None, above: Key = ()) -> Iterator[Key]:
    seen: set[str | int] = set()
    for key, child, _ in _children(node) if node else ():
        if key in seen:
            yield (*above, key)
        seen.add(key)
        yield from _duplicates(child, (*above, key))
