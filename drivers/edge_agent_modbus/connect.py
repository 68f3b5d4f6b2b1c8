"""Opens a wire to an endpoint: the sockets and serial ports, and in words why one does not open."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Final

from edge_agent.api import AccessDenied, NotConnected
from edge_agent_modbus.debt import Debts
from edge_agent_modbus.line import Carrier, Endpoint, Framing
from edge_agent_modbus.numbered import NumberedWire
from edge_agent_modbus.plain import PlainWire
from edge_agent_modbus.serial_port import StillOpening, open_port
from edge_agent_modbus.settings import SerialSettings, Settings
from edge_agent_modbus.wire import Wire, silence_s

# How long a TLS peer may take to say goodbye.
_PARTING_S: Final = 1.0


async def open_wire(endpoint: Endpoint, settings: Settings, debts: Debts | None = None) -> Wire:
    """A fresh connection within `settings.timeout_s`; NotConnected or AccessDenied says why there is none.

    `debts`: what the units on this serial line owed when it was last closed.
    """
    wire = _wire(endpoint, settings, debts or Debts())
    try:
        async with asyncio.timeout(settings.timeout_s):
            await _open(wire, endpoint, settings)
    except BaseException as failure:
        wire.close()
        if isinstance(failure, Exception):
            raise _told(failure, endpoint, settings) from failure
        raise
    if settings.pause_after_connect_s:
        wire.quiet_for(settings.pause_after_connect_s)
    return wire


def _wire(endpoint: Endpoint, settings: Settings, debts: Debts) -> Wire:
    if endpoint.framing is Framing.MBAP:
        return NumberedWire(settings.in_flight)
    if not endpoint.is_serial:
        return PlainWire(endpoint.framing, Debts())
    serial = settings.serial
    silence = silence_s(serial.baud, serial.bits_a_character)
    return PlainWire(endpoint.framing, debts, serial.bits_a_character / serial.baud, silence)


async def _open(wire: Wire, endpoint: Endpoint, settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    if endpoint.is_serial:
        transport = await open_port(wire, endpoint.path, settings.serial)
        wire.connection_made(transport)
        transport.setup()
    elif endpoint.carrier is Carrier.UDP:
        await loop.create_datagram_endpoint(lambda: wire, remote_addr=(endpoint.host, endpoint.port))
    elif endpoint.carrier is Carrier.TLS:
        context = await loop.run_in_executor(None, _context, settings)
        await loop.create_connection(
            lambda: wire, endpoint.host, endpoint.port, ssl=context,
            server_hostname=settings.server_name or endpoint.host, ssl_shutdown_timeout=_PARTING_S,
        )  # fmt: skip
    else:
        await loop.create_connection(lambda: wire, endpoint.host, endpoint.port)


def _context(settings: Settings) -> ssl.SSLContext:
    """Always verifies the device's name and certificate; there is no option not to. Reads files."""
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except OSError as error:
        raise AccessDenied(f"ca: {settings.ca}: {error.strerror or error}") from error
    if settings.cert is not None:
        try:
            # an empty password keeps OpenSSL from asking for one on the terminal
            context.load_cert_chain(settings.cert, settings.key, password="")
        except OSError as error:
            raise AccessDenied(f"cert: {settings.cert}, key: {settings.key}: {error.strerror or error}") from error
    return context


def _told(failure: Exception, endpoint: Endpoint, settings: Settings) -> Exception:
    """`failure` as what the supervisor understands, in words."""
    place = endpoint.place
    if isinstance(failure, AccessDenied):
        return failure
    if isinstance(failure, StillOpening):
        return NotConnected(f"{place}: the port has been opening for a while and has not come back")
    if isinstance(failure, TimeoutError):
        return NotConnected(f"{place}: nobody answers the attempt to connect within {settings.timeout_s:g}s")
    if isinstance(failure, ssl.SSLCertVerificationError):
        return AccessDenied(
            f"{place}: the device's certificate is not trusted ({failure.verify_message}); "
            "name the authority that signed it under ca:"
        )
    if isinstance(failure, ssl.SSLError):
        return NotConnected(f"{place}: no TLS connection: {failure.reason or failure}")
    if isinstance(failure, socket.gaierror):
        return NotConnected(f"{place}: the host's name is not known")
    if isinstance(failure, ConnectionRefusedError):
        return NotConnected(f"{place}: connection refused; nothing listens on this port")
    if endpoint.is_serial:
        return NotConnected(f"{place}: {_serial_trouble(failure, settings.serial)}")
    if isinstance(failure, OSError):
        return NotConnected(f"{place}: {failure.strerror or failure}")
    return NotConnected(f"{place}: {type(failure).__name__}: {failure}")


def _serial_trouble(failure: Exception, settings: SerialSettings) -> str:
    if isinstance(failure, FileNotFoundError) or "No such file" in str(failure):
        return f"there is no such serial port; there are: {', '.join(_ports()) or 'none'}"
    if "Permission denied" in str(failure):
        return "no permission to open it; put the agent's user into the group dialout"
    if "exclusively lock" in str(failure):
        return "another program has the port open"
    rs485 = " with RS-485 switching by RTS" if settings.rs485 is not None else ""
    return f"the port cannot be set to {settings}{rs485}: {failure.args[-1] if failure.args else failure}"


def _ports() -> list[str]:
    """Serial ports by the name they keep; else those of USB adapters and boards."""
    by_id = sorted(str(path) for path in Path("/dev/serial/by-id").glob("*"))
    plain = (path for pattern in ("ttyUSB*", "ttyACM*", "ttyAMA*", "ttyS[0-3]") for path in Path("/dev").glob(pattern))
    return by_id or sorted(map(str, plain))


