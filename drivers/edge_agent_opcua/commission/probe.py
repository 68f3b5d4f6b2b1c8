"""Reads variables a few times and shows what they are and what a tag makes of them, with the line to copy."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from asyncua import ua

from edge_agent.api import Inquiry, Refused
from edge_agent_opcua import address
from edge_agent_opcua.commission.asker import Asked, Asker, Enough
from edge_agent_opcua.commission.described import described, status_of, values_of
from edge_agent_opcua.commission.listing import field_in_site_file, tag_of
from edge_agent_opcua.commission.spelling import node_of, spelled
from edge_agent_opcua.commission.target import target_of
from edge_agent_opcua.commission.variable import INTEGERS, Variable
from edge_agent_opcua.commission.words import access_of, plain, value_text
from edge_agent_opcua.layout import Layout
from edge_agent_opcua.properties import good, text
from edge_agent_opcua.resolve import resolve
from edge_agent_opcua.structure import layouts_of

OPTIONS: Final = ("reads", "every")
_READS: Final = 5
_READS_MOST: Final = 1_000
_EVERY_S: Final = 1.0
# Places asked for at once; more is a map, and work for `discover`.
_MOST: Final = 125
# Elements of an array that get a row of their own.
_ELEMENTS: Final = 16
# A variable that is good each time; one that is less takes what it lacks from this.
_BEST: Final = 99


@dataclass(slots=True)
class Place:
    """One address: the node it leads to, and what was read of it."""

    where: address.Address
    id: str = ""
    refusal: str = ""
    display: str = ""
    variable: Variable = field(default_factory=Variable)
    layout: Layout | str = ""
    """of a structure"""
    values: list[Any] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)


async def probe(url: str, addresses: Sequence[str], inquiry: Inquiry) -> list[Mapping[str, Any]]:
    """See `Tools.probe`."""
    inquiry.check(OPTIONS, "an OPC UA server")
    target = target_of(url, inquiry.keys)
    reads = inquiry.whole("reads", _READS, _READS_MOST)
    every_s = inquiry.seconds("every", _EVERY_S)
    if len(addresses) > _MOST:
        raise ValueError(f"{len(addresses)} addresses are more than {_MOST}; ask for fewer, or use discover")
    places = [Place(where_of(one)) for one in addresses]
    async with Asker(target, inquiry) as asker:
        try:
            await asker.ask(lambda asked: find(asked, places))
            await _watch(asker, [place for place in places if place.id], reads, every_s, inquiry)
        except Enough:
            inquiry.tell("ended before everything was read")
    for place in places:
        if place.refusal:
            inquiry.tell(f"{place.where.text}: {place.refusal}")
    rows = [row for place in places for row in rows_of(place)]
    if not any(row["values"] for row in rows):
        told = "; ".join(dict.fromkeys(place.refusal for place in places if place.refusal)) or "nothing was read"
        raise Refused(f"{target.url}: {', '.join(addresses)} cannot be read: {told}", sent=False)
    return rows


def where_of(text_: str) -> address.Address:
    """An address as the command line has it; ValueError names it."""
    try:
        return address.parse(text_)
    except ValueError as wrong:
        raise ValueError(f"{text_!r} {wrong}") from None


async def find(asked: Asked, places: Sequence[Place]) -> None:
    """Look up the nodes of all places, and what is to be known of those that are there."""
    found = await resolve(asked.requests, [place.where for place in places], asked.namespaces)
    for place, one in zip(places, found, strict=True):
        place.id = "" if one.node is None else spelled(one.node, asked.namespaces)
        place.refusal = one.why
    there = [place for place in places if place.id]
    nodes = [node_of(place.id, asked.namespaces) for place in there]
    classes = await asked.requests.attributes(nodes, ua.AttributeIds.NodeClass)
    names = await asked.requests.attributes(nodes, ua.AttributeIds.DisplayName)
    for place, sort, name in zip(there, classes, names, strict=True):
        place.display = text(good(name))
        if good(sort) != ua.NodeClass.Variable:
            what = status_of(sort) or f"is no variable but a node of class {ua.NodeClass(good(sort)).name}"
            place.id, place.refusal = "", what
    there = [place for place in places if place.id]
    for place, variable in zip(there, await described(asked, [place.id for place in there]), strict=True):
        place.variable = variable
    structures = [place for place in there if place.variable.is_structure]
    layouts = await layouts_of(
        asked.requests, [node_of(place.id, asked.namespaces) for place in structures], asked.types
    )
    for place, layout in zip(structures, layouts, strict=True):
        place.layout = layout


async def _watch(asker: Asker, places: Sequence[Place], reads: int, every_s: float, inquiry: Inquiry) -> None:
    """Read all places so often, on a grid of `every_s`."""
    if not places:
        return
    loop = asyncio.get_running_loop()
    start = loop.time()
    for number in range(reads):
        await asyncio.sleep(max(0.0, start + number * every_s - loop.time()))
        answers = await asker.ask(
            lambda asked: values_of(asked, [node_of(place.id, asked.namespaces) for place in places])
        )
        inquiry.tell(f"read {number + 1} of {reads}")
        for place, answer in zip(places, answers, strict=True):
            place.statuses.append(status_of(answer))
            value = good(answer) if answer is not None else None
            if value is not None:
                place.values.append(value)


def rows_of(place: Place) -> list[Mapping[str, Any]]:
    """A row for each way to make a tag of it: as it is, by names, by element, by field."""
    if not place.id:
        return [_row(place, "", (), (place.refusal,), "", 0)]
    variable = place.variable
    if not place.values:
        return [_row(place, variable.kind, (), (_refusals(place) or "it has no value",), tag_of(place.id, variable), 0)]
    if variable.is_structure:
        return _by_field(place)
    if variable.is_array:
        return _by_element(place)
    tag = tag_of(place.id, variable)
    rows = [_row(place, variable.type, [_plain(one) for one in place.values], (), tag, _BEST)]
    if variable.names and variable.builtin in INTEGERS:
        named = [variable.names.get(str(one), "") for one in place.values]
        with_names = tag_of(place.id, replace(variable, unit="", low=None), names=True)
        why = () if all(named) else ("not every value has a name",)
        rows.append(_row(place, "names", named, why, with_names, _BEST - 1 if all(named) else 50))
    return rows


def _by_element(place: Place) -> list[Mapping[str, Any]]:
    whole_ = replace(place.variable, sizes=[], rank=-1)
    rows = []
    for n in range(min(_ELEMENTS, min(len(one) if isinstance(one, list) else 0 for one in place.values))):
        one = tag_of(place.id, whole_, index=n)
        values = [_plain(value[n]) for value in place.values]
        rows.append(_row(place, f"{place.variable.type}, element {n}", values, (), one, _BEST - n))
    return rows or [_row(place, place.variable.kind, (), ("it is empty",), tag_of(place.id, place.variable), 0)]


def _by_field(place: Place) -> list[Mapping[str, Any]]:
    is_array = isinstance(place.values[0], list)
    rows = []
    for n, (name, type_) in enumerate(place.variable.fields):
        way = (0, name) if is_array else (name,)
        values, why = _field_values(place, way)
        tag = tag_of(place.id, Variable(), ("[0]." if is_array else "") + field_in_site_file(name))
        rows.append(_row(place, type_ or "field", values, why, tag, max(1, _BEST - n) if values else 0))
    untold = (place.layout if isinstance(place.layout, str) else "the server does not tell its fields",)
    return rows or [_row(place, place.variable.kind, (), untold, tag_of(place.id, place.variable, "Field"), 0)]


def _field_values(place: Place, way: address.Field) -> tuple[list[Any], tuple[str, ...]]:
    """The values of a field over the reads; or none, and why."""
    if isinstance(place.layout, str):
        return [], (place.layout,)
    try:
        return [_plain(place.layout.value(value, way)) for value in place.values], ()
    except ValueError as wrong:
        return [], (str(wrong),)


def _row(
    place: Place, type_: str, values: Sequence[Any], why: Sequence[str], tag: str, score: int
) -> Mapping[str, Any]:
    bad = [status for status in place.statuses if status]
    if values and bad:
        score = max(1, score * len(place.values) // len(place.statuses))
    reasons = [*why, *([_moves(values)] if values else []), *([_refusals(place)] if values and bad else [])]
    return {
        "address": place.where.text, "about": _about(place), "type": type_, "order": "", "values": list(values),
        "score": score, "why": "; ".join(filter(None, reasons)), "tag": tag,
    }  # fmt: skip


def _refusals(place: Place) -> str:
    """`BadSensorFailure 2 of 5 times`."""
    told = []
    for status in dict.fromkeys(filter(None, place.statuses)):
        times, of = place.statuses.count(status), len(place.statuses)
        told.append(status if times == of else f"{status} {times} of {of} times")
    return ", ".join(told)


def _moves(values: Sequence[Any]) -> str:
    if len(values) < 2:
        return "read once"
    return "changes" if any(one != values[0] for one in values) else "does not change"


def _about(place: Place) -> str:
    """`/Objects/Line/Speed is nsu=…;s=Speed, Spindle speed: Double, rpm ({rev}/min), 0 to 120, read only`."""
    if not place.id:
        return place.where.text
    variable = place.variable
    said = [variable.kind]
    if variable.said_unit or variable.unit:
        said.append(f"{plain(variable.said_unit, 20)} ({variable.unit or 'no UCUM code known'})".strip())
    if variable.low is not None and variable.high is not None:
        said.append(f"{variable.low:g} to {variable.high:g}")
    said += list(access_of(variable)) or ["read only"]
    where = place.where.text if place.where.text == place.id else f"{place.where.text} is {plain(place.id, 200)}"
    return f"{where}, {plain(place.display, 60)}: {', '.join(said)}"


def _plain(value: Any) -> Any:
    """A value as a row holds it: number, truth, text; moments as ISO 8601."""
    if isinstance(value, bool | int | float | str):
        return value
    return value.isoformat() if isinstance(value, datetime) else value_text(value).strip("'")
