"""The core as one piece: batches in; samples, state changes, events and reports out.

Pure: the caller brings the time. Order of a batch's way: cleaned, kept in the ring, shown to the
machines, thinned by the deadband, put aside for the journal.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from edge_agent.core import kpi
from edge_agent.core.batch import Batch, Int32s, concat
from edge_agent.core.clean import Cleaner
from edge_agent.core.deadband import Deadband
from edge_agent.core.machine import Machine, MachineSpec
from edge_agent.core.quality import BAD, UNCERTAIN
from edge_agent.core.report import Report, StateChange, Window
from edge_agent.core.ring import Ring
from edge_agent.core.states import MachineState
from edge_agent.core.tags import TagTable

Snapshot = dict[str, Any]

# A final report wants the late samples of its window: see `Engine.reports`.
WATERMARK_NS = 600_000_000_000

# Windows that ended longer ago than this while the agent was off are not reported any more.
OLDEST_WINDOW_NS = 31 * 86_400_000_000_000


class Engine:
    """The pure core of one site.

    `seen`: int64, shape (tags,), ns UTC — the time up to which each tag is known (kept by the
    readers; see south). A report's `as_of` never runs ahead of it, so that the newest pieces of a
    machine are either counted or not yet due.
    """

    def __init__(
        self,
        table: TagTable,
        groups: Sequence[Int32s],
        machines: Iterable[MachineSpec],
        *,
        ring_bytes: int,
        windows: Sequence[str] = ("shift", "hour", "day"),
        watermark_ns: int = WATERMARK_NS,
    ) -> None:
        self.table = table
        self.ring = Ring(len(table), groups, ring_bytes)
        self.seen = np.zeros(len(table), np.int64)
        self.machines = {spec.id: Machine(spec) for spec in machines}
        self.bad_samples = 0
        self.reported_samples = 0
        self._cleaner = Cleaner(table)
        self._deadband = Deadband(table)
        self._windows = tuple(windows)
        self._watermark_ns = watermark_ns
        self._outbox: dict[str, list[Batch]] = {}
        # Which machines look at a tag; most tags belong to none, which one mask tells.
        self._watched = np.zeros(len(table), bool)
        self._watchers: dict[str, list[Machine]] = {}
        for machine in self.machines.values():
            for tag in machine.spec.tags():
                self._watched[tag.position] = True
                watchers = self._watchers.setdefault(tag.device, [])
                if machine not in watchers:
                    watchers.append(machine)

    # -- samples -----------------------------------------------------------------------------

    def feed(self, device: str, raw: Batch) -> None:
        """Take one batch of one device."""
        batch = self._cleaner.clean(raw)
        self.bad_samples += int((batch.quality >= BAD).sum())
        self.ring.append(batch)
        watchers = self._watchers.get(device)
        if watchers:
            seen = batch.where(self._watched[batch.tag])
            if len(seen):
                for machine in watchers:
                    machine.feed(seen)
        reported = self._deadband.filter(batch)
        if len(reported):
            self.reported_samples += len(reported)
            self._outbox.setdefault(device, []).append(reported)

    def refresh(self) -> None:
        """A driver has learned the kind of a tag: what was worked out from kinds is worked out anew."""
        self._cleaner.refresh()
        self._deadband.refresh()

    def take_samples(self) -> list[tuple[str, Batch]]:
        """What has passed the deadband since the last call, one batch a device."""
        outbox, self._outbox = self._outbox, {}
        return [(device, concat(batches)) for device, batches in outbox.items()]

    def take_changes(self) -> list[StateChange]:
        """State changes since the last call, in time order."""
        changes = [change for machine in self.machines.values() for change in machine.take_changes()]
        return sorted(changes, key=lambda change: change.since)

    def take_events(self) -> list[Snapshot]:
        """What the machines need kept, since the last call."""
        return [events for machine in self.machines.values() if (events := machine.take_events())]

    # -- reports -----------------------------------------------------------------------------

    def reports(self, now: int) -> list[Report]:
        """For each machine: the open windows as of what is known, and windows due to be final.

        A window is final `watermark_ns` after its end, when late samples have had their chance
        (domain 2.7).
        """
        return [report for machine in self.machines.values() for report in self._reports(machine, now)]

    def known_until(self, machine: Machine, now: int) -> int:
        """The time up to which the machine's state and counts are known; `now` where nothing is."""
        spec = machine.spec
        tags = [spec.state, *spec.counts.values()]
        known = [
            int(self.seen[tag.position])
            for tag in tags
            if self.seen[tag.position] and self.ring.latest.quality[tag.position] < UNCERTAIN
        ]
        if machine.current.state is MachineState.UNKNOWN or not known:
            return now
        return max(min(now, *known), machine.current.since)

    def _reports(self, machine: Machine, now: int) -> list[Report]:
        as_of = self.known_until(machine, now)
        machine.confirm(as_of)
        oldest = now
        made: list[Report] = []
        for kind in self._windows:
            settled = max(machine.settled.setdefault(kind, now), now - OLDEST_WINDOW_NS)
            for window in self.windows(machine, kind, settled, now + 1):
                if window.end <= settled:
                    continue
                if window.end + self._watermark_ns <= now:
                    made.append(self._report(machine, window, now, final=True))
                    machine.settled[kind] = window.end
                    continue
                oldest = min(oldest, window.start)
                if window.start < as_of and now < window.end:
                    made.append(self._report(machine, window, min(as_of, window.end), final=False))
        machine.ledger.prune(oldest)
        return made

    def windows(self, machine: Machine, kind: str, start: int, end: int) -> list[Window]:
        """The machine's windows of `kind` that overlap [start, end), oldest first."""
        calendar, zone = machine.spec.calendar, machine.spec.zone
        if kind == "shift":
            return [
                Window(kind, s.name, s.start, s.end, zone=zone, production_date=s.production_date)
                for s in calendar.shifts(start, end)
            ]
        stretches = calendar.hours(start, end) if kind == "hour" else calendar.days(start, end)
        return [Window(kind, kind, s.start, s.end, zone=zone, production_date=s.date) for s in stretches]

    def _report(self, machine: Machine, window: Window, as_of: int, *, final: bool) -> Report:
        cell = machine.ledger.cell(window.start, window.end, as_of)
        flags = tuple(kpi.flags(cell, machine.spec.min_coverage))
        return Report(machine.spec.id, window, 0, final, as_of, machine.spec.config_hash, cell, flags)

    # -- survival ----------------------------------------------------------------------------

    def checkpoint(self) -> bytes:
        """All machines' state; with the events since, it restores them exactly."""
        machines = [machine.snapshot() for machine in self.machines.values()]
        return zlib.compress(orjson.dumps({"v": 1, "machines": machines}), 1)

    def restore(self, checkpoint: bytes) -> None:
        """Take up where `checkpoint` was made; machines that no longer exist are passed over."""
        for snapshot in orjson.loads(zlib.decompress(checkpoint))["machines"]:
            machine = self.machines.get(snapshot["machine"])
            if machine is not None:
                machine.restore(snapshot)

    def replay(self, events: Mapping[str, Any]) -> None:
        """Feed events that were journalled after the checkpoint."""
        machine = self.machines.get(events["machine"])
        if machine is not None:
            machine.replay(events)

    def settle(self, report: Report) -> None:
        """A final report of this window was made before the restart: do not make it again."""
        machine = self.machines.get(report.machine)
        if machine is not None and report.final:
            kind = report.window.kind
            machine.settled[kind] = max(machine.settled.get(kind, 0), report.window.end)

    def begin(self, now: int, ended: int = 0) -> None:
        """Begin to work at `now`; the agent's last life, if it had one, ended at `ended`.

        Machines with a past know nothing of the time between; machines without one have their first
        windows from now on.
        """
        for machine in self.machines.values():
            if ended and machine.current.since:
                machine.was_away(ended)
            for kind in self._windows:
                machine.settled.setdefault(kind, now)
