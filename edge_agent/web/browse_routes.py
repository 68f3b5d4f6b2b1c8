"""`/api/v1/browse/…`: an engineer looks at equipment that is not in the site file yet."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final, Literal

from fastapi import FastAPI
from pydantic import Field
from starlette.exceptions import HTTPException

from edge_agent.config.yaml_lines import parse
from edge_agent.web.answers import Answer, Failure
from edge_agent.web.browse import Busy, Looker, NotFound, best, browser, plain
from edge_agent.web.config_routes import Engineer, Strict
from edge_agent.web.refusals import CHANGES, Responses

# Readings of an address that are worth a look; the rest is noise.
_READINGS: Final = 12
_NO: Final[Responses] = {**CHANGES, **{status: {"model": Failure} for status in (502, 504)}}

Url = Annotated[str, Field(min_length=1, max_length=500)]
Keys = Annotated[dict[Annotated[str, Field(max_length=40)], Any], Field(max_length=20)]
Option = Annotated[str, Field(max_length=100)]


class Question(Strict):
    """Whom to ask, and how."""

    url: Url
    """`opc.tcp://10.0.0.7:4840`, `modbus+tcp://10.0.0.5:502?unit=1`, `modbus+rtu:///dev/ttyUSB0?baud=19200`"""
    keys: Keys = Field(default_factory=dict)
    """of a device section, such as a timeout or a login, that hold while asking"""


class ChildrenRequest(Question):
    """A node of equipment that has a tree."""

    node: Annotated[str, Field(max_length=1000)] = ""
    """as a site file writes it, or as an earlier answer gave it; without it where one begins"""


class Child(Answer):
    """What stands below it."""

    node: str
    name: str
    display: str
    sort: Literal["object", "variable"]
    kind: str
    """of a variable its type: `Double`, `Int32[8]`"""
    unit: str
    value: str
    status: str
    """why there is no good value; "" for a good one"""
    writable: bool
    names: dict[str, str]
    """of an enumeration: number → name"""
    fields: list[str]
    """of a structure"""
    field_tags: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """field of a structure → what a site file says of it"""
    tag: dict[str, Any] | None
    """what a site file says of it; null where it makes no tag"""
    machine: str | None
    """the key of `machines:` that takes it as an instance of a companion specification"""


class ChildrenAnswer(Answer):
    """In the order of the equipment."""

    children: list[Child]
    cut: bool
    """there are more"""
    told: list[str]
    """what the equipment says of itself"""


class ProbeRequest(Question):
    """Addresses to read a few times."""

    addresses: Annotated[list[Annotated[str, Field(min_length=1, max_length=1000)]], Field(min_length=1, max_length=50)]
    """as in a site file; a range of registers as `holding:0-9`"""
    reads: Annotated[int, Field(ge=1, le=20)] = 3
    every: Option = "500ms"


class Reading(Answer):
    """One way to read what is there."""

    address: str
    about: str
    type: str
    order: str
    values: list[Any]
    score: int
    """0 to 99: how plausible"""
    why: str
    tag: str
    """what a site file says of it, in one line"""


class ProbeAnswer(Answer):
    """Address by address, the most plausible reading first."""

    readings: list[Reading]
    told: list[str]


class ScanRequest(Question):
    """What of it to look through."""

    units: Option | None = None
    """Modbus: unit ids to ask, `1-20,247`"""
    range: Option | None = None
    """Modbus: addresses to look at, `0-999`"""


class ScanAnswer(Answer):
    """What was found within 20 seconds."""

    devices: dict[str, Any]
    """device sections as a site file has them"""
    rows: list[dict[str, str]]
    """a tag list"""
    section: str
    told: list[str]


def add_browse(app: FastAPI, looker: Looker) -> None:
    """Add the routes."""

    @app.post("/api/v1/browse/children", responses=_NO)
    async def children(body: ChildrenRequest, _: Engineer) -> ChildrenAnswer:
        """What stands directly below a node, with the values of now (engineers)."""
        found, told = await _asked(
            looker, body, {}, lambda tools, inquiry: browser(tools, body.url).browse(body.url, body.node, inquiry)
        )
        return ChildrenAnswer(children=[Child(**row) for row in found.children], cut=found.cut, told=told)

    @app.post("/api/v1/browse/probe", responses=_NO)
    async def probe(body: ProbeRequest, _: Engineer) -> ProbeAnswer:
        """Live values, read in every way, the most plausible first (engineers)."""
        options = {"reads": str(body.reads), "every": body.every}
        rows, told = await _asked(
            looker, body, options, lambda tools, inquiry: tools.probe(body.url, body.addresses, inquiry)
        )
        readings = [Reading(**{**row, "values": list(map(plain, row["values"]))}) for row in best(rows, _READINGS)]
        return ProbeAnswer(readings=readings, told=told)

    @app.post("/api/v1/browse/scan", responses=_NO)
    async def scan(body: ScanRequest, _: Engineer) -> ScanAnswer:
        """Find out what is behind a URL, for twenty seconds (engineers)."""
        options = {name: said for name in ("units", "range") if (said := getattr(body, name)) is not None}
        found, told = await _asked(looker, body, options, lambda tools, inquiry: tools.discover(body.url, inquiry))
        # Some thousand lines of YAML take a second.
        data = (await asyncio.to_thread(parse, found.section)).data
        devices = (data or {}).get("devices") or {}
        return ScanAnswer(devices=devices, rows=[dict(row) for row in found.rows], section=found.section, told=told)


async def _asked(looker: Looker, body: Question, options: dict[str, str], ask: Any) -> Any:
    try:
        return await looker.ask(body.url, body.keys, options, ask)
    except Busy:
        raise HTTPException(429, "others look at equipment just now; try again in a moment") from None
    except NotFound as error:
        raise HTTPException(error.status, str(error)) from None
