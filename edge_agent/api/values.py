"""How a site file writes durations and sizes, and the model that all its sections are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from edge_agent.core.quantity import duration_ns, size_bytes

Clock = Callable[[], int]
"""The agent's clock: ns UTC."""


@dataclass(frozen=True, slots=True)
class Home:
    """Whose plugin it is, and where that agent keeps its files."""

    agent: str
    """its id"""
    data_dir: Path


def _parsed(parse: Callable[[str], int]) -> BeforeValidator:
    def check(value: object) -> object:
        if isinstance(value, str):
            return parse(value)
        raise ValueError("needs a unit; write a text such as 500ms, 1s, 5min (durations) or 64MB (sizes)")

    return BeforeValidator(check)


def _not_zero(scale: float) -> float:
    if scale == 0:
        raise ValueError("is 0, which makes every value the same; leave it out, or write for example 0.1")
    return scale


Scale = Annotated[float, AfterValidator(_not_zero)]
"""A field that values are multiplied with: never 0."""

Duration = Annotated[
    int, _parsed(duration_ns), WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(ns|us|ms|s|min|h|d)$"})
]
"""A field written `500ms`; the model holds integer ns."""

Size = Annotated[
    int, _parsed(size_bytes), WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?(B|kB|KB|MB|GB)$"})
]
"""A field written `64MB`; the model holds bytes."""


class StrictModel(BaseModel):
    """Unknown keys are mistakes; values are not bent to fit; a model never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=False)
