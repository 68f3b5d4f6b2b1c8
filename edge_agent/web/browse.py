"""Looks at equipment that is not in the site file yet, with the tools of the driver whose scheme a URL has.

The same tools as `edge-agent discover` and `probe`; here they have less time, and few may be at work at once, for a
gateway has other things to do.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from edge_agent.api import AccessDenied, Browser, DriverPlugin, Inquiry, NotConnected, Refused, Tools
from edge_agent.config.substitute import Secrets, substitute
from edge_agent.config.yaml_lines import dotted

T = TypeVar("T")

AT_ONCE: Final = 3
"""searches under way; the next is told to come back"""
# Ended with what was found by then; a page waits no longer, and the answer is due within a minute.
ENOUGH_S: Final = 20.0
LONGEST_S: Final = 40.0
_LINES: Final = 200
_LONGEST_LINE: Final = 500


class Busy(Exception):
    """Too many look at equipment already."""


class NotFound(Exception):
    """What was asked for is not there, or does not let itself be asked; `status` is the HTTP status that says so."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Told:
    """Lines of progress, as the tools tell them, without secrets; the last of many."""

    hide: Callable[[str], str]
    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        self.lines.append(self.hide(line)[:_LONGEST_LINE])
        del self.lines[:-_LINES]


class Looker:
    """Everybody's way to the tools."""

    def __init__(self, drivers: Mapping[str, DriverPlugin], folder: Path) -> None:
        """`folder` is that of the site file: what `${file:…}` names is relative to it."""
        self._drivers = drivers
        self._folder = folder
        self._under_way = 0

    async def ask(
        self,
        url: str,
        keys: Mapping[str, Any],
        options: Mapping[str, str],
        ask: Callable[[Tools, Inquiry], Coroutine[Any, Any, T]],
        enough_s: float = ENOUGH_S,
    ) -> tuple[T, list[str]]:
        """What `ask` gives, and the lines told meanwhile. Busy, NotFound."""
        if self._under_way >= AT_ONCE:
            raise Busy
        self._under_way += 1
        try:
            filled, secrets = await asyncio.to_thread(_filled, keys, self._folder)
            told, loop = Told(lambda line: secrets.hide(line, ())), asyncio.get_running_loop()
            end = loop.time() + enough_s
            try:
                async with asyncio.timeout(LONGEST_S):
                    inquiry = Inquiry(told, lambda: loop.time() >= end, options, filled)
                    return await ask(self._tools(url), inquiry), told.lines
            except ValueError as error:
                raise NotFound(422, secrets.hide(str(error), ())) from error
            except TimeoutError as error:
                raise NotFound(504, f"{url}: no end after {LONGEST_S:g} s") from error
            except (NotConnected, AccessDenied, Refused) as error:
                raise NotFound(502, "\n".join([secrets.hide(str(error), ()), *told.lines])) from error
        finally:
            self._under_way -= 1

    def _tools(self, url: str) -> Tools:
        scheme = url.partition("://")[0].lower()
        known: list[str] = []
        for plugin in self._drivers.values():
            if plugin.tools is not None and scheme in plugin.tools.schemes:
                return plugin.tools
            known += plugin.tools.schemes if plugin.tools else ()
        there = ", ".join(f"{one}://" for one in known)
        raise ValueError(f"{url!r} begins with no scheme that can be asked; there are {there}")


def _filled(keys: Mapping[str, Any], folder: Path) -> tuple[Mapping[str, Any], Secrets]:
    """With what `${NAME}` stands for, as in a site file; in what is answered it stands as it was written. NotFound."""
    filled, secrets = substitute(dict(keys), os.environ, folder)
    if secrets.mistakes:
        raise NotFound(422, "; ".join(f"{dotted(key)}: {one.message}" for key, one in secrets.mistakes))
    return dict(filled), secrets


def browser(tools: Tools, url: str) -> Browser:
    """The tools as those of equipment with a tree; ValueError if it has none."""
    if isinstance(tools, Browser):
        return tools
    raise ValueError(f"{url}: such equipment has no tree to look at; probe its addresses")


def best(rows: Sequence[Mapping[str, Any]], most: int) -> Iterable[Mapping[str, Any]]:
    """The first `most` readings of each address."""
    seen: dict[object, int] = {}
    for row in rows:
        seen[row["address"]] = seen.get(row["address"], 0) + 1
        if seen[row["address"]] <= most:
            yield row


def plain(value: object) -> object:
    """A value as JSON can say it."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, bool | int | float | str) else str(value)
