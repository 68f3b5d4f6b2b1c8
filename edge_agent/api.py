"""The plugin page: everything a driver, a publisher, a profile or a server may know of the agent.

A plugin is found by entry point (`edge_agent.drivers`, `edge_agent.publishers`,
`edge_agent.profiles`, `edge_agent.servers`), imports this module and nothing else of the agent, and
inherits from nothing but the configuration models below. Lifecycle, for every kind:

* building checks the configuration and does no I/O; it raises only `ConfigError`;
* `connect()` (of a server: `listen()`) opens one session or link, used once and never reopened; it raises
  `NotConnected` (try again soon) or `AccessDenied` (try again, rarely);
* after that `read`/`send` may raise `NotConnected`, `AccessDenied` or `Rejected`; the caller
  then calls `close()` once, which must be safe in every state, and builds nothing on it again;
* a plugin never retries, never logs what it raises, never starts a task that outlives its
  session, and never blocks the event loop.

Calls to one object are never made in parallel, except that `close()` may come while a `read`
or `send` is being cancelled, a `write` while a `read` is under way, and `listen` while a `send` is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema

from edge_agent.core.batch import Batch, Bytes, Floats, Int32s, Int64s, concat, empty, row
from edge_agent.core.quality import BAD, GOOD, UNCERTAIN, Reason, bad, uncertain
from edge_agent.core.quantity import duration_ns, size_bytes
from edge_agent.core.tags import Kind, Tag, Vocabulary, scan_group
from edge_agent.core.writing import Value
from edge_agent.encode.message import Message
from edge_agent.errors import AccessDenied, ConfigError, Mistake, NotConnected, Refused, Rejected

__all__ = [
    "BAD", "GOOD", "UNCERTAIN", "AccessDenied", "Batch", "Bytes", "Clash", "Clock", "ConfigError",
    "DeviceConfig", "DeviceName", "Discovery", "Driver", "DriverPlugin", "Duration", "Floats", "Inquiry",
    "Int32s", "Int64s", "Kind", "KpiName", "Link", "Listen", "Listening", "ListeningLink", "MachineName",
    "Measured", "Message", "Mistake", "NotConnected", "PublishConfig", "Publisher", "PublisherPlugin",
    "Reason", "Received", "Refused", "Rejected", "ServeConfig", "Server", "ServerPlugin", "Session", "Size",
    "Source", "StrictModel", "Tag", "TagConfig", "TagName", "Tell", "Tools", "Value", "Vocabulary",
    "WritableSession", "WriteConfig", "bad", "concat", "empty", "kind_of", "listen_place", "row",
    "scan_group", "uncertain",
]  # fmt: skip

Clock = Callable[[], int]
"""The agent's clock: ns UTC."""


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


class WriteConfig(StrictModel):
    """What may be written to a tag. Without it nothing may. All values are in the tag's unit."""

    min: float | None = None
    """lowest value; a number needs min and max, or values"""
    max: float | None = None
    """highest value"""
    values: tuple[Value, ...] | None = None
    """only these"""
    every: Duration = 1_000_000_000
    """at most one write in this time; flash memory in drives and meters wears out"""
    settle: Duration = 0
    """how long after the write it is read back"""
    through: tuple[Literal["mqtt", "api"], ...] = ("mqtt", "api")
    """which ways a command may come"""


class TagConfig(StrictModel):
    """What every tag may say; a driver's own model adds how the tag is found."""

    scale: Annotated[float, AfterValidator(_not_zero)] = Field(1.0, allow_inf_nan=False)
    """value = raw × scale + offset, applied by the agent, not by the driver"""
    offset: float = Field(0.0, allow_inf_nan=False)
    unit: str = ""
    """UCUM code, for example Cel, kW.h, bar"""
    deadband: float = Field(0.0, ge=0)
    """smallest change worth reporting, in the tag's unit; 0 reports every change"""
    range: tuple[float, float] | None = None
    """lowest and highest plausible value; outside it the sample is marked bad"""
    stale: Duration | None = None
    """no sample for this long makes the tag stale; default three poll periods, at least 10 s"""

    def kind(self) -> Kind:
        """What the tag's values are, as far as the configuration tells."""
        return Kind.FLOAT

    def bits(self) -> int | None:
        """At which width the raw value, if it counts something, wraps to 0; None if that is not known."""
        return None

    def whole(self) -> bool:
        """Whether raw values are whole numbers: of a value to be written, its raw value must be one."""
        return self.kind() is Kind.INT

    def shape(self) -> str:
        """What else than scale and offset makes the value of what the device sends; "" for nothing. Where
        it differs, KPIs are not to be compared."""
        return ""

    def writing(self) -> WriteConfig | None:
        """What may be written to it; None: nothing."""
        return None


