"""The tags of a device as written → those it has: arrays spread into tags, all within the device's reach."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from pydantic_core import InitErrorDetails

from edge_agent_modbus.address import LAST, Address
from edge_agent_modbus.tag import ModbusTag, mistake_at

LONGEST_NAME: Final = 63     # of a tag, as of every id


def spread(tags: Mapping[str, ModbusTag], mistakes: list[InitErrorDetails]) -> dict[str, ModbusTag]:
    """The tags in their order, an array as `name-0`, `name-1`, …; adds to `mistakes`, and leaves out those in it."""
    spread: dict[str, ModbusTag] = {}
    wrong_ones = {one["loc"][0] for one in mistakes}
    for name, tag in tags.items():
        if name in wrong_ones:
            continue
        if tag.count is None:
            spread[name] = tag
            continue
        names = [f"{name}-{n}" for n in range(tag.count)]
        taken = next((one for one in names if one in tags or one in spread), None)
        if taken is not None:
            text = f"its elements are called {names[0]}, …, and there is a tag {taken} already; rename one"
            mistakes.append(mistake_at((name, "count"), text))
        elif len(names[-1]) > LONGEST_NAME:
            text = f"its last element would be called {names[-1]}; a name has at most {LONGEST_NAME} characters"
            mistakes.append(mistake_at((name, "count"), text))
        else:
            spread.update(zip(names, _elements(tag), strict=True))
    return spread


def check_reach(tags: Mapping[str, ModbusTag], base: int, max_registers: int) -> list[InitErrorDetails]:
    """A mistake for each tag as written that lies outside the device's addresses, or is too long for it."""
    mistakes: list[InitErrorDetails] = []
    for name, tag in tags.items():
        try:
            _check(tag, base, max_registers)
        except ValueError as told:
            mistakes.append(mistake_at((name, "address"), str(told)))
    return mistakes


def places_of(tag: ModbusTag) -> Callable[[int], Address]:
    """Where element n of an array lies; of a single tag, element 0."""
    first, form, span = tag.place, tag.form, tag.span
    if form.size == 1 and first.half is None and tag.count is not None:
        halves: Final = ("low", "high") if tag.order == "BA" else ("high", "low")
        return lambda n: replace(first.after(n // 2), half=halves[n % 2])
    if form.name == "bool":
        return lambda n: first.after(0, n)
    return lambda n: first.after(n * span)


def _elements(tag: ModbusTag) -> list[ModbusTag]:
    form, place = tag.form, places_of(tag)
    same = {"type": form.name, "order": None if form.size == 1 else tag.order, "count": None}
    return [tag.model_copy(update={**same, "address": str(place(n))}) for n in range(tag.count or 1)]


def _check(tag: ModbusTag, base: int, max_registers: int) -> None:
    place, form = tag.place, tag.form
    start = place.wire(base)
    last = LAST + (1 if place.modicon else base)
    taken = places_of(tag)((tag.count or 1) - 1).number + tag.span - place.number
    end = place.number + taken - 1
    if end > last:
        what = f"a {form.name}" if tag.count is None else f"an array of {tag.count} {form.name}"
        of = f" of {taken} {'bits' if place.area.is_bits else 'registers'}" if taken > 1 else ""
        raise ValueError(
            f"{what}{of} at {place.number} reaches to {end}, past the last address {last}; "
            f"it can start at {last - taken + 1} at most"
        )
    if not place.area.is_bits and tag.span > max_registers:
        raise ValueError(
            f"a {form.name} at {place.area.word}:{start} takes {tag.span} registers, "
            f"more than max_registers: {max_registers} allows in one request, and is never split"
        )
