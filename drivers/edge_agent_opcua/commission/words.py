"""Values, names and rights of variables as a person reads them, in one line. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from edge_agent_opcua.commission.variable import Variable

_NAMES: Final = 6
_ELEMENTS: Final = 4
_LONGEST: Final = 200


def plain(text: str, longest: int) -> str:
    """Without line breaks and control characters, and no longer than that."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def value_text(value: Any) -> str:
    """`12.5`, `true`, `'A100'`, `2026-11-26T02:00:00+00:00`, `[1, 2, 3, 4, …]`; '' for no value."""
    if value is None:
        return ""
    if isinstance(value, list):
        shown = [value_text(one) for one in value[:_ELEMENTS]]
        return f"[{', '.join(shown + ['…'] * (len(value) > _ELEMENTS))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value[:_LONGEST].hex()
    return str(value) if isinstance(value, int) else repr(_text(value)[:_LONGEST])


def _text(value: Any) -> str:
    """LocalizedText, QualifiedName, NodeId, StatusCode, GUID; a structure by its type."""
    for part in ("Text", "Name"):
        if hasattr(value, part):
            return str(getattr(value, part) or "")
    if hasattr(value, "to_string"):
        return str(value.to_string())
    if hasattr(value, "name"):
        return str(value.name)
    return str(value)


def shown_names(names: Mapping[str, str]) -> str:
    """`0 Off, 1 Running, …`."""
    shown = [f"{number} {plain(name, 30)}" for number, name in list(names.items())[:_NAMES]]
    return ", ".join(shown + ["…"] * (len(names) > _NAMES))


def access_of(variable: Variable) -> Iterator[str]:
    """What is worth saying of the rights."""
    if not variable.is_readable:
        yield "not readable for this user"
    if variable.is_writable:
        yield "writable"
