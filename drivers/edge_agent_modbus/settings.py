"""Everything a session needs to know, put together from the site file and the url; times in ns or seconds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_agent.api import Duration, StrictModel
from edge_agent_modbus.line import Line


class Rs485(StrictModel):
    """How a half-duplex line driver is switched over; needs a port whose kernel driver can do that."""

    rts_on_send: bool = True
    """level of RTS while sending; the other one while listening"""
    delay_before_send: Duration = 0
    """between switching over and the first character"""
    delay_after_send: Duration = 0
    """between the last character and switching back"""


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """How characters look on a serial line."""

    baud: int = 19_200
    parity: Literal["N", "E", "O"] = "N"
    stop: int = 1
    bits: int = 8
    rs485: Rs485 | None = None

    @property
    def bits_a_character(self) -> int:
        """With start, parity and stop bits."""
        return 1 + self.bits + (self.parity != "N") + self.stop

    def __str__(self) -> str:
        """`19200 8N1`."""
        return f"{self.baud} {self.bits}{self.parity}{self.stop}"


@dataclass(frozen=True, slots=True)
class Settings:
    """How to talk to one device: `lines` are its addresses, the preferred one first."""

    lines: tuple[Line, ...]
    timeout_ns: int
    retries: int
    retry_pause_ns: int
    max_registers: int
    max_bits: int
    gap: int
    pause_ns: int
    pause_after_connect_ns: int
    connections: int
    in_flight: int
    serial: SerialSettings
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    server_name: str = ""

    @property
    def timeout_s(self) -> float:
        """Seconds to wait for a connection, and for each answer."""
        return self.timeout_ns / 1e9

    @property
    def pause_s(self) -> float:
        """Seconds of quiet after an answer."""
        return self.pause_ns / 1e9

    @property
    def pause_after_connect_s(self) -> float:
        """Seconds of quiet after connecting."""
        return self.pause_after_connect_ns / 1e9
