"""Earlier texts of the site file: `data_dir/site-versions/NNNNNN.yaml`, each with a line of JSON beside it.

NNNNNN.json holds `{"at": ISO 8601, "who": …, "note": …, "sha256": of the text}`; it is written after the text, and
a text without one is as good as none: a crash between the two leaves a file that the next version overwrites. Texts
never change. The oldest beyond `KEPT` go. Files are readable for the agent's own user only: a site file may hold
passwords. Everything here blocks: called in a thread, one call at a time.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from edge_agent.web.disk import write

FOLDER: Final = "site-versions"
# Some years of changes; a version takes a few kB.
KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class Version:
    """One of them; the text is read when it is wanted."""

    n: int
    at: str
    who: str
    note: str
    bytes: int
    sha256: str


def sha256(text: str) -> str:
    """What tells texts apart."""
    return hashlib.sha256(text.encode()).hexdigest()


class Versions:
    """All that are kept in the data folder."""

    def __init__(self, data_dir: Path, kept: int = KEPT) -> None:
        self._folder = data_dir / FOLDER
        self._kept = kept

    def all(self) -> list[Version]:
        """The newest first; what cannot be read is passed over."""
        if not self._folder.is_dir():
            return []
        found = [self._version(path) for path in self._folder.glob("*.json")]
        return sorted((one for one in found if one is not None), key=lambda one: -one.n)

    def text(self, n: int) -> str | None:
        """The text of a version; None if there is none such."""
        try:
            return self._path(n, "yaml").read_text("utf-8")
        except (OSError, ValueError):
            return None

    def keep(self, text: str, at: str, who: str, note: str) -> Version:
        """Add one, unless the newest is the same. OSError."""
        known = self.all()
        digest = sha256(text)
        if known and known[0].sha256 == digest:
            return known[0]
        n = known[0].n + 1 if known else 1
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write(self._path(n, "yaml"), text.encode(), 0o600)
        said = {"at": at, "who": who, "note": note, "sha256": digest}
        write(self._path(n, "json"), orjson.dumps(said), 0o600)
        for old in known[self._kept - 1 :]:
            self._path(old.n, "json").unlink(missing_ok=True)
            self._path(old.n, "yaml").unlink(missing_ok=True)
        return Version(n, at, who, note, len(text.encode()), digest)

    def _path(self, n: int, suffix: str) -> Path:
        return self._folder / f"{n:06d}.{suffix}"

    def _version(self, path: Path) -> Version | None:
        try:
            said = orjson.loads(path.read_bytes())
            size = path.with_suffix(".yaml").stat().st_size
            return Version(int(path.stem), said["at"], said["who"], said["note"], size, said["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
