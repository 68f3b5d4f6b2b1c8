"""Drivers: a device's configuration, its sessions, and what a driver package offers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, Self, runtime_checkable

from pydantic import Field

from edge_agent.api.certificates import Certificates
from edge_agent.api.tools import Tools
from edge_agent.api.values import Clock, Duration, Home, Scale, StrictModel
from edge_agent.core.alarm import AlarmChange, AlarmMark
from edge_agent.core.batch import Batch, Int32s
from edge_agent.core.tags import Kind, Tag
from edge_agent.core.writing import Value


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

    scale: Scale = Field(1.0, allow_inf_nan=False)
    """value = raw × scale + offset, applied by the agent, not by the driver"""
    offset: float = Field(0.0, allow_inf_nan=False)
    unit: str = ""
    """UCUM code, for example Cel, kW.h, bar"""
    deadband: float = Field(0.0, ge=0)
    """smallest change worth reporting, in the tag's unit; 0 reports every change"""
    range: tuple[float, float] | None = None
    """lowest and highest plausible value; outside it the sample is marked bad"""
    max_step: float | None = Field(None, gt=0)
    """largest plausible change from one sample to the next, in the tag's unit; a value further away than that from
    the last one believed is a spike, bad, unless the next one is near it"""
    stuck_after: Duration | None = None
    """a value that has not changed for so long is uncertain; default: it may stand still for ever"""
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

    def tells_alarms(self) -> bool:
        """Whether alarms come from there; its sessions are `AlarmingSession`s then."""
        return False

    def at_home(self, home: Home) -> Self:
        """The same, knowing whose device it is; called once the whole site file is known to be right."""
        return self


class Session(Protocol):
    """One connection to a device, open until it fails or is closed."""

    @property
    def confirms(self) -> bool:
        """True: the device reports by exception, and each `read` (even an empty one) confirms that every
        tag it does not mention is unchanged. False: a tag is only as fresh as its last sample."""
        ...

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


@runtime_checkable
class AlarmingSession(Session, Protocol):
    """A session that also tells of alarms: conditions that hold for a while, and events."""

    def alarms(self) -> Sequence[AlarmChange | AlarmMark]:
        """What has come since the last call, in its order; quick, asked after each `read`, which returns (if
        need be an empty batch) when something has come.

        A device that can tell all its present conditions does so once the session stands, between `BEGIN` and
        `END`; and again when something was lost, which is told by `LOST`. That the session itself is lost goes
        without saying.
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
    certificates: Certificates | None = None
    """for `edge-agent cert`"""
    warnings: Callable[[Any], Sequence[str]] = lambda _config: ()
    """what is right in a device's configuration but should be known, a sentence each, for `check` and, once a
    day, the log; may look at files"""
    templates: Mapping[str, str] = field(default_factory=dict)
    """register maps a device section may name: name → YAML text, see configs/README.md"""
