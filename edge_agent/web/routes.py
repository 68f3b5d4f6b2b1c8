"""The routes of the API: `/api/v1/…`, its OpenAPI document, and the words for what is refused."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Final, Protocol

from fastapi import Depends, FastAPI, Path, Query, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from edge_agent import __version__
from edge_agent.api import Value
from edge_agent.web import alarms, answers, digital
from edge_agent.web.access import Access, Forbidden
from edge_agent.web.kpi_routes import add_kpis
from edge_agent.web.view import View

PAGE: Final = 1000
"""most tags in one answer"""
_ABOUT: Final = (
    "The agent's own API: what it reads, where that goes, and why something is missing. "
    "Whoever reaches it may look; a change needs a token."
)


class Outcome(Protocol):
    """What became of a write."""

    @property
    def ok(self) -> bool:
        """It was written, and what was read back is what was asked for."""
        ...

    @property
    def error(self) -> str:
        """Why not, a sentence; '' if ok."""
        ...

    @property
    def read_back(self) -> Value | None:
        """What the tag holds after the write; None if that is not known."""
        ...


Write = Callable[[str, str, str, Value, str], Awaitable[Outcome]]
"""`write(id, device, tag, value, who)`: judges, audits and carries out one write; never raises for
anything a request can do wrong."""

Operate = Callable[[str, str, Mapping[str, Any], str], Awaitable[Outcome]]
"""`operate(id, machine, said, who)`: judges, audits and takes what an operator says; never raises as above."""

# Only documents: `Access` reads the header itself, to say what is wrong with it.
_BEARER: Final = HTTPBearer(auto_error=False)

TagName = Annotated[str, Path(description="`device.tag`", max_length=200)]
_START: Final = "begin of the stretch asked for, ISO 8601; without offset in the agent's time zone"
_END: Final = "its end, which no longer belongs to it"
_NO_TAG: Final[dict[int | str, dict[str, Any]]] = {404: {"model": answers.Failure}}
_WRITES: Final[dict[int | str, dict[str, Any]]] = {
    401: {"model": answers.Failure},
    403: {"model": answers.Failure},
    409: {"model": answers.WriteAnswer},
    429: {"model": answers.Failure},
    **_NO_TAG,
}


def make_app(view: View, access: Access, write: Write | None, operate: Operate | None = None) -> FastAPI:
    """The application; `write` None: nothing is written to equipment here; `operate` likewise of what people say."""
    app = FastAPI(
        title="Edge Agent",
        version=__version__,
        description=_ABOUT,
        openapi_url="/api/openapi.json",
        docs_url=None,      # those pages load scripts from elsewhere, where a plant has no way out
        redoc_url=None,
        redirect_slashes=False,
        responses={422: {"model": answers.Failure}},
    )
    app.state.access = access
    _add_errors(app)
    _add_reading(app, view)
    _add_past(app, view)
    add_kpis(app, view.kpis)
    _add_digital(app, view)
    _add_writing(app, view, write)
    _add_saying(app, view, operate)
    return app


def _add_reading(app: FastAPI, view: View) -> None:
    @app.get("/api/v1/health", responses={503: {"model": answers.Health}})
    async def health() -> answers.Health:
        """200 when every device and destination is connected and the journal is fine, else 503."""
        found = view.health()
        if not found.ok:
            raise _Said(503, found)
        return found

    @app.get("/api/v1/status")
    async def status() -> answers.StatusAnswer:
        """Devices, destinations, backlog, counts, journal, and what is wrong."""
        return view.status()

    @app.get("/api/v1/tags", responses=_NO_TAG)
    async def tags(
        device: Annotated[str | None, Query(description="only of this device", max_length=100)] = None,
        bad: Annotated[bool, Query(description="only those without a good value")] = False,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
        offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    ) -> answers.TagPage:
        """The last values of tags."""
        if device is not None and not view.has_device(device):
            raise HTTPException(404, f"there is no device {device}")
        return view.tags(device, bad, limit, offset)

    @app.get("/api/v1/tags/{tag}", responses=_NO_TAG)
    async def tag_(tag: TagName) -> answers.TagDetail:
        """A tag's last value, and why it is what it is."""
        return _detail(view, tag)


