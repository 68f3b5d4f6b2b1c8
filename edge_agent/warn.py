"""What is right in a site file but should be known: said by `check`, and by the log once a day."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import date, datetime
from typing import Final

from edge_agent.api import DriverPlugin
from edge_agent.config import Site, unlisted
from edge_agent.config.plan import warnings_of
from edge_agent.config.reading_speed import speed_warnings
from edge_agent.config.scopes import scope_warnings

log = logging.getLogger(__name__)

# What is said once a day is read; what is said every hour is not.
EVERY_S: Final = 86_400.0


def device_warnings(site: Site, drivers: Mapping[str, DriverPlugin]) -> list[str]:
    """A sentence each: `devices.cnc-7: …`, `publish.history: …`. What several devices share is said once, of the first.
    May look at files."""
    said: dict[str, str] = {}
    for name, device in site.devices.items():
        for warning in drivers[device.driver].warnings(device):
            said.setdefault(warning, name)
    alone = "belongs to no entry of assets, so it counts in no figure about the plant"
    return [
        *(f"devices.{name}: {warning}" for warning, name in said.items()),
        *(f"{name}: {alone}" for name in unlisted(site)),
        *(f"publish.{name}: {warning}" for name, one in site.publish.items() for warning in one.warnings()),
        *speed_warnings(site),
    ]


def plan_warnings(site: Site, today: date) -> list[str]:
    """What should be known of the plans these days, and of sums over machines; a sentence each."""
    said: dict[str, None] = {}
    plans = {f"machines.{name}": site.calendars_of(name) for name in site.machines}
    plans |= {f"lines.{name}": site.chain_of(line.calendar) for name, line in site.lines.items()}
    for whose, links in plans.items():
        said |= dict.fromkeys(warnings_of(whose, links, today))
    asked = [one.calendar for group in (site.machines, site.lines, site.areas) for one in group.values()]
    followed = {name for names in (*asked, site.agent.calendar) for name in names or ()}
    said |= {f"calendars.{name}: nobody follows it": None for name in site.calendars if name not in followed}
    return [*said, *scope_warnings(site)]


async def keep_warning(site: Site, drivers: Mapping[str, DriverPlugin]) -> None:
    """Say them now and once a day: a certificate may come to its end while the agent runs."""
    while True:
        today = datetime.now(site.zone).date()
        for warning in [*await asyncio.to_thread(device_warnings, site, drivers), *plan_warnings(site, today)]:
            log.warning("%s", warning)
        await asyncio.sleep(EVERY_S)
