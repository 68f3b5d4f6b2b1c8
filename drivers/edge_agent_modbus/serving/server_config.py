"""What a site file may say about a Modbus server, and what is wrong when it is wrong."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails

from edge_agent.api import Duration, Listen, ServeConfig, listen_place
from edge_agent_modbus import plan
from edge_agent_modbus.encode import own_bits
from edge_agent_modbus.serving.image import Show
from edge_agent_modbus.serving.shown import SECOND, ShownModel
from edge_agent_modbus.tag import mistake_at, one_of
from edge_agent_modbus.value import DEVICE_ORDERS, DeviceOrder

_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 (compared, not listened on)


def _unit(value: object) -> object:
    if value == "any" or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255):
        return value
    raise ValueError("is not a unit id; write a number from 0 to 255, or any")


def _shows_something(entries: tuple[ShownModel, ...]) -> tuple[ShownModel, ...]:
    # not by min_length: pydantic would count the entries that are right, and say so beside every mistake
    if not entries:
        raise ValueError('shows nothing; write for example - {address: "input:0", state: press-1}')
    return entries


class ModbusServe(ServeConfig):
    """A Modbus TCP server that shows tags and KPIs, and lets nobody write."""

    listen: Listen = "127.0.0.1:1502"
    """host:port; 127.0.0.1 is this computer only, 0.0.0.0 every network it is in"""
    unit: Annotated[int | Literal["any"], BeforeValidator(_unit)] = 1
    """the unit id it answers to, or any; others get exception 11"""
    order: Annotated[DeviceOrder, one_of(DEVICE_ORDERS, "an order of bytes")] = "ABCD"
    """of 32- and 64-bit values whose entry does not say so itself"""
    gaps: Literal["refuse", "zero"] = "refuse"
    """reading over an address between two entries: refuse (exception 2) | zero (it reads as 0)"""
    connections: int = Field(8, ge=1, le=64, strict=True)
    """most clients at once; one more is let go again"""
    idle: Duration = 60 * SECOND
    """a client that asks nothing for so long is let go"""
    map: Annotated[tuple[ShownModel, ...], AfterValidator(_shows_something)]
    """what is seen where"""

    @model_validator(mode="after")
    def _entries_lie_apart(self) -> Self:
        if self.idle < SECOND:
            raise ValidationError.from_exception_data(
                type(self).__name__, [mistake_at(("idle",), "is shorter than 1s; write for example 60s")]
            )
        if overlaps := list(self._overlaps()):
            raise ValidationError.from_exception_data(type(self).__name__, overlaps)
        return self

    def _overlaps(self) -> Iterator[InitErrorDetails]:
        taken: dict[tuple[int, int], list[tuple[int, ShownModel]]] = {}
        for number, entry in enumerate(self.map):
            field = entry.field(self.order)
            mine = {(int(field.area), field.start + n): bits for n, bits in enumerate(_own(field))}
            clash = next(
                (other for at, bits in mine.items() for its, other in taken.get(at, ()) if its & bits), None
            )
            if clash is not None:
                details = mistake_at(("address",), f"overlaps {clash.address}, where {clash.what} of {clash.of} lies")
                yield InitErrorDetails(**{**details, "loc": ("map", number, "address")})
            for at, bits in mine.items():
                taken.setdefault(at, []).append((bits, entry))

    @property
    def shows(self) -> list[Show]:
        """The entries as the image has them."""
        return [entry.show(self.order) for entry in self.map]


def _own(field: plan.Field) -> list[int]:
    """Which bits of each of its registers (a bit area: of its bit) an entry takes."""
    if field.area.is_bits:
        return [1]
    own = own_bits(field)
    return [own[n] << 8 | own[n + 1] for n in range(0, len(own), 2)]


def warnings(config: ModbusServe) -> Sequence[str]:
    """Modbus has no login: whoever reaches the port reads everything."""
    host, port = listen_place(config.listen)
    if _is_here(host):
        return ()
    where = "every network this computer is in" if host in _EVERYWHERE else host
    return (
        f"listens on port {port} of {where}; Modbus has no login, so whoever reaches it can read what it shows "
        "(nobody can write)",
    )


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
