"""What changes, told as it does: server-sent events of states, figures, connections and the tags that are watched.

Each stream looks once a second at what the agent holds in memory, and tells what is not as it told last: nothing
waits in a queue, so a browser that is slow misses what was in between and never keeps anything back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Final

import orjson
from fastapi import FastAPI, Query, Request
from fastapi.responses import StreamingResponse
from starlette.exceptions import HTTPException

from edge_agent.web import answers
from edge_agent.web.door import Door
from edge_agent.web.refusals import Responses
from edge_agent.web.view import View

EVERY_S: Final = 1.0
# Below what proxies and browsers allow a silent connection.
SILENT_S: Final = 15.0
# Of the connections that the API has; the others are for questions.
STREAMS: Final = 16
TAGS: Final = 200
_RETRY_MS: Final = 2000
_BUSY: Final[Responses] = {503: {"model": answers.Failure}}


Rows = dict[str, dict[str, Any]]


class _Shop:
    """What all streams look at: made at most once a second, however many there are."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._made_s = -EVERY_S
        self._rows: dict[str, Rows] = {}

    def rows(self) -> dict[str, Rows]:
        """Event → name → what is to be told of it."""
        now = asyncio.get_running_loop().time()
        if now - self._made_s >= EVERY_S * 0.9:
            self._made_s, self._rows = now, self._make()
        return self._rows

    def _make(self) -> dict[str, Rows]:
        overview, lines = self._view.overview.overview(), self._view.lines
        return {
            "machines": {tile.id: tile.model_dump() for tile in overview.machines},
            "groups": {f"{one.scope}/{one.id}": one.model_dump() for one in overview.groups},
            "devices": {name: one.model_dump() for name, one in lines.device_states().items()},
            "destinations": {name: one.model_dump() for name, one in lines.destination_states().items()},
        }


class _Told:
    """What a stream has told last, by event."""

    def __init__(self, shop: _Shop, view: View, tags: list[str]) -> None:
        self._shop = shop
        self._view = view
        self._tags = tags
        self._said: dict[str, Rows] = {}

    def news(self) -> list[bytes]:
        """Events for all that has changed; the first time, for everything."""
        tags = {name: tag.model_dump() for name, tag in self._view.tags.values(self._tags).items()}
        found = [self._changed(name, rows) for name, rows in {**self._shop.rows(), "tags": tags}.items()]
        return [event for event in found if event]

    def _changed(self, name: str, now: Rows) -> bytes:
        before, self._said[name] = self._said.get(name, {}), now
        news = {key: one for key, one in now.items() if _without_age(before.get(key)) != _without_age(one)}
        return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(news) + b"\n\n" if news else b""


def _without_age(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """That something has become a second older is no news."""
    return row if row is None or "age_s" not in row else {**row, "age_s": None}


def add_live(app: FastAPI, view: View, door: Door) -> None:
    """Add the route to the application."""
    shop, over = _Shop(view), door.over
    streams = 0

    async def stream(tags: list[str], may_look: Callable[[], bool]) -> AsyncIterator[bytes]:
        nonlocal streams
        streams += 1
        told, silent = _Told(shop, view, tags), 0.0
        try:
            yield b"retry: %d\n\n" % _RETRY_MS
            while may_look() and not over.is_set():
                news = told.news()
                silent = 0.0 if news else silent + EVERY_S
                for event in news:
                    yield event
                if silent >= SILENT_S:
                    silent = 0.0
                    yield b": still here\n\n"
                await asyncio.sleep(EVERY_S)
        finally:
            streams -= 1

    @app.get("/api/v1/live", response_class=StreamingResponse, responses=_BUSY)
    async def live(
        request: Request,
        tags: Annotated[
            str, Query(description=f"tags to watch, at most {TAGS}: device.tag,device.tag,…", max_length=20_000)
        ] = "",
    ) -> StreamingResponse:
        """Server-sent events `machines`, `groups`, `devices`, `destinations`, `tags`: by name, what has changed."""
        wanted = [name for name in tags.split(",") if name][:TAGS]
        if streams >= STREAMS:
            raise HTTPException(503, f"{STREAMS} streams are open already", {"retry-after": "10"})
        door: Door = request.app.state.door
        return StreamingResponse(stream(wanted, lambda: door.lets_look(request)), media_type="text/event-stream")
