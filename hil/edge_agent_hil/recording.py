"""A recording as a file: a JSON object a line, the first of which tells what it is of, and in which version."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from edge_agent.api import ConfigError, Mistake

VERSION = 1
Line = Mapping[str, Any]


def begun(kind: str, target: str, when: str, **more: object) -> dict[str, Any]:
    """The first line; `when` is ISO 8601, UTC."""
    return {"recording": kind, "version": VERSION, "target": target, "begun": when, **more}


def read(path: Path, parsers: Mapping[str, Callable[[Line], Any]]) -> tuple[dict[str, Any], list[Any]]:
    """The first line, and what the parser of that kind makes of each other. ConfigError names the line that is wrong;
    a parser raises ValueError, KeyError or TypeError about one."""
    number, head, found = 0, {}, []
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                said = json.loads(line)
                if number == 1:
                    head = _checked(said, parsers)
                else:
                    found.append(parsers[head["recording"]](said))
    except OSError as error:
        raise ConfigError(Mistake("file", f"cannot be read: {error.strerror}", str(path))) from error
    except (ValueError, KeyError, TypeError, struct.error) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else f"is no line of a recording: {error}"
        raise ConfigError(Mistake("line", what, file=str(path), line=max(1, number))) from error
    if not found:
        raise ConfigError(Mistake("file", "is a recording of nothing", str(path)))
    return head, found


def _checked(head: dict[str, Any], kinds: Collection[str]) -> dict[str, Any]:
    if head["recording"] not in kinds or head["version"] != VERSION:
        raise ValueError(f"what is read here is a recording of {' or '.join(kinds)}, version {VERSION}")
    return head
