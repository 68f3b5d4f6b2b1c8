"""The routes of KPIs: machines, lines, areas and the site."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import FastAPI, Path, Query
from fastapi.responses import JSONResponse

from edge_agent.web import kpis
from edge_agent.web.kpis import KpiView
from edge_agent.web.refusals import NO_SUCH
from edge_agent.web.times import Wrong

_ID: Final = Path(max_length=100)
_RECORD: Final = "The KPI record as last published over MQTT."

Kind = Annotated[str, Query(description="kind of the window: one of kpi.windows", max_length=20)]
Final_ = Annotated[bool, Query(description="the latest that is final, instead of the open one")]


def add_kpis(app: FastAPI, view: KpiView) -> None:
    """Add them to the application."""
    _add_overviews(app, view)
    _add_records(app, view)


def _add_overviews(app: FastAPI, view: KpiView) -> None:
    @app.get("/api/v1/machines")
    async def machines() -> kpis.MachinesAnswer:
        """Every machine: state, and the figures of its open shift."""
        return view.machines()

    @app.get("/api/v1/lines")
    async def lines() -> kpis.ScopesAnswer:
        """Every line with the figures of its open shift."""
        return view.scopes("line")

    @app.get("/api/v1/areas")
    async def areas() -> kpis.ScopesAnswer:
        """Every area with the figures of its open shift."""
        return view.scopes("area")


def _add_records(app: FastAPI, view: KpiView) -> None:
    def record(scope: str, id: str | None, kind: str, final: bool) -> JSONResponse:
        if kind not in view.kinds:
            raise Wrong(f"window: {kind!r} is not reported; one of {', '.join(view.kinds)} (kpi.windows)")
        return JSONResponse(view.record(scope, id, kind, final=final))

    @app.get("/api/v1/machines/{id}/kpi", responses=NO_SUCH, description=_RECORD, response_model=dict[str, Any])
    async def machine(id: Annotated[str, _ID], window: Kind = "shift", final: Final_ = False) -> JSONResponse:
        return record("machine", id, window, final)

    @app.get("/api/v1/lines/{id}/kpi", responses=NO_SUCH, description=_RECORD, response_model=dict[str, Any])
    async def line(id: Annotated[str, _ID], window: Kind = "shift", final: Final_ = False) -> JSONResponse:
        return record("line", id, window, final)

    @app.get("/api/v1/areas/{id}/kpi", responses=NO_SUCH, description=_RECORD, response_model=dict[str, Any])
    async def area(id: Annotated[str, _ID], window: Kind = "shift", final: Final_ = False) -> JSONResponse:
        return record("area", id, window, final)

    @app.get("/api/v1/site/kpi", responses=NO_SUCH, description=_RECORD, response_model=dict[str, Any])
    async def site(window: Kind = "shift", final: Final_ = False) -> JSONResponse:
        return record("site", None, window, final)
