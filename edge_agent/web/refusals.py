"""How requests end that are not carried out: every one with a JSON document that says what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from edge_agent.web import answers
from edge_agent.web.guesses import Forbidden
from edge_agent.web.kpis import NotThere
from edge_agent.web.times import Wrong

PAGE: Final = 1000
"""most entries in one answer"""

Responses = dict[int | str, dict[str, Any]]
NO_SUCH: Final[Responses] = {404: {"model": answers.Failure}}
CHANGES: Final[Responses] = {status: {"model": answers.Failure} for status in (401, 403, 429)}


class Said(Exception):
    """Ends a request with this answer."""

    def __init__(self, status: int, answer: BaseModel) -> None:
        self.status = status
        self.answer = answer


def add_refusals(app: FastAPI) -> None:
    """Have the application end them so."""

    @app.exception_handler(Said)
    async def said(_: Request, end: Said) -> JSONResponse:
        return JSONResponse(end.answer.model_dump(), end.status)

    @app.exception_handler(Forbidden)
    async def forbidden(_: Request, refused: Forbidden) -> JSONResponse:
        headers = {"www-authenticate": "Bearer"} if refused.status == 401 else {}
        if refused.retry_s:
            headers["retry-after"] = str(refused.retry_s)
        return _failure(refused.status, str(refused), headers)

    @app.exception_handler(NotThere)
    async def not_there(_: Request, nothing: NotThere) -> JSONResponse:
        return JSONResponse(answers.Failure(error=str(nothing), near=nothing.near).model_dump(), 404)

    @app.exception_handler(Wrong)
    async def nothing(_: Request, wrong: Wrong) -> JSONResponse:
        return _failure(422, str(wrong))

    @app.exception_handler(HTTPException)
    async def failed(_: Request, error: HTTPException) -> JSONResponse:
        return _failure(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> JSONResponse:
        # Only where and why: what was sent may be anything, also what JSON cannot say.
        return _failure(422, "; ".join(dict.fromkeys(map(_wrong, error.errors()))))

    @app.exception_handler(Exception)
    async def bug(_: Request, __: Exception) -> JSONResponse:
        return _failure(500, "a fault in the agent itself; its log says more")


def _failure(status: int, error: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse(answers.Failure(error=error).model_dump(), status, headers)


def _wrong(one: Mapping[str, Any]) -> str:
    _, *names = one["loc"]
    if names[:1] == ["value"] and one["type"] != "missing":
        return "value: must be a finite number, true, false or a text of at most 4096 characters"
    return f"{'.'.join(map(str, names)) or 'body'}: {one['msg']}"
