"""The routes of tags: their last values, why they are as they are, how they were, and writing to them."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated, Final, Protocol

from fastapi import Depends, FastAPI, Path, Query
from starlette.exceptions import HTTPException

from edge_agent.api import Value
from edge_agent.web import answers, history
from edge_agent.web.door import Who, may
from edge_agent.web.refusals import CHANGES, NO_SUCH, Responses, Said
from edge_agent.web.shop_routes import Device, Limit, Offset, times_of
from edge_agent.web.tags import QualityWanted
from edge_agent.web.view import View

# A sparkline is a few hundred pixels wide.
_SPARK: Final = 100
_SPARKING: Final = 200

TagName = Annotated[str, Path(description="`device.tag`", max_length=200)]
_LOW, _HIGH = times_of("an hour before the end")
WRITES: Final[Responses] = {409: {"model": answers.WriteAnswer}, **CHANGES, **NO_SUCH}


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


def add_tags(app: FastAPI, view: View, write: Write | None) -> None:
    """Add them to the application; `write` None: nothing is written to equipment here."""
    _add_reading(app, view)
    _add_writing(app, view, write)


def _add_reading(app: FastAPI, view: View) -> None:
    @app.get("/api/v1/tags", responses=NO_SUCH)
    async def tags(
        device: Device = None,
        search: Annotated[str, Query(description="words that are all in `device.tag`", max_length=100)] = "",
        quality: Annotated[list[QualityWanted] | None, Query(description="only those of these qualities")] = None,
        bad: Annotated[bool, Query(description="only those without a good value; as quality=bad")] = False,
        limit: Limit = 100,
        offset: Offset = 0,
        spark: Annotated[
            int, Query(ge=0, le=_SPARK, description=f"points of sparklines, with `why`; then at most {_SPARKING} tags")
        ] = 0,
    ) -> answers.TagPage:
        """The last values of tags."""
        if device is not None and not view.tags.has_device(device):
            raise HTTPException(404, f"there is no device {device}")
        most = min(limit, _SPARKING) if spark else limit
        return await view.tags.tags(device, search, ["bad"] if bad else quality or (), most, offset, spark)

    @app.get("/api/v1/tags/{tag}", responses=NO_SUCH)
    async def tag_(tag: TagName) -> answers.TagDetail:
        """A tag's last value, and why it is what it is."""
        return _detail(view, tag)

    @app.get("/api/v1/tags/{tag}/history", responses=NO_SUCH)
    async def history_(
        tag: TagName,
        start: Annotated[str | None, _LOW] = None,
        end: Annotated[str | None, _HIGH] = None,
        max_points: Annotated[int, Query(ge=10, le=10_000)] = 1000,
    ) -> history.HistoryAnswer:
        """A tag's samples in a stretch of time, from memory and the journal, thinned to some `max_points`."""
        found = view.tags.find(tag)
        if found is None:
            raise _unknown(view, tag)
        return await view.history.history(found, start, end, max_points)


def _add_writing(app: FastAPI, view: View, write: Write | None) -> None:
    @app.post("/api/v1/tags/{tag}", responses=WRITES)
    async def write_(
        tag: TagName, body: answers.WriteRequest, who: Annotated[Who, Depends(may("write"))]
    ) -> answers.WriteAnswer:
        """Write a value; 409 with the reason if the equipment does not hold it then."""
        _detail(view, tag)
        if write is None:
            raise HTTPException(403, "this agent writes nothing to equipment")
        made = body.id or uuid.uuid4().hex
        device, _, name = tag.partition(".")
        outcome = await write(made, device, name, body.value, who.name)
        answer = answers.WriteAnswer(id=made, ok=outcome.ok, error=outcome.error or None, read_back=outcome.read_back)
        if not outcome.ok:
            raise Said(409, answer)
        return answer


def _detail(view: View, name: str) -> answers.TagDetail:
    found = view.tags.tag(name)
    if found is None:
        raise _unknown(view, name)
    return found


def _unknown(view: View, name: str) -> Said:
    error, near = view.tags.near(name)
    return Said(404, answers.Failure(error=error, near=near))
