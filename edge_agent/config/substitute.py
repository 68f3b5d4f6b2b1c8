"""`${NAME}` and `${file:/run/secrets/x}` in texts, replaced from environment and file.

What was put in is a secret until proven otherwise: `Secrets` remembers which text stands where, so
that every message shows `${NAME}` and never the value. `$${` writes a literal `${`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from edge_agent.config.yaml_lines import Key, dotted
from edge_agent.errors import Mistake

_FORM: Final = re.compile(r"\$\$\{|\$\{(?P<name>[^{}]*)\}|\$\{")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Shorter words may stand in a message by chance; hiding them would only make it unreadable.
_WORD: Final = re.compile(r"[^\s'\"]{4,}")
_TELLING: Final = 6


@dataclass(slots=True)
class Secrets:
    """Which texts were put in, where, and how they were written."""

    written: dict[Key, str] = field(default_factory=dict)
    pieces: dict[Key, list[str]] = field(default_factory=dict)
    failed: set[Key] = field(default_factory=set)
    mistakes: list[tuple[Key, Mistake]] = field(default_factory=list)

    def hide(self, text: str, key: Key) -> str:
        """`text` with every value that was put in shown as it is written in the file.

        Values at or below `key` are hidden down to their parts (a message may quote a port out of
        a URL), all others as a whole.
        """
        for place, pieces in self.pieces.items():
            near = place[: len(key)] == key
            for piece in sorted(filter(None, pieces), key=len, reverse=True):
                if near or len(piece) >= _TELLING:
                    text = text.replace(piece, self.written[place])
            if near:
                text = _WORD.sub(partial(self._hidden, place), text)
        return text

    def _hidden(self, place: Key, word: re.Match[str]) -> str:
        inside = any(word[0] in piece for piece in self.pieces[place])
        return self.written[place] if inside and word[0] not in self.written[place] else word[0]


def substitute(data: Any, environ: Mapping[str, str], folder: Path) -> tuple[Any, Secrets]:
    """`data` with every `${…}` replaced; relative files are relative to `folder`."""
    secrets = Secrets()
    return _walk(data, (), _Source(environ, folder, secrets)), secrets


@dataclass(slots=True)
class _Source:
    environ: Mapping[str, str]
    folder: Path
    secrets: Secrets

    def look_up(self, name: str | None) -> str:
        """The value of `NAME` or `file:PATH`; LookupError says what is wrong."""
        if name is None:
            raise LookupError("has no closing '}'; write ${NAME}, and $${ for a literal ${")
        if name.startswith("file:"):
            return self._read(name.removeprefix("file:").strip())
        if not _NAME.fullmatch(name):
            raise LookupError("is not a variable; write ${NAME} or ${file:/path}, and $${ for a literal ${")
        if name not in self.environ:
            raise LookupError(f"environment variable {name} is not set")
        return self.environ[name]

    def _read(self, name: str) -> str:
        try:
            return (self.folder / name).read_text("utf-8").rstrip("\r\n")
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise LookupError(f"file {name} cannot be read ({why})") from error
        except ValueError as error:
            raise LookupError(f"file {name} is not a text in UTF-8") from error


def _walk(value: Any, key: Key, source: _Source) -> Any:
    if isinstance(value, dict):
        return {name: _walk(item, (*key, name), source) for name, item in value.items()}
    if isinstance(value, list):
        return [_walk(item, (*key, at), source) for at, item in enumerate(value)]
    if isinstance(value, str) and "${" in value:
        return _replace(value, key, source)
    return value


def _replace(text: str, key: Key, source: _Source) -> str:
    secrets = source.secrets
    pieces: list[str] = []

    def put_in(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        try:
            piece = source.look_up(match["name"])
        except LookupError as error:
            message, _, hint = str(error.args[0]).partition("; ")
            secrets.mistakes.append((key, Mistake(dotted(key), message, match[0], hint)))
            secrets.failed.add(key)
            return match[0]
        pieces.append(piece)
        return piece

    replaced = _FORM.sub(put_in, text)
    secrets.written[key] = text
    secrets.pieces[key] = [*pieces, replaced] if pieces else []
    return replaced
