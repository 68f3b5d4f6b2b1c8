"""The core as one piece: batches in; samples, state changes, events and reports out.

Pure: the caller brings the time. Order of a batch's way: cleaned, kept in the ring, thinned by the
deadband, put aside for the journal, shown to the machines.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson

from edge_agent.core.alarms import Alarms
from edge_agent.core.batch import Batch, Int32s, concat, row
from edge_agent.core.clean import Cleaner
from edge_agent.core.deadband import Deadband
from edge_agent.core.late import Newest, in_order, with_followers
from edge_agent.core.machine import Machine, MachineSpec
from edge_agent.core.plant import Plant
from edge_agent.core.plant_evidence import PlantEvidence
from edge_agent.core.quality import BAD, UNCERTAIN, Reason, bad
from edge_agent.core.register import SKEW_NS
from edge_agent.core.report import Report, StateChange, Window
from edge_agent.core.reporting import RESTATE_NS, WATERMARK_NS, Reporting
from edge_agent.core.ring import NEVER, Ring
from edge_agent.core.rollup import Rollup, Scope
from edge_agent.core.rollups import Rollups
from edge_agent.core.selection import Places
from edge_agent.core.states import MachineState
from edge_agent.core.tags import TagTable
from edge_agent.core.told import Told
from edge_agent.core.windows import windows_of

Snapshot = dict[str, Any]

_CHECKPOINT: Final = struct.Struct("<BI")       # version, size of the JSON that follows
_VERSION: Final = 1


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
        restate_ns: int = RESTATE_NS,
        plant: Plant | None = None,
        scopes: Iterable[Scope] = (),
    ) -> None:
        self.table = table
        self.ring = Ring(len(table.places), groups, ring_bytes)
        self.seen = np.zeros(len(table.places), np.int64)
        self.alarms = Alarms()
        self.machines = {spec.id: Machine(spec) for spec in machines}
        self.told = Told()
        """kept by whoever publishes"""
        self.rollups = Rollups(scopes, self.machines, windows, watermark_ns, restate_ns)
        self.evidence = PlantEvidence(table, plant or Plant(), self.machines, windows)
        self.bad_samples = 0
        self.reported_samples = 0
        self._cleaner = Cleaner(table)
        self._deadband = Deadband(table)
        self._newest = Newest(len(table.places))
        self.kinds = tuple(windows)
        """which kinds of windows are reported"""
        self._reporting = Reporting(windows, watermark_ns, restate_ns)
        self._outbox: dict[str, list[Batch]] = {}
        self._as_of: dict[str, int] = {}
        # Which machines look at a tag; most tags belong to none, which one mask tells.
        self._watched = np.zeros(len(table.places), bool)
        self._watchers: dict[str, list[Machine]] = {}
        self._watch()

    def _watch(self) -> None:
        self._watchers.clear()
        for machine in self.machines.values():
            for tag in machine.spec.tags():
                self._watched[tag.position] = True
                watchers = self._watchers.setdefault(tag.device, [])
                if machine not in watchers:
                    watchers.append(machine)

    # -- samples -----------------------------------------------------------------------------

    def feed(self, device: str, raw: Batch) -> None:
        """Take one batch of one device."""
        self._take(device, in_order(self._cleaner.clean(raw)))

    def _take(self, device: str, batch: Batch) -> None:
        good = not np.count_nonzero(batch.quality)
        self.evidence.tags.take(batch, good)
        if not good:
            self.bad_samples += int(np.count_nonzero(batch.quality >= BAD))
        self.ring.append(batch)
        onward, late = self._newest.split(batch)
        reported = self._deadband.filter(onward)
        if len(late):
            reported = concat([reported, with_followers(late, self.ring)])
        if not len(reported):
            return
        self.reported_samples += len(reported)
        self._outbox.setdefault(device, []).append(reported)
        watchers = self._watchers.get(device)
        if watchers:
            # What the journal gets and nothing else: so whoever reads it again finds the same states and pieces.
            seen = reported.where(self._watched[reported.tag])
            if len(seen):
                for machine in watchers:
                    machine.feed(seen)

    def stepped(self, before: int, after: int) -> None:
        """The gateway's clock was set forward: between the two nothing happened, and nothing is known.

        Told as samples, so that the journal knows it: what a machine draws from is bad from `before` on, and as it
        was again at `after`.
        """
        for device in self._watchers:
            tags = self.table.device_slice(device)
            at = np.arange(tags.start, tags.stop, dtype=np.int32)[self._watched[tags]]
            latest = self.ring.latest
            at = at[latest.time[at] <= before]
            value, quality = latest.value[at], latest.quality[at]
            known = quality < UNCERTAIN
            lost = np.full(np.count_nonzero(known), bad(Reason.CLOCK), np.uint8)
            self._take(device, row(at[known], before, np.full(len(lost), np.nan), lost))
            self._take(device, row(at[known], after, value[known], quality[known]))

    def began(self, t: int) -> None:
        """The clock has only now been told the time: machines without a past have their first windows from `t` on."""
        for machine in self.machines.values():
            if machine.current.state is MachineState.UNKNOWN and not machine.current.since:
                machine.settled = dict.fromkeys(self.kinds, t)
        self.rollups.began(t)

    def refresh(self) -> None:
        """A driver has learned the kind of a tag: what was worked out from kinds is worked out anew."""
        self._cleaner.refresh()
        self._deadband.refresh()

    def take_samples(self) -> list[tuple[str, Batch]]:
        """What has passed the deadband since the last call, one batch a device."""
        outbox, self._outbox = self._outbox, {}
        return [(device, concat(batches)) for device, batches in outbox.items()]

    def take_changes(self, now: int | None = None) -> list[StateChange]:
        """State changes since the last call, in time order; `now` tells which of what operators say has ended."""
        changes = [change for machine in self.machines.values() for change in machine.take_changes(now)]
        return sorted(changes, key=lambda change: change.since)

    def take_events(self) -> list[Snapshot]:
        """What the machines need kept, since the last call."""
        return [events for machine in self.machines.values() if (events := machine.take_events())]

    def confirm(self) -> None:
        """Tell the machines what `seen` confirms of tags that bring no samples; call every second or so."""
        for machine in self.machines.values():
            machine.confirm(min((int(self.seen[tag.position]) for tag in machine.deciding()), default=0))
        stuck = self._cleaner.stuck(self.seen - SKEW_NS)    # a change may still be on its way
        if stuck is not None:
            for device in dict.fromkeys(self.table[position].device for position in stuck.tag.tolist()):
                tags = self.table.device_slice(device)
                self._take(device, stuck.where((stuck.tag >= tags.start) & (stuck.tag < tags.stop)))

    def observe(
        self, now: int, connected: Mapping[str, bool], delivering: bool, published: tuple[int, int] = (0, 0)
    ) -> None:
        """Add the time since the last call to the evidence of how digital the devices are; once a second."""
        self.evidence.observe(now, self.seen, self.ring.latest, connected, delivering, published)

    @property
    def too_late(self) -> int:
        """Facts about a time whose windows are settled for good: they are in the journal and nowhere else."""
        return sum(machine.facts.too_late for machine in self.machines.values())

    # -- reports -----------------------------------------------------------------------------

    def reports(self, now: int) -> list[Report]:
        """All machines' reports; see `reports_of`."""
        return [report for machine in self.machines.values() for report in self.reports_of(machine, now)]

    def reports_of(self, machine: Machine, now: int) -> list[Report]:
        """The machine's open windows as of what is known, final ones that are due, and revisions.

        `as_of` of the open ones never runs backwards.
        """
        as_of = max(self.known_until(machine, now), self._as_of.get(machine.spec.id, 0))
        self._as_of[machine.spec.id] = as_of
        made = self._reporting.reports(machine, now, as_of, self.rollups.needs(machine.spec.id))
        self.rollups.touch(machine.spec.id, machine.touched)
        for report in made:
            self.evidence.note(report)
        return made

    def rollups_of(self, scope: Scope, now: int) -> Iterator[Rollup | None]:
        """A scope's roll-ups, after its machines' reports of the same `now`; see `Rollups.reports`."""
        known = {name: self._as_of.get(name, 0) for name in scope.machines}
        return self.rollups.reports(scope, now, known)

    def known_until(self, machine: Machine, now: int) -> int:
        """The time up to which the machine's state and counts are known; `now` where nothing is."""
        spec = machine.spec
        tags = [*machine.deciding(), *spec.counts.values()]
        known = [
            int(self.seen[tag.position])
            for tag in tags
            if self.seen[tag.position] and self.ring.latest.quality[tag.position] < UNCERTAIN
        ]
        if machine.current.state is MachineState.UNKNOWN or not known:
            return now
        return max(min(now, *known), machine.current.since)

    def windows(self, machine: Machine, kind: str, start: int, end: int) -> list[Window]:
        """The machine's windows of `kind` that overlap [start, end), oldest first."""
        return windows_of(machine.spec, machine.ledger, kind, start, end)

    # -- survival ----------------------------------------------------------------------------

    def checkpoint(self) -> bytes:
        """All machines' memory; with the events since, it restores them exactly. Quick: see `core.facts`.

        Layout: version and size (`_CHECKPOINT`), JSON with the list of machines, the evidence of how
        digital the devices are and the alarms, then the package of each machine that has one, in the same order.
        """
        told, packed = [], []
        for machine in self.machines.values():
            one, package = machine.checkpoint()
            told.append({**one, "packed": len(package)})
            packed.append(package)
        more = {
            "evidence": self.evidence.snapshot(), "alarms": self.alarms.snapshot(), "rollups": self.rollups.snapshot(),
        }  # fmt: skip
        head = orjson.dumps({"machines": told, **more})
        return b"".join((_CHECKPOINT.pack(_VERSION, len(head)), head, *packed))

    def restore(self, checkpoint: bytes) -> None:
        """Take up where `checkpoint` was made; machines that no longer exist are passed over.

        ValueError for what cannot be understood; the machines it concerns then begin afresh.
        """
        try:
            version, size = _CHECKPOINT.unpack_from(checkpoint)
            at = _CHECKPOINT.size + size
            head = orjson.loads(checkpoint[_CHECKPOINT.size : at])
        except (struct.error, ValueError) as problem:
            raise ValueError(f"not a checkpoint: {problem}") from problem
        if version != _VERSION:
            raise ValueError(f"a checkpoint of version {version}, this is version {_VERSION}")
        damaged = []
        for one in head["machines"]:
            package, at = checkpoint[at : at + one["packed"]], at + one["packed"]
            machine = self.machines.get(one["machine"])
            if machine is not None and not _is_restored(machine, one, package):
                damaged.append(one["machine"])
        try:
            self.evidence.restore(head["evidence"])
        except (ValueError, KeyError, TypeError, IndexError, zlib.error):
            damaged.append("the evidence")
        try:
            self.alarms.restore(head.get("alarms", {"spans": []}))     # checkpoints of 0.1 have none
        except (ValueError, KeyError, TypeError, AttributeError):
            damaged.append("the alarms")
        try:
            self.rollups.restore(head.get("rollups", {}))       # as above
        except (ValueError, TypeError, AttributeError):
            damaged.append("the roll-ups")
        if damaged:
            raise ValueError(f"the checkpoint of {', '.join(damaged)} is damaged")

    def replay(self, events: Mapping[str, Any]) -> None:
        """Take events that were journalled after the checkpoint."""
        if "evidence" in events:
            self.evidence.restore(events["evidence"])
            return
        machine = self.machines.get(events["machine"])
        if machine is not None:
            machine.replay(events)

    def settle(self, report: Report) -> None:
        """A final report of this window was made before the restart: do not make it again."""
        machine = self.machines.get(report.machine)
        if machine is not None and report.final:
            self._reporting.settle(machine, report)

    def begin(self, now: int, ended: int = 0) -> None:
        """Begin to work at `now`; the agent's last life, if it had one, ended at `ended`.

        Machines with a past know nothing of the time between. Machines without one have their first
        windows from now on, and so have kinds of windows that were not reported until now: what they
        would need of the past may have been forgotten.
        """
        for machine in self.machines.values():
            if ended and machine.settled:
                machine.was_away(ended)
            machine.settled = {kind: machine.settled.get(kind, now) for kind in self.kinds}
        self.rollups.begin(now)

    # -- a changed site file -------------------------------------------------------------------

    def take_over(self, before: Engine, devices: Sequence[str], machines: Collection[str], now: int) -> list[str]:
        """Go on at `now` where `before` is, which is used no more; take its samples, changes and events first.

        The tags of these `devices` are the very same and have the same places in both; their samples are known here
        as well, and nothing is missed of them. These `machines` go on as they are: nothing that concerns them has
        changed. The others know what they knew, and nothing from now on until their tags tell something; those of
        `devices` do so here, as at the beginning of a session. Returns machines that cannot go on and begin afresh.
        """
        places = [np.arange(held.start, held.stop) for held in map(self.table.device_slice, devices)]
        self._take_samples_over(before, np.concatenate([np.zeros(0, np.intp), *places]))
        damaged = []
        for name in self.machines.keys() & before.machines.keys():
            if name in machines:
                self.machines[name] = before.machines[name]
                continue
            told, package = before.machines[name].checkpoint()
            if not _is_restored(self.machines[name], orjson.loads(orjson.dumps(told)), package):
                damaged.append(name)
        self._watch()
        self._as_of = {name: at for name, at in before._as_of.items() if name in self.machines}
        self.evidence.take_over(before.evidence, devices)
        self.alarms, self.told = before.alarms, before.told
        self.rollups.restore(orjson.loads(orjson.dumps(before.rollups.snapshot())))
        self._begin_again(set(devices), machines, now)
        return damaged

    def _take_samples_over(self, before: Engine, at: Places) -> None:
        self.bad_samples, self.reported_samples = before.bad_samples, before.reported_samples
        self._cleaner.take_over(before._cleaner, at)
        self._deadband.take_over(before._deadband, at)
        self._newest.take_over(before._newest, at)
        same = (self.ring.rows, self.ring.changes) == (before.ring.rows, before.ring.changes)
        if same and self.table is before.table:
            self.ring, self.seen = before.ring, before.seen
        else:
            self.ring.take_over(before.ring, at)
            self.seen[at] = before.seen[at]

    def _begin_again(self, devices: Collection[str], machines: Collection[str], now: int) -> None:
        latest = self.ring.latest
        for name, machine in self.machines.items():
            if name not in machines and machine.settled:
                machine.was_away(now)
            machine.settled = {kind: machine.settled.get(kind, now) for kind in self.kinds}
            if name not in machines:
                told = {tag.position for tag in machine.spec.tags() if tag.device in devices}
                at = np.array(sorted(told), np.int32)
                at = at[latest.time[at] > NEVER]
                machine.feed(Batch(at, latest.time[at], latest.value[at], latest.quality[at]))
                self._deadband.forget(at)    # what is polled says it again, at a time of its own
        self.rollups.begin(now)


def _is_restored(machine: Machine, told: Mapping[str, Any], package: bytes) -> bool:
    """Whether a checkpoint was understood; else the machine begins afresh."""
    try:
        machine.restore(told, package)
    except (ValueError, KeyError, TypeError, IndexError, zlib.error):
        machine.clear()
        return False
    return True
