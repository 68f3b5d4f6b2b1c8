"""Plain requests beside the pages: what a browser sends when it can."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from edge_agent.pages.client import Agent, Away, Refused, place
from edge_agent.pages.login import words_of
from edge_agent.pages.visit import enter

# A reason is a word, with an id.
_BODY: Final = 4096


def add_forwards(app: FastAPI, agent: Agent) -> None:
    """Add them to the application."""

    @app.post("/say/{machine}/stops/{start}/reason", include_in_schema=False)
    async def reason(request: Request, machine: str, start: str) -> Response:
        """A reason of a stop, also one that has waited in the browser for a connection."""
        body = await request.body()
        if len(body) > _BODY:
            return failure(413, "too long")
        try:
            said = await request.json()
        except ValueError:
            return failure(422, "the body is to be JSON")
        words = words_of(request, {})
        try:
            visit = await enter(request, agent)
            words = visit.words
            return JSONResponse(await visit.post(f"{place('machines', machine, 'stops', start)}/reason", said))
        except Refused as refused:
            return failure(refused.status, words.told(refused))
        except Away as away:
            return failure(503, str(away))


def failure(status: int, error: str) -> Response:
    """What is answered where nothing else can be."""
    return JSONResponse({"error": error}, status)
