"""The pages there are: to add one, write its line here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from edge_agent.pages import account, andon, audit, setup
from edge_agent.pages.machine import page as machine
from edge_agent.pages.tools import connections, digital, tags
from edge_agent.pages.visit import Visit


@dataclass(frozen=True, slots=True)
class Page:
    """A page: `path` as FastAPI has it, `name` the key of its name in `words`, `show` puts it together.

    `icon` is a name of the Material icons; without one the page is not in the navigation. `role`: the least that
    somebody who has logged in must be to see it; None: whoever may look.
    """

    path: str
    name: str
    show: Callable[[Visit], Awaitable[None]]
    icon: str = ""
    role: str | None = None


PAGES: Final[tuple[Page, ...]] = (
    Page("/", "nav.andon", andon.show, "grid_view"),
    Page("/machine/{id}", "nav.machine", machine.show),
    Page("/tags", "nav.tags", tags.show, "sensors"),
    Page("/connections", "nav.connections", connections.show, "lan"),
    Page("/digital", "nav.digital", digital.show, "stairs"),
    Page("/setup", "nav.setup", setup.show, "tune"),
    Page("/audit", "nav.audit", audit.show, "fact_check", role="engineer"),
    Page("/account", "nav.account", account.show, role="viewer"),
)
