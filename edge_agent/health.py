"""The agent's own health: a closed list of counters, and the state of every line."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from edge_agent.core.phrase import without_password


class Count(StrEnum):
    """Everything the agent counts about itself. Documented in the README; a test says so."""

    SAMPLES_READ = "samples_read"               # samples received from devices
    SAMPLES_BAD = "samples_bad"                 # of these, how many were marked bad
    SAMPLES_REPORTED = "samples_reported"       # samples that passed the deadband into the journal
    SAMPLES_STALE = "samples_stale"             # times a tag went stale
    VALUES_UNNAMED = "values_unnamed"           # times a machine came to a state or product the site file does not name
    FACTS_TOO_LATE = "facts_too_late"           # facts about a time that no window can be revised for any more
    SCANS_SKIPPED = "scans_skipped"             # scans left out because an earlier one took too long
    SESSIONS_OPENED = "sessions_opened"         # connections to devices
    SESSIONS_LOST = "sessions_lost"
    LINKS_OPENED = "links_opened"               # connections to destinations
    LINKS_LOST = "links_lost"
    MESSAGES_ACKNOWLEDGED = "messages_acknowledged"
    MESSAGES_REJECTED = "messages_rejected"     # refused by a destination for good
    RECORDS_UNREADABLE = "records_unreadable"   # journal records passed over because they cannot be encoded
    RECORDS_EVICTED = "records_evicted"         # journal records lost to the byte or age cap before delivery
    SAMPLES_VANISHED = "samples_vanished"       # not sent by Sparkplug: the site file has their tag no more
    RECORDS_DROPPED = "records_dropped"         # records that never reached the disk (disk full or broken)
    COMMANDS_DONE = "commands_done"             # written to equipment and read back
    COMMANDS_REFUSED = "commands_refused"       # nothing was sent to the equipment
    COMMANDS_FAILED = "commands_failed"         # sent, and refused by the equipment, or nobody knows


class Phrases(NamedTuple):
    """How the log speaks of a line: it is up, it never came up, tried again until."""

    up: str = "connected to"
    never: str = "no connection to"
    until: str = "it answers"


TO_A_PEER: Final = Phrases()


@dataclass(slots=True)
class Line:
    """One connection, south or north, or a server's port: where it goes, whether it is up, since when, why not."""

    name: str
    address: str
    state: str = "connecting"                   # connecting | connected | lost
    since_ns: int = 0
    error: str = ""
    failures: int = 0                           # attempts in a row that failed
    next_ns: int = 0                            # when the next attempt is due; 0 while connected
    also: tuple[str, ...] = ()                  # other addresses of the same peer
    place: str = ""                             # which of them it is connected to, where the connection says so
    phrases: Phrases = TO_A_PEER

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address it may connect to."""
        return (self.address, *self.also)


@dataclass(slots=True)
class Health:
    """Counters and lines of a running agent."""

    counts: dict[Count, int] = field(default_factory=lambda: dict.fromkeys(Count, 0))
    devices: dict[str, Line] = field(default_factory=dict)
    destinations: dict[str, Line] = field(default_factory=dict)
    servers: dict[str, Line] = field(default_factory=dict)

    def add(self, count: Count, n: int = 1) -> None:
        """Count `n` more."""
        self.counts[count] += n

    def device_states(self) -> dict[str, str]:
        """Each device's line state, as the status message shows it."""
        return {name: line.state for name, line in self.devices.items()}

    def in_a_line(self) -> str:
        """How many of the lines stand: `2 of 3 devices, 1 of 1 destinations connected`."""
        kinds = {"devices": self.devices, "destinations": self.destinations}
        told = (
            f"{sum(line.state == 'connected' for line in lines.values())} of {len(lines)} {kind}"
            for kind, lines in kinds.items()
        )
        return f"{', '.join(told)} connected"

    def down(self) -> dict[str, str]:
        """Each device that is not connected, and why."""
        lines = self.devices.values()
        return {line.name: without_password(line.error) for line in lines if line.state != "connected"}
