"""Set-up: devices by browsing, machines by watching values, calendars; a draft of the site file until it is applied."""

from __future__ import annotations

from edge_agent.pages.visit import Visit


async def show(visit: Visit) -> None:
    """Put the page together. Imported when the first engineer opens it: with it come the models of the site file."""
    from edge_agent.pages.setup import page

    await page.show(visit)
