"""`lines:` and `areas:`: which machines belong together, and which of them work on what others have made."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from edge_agent.api import StrictModel
from edge_agent.config.names import ID_PATTERN, CalendarRefs, Id
from edge_agent.config.positive import IdealCycle


def _side_by_side(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


_ID: dict[str, Any] = {"type": "string", "pattern": f"^{ID_PATTERN}$"}
_STATION: dict[str, Any] = {"anyOf": [_ID, {"type": "array", "items": _ID, "minItems": 1}]}
Station = Annotated[tuple[str, ...], Field(min_length=1), BeforeValidator(_side_by_side), WithJsonSchema(_STATION)]
"""A machine, or a list of machines side by side; the model holds a tuple. `lineup.findings` looks for what is wrong."""


class LineModel(StrictModel):
    """A line: a serial one has `stations`; the machines of any other work side by side and name it by their `line`."""

    stations: tuple[Station, ...] | None = Field(default=None, min_length=1)
    """machines in the order of the flow: [press-1, cnc-7], or [[press-1, press-2], cnc-7] for two side by side"""
    constraint: Id | None = None
    """the station that sets the pace, by one of its machines; default the slowest ideal cycle, product by product"""
    design_cycle: IdealCycle | None = None
    """shortest time per piece the line can do, such as 12s; default the ideal cycle of the constraint"""
    calendar: CalendarRefs | None = None
    """a key of `calendars`, or a list: when the line is planned to be busy, and its machines that name none; default
    the site's"""

    def named(self) -> list[str]:
        """The machines of all stations."""
        return [machine for station in self.stations or () for machine in station]


class AreaModel(StrictModel):
    """An area: lines, and machines of no line."""

    lines: tuple[Id, ...] = ()
    """ids of lines"""
    machines: tuple[Id, ...] = ()
    """ids of machines that are in none of these lines"""
    calendar: CalendarRefs | None = None
    """a key of `calendars`, or a list: whose shifts its figures are of; default the site's, or its machines' if
    all have the same"""
