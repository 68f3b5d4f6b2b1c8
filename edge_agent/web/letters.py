"""Messages that a destination refused for good, as the agent keeps them in `data_dir/dead`. Everything here blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import orjson

from edge_agent.config import Site
from edge_agent.web.line_answers import Letter, LettersAnswer

# A page shows the last; reading more would keep the disk busy.
LETTERS: Final = 50
_BYTES: Final = 262_144
# Of a payload as much as tells which it was.
_PAYLOAD: Final = 500


class Letters:
    """Of all destinations; files that come and go meanwhile are no trouble."""

    def __init__(self, site: Site) -> None:
        self._folder = Path(site.agent.data_dir) / "dead"
        self._names = tuple(site.publish)

    def bytes(self) -> dict[str, int]:
        """How much each destination refused for good."""
        return {name: sum(map(_size, self._files(name))) for name in self._names}

    def newest(self, name: str) -> LettersAnswer:
        """What a destination of the site file refused for good, the newest first."""
        files = self._files(name)
        found = [letter for path in reversed(files) for letter in reversed(list(_letters(path)))]
        return LettersAnswer(destination=name, bytes=sum(map(_size, files)), letters=found[:LETTERS])

    def _files(self, name: str) -> tuple[Path, ...]:
        """The older first; whether they are there or not."""
        return self._folder / f"{name}.1.jsonl", self._folder / f"{name}.jsonl"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _letters(path: Path) -> Iterator[Letter]:
    """The last of a file, the older first; a line that cannot be read is passed over."""
    try:
        with path.open("rb") as file:
            file.seek(max(_size(path) - _BYTES, 0))
            lines = file.read(_BYTES).splitlines()[-LETTERS:]
    except OSError:
        return
    for line in lines:
        try:
            said = orjson.loads(line)
            payload = str(said.get("payload", said.get("base64", "")))[:_PAYLOAD]
            yield Letter(time=said["time"], topic=said["topic"], reason=said["reason"], payload=payload)
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
