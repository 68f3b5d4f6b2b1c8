"""A Modbus device with faults: what it does about one request, decided here, carried out elsewhere. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from edge_agent_hil.misbehave_faults import Fault, Faults
from edge_agent_hil.modbus_bank import (
    ILLEGAL_FUNCTION,
    NO_TARGET,
    READ_BITS,
    TABLE_OF,
    WRITES,
    Bank,
    exception,
    reach,
    shortened,
)
from edge_agent_hil.modbus_frame import Framing, Request, noise

BROADCAST = 0                   # on serial lines: everyone obeys, nobody answers


@dataclass(slots=True)
class Plan:
    """What goes out for a request, and how. Times in seconds."""

    echo: bytes = b""
    """sent at once, before anything else"""
    answer: bytes = b""
    """empty: silence"""
    slow: float = 0.0
    """before the answer, and nothing else is dealt with meanwhile"""
    late: float = 0.0
    """before the answer, while later requests are dealt with"""
    pace: float = 0.0
    """between two bytes; 0: in one piece"""
    hold: bool = False
    """keep it and send it together with the next answer"""
    stall: bool = False
    """say nothing more on this connection"""
    close: bool = False
    """hang up afterwards"""


class Unit(Protocol):
    """What a unit says to a request, before any fault; a `Bank`, or one of a recording."""

    took_s: float
    """how long its last answer takes"""

    def answer(self, pdu: bytes, keep: bool = False) -> bytes:
        """The PDU of the answer; empty: silence. With `keep` a write changes nothing."""

    def values(self, table: str, first: int, count: int) -> Sequence[int]:
        """What stands there. ValueError names what is not there."""


class Device:
    """Some units behind one line or port."""

    def __init__(self, units: Sequence[int], framing: Framing, seed: int) -> None:
        self.banks: dict[int, Unit] = {unit: Bank() for unit in units}
        self.faults = Faults()
        self.last_answer: float | None = None
        """when the last answer had gone out"""
        self._framing = framing
        self._draw = Random(seed)

    def plan(self, request: Request, arrived: float, connected: float) -> Plan:
        """What to do about a request; `arrived` and `connected` are of the same clock as `last_answer`, s."""
        plan = Plan(close=self._has("close_after_each", request))
        if self._has("echo", request):
            plan.echo = request.raw
        if self._is_silent(request, arrived, connected):
            return plan
        pdu = self._answer(request)
        if not pdu:
            return plan
        if fault := self._find("short", request):
            pdu = shortened(pdu, fault.value)
        plan.answer = self._frame(request, pdu)
        plan.slow = self.banks[request.unit].took_s if request.unit in self.banks else 0.0
        self._spoil_delivery(plan, request)
        return plan

    def _find(self, name: str, request: Request) -> Fault | None:
        return self.faults.find(name, request)

    def _has(self, name: str, request: Request) -> bool:
        return self.faults.find(name, request) is not None

    def _is_silent(self, request: Request, arrived: float, connected: float) -> bool:
        """Whether the request is not even looked at."""
        if self._has("deaf", request):
            return True
        if self.faults.find("silent_units", request, lambda fault: _within(fault, request.unit, request.unit)):
            return True
        since_answer = float("inf") if self.last_answer is None else arrived - self.last_answer
        if self.faults.find("needs_pause", request, lambda fault: since_answer < fault.value):
            return True
        asked_after = arrived - connected
        return self.faults.find("needs_pause_after_connect", request, lambda f: asked_after < f.value) is not None

    def _answer(self, request: Request) -> bytes:
        """The PDU of the answer; empty: none."""
        keep = request.function in WRITES and self._has("ignores_writes", request)
        if self._framing.serial and request.unit == BROADCAST:
            for bank in self.banks.values():
                bank.answer(request.pdu, keep)
            return b""
        there = self.banks.get(request.unit)
        if there is None:
            return b"" if self._framing.serial else exception(request.function, NO_TARGET)
        code = self._refusal(request)
        return there.answer(request.pdu, keep) if code is None else exception(request.function, code)

    def _refusal(self, request: Request) -> int | None:
        """The code of the exception that a fault answers with."""
        if fault := self._find("exception", request):
            return int(fault.value)
        if request.function == 22 and self._has("no_fc22", request):
            return ILLEGAL_FUNCTION
        if request.function in (5, 6) and self._has("no_single_write", request):
            return ILLEGAL_FUNCTION
        if (touched := reach(request.pdu)) is None:
            return None
        first, count = touched
        size = (count + 15) // 16 if request.function in (*READ_BITS, 15) else count
        if fault := self.faults.find("max_registers", request, lambda fault: size > fault.value):
            return int(fault.more["code"])
        if fault := self.faults.find("holes", request, lambda fault: _within(fault, first, first + count - 1)):
            return int(fault.more["code"])
        return None

    def _frame(self, request: Request, pdu: bytes) -> bytes:
        """The frame, spoiled as the faults say."""
        unit = request.unit
        if fault := self._find("wrong_unit", request):
            unit = (unit + 1) % 256 if fault.value is None else fault.value
        frame = self._framing.wrap(request.transaction, unit, pdu)
        if fault := self._find("garble", request):
            ways = self._framing.spoils[:2]
            frame = self._framing.garble(frame, fault.value or self._draw.choice(ways))
        if fault := self._find("junk", request):
            frame = noise(self._draw, fault.value) + frame
        return frame * 2 if self._has("duplicate", request) else frame

    def _spoil_delivery(self, plan: Plan, request: Request) -> None:
        for name in ("slow", "late"):
            if fault := self._find(name, request):
                setattr(plan, name, getattr(plan, name) + fault.value)
        if fault := self._find("byte_by_byte", request):
            plan.pace = fault.value
        plan.hold = self._has("coalesced", request)
        if self._has("half_frame", request):
            plan.answer = plan.answer[: len(plan.answer) // 2]
            plan.stall = True

    def values(self, unit: int, table: str, first: int, count: int) -> list[int]:
        """What a unit holds. ValueError names what is not there."""
        if unit not in self.banks:
            raise ValueError(f"there is no unit {unit}; there are {', '.join(map(str, self.banks))}")
        if table not in TABLE_OF.values():
            raise ValueError(f"there is no table {table!r}; there are {', '.join(dict.fromkeys(TABLE_OF.values()))}")
        return list(self.banks[unit].values(table, first, count))


def _within(fault: Fault, first: int, last: int) -> bool:
    """Whether any number from `first` to `last` is in the fault's ranges."""
    return any(low <= last and first <= high for low, high in fault.value)
