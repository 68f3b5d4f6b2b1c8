"""Puts the HTTP API on the parts of an agent: what it looks at, what it can do, and what outlives the parts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent import front, registry
from edge_agent.api import Value
from edge_agent.checked import Checked
from edge_agent.config import Site
from edge_agent.journal import audit_page
from edge_agent.parts import Parts, Serving
from edge_agent.south.command import Command, Outcome
from edge_agent.telling import status

if TYPE_CHECKING:
    from edge_agent.web.routes import Hands
    from edge_agent.web.setting_up import SettingUp
    from edge_agent.web.view import View


@dataclass(slots=True)
class Standing:
    """What stays when the parts are made anew from a changed site file, and what it can do for them.

    file       the site file; None: nobody has one
    reload     from now on it is this site, which must be right; quick: what differs is exchanged soon after
    listening  the API listens, at this port
    judge      what is wrong with a text, as if it stood in the file; blocks
    """

    file: Path | None = None
    reload: Callable[[Site], None] = lambda _site: None
    listening: Callable[[int], None] = lambda _port: None
    judge: Callable[[str], Checked] = lambda text: Checked(text=text)
    lobbies: dict[Path, Any] = field(default_factory=dict)
    """by data folder: people who have logged in"""
    set_up: dict[tuple[Path, str], Any] = field(default_factory=dict)
    """by data folder and time zone: what engineers set up, one at a time"""


async def api(parts: Parts, standing: Standing) -> Serving | None:
    """The API on these parts; None where the site file turns it off. ConfigError if its certificate is not right."""
    if parts.site.api.listen is None:
        return None
    # Imported here: an agent without the API does not carry a web framework.
    from edge_agent.web.serve import Api, lobby

    folder = Path(parts.site.agent.data_dir)
    if folder not in standing.lobbies:
        standing.lobbies[folder] = await asyncio.to_thread(lobby, folder)
    return Api(parts.site.api, *look(parts, standing), standing.lobbies[folder], standing.listening)


def look(parts: Parts, standing: Standing) -> tuple[View, Hands]:
    """What the API sees of these parts, and what it can do with them."""
    from edge_agent.web.entrance import Pages
    from edge_agent.web.routes import Hands
    from edge_agent.web.view import View

    site, folder = parts.site, Path(parts.site.agent.data_dir)
    tags = {name: parts.engine.table.device_tags(name) for name in site.devices}

    @cache
    def asked(device: str) -> Sequence[str]:
        return parts.plugins[site.devices[device].driver].describe(device, site.devices[device], tags[device])

    drivers = {reader.device: reader.driver for reader in parts.readers}
    view = View(
        site, parts.engine, drivers, parts.health, parts.journal, parts.clock, lambda: status(parts),
        parts.readers, parts.followers, asked, parts.started_ns,
    )  # fmt: skip

    async def write(made: str, device: str, tag: str, value: Value, who: str) -> Outcome:
        return await parts.commander.execute(Command(made, device, tag, value, "api", who))

    async def operate(made: str, machine: str, said: Mapping[str, Any], who: str) -> Outcome:
        return await parts.operators.take(made, machine, said, "api", who)

    async def noted(step: str, who: str, what: str) -> str:
        return await parts.commander.witness.noted(step, who, what)

    pages = Pages(site.pages.listen, bool(site.pages.cert), front.are_installed())
    key = folder, site.agent.timezone
    if key not in standing.set_up:
        standing.set_up[key] = _setting_up(site, standing)
    return view, Hands(write, operate, noted, partial(audit_page, folder), pages, standing.set_up[key])


def _setting_up(site: Site, standing: Standing) -> SettingUp:
    """What engineers set up through the API."""
    from edge_agent.web.browse import Looker
    from edge_agent.web.certificates import Approvals
    from edge_agent.web.secrets import Secrets
    from edge_agent.web.setting_up import SettingUp
    from edge_agent.web.site_file import SiteFile

    folder, file, zone = Path(site.agent.data_dir), standing.file, site.zone

    def now() -> str:
        return datetime.now(zone).isoformat(timespec="seconds")

    def exchange(judged: Checked) -> None:
        if judged.site is not None:
            standing.reload(judged.site)

    return SettingUp(
        Looker(registry.drivers(), file.parent if file else Path()),
        Approvals(folder, registry.drivers()),
        Secrets(folder),
        registry.drivers(),
        None if file is None else SiteFile(file, folder, standing.judge, exchange, now),
    )
