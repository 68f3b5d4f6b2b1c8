"""One section of the site file against its model: every mistake in it, not only the first layer.

pydantic stops before a model's own checks while a field of it is wrong. So what is wrong is taken
out and the rest is validated again, until nothing new appears; what only fails because something
was taken out is not believed.
"""

from __future__ import annotations

import copy
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from edge_agent.config.explain import Found, Source, excused, explain, value_at
from edge_agent.config.names import Names
from edge_agent.config.yaml_lines import Key, scalar

M = TypeVar("M", bound=BaseModel)

# Each round takes one layer off; a site file has five.
_ROUNDS: Final = 8


def validate(
    model: type[M], data: Any, at: Key, source: Source, names: Names
) -> tuple[M | None, list[Found]]:
    """The model of the section at `at` of the whole file's `data`, or None and what is wrong with it."""
    wrong: set[Key] = {key for key in source.secrets.failed if key[: len(at)] == at}
    data = _section(data, at)
    for key in wrong:
        _take_out(data, key, at)
    found: dict[tuple[Key, str], Found] = {}
    forgiven: set[Key] = set()
    for _ in range(_ROUNDS):
        try:
            made = model.model_validate(value_at(data, at), context=names)
        except ValidationError as error:
            now = explain(error, model, at, source)
        else:
            return (None if found or wrong else made), list(found.values())
        if _read_put_in(data, now, source):
            continue
        forgiven |= excused(now)
        for one in now:
            follows = _may_follow(one, wrong) or (one.role == "missing" and one.key in forgiven)
            if one.role == "unknown" or not follows:
                found.setdefault((one.key, one.message), one)
        if not _take_out_all(data, at, now, wrong):
            break
    return None, list(found.values())


def _section(data: Any, at: Key) -> Any:
    """The way to the section with nothing beside it, and a copy of the section to cut pieces out of."""
    section = copy.deepcopy(value_at(data, at))
    for part in reversed(at):
        section = {part: section}
    return section


def _read_put_in(data: Any, found: list[Found], source: Source) -> bool:
    """Where a text that `${…}` put in is wrong and reads as a number or a truth value, try that instead."""
    changed = False
    for one in found:
        value = value_at(data, one.key)
        if one.key not in source.secrets.written or not isinstance(value, str) or scalar(value) == value:
            continue
        value_at(data, one.key[:-1])[one.key[-1]] = scalar(value)
        changed = True
    return changed


def _may_follow(one: Found, wrong: set[Key]) -> bool:
    """True if this may be wrong only because something at or below it was taken out."""
    return any(key[: len(one.key)] == one.key for key in wrong)


def _take_out_all(data: Any, at: Key, found: list[Found], wrong: set[Key]) -> bool:
    """Take out what is wrong; False if nothing (more) can be."""
    took = False
    for one in found:
        key = one.key[:-1] if one.role == "missing" else one.key
        taken = _take_out(data, key, at)
        took = took or taken is not None
        if one.role != "unknown" and taken is not None:
            wrong |= {one.key, taken}
    return took


def _take_out(data: Any, key: Key, at: Key) -> Key | None:
    """Remove the entry at `key` and return its way; of a list, the whole list goes. None: it is not there."""
    while len(key) > len(at) and isinstance(key[-1], int):
        key = key[:-1]
    holder = value_at(data, key[:-1])
    if len(key) <= len(at) or not isinstance(holder, dict) or key[-1] not in holder:
        return None
    del holder[key[-1]]
    return key
