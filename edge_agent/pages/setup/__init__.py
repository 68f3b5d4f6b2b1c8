"""Set-up: devices by browsing, machines by watching values, calendars; a draft of the site file until it is applied."""

from __future__ import annotations

import asyncio
from importlib import import_module

from edge_agent.pages.visit import Visit


async def show(visit: Visit) -> None:
    """Put the page together. Imported when the first engineer opens it: with it come the models of the site file."""
    # On a small gateway that takes seconds, and others look at their machines meanwhile.
    page = await asyncio.to_thread(import_module, "edge_agent.pages.setup.page")
    await page.show(visit)
