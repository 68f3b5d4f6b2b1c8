"""Why a broker or the network said no, sorted by what the caller should do about it.

Reason codes are those of MQTT 5.0 section 2.4; paho translates the five of MQTT 3.1.1 to them.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

from paho.mqtt.reasoncodes import ReasonCode

from edge_agent.errors import AccessDenied, EdgeAgentError, NotConnected
from edge_agent.north.mqtt_terms import Told
from edge_agent.north.pace import slower_s

NO_SUBSCRIBER: Final = 0x10
FAILURE: Final = 0x80
"""this and everything above it is a refusal"""
WRONG_VERSION: Final = 0x84
TAKEN_OVER: Final = 0x8E
PROTOCOL_ERROR: Final = 0x82
KEEPALIVE_TIMEOUT: Final = 0x8D
TEMPORARY: Final = (0x91, 0x97)
"""packet identifier in use, quota exceeded: in a PUBACK, reasons to come again rather than to give up"""
OF_A_PACKET: Final = (0x80, 0x81, 0x82, 0x83, 0x90, 0x95, 0x99, 0x9A, 0x9B)
"""in a DISCONNECT, reasons that may be of a message: unspecified, malformed, protocol, implementation, topic, size,
format, retain, QoS"""
USE_ANOTHER: Final = 0x9C
MOVED: Final = 0x9D
_DENIED: Final = (WRONG_VERSION, 0x85, 0x86, 0x87, 0x8A, 0x8C)
"""version, client id, user or password, not authorised, banned, authentication method"""
_WILL: Final = (0x90, 0x95, 0x99, 0x9A, 0x9B)
"""topic, size, format, retain, QoS: in a CONNACK they are those of the will"""
_SLOWER: Final = (0x89, 0x96, 0x97, 0x9F)
"""busy, message rate, quota, connection rate: come again, but not soon"""


class VersionRefused(AccessDenied):
    """The broker says that it does not speak this version of MQTT."""


class Elsewhere(NotConnected):
    """The broker sends us to another one: `reference`, as MQTT 5.0 section 4.13 words it; '' if it names none."""

    def __init__(self, text: str, reference: str = "") -> None:
        super().__init__(text)
        self.reference = reference


class Unanswered(NotConnected):
    """The broker hung up, or kept silent, instead of answering CONNECT: gone, or startled by the version."""


def from_broker(
    what: str, code: int, text: str, client_id: str, server: str = "", greeting: bool = False
) -> EdgeAgentError:
    """The error for reason `code`, named `text`, in a CONNACK (`greeting`) or DISCONNECT; `what` the broker did."""
    if code == WRONG_VERSION:
        return VersionRefused(f"{what}: {text}")
    if code == TAKEN_OVER:
        return AccessDenied(f"{what}: another client uses client id {client_id}")
    if code in _DENIED:
        return AccessDenied(f"{what}: {text}")
    if code in (USE_ANOTHER, MOVED):
        return Elsewhere(f"{what}: {text}" + (f": {server}" if server else ""), server)
    if code in _WILL and greeting:
        return AccessDenied(f"{what}, for the will we leave with it: {text}")
    if code in _SLOWER:
        return slower(f"{what}: {text}")
    return NotConnected(f"{what}: {text}")


def slower(text: str) -> NotConnected:
    """The error for a broker that wants to be asked less."""
    return NotConnected(text, retry_after_s=slower_s())


def from_network(error: Exception) -> EdgeAgentError:
    """The error for what opening a connection raised: names, sockets, TLS, certificate files."""
    if isinstance(error, ssl.SSLCertVerificationError):
        what = error.verify_message.rstrip(".")
        hint = "the url must name the host as it does" if "mismatch" in what else "see ca:"
        return AccessDenied(f"the broker's certificate is not trusted: {what}; {hint}")
    if isinstance(error, ssl.SSLError):
        return from_wire(f"TLS failed: {error}")
    if isinstance(error, socket.gaierror):
        return NotConnected(f"the name does not resolve: {error.strerror}")
    if isinstance(error, ConnectionRefusedError):
        return NotConnected("nothing listens there (connection refused)")
    if isinstance(error, TimeoutError):
        return NotConnected("no answer (timed out)")
    return NotConnected(str(error) or repr(error))


def from_wire(text: str) -> EdgeAgentError:
    """The error for what broke an open connection, as the socket words it.

    With TLS 1.3 a broker refuses our certificate only after the handshake, by an alert.
    """
    lower = text.lower()
    if "alert" in lower and ("certificate" in lower or "unknown ca" in lower):
        return AccessDenied(f"the broker refuses our certificate: {text}; see cert: and key:")
    return NotConnected(text)


def from_silence(heard: str, code: int, greeted: bool) -> EdgeAgentError:
    """The error for a connection that ended without a word of the broker; `heard`: of the socket, `code`: paho's."""
    if code == KEEPALIVE_TIMEOUT:
        return NotConnected("half-open connection: no answer to the keep-alive ping")
    if isinstance(fault := from_wire(heard), AccessDenied):
        return fault
    if not greeted:
        heard = heard or ("protocol error" if code == PROTOCOL_ERROR else "connection closed")
        return Unanswered(f"the broker did not answer CONNECT ({heard})")
    return NotConnected(heard or "the broker closed the connection")


def renewed(fault: EdgeAgentError | None, place: str) -> EdgeAgentError:
    """The same with its place, fresh for each who waits: one object raised twice grows one traceback."""
    if isinstance(fault, Elsewhere):
        return Elsewhere(f"{place}: {fault}", fault.reference)
    if isinstance(fault, NotConnected) and fault.retry_after_s:
        return NotConnected(f"{place}: {fault}", retry_after_s=fault.retry_after_s)
    kinds = (VersionRefused, Unanswered, AccessDenied)
    kind = next((kind for kind in kinds if isinstance(fault, kind)), NotConnected)
    return kind(f"{place}: {fault}")


def named(reason: ReasonCode, properties: Told) -> str:
    """`Not authorized (0x87)`, with the broker's own words where it sends any."""
    words = getattr(properties, "ReasonString", "")
    return f"{reason} (0x{reason.value:02X})" + (f": {words}" if words else "")
