"""Connections for people: each device with its load, each destination with what waits for it, the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np

from edge_agent.api import Driver
from edge_agent.config import Site
from edge_agent.core.engine import Engine
from edge_agent.core.phrase import without_password
from edge_agent.core.report import Status
from edge_agent.health import Health, Line
from edge_agent.journal import LANES, Journal
from edge_agent.web.answers import Destination, Device, Draining, JournalState, Qualities
from edge_agent.web.letters import Letters
from edge_agent.web.line_answers import (
    DestinationDetail,
    DestinationsAnswer,
    DeviceDetail,
    DevicesAnswer,
    JournalAnswer,
    Scan,
)
from edge_agent.web.times import Times

# The newest of what was found wrong in the journal: more is a matter of the log.
_REPORTS: Final = 50


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
        self.refused = Letters(site)
        self._periods = {
            name: Counter(map(device.period_ns, device.tags.values())) for name, device in site.devices.items()
        }
        self._machines: dict[str, list[str]] = {name: [] for name in site.devices}
        for machine in engine.machines.values():
            for device in dict.fromkeys(tag.device for tag in machine.spec.tags()):
                self._machines[device].append(machine.spec.id)

    def _line(self, line: Line) -> dict[str, Any]:
        """The fields of a `Connection`."""
        return {
            "state": line.state,
            "address": without_password(line.place or " or ".join(line.addresses)),
            "since": self._times.iso(line.since_ns),
            "error": without_password(line.error) or None,
            "failures": line.failures,
            "next_attempt": self._times.iso(line.next_ns) if line.next_ns else None,
        }

    def _device(self, name: str, line: Line) -> Device:
        return Device(**self._line(line), tags=self._qualities(name))

    def device_states(self) -> dict[str, Device]:
        """Each device as the status shows it."""
        return {name: self._device(name, line) for name, line in self._health.devices.items()}

    def destination_states(self) -> dict[str, Destination]:
        """Each destination as the status shows it."""
        status = self._status()
        return {name: self._destination(name, line, status) for name, line in self._health.destinations.items()}

    def devices(self) -> DevicesAnswer:
        """All of them, with what a page of connections wants to know."""
        return DevicesAnswer(devices=[self._detail(name) for name in self._site.devices])

    def _detail(self, name: str) -> DeviceDetail:
        config, line = self._site.devices[name], self._health.devices[name]
        session = self._readers[name].session if name in self._readers else None
        periods = self._periods[name]
        return DeviceDetail(
            **self._line(line),
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

    def _destination(self, name: str, line: Line, status: Status) -> Destination:
        return Destination(
            **self._line(line), backlog=status.backlog.get(name, 0), draining=_draining(status.draining, name)
        )

    def destinations(self, letters: Mapping[str, int]) -> DestinationsAnswer:
        """All of them; `letters` as `Letters.bytes` gave them."""
        status = self._status()
        found = []
        for name, config in self._site.publish.items():
            follower = self._followers.get(name)
            cursors = follower.places.cursors if follower else ()
            acknowledged = follower.acknowledged_ns if follower else 0
            found.append(
                DestinationDetail(
                    **self._destination(name, self._health.destinations[name], status).model_dump(),
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

    def has_destination(self, name: str) -> bool:
        """True for a destination of the site file."""
        return name in self._site.publish

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
            reports=list(self._journal.reports)[-_REPORTS:],
            backlog=dict(status.backlog),
        )


def _draining(told: Mapping[str, Mapping[str, float | None]], name: str) -> Draining | None:
    return Draining.model_validate(told[name]) if name in told else None