def _add_past(app: FastAPI, view: View) -> None:
    @app.get("/api/v1/machines/{id}/cycles", responses=_NO_TAG)
    async def cycles(
        id: Annotated[str, Path(description="of the machine", max_length=100)],
    ) -> answers.CyclesAnswer:
        """How long pieces take, by product: median, 5th percentile and best of what was measured."""
        if not view.past.has_machine(id):
            raise _Said(404, answers.Failure(error=f"there is no machine {id}", near=view.past.near(id)))
        return view.cycles(id)

    @app.get("/api/v1/alarms", responses=_NO_TAG)
    async def alarms_(
        device: Annotated[str | None, Query(description="only of this device", max_length=100)] = None,
        active: Annotated[bool | None, Query(description="only those that hold, or only the others")] = None,
        start: Annotated[str | None, Query(description=_START, max_length=40)] = None,
        end: Annotated[str | None, Query(description=_END, max_length=40)] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
    ) -> alarms.AlarmPage:
        """Alarms, the newest first."""
        if device is not None and not view.has_device(device):
            raise HTTPException(404, f"there is no device {device}")
        return view.past.alarms(device, active, start, end, limit)

    @app.get("/api/v1/machines/{id}/spans", responses=_NO_TAG)
    async def spans(
        id: Annotated[str, Path(description="of the machine", max_length=100)],
        start: Annotated[str | None, Query(description=f"{_START}; without it 24 hours before the end", max_length=40)]
        = None,
        end: Annotated[str | None, Query(description=f"{_END}; without it now", max_length=40)] = None,
    ) -> alarms.SpansAnswer:
        """A machine's states in a stretch of time, and its alarms."""
        if not view.past.has_machine(id):
            raise _Said(404, answers.Failure(error=f"there is no machine {id}", near=view.past.near(id)))
        return view.past.spans(id, start, end)


def _add_digital(app: FastAPI, view: View) -> None:
    @app.get("/api/v1/digital")
    async def plant() -> digital.DigitalAnswer:
        """How digital the plant is: indices, and of each asset its level and why not one higher."""
        return view.digital.plant()

    @app.get("/api/v1/digital/tags", responses=_NO_TAG)
    async def quality(
        device: Annotated[str | None, Query(description="only of this device", max_length=100)] = None,
        limit: Annotated[int, Query(ge=1, le=PAGE)] = 100,
        offset: Annotated[int, Query(ge=0, le=1_000_000_000)] = 0,
    ) -> digital.TagQualityPage:
        """The quality of single tags."""
        if device is not None and not view.has_device(device):
            raise HTTPException(404, f"there is no device {device}")
        return view.digital.tags(device, limit, offset)


async def _allowed(request: Request) -> str:
    """Who it is that may change something; raises Forbidden."""
    access: Access = request.app.state.access
    address = request.client.host if request.client else "an unknown address"
    return access.who(request.headers.get("authorization"), address)


def _add_writing(app: FastAPI, view: View, write: Write | None) -> None:
    @app.post("/api/v1/tags/{tag}", responses=_WRITES, dependencies=[Security(_BEARER)])
    async def write_(
        tag: TagName, body: answers.WriteRequest, who: Annotated[str, Depends(_allowed)]
    ) -> answers.WriteAnswer:
        """Write a value (a token is needed); 409 with the reason if the equipment does not hold it then."""
        _detail(view, tag)
        if write is None:
            raise HTTPException(403, "this agent writes nothing to equipment")
        made = body.id or uuid.uuid4().hex
        device, _, name = tag.partition(".")
        outcome = await write(made, device, name, body.value, who)
        answer = answers.WriteAnswer(
            id=made, ok=outcome.ok, error=outcome.error or None, read_back=outcome.read_back
        )
        if not outcome.ok:
            raise _Said(409, answer)
        return answer


def _add_saying(app: FastAPI, view: View, operate: Operate | None) -> None:
    @app.post("/api/v1/machines/{id}/states", responses=_WRITES, dependencies=[Security(_BEARER)])
    async def say(
        id: Annotated[str, Path(description="of the machine", max_length=100)],
        body: answers.Statement,
        who: Annotated[str, Depends(_allowed)],
    ) -> answers.StatementAnswer:
        """Say what state a machine was in, or why (a token is needed); 409 with the reason if it cannot be taken."""
        if not view.past.has_machine(id):
            raise _Said(404, answers.Failure(error=f"there is no machine {id}", near=view.past.near(id)))
        if operate is None:
            raise HTTPException(403, "this agent takes no statements about machines")
        made = body.id or uuid.uuid4().hex
        said = body.model_dump(by_alias=True, exclude_unset=True, exclude={"id"})
        outcome = await operate(made, id, said, who)
        answer = answers.StatementAnswer(id=made, ok=outcome.ok, error=outcome.error or None)
        if not outcome.ok:
            raise _Said(409, answer)
        return answer


class _Said(Exception):
    """Ends a request with this answer."""

    def __init__(self, status: int, answer: BaseModel) -> None:
        self.status = status
        self.answer = answer


def _detail(view: View, name: str) -> answers.TagDetail:
    found = view.tag(name)
    if found is None:
        error, near = view.near(name)
        raise _Said(404, answers.Failure(error=error, near=near))
    return found


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(_Said)
    async def said(_: Request, end: _Said) -> JSONResponse:
        return JSONResponse(end.answer.model_dump(), end.status)

    @app.exception_handler(Forbidden)
    async def forbidden(_: Request, refused: Forbidden) -> JSONResponse:
        headers = {"www-authenticate": "Bearer"} if refused.status == 401 else {}
        if refused.retry_s:
            headers["retry-after"] = str(refused.retry_s)
        return _failure(refused.status, str(refused), headers)

    @app.exception_handler(alarms.Wrong)
    async def nothing(_: Request, wrong: alarms.Wrong) -> JSONResponse:
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
