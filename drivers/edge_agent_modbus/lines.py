"""What devices on one line say together: what cannot all be true, and how busy the line will be. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge_agent.api import Clash
from edge_agent_modbus.config import ModbusDevice
from edge_agent_modbus.line import Carrier, Endpoint, Framing, Line
from edge_agent_modbus.plan import Block
from edge_agent_modbus.settings import Settings
from edge_agent_modbus.wire import silence_s

# What a slave takes before it answers: most need 2 to 20 ms (Modbus over serial line V1.02 names no figure).
_TURNAROUND_S: Final = 0.01
# Beyond this share of its time a line is too slow for what is asked of it: scans will be skipped.
_FULL: Final = 0.8

_REQUEST: Final = {Framing.MBAP: 12, Framing.RTU: 8, Framing.ASCII: 17}


@dataclass(frozen=True, slots=True)
class _Use:
    device: str
    config: ModbusDevice
    settings: Settings
    line: Line

    @property
    def key(self) -> str:
        return "urls" if self.config.urls else "url"


def together(devices: Mapping[str, ModbusDevice]) -> list[Clash]:
    """See `DriverPlugin.together`: the second of two devices that contradict each other is named."""
    found: list[Clash] = []
    for uses in _by_place(devices).values():
        for use in uses[1:]:
            found += _against(uses[0], use)
        found += _same_unit(uses)
    return found


def _by_place(devices: Mapping[str, ModbusDevice]) -> dict[str, list[_Use]]:
    by_place: dict[str, list[_Use]] = {}
    for device, config in devices.items():
        settings = config.settings()
        for line in settings.lines:
            # a TCP and a UDP port of one number are two
            kind = "udp " if line.endpoint.carrier is Carrier.UDP else ""
            by_place.setdefault(kind + line.endpoint.place, []).append(_Use(device, config, settings, line))
    return by_place


def _against(first: _Use, use: _Use) -> Iterator[Clash]:
    """What `use` says of its line otherwise than `first`, which was there before."""
    place = use.line.endpoint.place
    if use.line.endpoint != first.line.endpoint:
        one, other = first.config.addresses()[0], place
        yield Clash(use.device, use.key, f"{first.device} talks to {other} in another way ({one})",
                    "devices on one line speak alike")  # fmt: skip
        return
    if use.line.endpoint.is_serial and use.settings.serial != first.settings.serial:
        yield Clash(use.device, use.key, f"{first.device} runs {place} at {first.settings.serial}, this device at "
                    f"{use.settings.serial}", "all devices on a serial line need the same settings")  # fmt: skip
    for name in ("connections", "in_flight", "pause_after_connect_ns", "ca", "cert", "key", "server_name"):
        mine, theirs = getattr(use.settings, name), getattr(first.settings, name)
        if mine != theirs:
            key = name.removesuffix("_ns")
            yield Clash(use.device, key if key in use.config.model_fields_set else use.key,
                        f"{key} differs from that of {first.device}, with which it shares {place}",
                        "say the same for all devices behind one address")  # fmt: skip


def _same_unit(uses: Sequence[_Use]) -> Iterator[Clash]:
    seen: dict[int, str] = {}
    for use in uses:
        first = seen.setdefault(use.line.unit, use.device)
        if first != use.device and use.line.endpoint.is_serial:
            yield Clash(use.device, use.key, f"unit {use.line.unit} on {use.line.endpoint.place} is {first} already",
                        "put all tags of a unit under one device, or correct the unit")  # fmt: skip


def request_s(block: Block, settings: Settings, endpoint: Endpoint) -> float:
    """How long the line is taken by reading `block`, s: characters both ways, the silences, the slave's time."""
    if not endpoint.is_serial:
        return 0.0
    serial = settings.serial
    answer = block.size + 5
    if endpoint.framing is Framing.ASCII:
        answer = 2 * (block.size + 4) + 3
    characters = _REQUEST[endpoint.framing] + answer
    on_the_line = characters * serial.bits_a_character / serial.baud
    silences = 2 * silence_s(serial.baud, serial.bits_a_character)
    return on_the_line + silences + _TURNAROUND_S + settings.pause_s


def loads(devices: Mapping[str, ModbusDevice], blocks: Mapping[str, Sequence[tuple[int, Block]]]) -> list[str]:
    """A line for each serial line: how busy it will be with `blocks` (device → period ns and block)."""
    said = []
    for place, uses in _by_place(devices).items():
        share, requests = 0.0, 0.0
        for use in uses:
            for period, block in blocks[use.device]:
                share += request_s(block, use.settings, use.line.endpoint) * 1e9 / period
                requests += 1e9 / period
        if uses[0].line.endpoint.is_serial:
            said.append(
                f"{place} at {uses[0].settings.serial}: {len(uses)} unit{'s' * (len(uses) != 1)}, "
                f"{requests:.3g} requests/s, busy {share:.0%} of the time"
                + ("; TOO MUCH: scans will be skipped, poll less often" if share > _FULL else "")
            )
    return said