class DeviceConfig(StrictModel):
    """What every device says; a driver's own model adds its options and narrows `tags`."""

    driver: str
    """the driver's name, as `edge-agent drivers` lists them"""
    url: str
    tags: Mapping[str, TagConfig] = Field(default_factory=dict)

    def period_ns(self, tag: TagConfig) -> int:
        """How often a fresh sample of `tag` (one of `tags`) is to be expected, ns."""
        return 1_000_000_000

    def addresses(self) -> Sequence[str]:
        """Every URL under which the device may be found, the preferred one first."""
        return (self.url,)


class Session(Protocol):
    """One connection to a device, open until it fails or is closed."""

    confirms: bool
    """True: the device reports by exception, and each `read` (even an empty one) confirms that every
    tag it does not mention is unchanged. False: a tag is only as fresh as its last sample."""

    lag_ns: int
    """How far what `read` has returned may be behind the device at that moment."""

    @property
    def skipped(self) -> int:
        """How many scans this session has left out so far because an earlier one took too long."""
        ...

    async def read(self) -> Batch:
        """Wait for the next scan, or for what the subscription has queued, and return it all.

        Raw values (the agent scales and checks). A tag the device refuses is a bad sample with
        reason REFUSED, not an exception. Safe to cancel.
        """
        ...

    async def close(self) -> None:
        """Let go of the line; never raises."""
        ...


@runtime_checkable
class WritableSession(Session, Protocol):
    """A session that can also write."""

    async def write(self, tag: Tag, raw: Value, settle_ns: int) -> Value:
        """Write one raw value (the agent has checked and unscaled it), read it back, return what was read.

        `Refused`: the value does not fit the tag's type, the device said no, or what was read back is
        not what was written. `NotConnected` as for `read`; the value may then have arrived or not. May be
        called while a `read` is under way; never twice at once. Never retried by anyone. Cancelled when the
        device has not answered for long.
        """
        ...


class Driver(Protocol):
    """Knows one device's configuration; opens sessions to it."""

    groups: Sequence[Int32s]
    """The scan groups (see `scan_group`) whose rows `read` may return; empty if it has none."""

    async def connect(self) -> Session:
        """Open a fresh session; return only once the device has answered something."""
        ...

    def why(self, tag: Tag) -> Sequence[str]:
        """What the driver knows about why `tag` has no good value, a sentence each, the nearest cause
        first; empty if it knows nothing. Quick; may be asked at any time, with or without a session."""
        ...


@dataclass(frozen=True, slots=True)
class Clash:
    """A mistake that only shows when devices are seen together; `key` is one of `device`'s."""

    device: str
    key: str
    message: str
    hint: str = ""


Tell = Callable[[str], None]
"""Shows progress to whoever waits, a line at a time."""


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found at a URL.

    section  the YAML of a device section that works as it stands
    rows     the same as a tag list: device, tag, address, type, order, scale, offset, unit, and more;
             every row with the same keys
    """

    section: str
    rows: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Measured:
    """A setting found by experiment: as the device section writes it, and what was seen. An empty `value`:
    nothing can be said of the key, and `why` says why."""

    key: str
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What an engineer asks of a tool besides URL and addresses.

    tell     shows progress
    enough   whether to end now, with what was found so far; asked between requests
    options  what else the command line says, by name, as written; ValueError for one that is not understood
    keys     of a device section, such as a timeout, that hold while asking
    """

    tell: Tell
    enough: Callable[[], bool] = lambda: False
    options: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, Any] = field(default_factory=dict)


