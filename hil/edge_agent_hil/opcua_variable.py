"""One OPC UA variable of one machine: what it shows, as what, and what was written last."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from asyncua import ua

from edge_agent_hil.equipment import Equipment
from edge_agent_hil.events import Event

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOTHING: Final = object()


class Variable:
    """A node and its value as a function of the machine's reading; a value of None has no meaning at present."""

    def __init__(self, node_id: Any, variant: str, show: Callable[[Event, int], Any], equipment: Equipment) -> None:
        """`variant`: the name of its data type."""
        self.node_id = node_id
        self.variant = variant
        self._type = getattr(ua.VariantType, variant)
        self._show, self._equipment = show, equipment
        self._written: object = _NOTHING

    def sample(self, event: Event, now: int) -> Any:
        """The data value at `now`, ns, when `event` was the latest; None if it changes nothing."""
        value, status = self._show(event, now), ua.StatusCodes.Good
        if value is None:
            status = ua.StatusCodes.BadStateNotActive
        elif self._equipment.number("exception", "code", now):
            value, status = None, ua.StatusCodes.BadDeviceFailure
        if (shown := (repr(value), status)) == self._written:       # NaN is not itself, its text is
            return None
        self._written = shown
        moment = _EPOCH + timedelta(microseconds=self._equipment.clock(now) // 1_000)
        variant = ua.Variant() if value is None else ua.Variant(value, self._type)
        return ua.DataValue(variant, ua.StatusCode(status), SourceTimestamp=moment, ServerTimestamp=moment)
