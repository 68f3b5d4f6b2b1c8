"""The routes of the agent and the whole shop: health, status, overview, connections, journal, alarms, digital."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, cast

from fastapi import FastAPI, Path, Query, Request
from starlette.exceptions import HTTPException

from edge_agent.web import alarms, answers, digital, line_answers, overview
from edge_agent.web.door import Door
from edge_agent.web.refusals import NO_SUCH, PAGE, Said
from edge_agent.web.view import View

_START: Final = "begin of the stretch asked for, ISO 8601; without offset in the agent's time zone"
_END: Final = "its end, which no longer belongs to it"

Device = Annotated[str | None, Query(description="only of this device", max_length=100)]
Limit = Annotated[int, Query(ge=1, le=PAGE)]
Offset = Annotated[int, Query(ge=0, le=1_000_000_000)]


def add_shop(app: FastAPI, view: View) -> None:
    """Add them to the application."""
    _add_agent(app, view)
    _add_connections(app, view)
    _add_alarms(app, view)
    _add_digital(app, view)


def _add_agent(app: FastAPI, view: View) -> None:
    @app.get("/api/v1/health", responses={503: {"model": answers.Health}})
    async def health(request: Request) -> answers.Health:
        """200 when every device and destination is connected and the journal is fine, else 503.

        Whoever may not look is told only whether it is.
        """
        found, door = view.health(), cast(Door, request.app.state.door)
        if not door.lets_look(request):
            found = found.model_copy(update={"problems": []})
        if not found.ok:
            raise Said(503, found)
        return found

    @app.get("/api/v1/status")
    async def status() -> answers.StatusAnswer:
        """Devices, destinations, backlog, counts, journal, and what is wrong."""
        return view.status()

    @app.get("/api/v1/overview")
    async def overview_() -> overview.OverviewAnswer:
        """Every machine, line and area and the site at a glance: state, OEE with its factors, pieces against target."""
        return view.overview.overview()


def _add_connections(app: FastAPI, view: View) -> None:
    @app.get("/api/v1/devices")
    async def devices() -> line_answers.DevicesAnswer:
        """Every device: its connection, what it is asked, how its tags are."""
        return view.lines.devices()

    @app.get("/api/v1/destinations")
    async def destinations() -> line_answers.DestinationsAnswer:
        """Every destination: its connection, what waits for it, how catching up goes, what it refused."""
        return view.lines.destinations(await asyncio.to_thread(view.lines.refused.bytes))

    @app.get("/api/v1/destinations/{id}/dead-letters", responses=NO_SUCH)
    async def letters(id: Annotated[str, Path(max_length=100)]) -> line_answers.LettersAnswer:
        """The newest messages that a destination refused for good."""
        if not view.lines.has_destination(id):
            raise HTTPException(404, f"there is no destination {id}")
        return await asyncio.to_thread(view.lines.refused.newest, id)

    @app.get("/api/v1/journal")
    async def journal() -> line_answers.JournalAnswer:
        """The durable log: its size, what waits in it for whom, what was found wrong."""
        return view.lines.journal()


def _add_alarms(app: FastAPI, view: View) -> None:
    @app.get("/api/v1/alarms", responses=NO_SUCH)
    async def alarms_(
        device: Device = None,
        active: Annotated[bool | None, Query(description="only those that hold, or only the others")] = None,
        start: Annotated[str | None, Query(description=_START, max_length=40)] = None,
        end: Annotated[str | None, Query(description=_END, max_length=40)] = None,
        limit: Limit = 100,
    ) -> alarms.AlarmPage:
        """Alarms, the newest first."""
        _know_device(view, device)
        return view.past.alarms(device, active, start, end, limit)


def _add_digital(app: FastAPI, view: View) -> None:
    @app.get("/api/v1/digital")
    async def plant() -> digital.DigitalAnswer:
        """How digital the plant is: indices, and of each asset its level and why not one higher."""
        return view.digital.plant()

    @app.get("/api/v1/digital/tags", responses=NO_SUCH)
    async def quality(device: Device = None, limit: Limit = 100, offset: Offset = 0) -> digital.TagQualityPage:
        """The quality of single tags."""
        _know_device(view, device)
        return view.digital.tags(device, limit, offset)


def _know_device(view: View, device: str | None) -> None:
    if device is not None and not view.tags.has_device(device):
        raise HTTPException(404, f"there is no device {device}")


def times_of(what: str) -> tuple[Any, Any]:
    """Query parameters `start` and `end`; `what` they are without."""
    return Query(description=f"{_START}; {what}", max_length=40), Query(description=f"{_END}; now", max_length=40)