class Tools(Protocol):
    """What an engineer wants to know of a device before there is a site file; may take minutes. Never writes.

    All raise `ValueError` for a URL, address, option or key that is none, `NotConnected` where nothing
    answers, `AccessDenied` where it may not be asked, `Refused` where it does not give what the rest needs.
    """

    schemes: Sequence[str]
    """of the URLs it understands, without ://"""

    async def discover(self, url: str, inquiry: Inquiry) -> Discovery:
        """What is there: devices behind the URL, what can be read of each."""
        ...

    async def probe(self, url: str, addresses: Sequence[str], inquiry: Inquiry) -> Sequence[Mapping[str, Any]]:
        """All plausible readings of live values, address by address, best first; one mapping a reading:

        address  as given, or one of a range      about   what else is to be known of the address, in words
        type, order, values   as a site file names them; the values over the reads
        score    0 to 99                          why     the reason, in words
        tag      a tag in one line that gives it
        """
        ...

    async def limits(self, url: str, addresses: Sequence[str], inquiry: Inquiry) -> Sequence[Measured]:
        """The settings to use with the device."""
        ...


@dataclass(frozen=True, slots=True)
class DriverPlugin:
    """What a driver package offers under the entry point group `edge_agent.drivers`."""

    name: str
    summary: str
    config: type[DeviceConfig]
    build: Callable[[str, Any, Sequence[Tag], Clock], Driver]
    """`build(device id, config, its tags in file order, clock)`; raises only `ConfigError`"""
    describe: Callable[[str, Any, Sequence[Tag]], Sequence[str]]
    """what the device will be asked, a line each, for `edge-agent plan`; no I/O"""
    sample: str
    """a commented YAML device section that works as it stands, with its `driver:` line"""
    together: Callable[[Mapping[str, Any]], Sequence[Clash]] = lambda _devices: ()
    """what is wrong with all devices of this driver (id → config) together, such as one serial port at
    two speeds; no I/O"""
    overview: Callable[[Mapping[str, Any], Sequence[Tag]], Sequence[str]] = lambda _devices, _tags: ()
    """what `edge-agent plan` says of all devices of this driver together; no I/O"""
    tools: Tools | None = None
    """for `edge-agent discover` and `probe`"""
    templates: Mapping[str, str] = field(default_factory=dict)
    """register maps a device section may name: name → YAML text, see configs/README.md"""


class PublishConfig(StrictModel):
    """What every destination says; a publisher's own model adds its options."""

    type: str
    """the publisher's name"""
    url: str
    profile: Literal["json"] | str = "json"
    """the form of the messages"""

    def listens(self) -> bool:
        """Whether commands may come from there; its links are `ListeningLink`s then."""
        return False


class Link(Protocol):
    """One connection north, open until it fails or is closed."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Return once the peer has acknowledged every message, in order.

        `Rejected(positions)`: those the peer refuses for good; all others are acknowledged.
        After `NotConnected` any of them may or may not have arrived: the caller sends them again.
        """
        ...

    async def closed(self) -> None:
        """Wait until the peer or the network has ended the link; raises the reason."""
        ...

    async def close(self) -> None:
        """End the link in good manners (no will); never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """What came from a destination.

    retained   it was kept there: said some time, not now
    answer_to  the topic the sender wants its answer on; '' if it names none
    token      what the answer has to carry so that the sender knows it again
    """

    topic: str
    payload: bytes
    retained: bool = False
    answer_to: str = ""
    token: bytes = b""


@runtime_checkable
class ListeningLink(Link, Protocol):
    """A link that also brings what others send."""

    async def listen(self, topics: str, hear: Callable[[Received], None]) -> None:
        """Return once the peer will bring what is sent to `topics` (a filter, + for any one level).

        `hear` is called for each message while the link lasts, in order; it is quick and does not raise.
        `Rejected((0,))`: the peer refuses for good. May be called while a `send` is under way, once a link.
        """
        ...


class Publisher(Protocol):
    """Knows one destination's configuration; opens links to it."""

    async def connect(self) -> Link:
        """Open a fresh link."""
        ...


