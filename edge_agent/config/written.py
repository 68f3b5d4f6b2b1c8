"""Values as a person would write them in a site file: tags in one line, sections line by line. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import yaml

from edge_agent.config.yaml_lines import Key, scalar

# What is longer is read better line by line.
_WIDEST: Final = 110
# Their entries stand in a line each, however short they are.
_LISTED: Final = frozenset({"tags", "shifts", "products"})
# What needs no quotes, between braces neither.
_PLAIN: Final = re.compile(r"[^\W_][\w ./+%-]*(?<! )")


class _Dumper(yaml.SafeDumper):
    """Writes what `yaml_lines` reads: the scalars of YAML 1.2, in which `off` and `06:00` are texts."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null", "~n"),
    ("bool", "true|false", "tf"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(text) and scalar(text) == text
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def name(key: str | int) -> str:
    """A key: numbers, true and false stand as they are, for all keys are texts."""
    text = str(key)
    return text if _PLAIN.fullmatch(text) else in_line(text)


def in_line(value: Any) -> str:
    """A value in one line, as it stands behind its key."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name(key)}: {in_line(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(in_line, value)) + "]"
    text: str = yaml.dump(value, Dumper=_Dumper, default_flow_style=True, width=1_000_000, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def lines(key: Key, value: Any, indent: int) -> Iterator[str]:
    """The entry at `key` (its whole way, which decides what stands in one line), so far to the right."""
    pad, head = " " * indent, f"{name(key[-1])}:"
    text = in_line(value)
    if isinstance(value, dict) and value and not _is_short(key, text, indent):
        yield f"{pad}{head}"
        for inner, one in value.items():
            yield from lines((*key, str(inner)), one, indent + 2)
    elif isinstance(value, list | tuple) and len(text) > _WIDEST - indent:
        yield f"{pad}{head}"
        yield from (f"{pad}  - {in_line(one)}" for one in value)
    else:
        yield f"{pad}{head} {text}"


def stands_alone(key: Key, value: Any) -> bool:
    """Whether the value at `key` takes lines of its own below the key."""
    return len(list(lines(key, value, 0))) > 1


def _is_short(key: Key, text: str, indent: int) -> bool:
    return len(key) > 2 and key[-1] not in _LISTED and len(text) + len(str(key[-1])) <= _WIDEST - indent
