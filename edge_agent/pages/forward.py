"""Plain requests beside the pages: what a browser sends when it can, and files to download."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from edge_agent.pages.client import Agent, Away, Refused, place
from edge_agent.pages.visit import enter

DOWNLOADS: Final = ("/digital/report.html", "/digital/report.xlsx", "/digital/catalogue.csv")
"""files of the API that a page may offer, under `/files` and the same path"""

# A reason is a word, with an id.
_BODY: Final = 4096


def add_forwards(app: FastAPI, agent: Agent) -> None:
    """Add them to the application."""

    @app.post("/say/{machine}/stops/{start}/reason", include_in_schema=False)
    async def reason(request: Request, machine: str, start: str) -> Response:
        """A reason of a stop, also one that has waited in the browser for a connection."""
        body = await request.body()
        if len(body) > _BODY:
            return _failure(413, "too long")
        try:
            said = await request.json()
        except ValueError:
            return _failure(422, "the body is to be JSON")
        try:
            visit = await enter(request, agent)
            return JSONResponse(await visit.post(f"{place('machines', machine, 'stops', start)}/reason", said))
        except Refused as refused:
            return _failure(refused.status, str(refused))
        except Away as away:
            return _failure(503, str(away))

    @app.get("/files/{path:path}", include_in_schema=False)
    async def download(request: Request, path: str) -> Response:
        """A file of the API, with the session of whoever asks."""
        if f"/{path}" not in DOWNLOADS:
            return _failure(404, "no such file")
        try:
            visit = await enter(request, agent)
            found = await agent.download(f"/{path}", visit.session, **request.query_params)
        except Refused as refused:
            return _failure(refused.status, str(refused))
        except Away as away:
            return _failure(503, str(away))
        kept = {name: found.headers[name] for name in ("content-type", "content-disposition") if name in found.headers}
        return Response(found.content, headers=kept)


def _failure(status: int, error: str) -> Response:
    return JSONResponse({"error": error}, status)
