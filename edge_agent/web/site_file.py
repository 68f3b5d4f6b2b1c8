"""The site file as people change it through the API: judged, exchanged with the old one kept, rolled back."""

from __future__ import annotations

import asyncio
import difflib
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_agent.checked import Checked
from edge_agent.config.yaml_lines import parse
from edge_agent.errors import Mistake
from edge_agent.web.disk import write
from edge_agent.web.versions import Version, Versions, sha256

LONGEST: Final = 1_000_000
"""bytes of a text: ten thousand tags take half of it"""
# A change in a file of a thousand devices is read with a few lines around it.
_AROUND: Final = 3


class Changed(Exception):
    """The file is not the one the change was made in."""


class Unreadable(Exception):
    """The file is not there, or is no text."""


class Unknown(Exception):
    """There is no such version."""


class NotKept(Exception):
    """The disk does not take it; nothing has changed."""


Judge = Callable[[str], Checked]
"""May take a second; called in a thread."""
Exchange = Callable[[Checked], None]
"""Has what was judged right take the place of what runs; quick: it ends soon after."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a change."""

    mistakes: tuple[Mistake, ...] = ()
    version: Version | None = None
    etag: str = ""
    error: str = ""


class SiteFile:
    """One file; changes come one at a time."""

    def __init__(self, path: Path, data_dir: Path, judge: Judge, exchange: Exchange, now: Callable[[], str]) -> None:
        self.path = path
        self._versions = Versions(data_dir)
        self._judge = judge
        self._exchange = exchange
        self._now = now
        self._one = asyncio.Lock()
        self._judging = asyncio.Lock()      # a large site takes a second of a core, however many ask

    async def text(self) -> str:
        """What stands in the file now. Unreadable."""
        try:
            return await asyncio.to_thread(self.path.read_text, "utf-8-sig")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise Unreadable(f"{self.path}: cannot be read: {why}") from error

    async def check(self, text: str) -> Checked:
        """What is wrong with a text, as if it stood in the file."""
        async with self._judging:
            return await asyncio.to_thread(self._judge, text)

    async def versions(self) -> list[Version]:
        """The newest first."""
        return await asyncio.to_thread(self._versions.all)

    async def version(self, n: int) -> str:
        """The text of one. Unknown."""
        text = await asyncio.to_thread(self._versions.text, n)
        if text is None:
            raise Unknown(f"there is no version {n}")
        return text

    async def apply(self, text: str, etag: str, who: str, note: str) -> Applied:
        """Judge, keep the old and the new text, write the file, exchange the parts. Unreadable, Changed,
        NotKept."""
        async with self._one:
            old = await self.text()
            if sha256(old) != etag:
                raise Changed("the site file has been changed since; load it again and make your change in that")
            judged = await self.check(text)
            if judged.site is None:
                return Applied(judged.mistakes, etag=etag)
            return await self._apply(judged, old, who, note)

    async def rollback(self, n: int, etag: str, who: str) -> Applied:
        """Apply an earlier text. Unknown, Changed, NotKept."""
        return await self.apply(await self.version(n), etag, who, f"back to version {n}")

    async def _apply(self, judged: Checked, old: str, who: str, note: str) -> Applied:
        at, text = self._now(), judged.text
        try:
            await asyncio.to_thread(self._versions.keep, old, at, "", "as the file was found")
            await asyncio.to_thread(self._write, text)
        except OSError as error:
            raise NotKept(f"the change cannot be kept: {error.strerror or error}") from error
        try:
            version = await asyncio.to_thread(self._versions.keep, text, at, who, note)
        except OSError as error:
            return Applied(etag=sha256(text), error=f"applied, but not kept as a version: {error.strerror or error}")
        finally:
            self._exchange(judged)
        return Applied(version=version, etag=sha256(text))

    def _write(self, text: str) -> None:
        """In the place of the file, or of what a link of that name leads to; rights and owner stay."""
        path = Path(os.path.realpath(self.path))
        before = path.stat()
        write(path, text.encode(), stat.S_IMODE(before.st_mode))
        if os.geteuid() == 0:
            os.chown(path, before.st_uid, before.st_gid)


def difference(old: str, new: str, name: str) -> str:
    """What differs, as a unified diff; "" for nothing."""
    rows = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), name, f"{name} (new)", n=_AROUND
    )
    return "".join(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n" for row in rows)


def parts_that_differ(old: str, new: str) -> list[str]:
    """`devices.press-1`, `machines.press-1`, `journal`: what reads differently, comments and order aside."""
    before, after = parse(old).data, parse(new).data
    if not isinstance(before, dict) or not isinstance(after, dict):
        return []
    found: list[str] = []
    for group in dict.fromkeys([*before, *after]):
        one, other = before.get(group), after.get(group)
        if one == other:
            continue
        if isinstance(one or {}, Mapping) and isinstance(other or {}, Mapping) and group in _GROUPS:
            names = dict.fromkeys([*(one or {}), *(other or {})])
            found += [f"{group}.{name}" for name in names if (one or {}).get(name) != (other or {}).get(name)]
        else:
            found.append(group)
    return found


_GROUPS: Final = ("devices", "machines", "lines", "areas", "calendars", "assets", "publish", "serve")