@dataclass(frozen=True, slots=True)
class PublisherPlugin:
    """What a publisher package offers under the entry point group `edge_agent.publishers`."""

    name: str
    summary: str
    config: type[PublishConfig]
    build: Callable[[str, Any, str, Message], Publisher]
    """`build(destination id, config, agent id, will)`; raises only `ConfigError`"""


def _declared(what: str) -> AfterValidator:
    """A check of a reference against what the site file declares.

    `load` hands that down as the context of the validation; without one (schema, tests) nothing is checked.
    """

    def check(text: str, info: ValidationInfo) -> str:
        if info.context is not None:
            getattr(info.context, f"check_{what}")(text)
        return text

    return AfterValidator(check)


TagName = Annotated[str, _declared("tag")]
"""`device.tag` in the configuration of a server; the agent checks that there is one."""

MachineName = Annotated[str, _declared("machine")]
"""A machine's id, checked likewise."""

DeviceName = Annotated[str, _declared("device")]
"""A device's id, checked likewise."""

KpiName = Annotated[str, _declared("kpi")]
"""`machine.window.name`, such as `press-1.shift.oee`: a ratio or count of the KPI record, checked likewise."""


def kind_of(tag: str, info: ValidationInfo) -> Kind | None:
    """For validators: the kind of `device.tag`; None if the site file does not tell."""
    kind: Kind | None = None if info.context is None else info.context.kind(tag)
    return kind


def listen_place(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:1502` or `[::1]:1502`; ValueError if it is none."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r} has an IPv6 address without brackets; write [::1]:1502")
    if not colon or not host or any(c.isspace() or c in "/?#@[]" for c in host):
        raise ValueError(f"{text!r} is not an address to listen on; write host:port, such as 127.0.0.1:1502")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65_535):
        raise ValueError(f"{text!r} has no port from 1 to 65535; write host:port, such as 127.0.0.1:1502")
    return host, int(port)


def _listen(text: str) -> str:
    listen_place(text)
    return text


Listen = Annotated[str, AfterValidator(_listen)]
"""A field written `127.0.0.1:1502`; see `listen_place`."""


class ServeConfig(StrictModel):
    """What every server says; a server plugin's own model adds its options."""

    type: str
    """the server's name"""
    listen: Listen
    """host:port; 127.0.0.1 is this computer only, 0.0.0.0 every network it is in"""


class Source(Protocol):
    """What a server may ask of the running agent: this instant's answers, quick, without waiting.

    What is asked without an `await` between belongs together.
    """

    def now(self) -> int:
        """The agent's clock: ns UTC."""
        ...

    def value(self, tag: str) -> tuple[Value | None, int, int] | None:
        """Value, quality byte, and the time (ns UTC) up to which `device.tag` is known; None before its
        first sample. The value is None where there is none, as in a sample marked for a lost line."""
        ...

    def kpi(self, machine: str, window: str, name: str) -> float | None:
        """A ratio or count of the open window as last published; None if undefined, or if no window is open."""
        ...

    def state(self, machine: str) -> int:
        """The number of the machine's state: 0 UNKNOWN, 1 OFF, 2 IDLE, 3 SETUP, 4 RUN, 5 FAULT, 6 MAINT."""
        ...

    def connected(self, device: str) -> bool:
        """Whether there is a session to the device."""
        ...


class Listening(Protocol):
    """An open port with all its connections."""

    async def closed(self) -> None:
        """Wait until something has ended it; raises the reason. Safe to cancel."""
        ...

    async def close(self) -> None:
        """Close the port and every connection; never raises."""
        ...


class Server(Protocol):
    """Knows one server's configuration; shows what the agent knows to those who ask. It changes nothing."""

    async def listen(self) -> Listening:
        """Open the port. `NotConnected` while another program has it, `AccessDenied` if it must not."""
        ...


@dataclass(frozen=True, slots=True)
class ServerPlugin:
    """What a server package offers under the entry point group `edge_agent.servers`."""

    name: str
    summary: str
    config: type[ServeConfig]
    build: Callable[[str, Any, Source], Server]
    """`build(server id, config, source)`; raises only `ConfigError`"""
    warnings: Callable[[Any], Sequence[str]] = lambda _config: ()
    """what is right but should be known, a sentence each, for `check` and the log"""
