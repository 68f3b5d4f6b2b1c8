"""The style sheet of these pages beside the one that all have."""

from __future__ import annotations

from markupsafe import Markup
from nicegui import ui

from edge_agent.pages.parts import asset


def style() -> None:
    """Load it into this page."""
    ui.add_head_html(Markup('<link rel="stylesheet" href="{}">').format(asset("tools.css")))


