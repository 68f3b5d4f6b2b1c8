"""The tags of a device as written → those it has: arrays spread into tags, all within the device's reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from pydantic_core import InitErrorDetails

from edge_agent_modbus.address import LAST, Address
from edge_agent_modbus.tag import ModbusTag, wrong

LONGEST_NAME: Final = 63     # of a tag, as of every id


def spread(tags: Mapping[str, ModbusTag], mistakes: list[InitErrorDetails]) -> dict[str, ModbusTag]:
    """The tags in their order, an array as `name-0`, `name-1`, …; adds to `mistakes`."""
    spread: dict[str, ModbusTag] = {}
    for name, tag in tags.items():
        if tag.count is None:
            spread[name] = tag
            continue
        names = [f"{name}-{n}" for n in range(tag.count)]
        taken = next((one for one in names if one in tags or one in spread), None)
        if taken is not None:
            text = f"its elements are called {names[0]}, …, and there is a tag {taken} already; rename one"
            mistakes.append(wrong((name, "count"), text))
        elif len(names[-1]) > LONGEST_NAME:
            text = f"its last element would be called {names[-1]}; a name has at most {LONGEST_NAME} characters"
            mistakes.append(wrong((name, "count"), text))
        else:
            spread |= {one: _element(tag, place) for one, place in zip(names, places_of(tag), strict=True)}
    return spread


def check_reach(tags: Mapping[str, ModbusTag], base: int, max_registers: int) -> list[InitErrorDetails]:
    """A mistake for each tag as written that lies outside the device's addresses, or is too long for it."""
    mistakes: list[InitErrorDetails] = []
    for name, tag in tags.items():
        try:
            _check(tag, base, max_registers)
        except ValueError as told:
            mistakes.append(wrong((name, "address"), str(told)))
    return mistakes


def places_of(tag: ModbusTag) -> list[Address]:
    """Where the elements of an array lie; for a single tag, where it lies."""
    first, numbers = tag.place, range(tag.count or 1)
    if tag.form.size == 1 and first.half is None and tag.count is not None:
        halves: Final = ("low", "high") if tag.order == "BA" else ("high", "low")
        return [replace(first.after(n // 2), half=halves[n % 2]) for n in numbers]
    if tag.form.name == "bool":
        return [first.after(0, n) for n in numbers]
    return [first.after(n * tag.span) for n in numbers]


def _element(tag: ModbusTag, place: Address) -> ModbusTag:
    order = None if tag.form.size == 1 else tag.order
    return tag.model_copy(update={"address": str(place), "type": tag.form.name, "order": order, "count": None})


def _check(tag: ModbusTag, base: int, max_registers: int) -> None:
    place, form = tag.place, tag.form
    start = place.wire(base)
    last = LAST + (1 if place.modicon else base)
    taken = places_of(tag)[-1].number + tag.span - place.number
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
