"""Runs a site file for as long as the process lives: when the file changes, what it says now is taken up.

A changed file (or SIGHUP) is read and checked as a whole first. One that is wrong changes nothing and is reported; one
that says the same as before changes nothing either. Else what differs is exchanged (see `exchange`). Where the agent's
own sections differ, all parts are ended and made anew within the process: what they had is committed and taken up from
the journal, as after a restart. Whoever has logged in stays so.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from dataclasses import replace
from pathlib import Path
from typing import Final

from edge_agent import agent, registry
from edge_agent.checked import Checked, checked
from edge_agent.config import Site, load
from edge_agent.errors import ConfigError
from edge_agent.exchange import anew, exchange
from edge_agent.front import Front
from edge_agent.health import Health
from edge_agent.heartbeat import Heartbeat
from edge_agent.parts import Parts
from edge_agent.shown import Standing
from edge_agent.supervise import until

log = logging.getLogger(__name__)

# A person saves and looks at the log.
LOOK_EVERY_S: Final = 1.0

Stamp = tuple[int, int, int] | None


def read(path: Path) -> Site:
    """The site of a file, checked as far as nothing has to be opened; raises ConfigError. Blocks."""
    drivers, publishers = registry.drivers(), registry.publishers()
    site = load(path, drivers, publishers, profiles=registry.profiles(), servers=registry.servers())
    agent.prepare(site, drivers, publishers)
    return site


class Renewal:
    """One site file, run; `heartbeat` tells those who watch the process that it is well."""

    def __init__(self, path: Path, site: Site, heartbeat: Heartbeat | None = None) -> None:
        self._path = path
        self._site = site
        self._next: Site | None = None
        self._seen = _stamp(path)
        self._due = asyncio.Event()         # the parts are to be made anew
        self._look = asyncio.Event()        # the file is to be looked at
        self._heartbeat = heartbeat
        self._health: Health | None = None  # of the parts that work, or did last
        self._built = asyncio.Event()       # there are parts
        self.front = Front()
        self.standing = Standing(path, self.take_up, self._listening, self._judge)

    def _judge(self, text: str) -> Checked:
        ready: list[agent.Prepared] = []
        judged = checked(
            self._path, text, lambda site: ready.append(agent.prepare(site, registry.drivers(), registry.publishers()))
        )
        if judged.site is None:
            return judged
        return replace(judged, anew=anew(self._site, judged.site, ready[0]))

    def take_up(self, site: Site) -> None:
        """From now on it is this site, which `read` has found right; quick: what runs ends soon after."""
        self._next = site if site != self._site else None
        self._due.set()

    async def keep_running(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        loop.add_signal_handler(signal.SIGHUP, self._look.set)

        async def end_parts() -> None:
            await stop.wait()
            self._due.set()

        async def renew() -> None:
            await self._keep_renewing(stop)
            over.set()

        await until(
            over,
            ("agent", renew()),
            ("end", end_parts()),
            ("pages", self.front.keep_running()),
            ("watch-file", self._keep_watching()),
            *([("heartbeat", self._keep_beating(self._heartbeat))] if self._heartbeat else []),
        )

    async def _keep_beating(self, heartbeat: Heartbeat) -> None:
        """From when the first parts work, over every change of the file."""
        await self._built.wait()
        await heartbeat.keep_beating(lambda: self._health.in_a_line() if self._health else "")

    async def _keep_renewing(self, stop: asyncio.Event) -> None:
        before: Site | None = None
        while not stop.is_set():
            if self._next is not None:
                before, self._site, self._next = self._site, self._next, None
            try:
                parts = await agent.build(self._site, registry.drivers(), registry.publishers(), self.standing)
            except Exception:
                if before is None:
                    raise
                log.exception("what the site file says cannot be run; the agent goes on as before")
                self._site, before = before, None
                continue
            if before is not None:
                log.info("%s: what it says now is taken up", self._path)
            self._health = parts.health
            self._want_pages(parts)
            self._built.set()
            before = await self._run(parts, stop)
            del parts
            # What lives as long as the parts was taken out of the collector's sight: now it can go.
            gc.unfreeze()
            gc.collect()

    async def _run(self, parts: Parts, stop: asyncio.Event) -> Site | None:
        """Until they have to end; the site to go back to, if the one that is to come cannot be run."""
        async with agent.at_work(parts) as crew:
            while not stop.is_set():
                self._due.clear()
                if self._next is None:
                    await crew.work(self._due)
                    continue
                site, self._next = self._next, None
                try:
                    done = await exchange(
                        parts, crew, site, registry.drivers(), registry.publishers(), self.standing
                    )
                except Exception:
                    log.exception("what the site file says cannot be run; the agent goes on as before")
                    self._next = self._next or self._site       # as from the start: what was done by then is in doubt
                    return self._site
                if not done:
                    self._next = self._next or site
                    return self._site
                self._site = site
                self._want_pages(parts)
                log.info("%s: what it says now is taken up", self._path)
        return None

    def _want_pages(self, parts: Parts) -> None:
        if parts.api is None:
            self.front.want(self._site, 0)      # nobody to ask: no pages
        elif parts.api.port:
            self.front.want(self._site, parts.api.port)

    async def _keep_watching(self) -> None:
        """Look at the file when told to, or when it has changed and changes no more: half of it may be right, too."""
        last = self._seen
        while True:
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._look.wait()
            except TimeoutError:
                pass
            stamp, before = await asyncio.to_thread(_stamp, self._path), last
            last = stamp
            if self._look.is_set() or (stamp != self._seen and stamp == before):
                self._seen = stamp
                self._look.clear()
                await self._take_up_file()

    async def _take_up_file(self) -> None:
        try:
            site = await asyncio.to_thread(read, self._path)
        except ConfigError as error:
            for mistake in error.mistakes:
                log.error("%s", mistake)
            log.error("%s: is wrong, and nothing was changed", self._path)
            return
        except Exception:
            # What no check foresaw, in a file that somebody is writing just now, is no end of what runs.
            log.exception("%s: cannot be judged, and nothing was changed", self._path)
            return
        if site == self._site:
            log.info("%s: says the same as before", self._path)
        self.take_up(site)

    def _listening(self, port: int) -> None:
        self.front.want(self._site, port)


def _stamp(path: Path) -> Stamp:
    """Changes with the file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
