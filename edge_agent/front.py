"""Keeps the process of the web pages: started once the API listens, and again, ever later, should it end.

It is a client of the agent like any other, with a lower priority, and the first to go where memory ends: whatever
happens to it, acquisition goes on. It ends with the agent, also when that is killed, for its standard input is then at
its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from edge_agent.config import Site
from edge_agent.config.http_api import Listen
from edge_agent.errors import EdgeAgentError
from edge_agent.supervise import Backoff, until

log = logging.getLogger(__name__)

# A crash loop must not cost the gateway more than a start a minute; each takes seconds of a core.
BACKOFF: Final = Backoff(first=1.0, longest=60.0, lasted=60.0)
# The pages let go of their browsers within two seconds.
ENDING_S: Final = 5.0
NICE: Final = 10
# Where memory ends, the kernel ends them and not the agent: of 1000, more than the agent's share of any memory.
OOM_SCORE: Final = 900
_MODULE: Final = "edge_agent.pages"
_LIBRARY: Final = "nicegui"
ENVIRONMENT: Final = "EDGE_AGENT_PAGES"
# What they need of the agent's environment, in which a site's passwords may stand.
_KEPT: Final = ("PATH", "HOME", "LANG", "LC_", "TZ", "TMPDIR", "PYTHON", "VIRTUAL_ENV", "SSL_", "NICEGUI_")


def are_installed() -> bool:
    """Whether the extra is."""
    return find_spec(_LIBRARY) is not None


def can_run() -> bool:
    """Whether an agent started now starts them, if its site file does not turn them off."""
    return are_installed() and os.environ.get(ENVIRONMENT) != "off"


class Front:
    """The pages of one agent; `want` what they are to be, whenever that is known or changes."""

    def __init__(self) -> None:
        self._wanted: list[str] | None = None       # the command that starts them
        self._changed = asyncio.Event()

    def want(self, site: Site, port: int) -> None:
        """The API of this site listens, at this port."""
        wanted = None
        if site.api.listen and site.pages.listen and can_run():
            api = site.api.model_copy(update={"listen": Listen(site.api.listen.host, port)})
            wanted = [sys.executable, "-m", _MODULE, *site.pages.options(api), "--with-stdin"]
        if wanted != self._wanted:
            self._wanted = wanted
            self._changed.set()

    async def keep_running(self) -> None:
        """Have them run as they are wanted, for ever."""
        failures = 0
        while True:
            self._changed.clear()
            wanted, loop = self._wanted, asyncio.get_running_loop()
            began = loop.time()
            ended = await self._run(wanted) if wanted else await self._until_changed()
            if self._changed.is_set():
                failures = 0
                continue
            failures = 0 if loop.time() - began >= BACKOFF.lasted else failures
            wait = BACKOFF.wait(failures, denied=False)
            failures += 1
            log.warning("pages: ended (%s); started again in %.0f s; the agent goes on", ended, wait)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()

    async def _until_changed(self) -> str:
        await self._changed.wait()
        return ""

    async def _run(self, command: list[str]) -> str:
        """Until they end, or are wanted otherwise; how they ended."""
        try:
            child = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=sys.stderr.fileno(),
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if name.startswith(_KEPT)},
            )
        except OSError as error:
            return f"cannot be started: {error.strerror or error}"
        _put_behind(child.pid)
        try:
            await until(self._changed, ("pages-process", _ended(child)))
        except _Ended as end:
            return str(end)
        finally:
            await _end(child)
        return ""


def _put_behind(pid: int) -> None:
    """Have the agent go first for the processor, and last where memory ends."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, max(NICE, os.getpriority(os.PRIO_PROCESS, 0)))
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text(f"{OOM_SCORE}")     # no disk: the kernel takes it


class _Ended(EdgeAgentError):
    """The process has ended by itself, or is told to by whoever ends the agent, too."""


async def _ended(child: asyncio.subprocess.Process) -> None:
    raise _Ended(f"exit code {await child.wait()}")


async def _end(child: asyncio.subprocess.Process) -> None:
    """In good manners, then not."""
    for say in (child.terminate, child.kill):
        if child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            say()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDING_S):
                await child.wait()
