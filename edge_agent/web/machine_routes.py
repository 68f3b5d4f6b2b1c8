"""The routes of one machine: its states, losses, stops, pieces, energy, why a figure is so, and what people say."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Path, Query
from starlette.exceptions import HTTPException

from edge_agent.core.overrides import Ns
from edge_agent.web import alarms, answers, explain, losses, making
from edge_agent.web.door import Who, may
from edge_agent.web.refusals import CHANGES, NO_SUCH, PAGE, Responses, Said
from edge_agent.web.shop_routes import times_of
from edge_agent.web.tag_routes import Outcome
from edge_agent.web.view import View

Operate = Callable[[str, str, Mapping[str, Any], str], Awaitable[Outcome]]
"""`operate(id, machine, said, who)`: judges, audits and takes what an operator says; never raises as a write."""

Id = Annotated[str, Path(description="of the machine", max_length=100)]
WindowText = Annotated[
    str,
    Query(
        description="`now` (the open shift; where none is open, the production day, the day or the hour), "
        "shift, hour, day, production_day, job, or START/END in ISO 8601",
        max_length=100,
    ),
]
Back = Annotated[int, Query(ge=0, le=100, description="how many windows of that kind ago; 0: the open one")]
_START, _END = times_of("24 hours before the end")
_SAYS: Final[Responses] = {409: {"model": answers.StatementAnswer}, **CHANGES, **NO_SUCH}


def add_machines(app: FastAPI, view: View, operate: Operate | None) -> None:
    """Add them to the application; `operate` None: nothing that people say is taken here."""
    _add_past(app, view)
    _add_windows(app, view)
    _add_saying(app, view, operate)


def _add_past(app: FastAPI, view: View) -> None:
    @app.get("/api/v1/machines/{id}/spans", responses=NO_SUCH)
    async def spans(
        id: Id, start: Annotated[str | None, _START] = None, end: Annotated[str | None, _END] = None
    ) -> alarms.SpansAnswer:
        """A machine's states in a stretch of time, and its alarms."""
        _know(view, id)
        return view.past.spans(id, start, end)

    @app.get("/api/v1/machines/{id}/cycles", responses=NO_SUCH)
    async def cycles(id: Id) -> making.CyclesAnswer:
        """How long pieces take, by product: histogram, median, 5th percentile and best, and the ideal."""
        _know(view, id)
        return view.making.cycles(id)


def _add_windows(app: FastAPI, view: View) -> None:
    @app.get("/api/v1/machines/{id}/losses", responses=NO_SUCH)
    async def losses_(id: Id, window: WindowText = "now", back: Back = 0) -> losses.LossesAnswer:
        """Where planned busy time went: the waterfall, the six big losses, the ratios with their bounds."""
        return view.losses.losses(id, window, back)

    @app.get("/api/v1/machines/{id}/stops", responses=NO_SUCH)
    async def stops(
        id: Id,
        window: WindowText = "now",
        back: Back = 0,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
        least_s: Annotated[float, Query(ge=0, le=86_400, description="none shorter, seconds")] = 0,
    ) -> losses.StopsAnswer:
        """Stops, the newest first, and the Pareto of their reasons."""
        return await view.losses.stops(id, window, back, limit, least_s)

    @app.get("/api/v1/machines/{id}/production", responses=NO_SUCH)
    async def production(id: Id, window: WindowText = "now", back: Back = 0) -> making.ProductionAnswer:
        """Pieces over time against what the planned busy time allows, and jobs."""
        return await view.making.production(id, window, back)

    @app.get("/api/v1/machines/{id}/energy", responses=NO_SUCH)
    async def energy(id: Id, window: WindowText = "now", back: Back = 0) -> making.EnergyAnswer:
        """Energy by what the machine was doing, in all and by hour; per piece; carbon."""
        return await view.making.energy(id, window, back)

    @app.get("/api/v1/machines/{id}/explain", responses=NO_SUCH)
    async def explain_(
        id: Id,
        kpi: Annotated[str, Query(description="a KPI, or a name that formulas use", max_length=60)],
        window: WindowText = "now",
        back: Back = 0,
    ) -> explain.ExplainAnswer:
        """Why a figure is what it is: formula, inputs, the stretches of time and the tags behind it."""
        return await view.explain.explain(id, kpi, window, back)


def _add_saying(app: FastAPI, view: View, operate: Operate | None) -> None:
    async def say(name: str, made: str | None, said: Mapping[str, Any], who: str) -> answers.StatementAnswer:
        if operate is None:
            raise HTTPException(403, "this agent takes no statements about machines")
        made = made or uuid.uuid4().hex
        outcome = await operate(made, name, said, who)
        answer = answers.StatementAnswer(id=made, ok=outcome.ok, error=outcome.error or None)
        if not outcome.ok:
            raise Said(409, answer)
        return answer

    @app.post("/api/v1/machines/{id}/states", responses=_SAYS)
    async def states(
        id: Id, body: answers.Statement, who: Annotated[Who, Depends(may("say"))]
    ) -> answers.StatementAnswer:
        """Say what state a machine was in, or why; 409 with the reason if it cannot be taken."""
        _know(view, id)
        said = body.model_dump(by_alias=True, exclude_unset=True, exclude={"id"})
        return await say(id, body.id, said, who.name)

    @app.post("/api/v1/machines/{id}/stops/{stop}/reason", responses=_SAYS)
    async def reason(
        id: Id,
        stop: Annotated[str, Path(pattern=r"^[0-9]{1,19}$", description="`id` of the stop")],
        body: answers.ReasonRequest,
        who: Annotated[Who, Depends(may("say"))],
    ) -> answers.StatementAnswer:
        """Give a stop its reason: for as long as it stood so; while it lasts, until the machine runs again."""
        _know(view, id)
        span = view.past.span_at(id, int(stop))
        if span is None:
            raise HTTPException(404, f"{id} does not stand at {stop}: its stops are at /machines/{id}/stops")
        said: dict[str, Any] = {"from": Ns(span.start), "reason": body.reason}
        said |= {} if span.end is None else {"until": Ns(span.end)}
        said |= {} if body.who is None else {"who": body.who}
        return await say(id, body.id, said, who.name)


def _know(view: View, name: str) -> None:
    if not view.past.has_machine(name):
        raise Said(404, answers.Failure(error=f"there is no machine {name}", near=view.past.near(name)))
