"""Lets the parts of an agent work: every duty a task of its own, until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from functools import partial
from typing import Any

from edge_agent import registry
from edge_agent.duties import keep_committing, keep_putting_aside, keep_watching, put_aside, say_of_journal
from edge_agent.parts import Parts
from edge_agent.serve import keep_serving
from edge_agent.supervise import Crew
from edge_agent.telling import keep_evidence, keep_reporting, keep_telling_digital, keep_telling_status
from edge_agent.warn import keep_warning

log = logging.getLogger(__name__)

Work = Callable[[], Coroutine[Any, Any, None]]

API = "api"
WRITING = "write"


def reading(device: str) -> str:
    """The name of the task that reads it."""
    return f"read-{device}"


def following(destination: str) -> str:
    """The name of the task that sends to it."""
    return f"follow-{destination}"


def serving(server: str) -> str:
    """The name of the task that has it listen."""
    return f"serve-{server}"


async def run(parts: Parts, stop: asyncio.Event) -> None:
    """Work until `stop` is set; then commit what is known and close.

    A fault in one part ends them all, and is raised: half an agent would look like a whole one.
    """
    async with at_work(parts) as crew:
        await crew.work(stop)


@contextlib.asynccontextmanager
async def at_work(parts: Parts) -> AsyncIterator[Crew]:
    """Its parts work; at the end what is known is committed, and the journal closed."""
    crew = Crew()
    try:
        start(parts, crew, kept=())
        yield crew
    except Exception:
        log.critical("a part of the agent failed, so it ends", exc_info=True)
        raise
    finally:
        await crew.end()
        try:
            put_aside(parts, alive=True)
            keep_evidence(parts)
        finally:
            await parts.journal.close()
            say_of_journal(parts)


def start(parts: Parts, crew: Crew, kept: Collection[str]) -> None:
    """Have all parts work but those whose tasks are `kept`: they do already."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()     # what lives as long as the agent need not be looked at again and again
    for name, make in _works(parts).items():
        if name not in kept:
            crew.start(name, make)


def _works(parts: Parts) -> dict[str, Work]:
    """Task → what makes its work."""
    return {
        **{reading(reader.device): reader.keep_reading for reader in parts.readers},
        **{following(follower.line.name): follower.keep_following for follower in parts.followers},
        **({API: parts.api.keep_serving} if parts.api else {}),
        WRITING: parts.commander.keep_writing,
        **{serving(name): partial(_serve, parts, name) for name in parts.servers},
        "watch": partial(keep_watching, parts),
        "put-aside": partial(keep_putting_aside, parts),
        "commit": partial(keep_committing, parts),
        "report": partial(keep_reporting, parts),
        "status": partial(keep_telling_status, parts),
        "digital": partial(keep_telling_digital, parts),
        "warn": partial(keep_warning, parts.site, parts.plugins),
    }


async def _serve(parts: Parts, name: str) -> None:
    config = parts.site.serve[name]
    for warning in await asyncio.to_thread(registry.servers()[config.type].warnings, config):
        log.warning("%s: %s", name, warning)
    await keep_serving(name, config.listen, parts.servers[name], parts.health, parts.clock)
