"""The application: the routes of the API under `/api/v1`, its OpenAPI document, and who may ask what."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Depends, FastAPI, Request
from fastapi.responses import JSONResponse

from edge_agent import __version__
from edge_agent.web import answers
from edge_agent.web.door import Door
from edge_agent.web.entrance import NO_PAGES, Pages, add_entrance
from edge_agent.web.kpi_routes import add_kpis
from edge_agent.web.live import add_live
from edge_agent.web.machine_routes import Operate, add_machines
from edge_agent.web.metrics import add_metrics
from edge_agent.web.people_routes import Entries, Noted, add_people
from edge_agent.web.refusals import add_refusals
from edge_agent.web.setting_up import SettingUp, add_setting_up
from edge_agent.web.shop_routes import add_shop
from edge_agent.web.tag_routes import Write, add_tags
from edge_agent.web.view import View

_ABOUT: Final = (
    "The agent's own API: what it reads, what that means for each machine, where it goes, and why something is "
    "missing. On this machine whoever reaches it may look; beyond it everything but /api/v1/health needs somebody "
    "who has logged in, or a token. A change always does."
)
# What the guard, the door and the reading of a body say before a route is asked.
_ANYWHERE: Final = (400, 401, 408, 413, 421, 422)
# Asked before anybody has logged in.
_OPEN: Final = frozenset(f"/api/v1/{name}" for name in ("health", "me", "login", "first-user")) | {"/"}


async def _nothing_noted(_step: str, _who: str, _what: str) -> str:
    return "there is no audit log here"


def _no_entries(_offset: int, _limit: int) -> tuple[int, list[dict[str, Any]]]:
    return 0, []


@dataclass(frozen=True, slots=True)
class Hands:
    """What the API can do beside looking; None, or as here: nothing."""

    write: Write | None = None
    operate: Operate | None = None
    noted: Noted = _nothing_noted
    entries: Entries = _no_entries
    pages: Pages = NO_PAGES
    setting_up: SettingUp | None = None


def make_app(view: View, door: Door, hands: Hands) -> FastAPI:
    """The application."""
    app = FastAPI(
        title="Edge Agent",
        version=__version__,
        description=_ABOUT,
        openapi_url=None,   # a route of ours, for whoever may look
        docs_url=None,      # those pages load scripts from elsewhere, where a plant has no way out
        redoc_url=None,
        redirect_slashes=False,
        responses={status: {"model": answers.Failure} for status in _ANYWHERE},
        dependencies=[Depends(_may_look)],
    )
    app.state.door = door

    @app.get("/api/openapi.json", include_in_schema=False)
    async def openapi() -> JSONResponse:
        # Made once, which takes a third of a second of a core.
        return JSONResponse(await asyncio.to_thread(app.openapi))

    add_refusals(app)
    add_shop(app, view)
    add_kpis(app, view.kpis)
    add_machines(app, view, hands.operate)
    add_tags(app, view, hands.write)
    add_live(app, view, door)
    add_metrics(app, view)
    add_entrance(app, hands.pages)
    add_people(app, view.site.agent, door, hands.noted, hands.entries)
    if hands.setting_up is not None:
        add_setting_up(app, hands.setting_up, hands.noted)
    return app


async def _may_look(request: Request) -> None:
    """Where reading is not open, whoever looks must be known."""
    door: Door = request.app.state.door
    if not door.reading_is_open and request.url.path not in _OPEN and request.method in ("GET", "HEAD"):
        door.admit(request, "read")
