"""Connections for people: each device with its load, each destination with what waits for it, the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import orjson

from edge_agent.api import Driver
from edge_agent.config import Site
from edge_agent.core.engine import Engine
from edge_agent.core.phrase import without_password
from edge_agent.core.report import Status
from edge_agent.health import Health, Line
from edge_agent.journal import LANES, Journal
from edge_agent.web.answers import Answer, Destination, Device, Draining, JournalState, Qualities
from edge_agent.web.times import Times

# Of messages that were refused for good a page shows the last; reading more would keep the disk busy.
LETTERS: Final = 50
LETTERS_BYTES: Final = 262_144
# Of a payload as much as tells which it was.
_PAYLOAD: Final = 500


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


class Read(Protocol):
    """A device that is read; see `south.reader`."""

    device: str
    driver: Driver
    session: Any


class Cursor(Protocol):
    """A place in the journal; see `journal.cursor`."""

    @property
    def backlog_records(self) -> int:
        """Committed and not released."""
        ...

    @property
    def evicted(self) -> int:
        """Deleted before they were released, ever."""
        ...


class Places(Protocol):
    """Both places of a destination."""

    @property
    def cursors(self) -> tuple[Cursor, Cursor]:
        """Of events, of samples."""
        ...


class Sending(Protocol):
    """How a destination is sent to; see `north.sending`."""

    rejected: int


class Followed(Protocol):
    """A destination that is sent to; see `north.follow`."""

    line: Line

    @property
    def places(self) -> Places:
        """Where it is in the journal."""
        ...

    @property
    def acknowledged_ns(self) -> int:
        """When it last took anything; 0: never."""
        ...

    @property
    def sending(self) -> Sending:
        """How it is sent to."""
        ...


class LinesView:
    """Reads the parts that hold connections and changes nothing."""

    def __init__(
        self,
        site: Site,
        engine: Engine,
        health: Health,
        journal: Journal,
        times: Times,
        status: Callable[[], Status],
        readers: Sequence[Read] = (),
        followers: Sequence[Followed] = (),
        asked: Callable[[str], Sequence[str]] = lambda _device: (),
    ) -> None:
        """`asked`: what a device is asked, as its driver describes it."""
        self._site = site
        self._engine = engine
        self._health = health
        self._journal = journal
        self._times = times
        self._status = status
        self._readers = {reader.device: reader for reader in readers}
        self._followers = {follower.line.name: follower for follower in followers}
        self._asked = asked
        self._periods = {
            name: Counter(map(device.period_ns, device.tags.values())) for name, device in site.devices.items()
        }
        self._machines: dict[str, list[str]] = {name: [] for name in site.devices}
        for machine in engine.machines.values():
            for device in dict.fromkeys(tag.device for tag in machine.spec.tags()):
                self._machines[device].append(machine.spec.id)

    def line(self, line: Line) -> dict[str, Any]:
        """The fields of a `Connection`."""
        return {
            "state": line.state,
            "address": without_password(line.place or " or ".join(line.addresses)),
            "since": self._times.iso(line.since_ns),
            "error": without_password(line.error) or None,
            "failures": line.failures,
            "next_attempt": self._times.iso(line.next_ns) if line.next_ns else None,
        }

    def device(self, name: str, line: Line) -> Device:
        """A device as the status shows it."""
        return Device(**self.line(line), tags=self._qualities(name))

    def devices(self) -> DevicesAnswer:
        """All of them, with what a page of connections wants to know."""
        return DevicesAnswer(devices=[self._detail(name) for name in self._site.devices])

    def _detail(self, name: str) -> DeviceDetail:
        config, line = self._site.devices[name], self._health.devices[name]
        session = self._readers[name].session if name in self._readers else None
        periods = self._periods[name]
        return DeviceDetail(
            **self.line(line),
            id=name,
            driver=config.driver,
            tags=self._qualities(name),
            addresses=[without_password(address) for address in config.addresses()],
            polled=None if session is None else not session.confirms,
            scans=[Scan(period_s=period / 1e9, tags=n) for period, n in sorted(periods.items())],
            samples_s=sum(n * 1e9 / period for period, n in periods.items()),
            scans_skipped=None if session is None else int(session.skipped),
            lag_s=None if session is None else session.lag_ns / 1e9,
            asked=[without_password(line) for line in self._asked(name)],
            machines=self._machines[name],
            writable=sum(tag.writing() is not None for tag in config.tags.values()),
        )

    def _qualities(self, name: str) -> Qualities:
        classes = self._engine.ring.latest.quality[self._engine.table.device_slice(name)] >> 6
        good, uncertain, bad = (int(np.count_nonzero(classes == which)) for which in range(3))
        return Qualities(good=good, uncertain=uncertain, bad=bad)

    def destination(self, name: str, line: Line, status: Status) -> Destination:
        """A destination as the status shows it."""
        return Destination(
            **self.line(line), backlog=status.backlog.get(name, 0), draining=_draining(status.draining, name)
        )

    def destinations(self, letters: Mapping[str, int]) -> DestinationsAnswer:
        """All of them; `letters` as `letter_bytes` gave them."""
        status = self._status()
        found = []
        for name, config in self._site.publish.items():
            follower = self._followers.get(name)
            cursors = follower.places.cursors if follower else ()
            acknowledged = follower.acknowledged_ns if follower else 0
            found.append(
                DestinationDetail(
                    **self.destination(name, self._health.destinations[name], status).model_dump(),
                    id=name,
                    type=config.type,
                    profile=config.profile,
                    lanes={lane: one.backlog_records for lane, one in zip(LANES, cursors, strict=False)},
                    evicted={lane: one.evicted for lane, one in zip(LANES, cursors, strict=False)},
                    rejected=follower.sending.rejected if follower else 0,
                    acknowledged=self._times.iso(acknowledged) if acknowledged else None,
                    dead_letters=letters.get(name, 0),
                )
            )
        return DestinationsAnswer(destinations=found, journal=self.journal_state(status))

    def letter_bytes(self) -> dict[str, int]:
        """How much each destination refused for good; looks at the disk, so done in a thread."""
        return {name: sum(path.stat().st_size for path in self._letter_files(name)) for name in self._site.publish}

    def has_destination(self, name: str) -> bool:
        """True for a destination of the site file."""
        return name in self._site.publish

    def letters(self, name: str) -> LettersAnswer:
        """What a destination refused for good; reads the disk, so done in a thread."""
        files = list(self._letter_files(name))
        found: list[Letter] = []
        for path in reversed(files):
            found += list(_letters(path))[::-1]
        return LettersAnswer(
            destination=name, bytes=sum(path.stat().st_size for path in files), letters=found[:LETTERS]
        )

    def _letter_files(self, name: str) -> Iterator[Path]:
        """The older first; those that are there."""
        folder = Path(self._site.agent.data_dir) / "dead"
        return (path for path in (folder / f"{name}.1.jsonl", folder / f"{name}.jsonl") if path.exists())

    def journal_state(self, status: Status) -> JournalState:
        """The journal as the status shows it."""
        return JournalState(
            ok=not status.journal,
            error=status.journal or None,
            pending=self._journal.pending_records,
            bytes=self._journal.size,
            written_bytes=self._journal.written_bytes,
            written_a_day=self._journal.written_a_day,
        )

    def journal(self) -> JournalAnswer:
        """With what was found wrong."""
        status = self._status()
        return JournalAnswer(
            **self.journal_state(status).model_dump(),
            max_bytes=self._site.journal.max_size,
            reports=list(self._journal.reports)[-LETTERS:],
            backlog=dict(status.backlog),
        )


def _draining(told: Mapping[str, Mapping[str, float | None]], name: str) -> Draining | None:
    return Draining.model_validate(told[name]) if name in told else None


def _letters(path: Path) -> Iterator[Letter]:
    """The last of a file, the older first; a line that cannot be read is passed over."""
    with path.open("rb") as file:
        size = path.stat().st_size
        file.seek(max(size - LETTERS_BYTES, 0))
        lines = file.read(LETTERS_BYTES).splitlines()[-LETTERS:]
    for line in lines:
        try:
            said = orjson.loads(line)
            payload = str(said.get("payload", said.get("base64", "")))[:_PAYLOAD]
            yield Letter(time=said["time"], topic=said["topic"], reason=said["reason"], payload=payload)
        except (ValueError, KeyError, TypeError):
            continue
