"""Which keys a model has at some depth: for hints about keys it does not have."""

from __future__ import annotations

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from edge_agent.config.yaml_lines import Key


def fields_at(model: type[BaseModel], key: Key) -> list[str]:
    """The keys a file may have at `key` below `model`, of all alternatives there."""
    here: list[Any] = [model]
    for part in key:
        here = [inner for annotation in here for inner in step(annotation, part)]
    models = [annotation for outer in here for annotation in members(outer) if is_model(annotation)]
    return list(dict.fromkeys(name for one in models for name in keys_of(one)))


def is_model(annotation: Any) -> bool:
    """True for a class that has keys."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def keys_of(model: type[BaseModel]) -> dict[str, Any]:
    """The keys of a model as a file writes them, with what each holds."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def members(annotation: Any) -> Iterator[Any]:
    """The alternatives of a union, without `Annotated` around them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from members(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for member in get_args(annotation):
            yield from members(member)
    else:
        yield annotation


def step(annotation: Any, part: str | int) -> Iterator[Any]:
    """What may stand one step further: below a key, at an id, or in a list."""
    for member in members(annotation):
        if is_model(member):
            if part in keys_of(member):
                yield keys_of(member)[str(part)]
        elif isinstance(part, int):
            yield from get_args(member)[:1]
        else:
            yield from get_args(member)[1:2]
