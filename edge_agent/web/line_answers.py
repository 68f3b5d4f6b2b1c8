"""What the API answers about connections: devices, destinations, the journal, and messages that were refused."""

from __future__ import annotations

from edge_agent.web.answers import Answer, Destination, Device, JournalState


class Scan(Answer):
    """Tags that are to be fresh once in `period_s`."""

    period_s: float
    tags: int


class DeviceDetail(Device):
    """A device, how it is read, and who draws from it."""

    id: str
    driver: str
    addresses: list[str]
    """where it may be found, the preferred one first"""
    polled: bool | None
    """false: it tells changes by itself; null while there is no session"""
    scans: list[Scan]
    samples_s: float
    """samples a second to be expected"""
    scans_skipped: int | None
    """of this session: left out because one before took too long; when it grows, the device is asked for too much"""
    lag_s: float | None
    """how far what was read may be behind the device"""
    asked: list[str]
    """what it is asked, a line each: requests and registers of a scan, subscriptions"""
    machines: list[str]
    """that draw from it"""
    writable: int
    """tags that may be written to"""


class DevicesAnswer(Answer):
    """All devices, in the order of the site file."""

    devices: list[DeviceDetail]


class DestinationDetail(Destination):
    """A destination, and what waits for it."""

    id: str
    type: str
    profile: str
    lanes: dict[str, int]
    """records that wait, by lane of the journal: events (states, KPIs, alarms) go before samples"""
    evicted: dict[str, int]
    """records that were deleted before they were delivered, ever, by lane"""
    rejected: int
    """messages it refused for good since the agent started"""
    acknowledged: str | None
    """when it last took anything"""
    dead_letters: int
    """bytes of messages kept that it refused for good"""


class DestinationsAnswer(Answer):
    """All destinations, in the order of the site file."""

    destinations: list[DestinationDetail]
    journal: JournalState


class Letter(Answer):
    """A message that a destination refused for good."""

    time: str
    topic: str
    reason: str
    payload: str
    """its beginning; of bytes that are no text, base64"""


class LettersAnswer(Answer):
    """The newest of them, the newest first."""

    destination: str
    bytes: int
    letters: list[Letter]


class JournalAnswer(JournalState):
    """The durable log, and what waits in it for whom."""

    max_bytes: int
    reports: list[str]
    """what was found wrong since the agent started, and what was done about it"""
    backlog: dict[str, int]
