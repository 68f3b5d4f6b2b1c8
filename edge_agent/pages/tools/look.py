"""The style sheet of these pages beside the one that all have."""

from __future__ import annotations

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.chart import colours
from edge_agent.pages.parts import asset
from edge_agent.pages.visit import Visit


def style(visit: Visit) -> None:
    """Load it into this page; buttons and fields of the library get the pages' blue."""
    ui.colors(primary=colours(visit.dark).accent)
    ui.add_head_html(Markup('<link rel="stylesheet" href="{}">').format(asset("tools.css")))


