"""Files that the page Digitalisation offers: the reports and the catalogue, made of what the API says just now."""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from edge_agent.pages.client import Agent, Away, Refused
from edge_agent.pages.forward import failure
from edge_agent.pages.tools.catalogue import HEAD, rows
from edge_agent.pages.visit import Visit, enter

if TYPE_CHECKING:
    from edge_agent.report.model import Head

_HTML: Final = "text/html; charset=utf-8"
_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# A spreadsheet knows by it that the text is UTF-8.
_BOM: Final = "\ufeff"
_MS: Final = 1_000_000
# So many tags a question, and so many in a catalogue: more is a database's business.
_PAGE, _MOST = 1000, 100_000


def add_files(app: FastAPI, agent: Agent) -> None:
    """Add the routes, `/digital/NAME?lang=`."""

    @app.get("/digital/{name}", include_in_schema=False)
    async def file(request: Request, name: str) -> Response:
        try:
            visit = await enter(request, agent)
            language = "zh" if request.query_params.get("lang", visit.words.language) == "zh" else "en"
            if name == "catalogue.csv":
                content, kind = await _catalogue(visit), "text/csv; charset=utf-8"
            elif name in ("report.html", "report.xlsx", "sme.html"):
                said = await visit.get("/digital")
                # Some hundred pieces of equipment take a second, and others look meanwhile.
                content, kind = await asyncio.to_thread(_made, name, _head(visit), said, language)
            else:
                return failure(404, "no such file")
        except Refused as refused:
            return failure(refused.status, str(refused))
        except Away as away:
            return failure(503, str(away))
        stem, _, suffix = name.partition(".")
        named = f'attachment; filename="{visit.me.get("agent") or "agent"}-{stem}-{time.strftime("%Y%m%d")}.{suffix}"'
        return Response(content, media_type=kind, headers={"Content-Disposition": named, "Cache-Control": "no-store"})


def _made(name: str, head: Head, said: Mapping[str, Any], language: Any) -> tuple[bytes, str]:
    # Imported when somebody wants one: reports weigh as much as all pages together.
    from edge_agent.report.book.digital import digital_book
    from edge_agent.report.html import digital_page, sme_page
    from edge_agent.report.plant import PlantDocument

    document = PlantDocument(head, said)
    if name == "report.xlsx":
        return digital_book(document, language), _XLSX
    page = digital_page if name == "report.html" else sme_page
    return page(document, language).encode(), _HTML


def _head(visit: Visit) -> Head:
    from edge_agent.report.model import Head

    me, now = visit.me, time.time_ns()
    return Head(
        agent=str(me.get("agent") or ""),
        place=visit.place,
        zone=str(me.get("timezone") or "UTC"),
        made=now,
        version=str(me.get("version") or ""),
        until=now,
    )


async def _catalogue(visit: Visit) -> bytes:
    said = await visit.get("/digital")
    tags = await _all(visit, "/tags")
    qualities = {one["tag"]: one for one in await _all(visit, "/digital/tags")}
    # A hundred thousand tags take seconds, and others look meanwhile.
    return await asyncio.to_thread(_written, tags, qualities, said)


def _written(tags: list[dict[str, Any]], qualities: Mapping[str, Any], said: Mapping[str, Any]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEAD)
    writer.writerows(rows(tags, qualities, said))
    return (_BOM + text.getvalue()).encode()


async def _all(visit: Visit, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < _MOST:
        page = await visit.get(path, limit=_PAGE, offset=len(found))
        found += page["tags"]
        if not page["tags"] or len(found) >= page["total"]:
            break
    return found
