"""Evidence for the digitalisation ladder: what was really seen of each unit in the last seven days.

A unit is a set of tags that is judged together: all tags of a device, or those of an entry of the asset
register. Milliseconds and counts add up in hour slots, see `slots`; of single tags there is less, see
`tag_counts`. What an hour was not looked at, because the agent did not run, is not observed and not held
against anyone.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from edge_agent.core import sighting
from edge_agent.core.batch import Batch, Bytes, Int64s
from edge_agent.core.indicators import HELD, Indicators, Row
from edge_agent.core.quality import UNCERTAIN
from edge_agent.core.sighting import Seen
from edge_agent.core.slots import Slots, places_of
from edge_agent.core.tag_counts import TagCounts
from edge_agent.core.tags import TagTable
from edge_agent.core.units import Groups, Unit

Flags = NDArray[np.bool_]

LATE_NS: Final = 5_000_000_000
"""A sample received later than this after its source time is late."""

_MS: Final = 1_000_000
_FIRST_ROUND: Final = 50                 # ticks
_LONGEST_STEP: Final = 2_000_000_000    # past it nobody looked: what was not seen is no evidence


class Evidence:
    """A moving window of seven days over `units`; `devices` are those of the site, whose tags tile `table`."""

    def __init__(
        self, table: TagTable, devices: Sequence[str], units: Sequence[Unit], max_age_ns: int = LATE_NS
    ) -> None:
        n, n_tags = len(units), len(table.places)
        self._table = table
        self._devices = {name: at for at, name in enumerate(devices)}
        self._units = {unit.id: at for at, unit in enumerate(units)}
        self._lines = [unit.devices for unit in units]
        self._max_age_ns = max_age_ns
        self._limit = np.array([tag.stale_ns for tag in table.places], np.int64)
        self._period_ms = np.array([max(tag.period_ns // _MS, 1) for tag in table.places], np.int64)
        self._groups = Groups(units)
        self._polled = np.zeros(n_tags, np.bool_)           # a sample stands for a period; else for as long as known
        self._slots = Slots(sighting.SLOT_ROWS, n)
        self._north = Slots(2, 1)                           # messages acknowledged and refused by destinations
        self._published = (0, 0)
        self._tags = TagCounts(n_tags, len(devices))
        self._taken = np.zeros(n_tags, np.int64)            # samples received up to the last tick
        self._summed = self._sums()                         # and all counters, by unit
        self._last_good = np.zeros(n, np.int64)             # ns UTC; 0: no good sample ever
        self._last_tag = np.zeros(n, np.intp)
        self._last_tick: int | None = None
        self._packed: dict[str, list[Any]] = {}             # counts of each device's tags, for snapshots
        self._round = iter(self._devices)

    # -- what comes --------------------------------------------------------------------------

    def reads(self, device: str, *, polled: bool) -> None:
        """A session begins: one that polls, or one that brings changes and confirms everything else."""
        self._polled[self._table.device_slice(device)] = polled

    def failed(self, device: str) -> None:
        """An attempt to reach the device failed: nothing of it could be read."""
        self._tags.now[Row.FAILED, self._table.device_slice(device)] += 1

    def heard(self, device: str, now_ns: int, batch: Batch) -> None:
        """Samples as they came, at `now_ns`: how old are they? Not for those a session begins with."""
        self._tags.heard(self._devices[device], now_ns, batch, self._max_age_ns)

    def take(self, batch: Batch, good: bool) -> None:
        """Samples with their final qualities; `good`: all of them are."""
        self._tags.take(batch, good)

    def doubt(self, position: int, n: int) -> None:
        """A counter could not believe `n` samples it has got of this tag."""
        self._tags.now[Row.DOUBTED, position] += n

    def checked(self, positions: Sequence[int], passed: bool) -> None:
        """What these tags say was held against each other."""
        at = np.unique(positions)
        self._tags.now[Row.CHECKED, at] += 1
        self._tags.now[Row.CONTRADICTED, at] += not passed

    # -- every second ------------------------------------------------------------------------

    def tick(
        self,
        now_ns: int,
        seen: Int64s,
        quality: Bytes,
        connected: Mapping[str, bool],
        delivering: bool,
        published: tuple[int, int] = (0, 0),
    ) -> None:
        """Account for the time since the last tick as it looks now; call once a second.

        `seen` (tags,) is the time up to which each tag is known, ns UTC, `quality` (tags,) that of its latest
        sample; `connected` the state of each device's line; `delivering` whether a cloud platform acknowledges;
        `published` how many messages destinations have acknowledged and refused since the agent started. A
        unit is online while one of its tags is known and good.
        """
        elapsed = self._elapsed_ms(now_ns)
        fresh = now_ns - seen <= self._limit
        good = fresh & (quality < UNCERTAIN)
        online = self._note_last(good, np.minimum(seen, now_ns))
        slot = self._slots.at(now_ns)
        slot[sighting.OBSERVED] += elapsed
        slot[sighting.CONNECTED] += elapsed * self._connected(connected)
        slot[sighting.ONLINE] += elapsed * online
        slot[sighting.DELIVERED] += elapsed * (online & delivering)
        slot[sighting.EXPECTED] += elapsed * self._groups.sizes
        self._north.at(now_ns)[:, 0] += np.subtract(published, self._published)
        self._published = published
        self._count_tags(elapsed, good, fresh & ~self._polled & HELD[quality])
        summed = self._sums()
        slot[sighting.SUMMED_TO] += summed - self._summed
        self._summed = summed
        if self._tags.turn(now_ns):
            self._taken[:] = self._summed[:] = 0
        self._pack_some()

    def _count_tags(self, elapsed: int, good: Flags, present: Flags) -> None:
        self._tags.fold()
        counts = self._tags.now
        new = (counts[Row.RECEIVED] - self._taken) * self._polled
        self._taken[:] = counts[Row.RECEIVED]
        counts[Row.PRESENT] += new * self._period_ms + elapsed * present
        counts[Row.GOOD] += elapsed * good
        counts[Row.OBSERVED] += elapsed
        counts[Row.READ] += present & (elapsed > 0)     # the session has confirmed them

    def _sums(self) -> Int64s:
        """What the tags of each unit have had in the half under way, by `sighting.SUMMED`."""
        return self._groups.sums(self._tags.now[sighting.SUMMED])

    def _note_last(self, good: Flags, seen: Int64s) -> Flags:
        """Which units are online; of each that is, note its newest good sample."""
        newest, at = self._groups.largest(np.where(good, seen, 0))
        online = newest > 0
        self._last_good[online], self._last_tag[online] = newest[online], at[online]
        return online

    def _elapsed_ms(self, now_ns: int) -> int:
        passed = 0 if self._last_tick is None else max(now_ns - self._last_tick, 0)
        self._last_tick = now_ns - passed % _MS     # the rest of a millisecond counts next time
        return min(passed, _LONGEST_STEP) // _MS

    def _connected(self, connected: Mapping[str, bool]) -> Flags:
        up = (any(connected.get(device, False) for device in devices) for devices in self._lines)
        return np.fromiter(up, np.bool_, len(self._lines))

    # -- what it amounts to ------------------------------------------------------------------

    def since(self, now_ns: int) -> int:
        """The beginning of the oldest hour that counts."""
        return self._slots.since(now_ns)

    def observed_ms(self, now_ns: int) -> int:
        """For how long the agent looked."""
        slots = self._slots.recent(now_ns)[:, sighting.OBSERVED]
        return int(slots.sum(axis=0).max(initial=0))

    def published(self, now_ns: int) -> tuple[int, int]:
        """Messages that destinations have acknowledged and refused in the window."""
        acknowledged, refused = self._north.recent(now_ns).sum(axis=0)[:, 0].tolist()
        return acknowledged, refused

    def look(self, now_ns: int) -> dict[str, Seen]:
        """Every unit with its evidence."""
        sums = sighting.over_hours(self._slots.recent(now_ns)).T.tolist()
        last = zip(self._last_good.tolist(), self._last_tag.tolist(), strict=True)
        return {name: sighting.of(one, *told) for name, one, told in zip(self._units, sums, last, strict=True)}

    def quality(self, now_ns: int, units: Collection[str]) -> Indicators:
        """Of all these units together, from their sums."""
        sums = sighting.over_hours(self._slots.recent(now_ns))
        mine = [at for at, name in enumerate(self._units) if name in units]
        return sighting.of(sums[:, mine].sum(axis=1).tolist(), 0, 0).quality

    def tag_counts(self) -> Int64s:
        """Counts of every tag in the tags' own window, shape (ROWS, tags), by `Row`; see `indicators`."""
        return self._tags.sums()

    def age_ms(self, device: str) -> float | None:
        """95 % of the device's samples were not older than this at receipt; None if none was judged."""
        return self._tags.age_ms(self._devices[device])

    # -- survival ----------------------------------------------------------------------------

    def snapshot(self, since_ns: int = 0, *, tags: bool = True, exact: bool = False) -> dict[str, Any]:
        """What `restore` needs, JSON-safe: everything, or of the hours only those since `since_ns`.

        Quick, for all wait while it is made: of single `tags` it tells what was packed in the last ticks, a device
        a tick, unless it is to be `exact`.
        """
        devices = self._devices if tags else ()
        last = zip(self._last_good.tolist(), self._last_tag.tolist(), strict=True)
        return {
            "part": since_ns > 0,
            "units": list(self._units),
            "hours": self._slots.snapshot(since_ns),
            "last": [[good, self._name(tag)] for good, tag in last],
            "north": self._north.snapshot(since_ns),
            "halves": self._tags.begun.tolist(),
            "tags": {name: self._pack(name) if exact else self._packed.get(name) for name in devices},
        }

    def _pack(self, device: str) -> list[Any]:
        packed = self._tags.snapshot(self._devices[device], self._table.device_slice(device))
        self._packed[device] = [self._key(device), self._tags.begun.tolist(), *packed]
        return self._packed[device]

    def _pack_some(self) -> None:
        """A device a tick, so that a snapshot need not pack them all at once; each once within the first minute."""
        for _ in range(len(self._devices) // _FIRST_ROUND + 1 if len(self._packed) < len(self._devices) else 1):
            name = next(self._round, None)
            if name is None:
                self._round = iter(self._devices)
            else:
                self._pack(name)

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up where `snapshot` was made; the time between is not observed.

        Units that are gone are passed over, new ones begin with nothing, and so do the counters of tags where
        a device has others now. A part only takes the place of what there is of its hours.
        """
        if not snapshot.get("part"):
            self._slots.clear()
            self._north.clear()
            self._last_good[:] = self._last_tag[:] = 0
        self._last_tick = None
        if "devices" in snapshot:
            self._restore_first(snapshot)
            return
        places = places_of(snapshot["units"], self._units)
        self._slots.restore(snapshot["hours"], places)
        self._north.restore(snapshot["north"], [0])
        for place, (good, tag) in zip(places, snapshot["last"], strict=True):
            if place is not None:
                self._last_good[place], self._last_tag[place] = good, self._position(tag)
        self._restore_tags(snapshot)
        self._taken[:] = self._tags.now[Row.RECEIVED]
        self._summed = self._sums()

    def take_over(self, before: Evidence, devices: Sequence[str]) -> None:
        """Go on where `before` is now, with the sessions of these `devices`, whose tags have the same places."""
        before._tags.fold()
        self.restore(orjson.loads(orjson.dumps(before.snapshot(exact=True))))
        for device in devices:
            tags = self._table.device_slice(device)
            self._polled[tags] = before._polled[tags]
        self._published = before._published

    def _restore_tags(self, snapshot: Mapping[str, Any]) -> None:
        if self._tags.begun.tolist() != snapshot["halves"]:
            self._tags.clear()
            self._tags.begun[:] = snapshot["halves"]
        for name, told in snapshot["tags"].items():
            if name in self._devices and told is not None and told[:2] == [self._key(name), snapshot["halves"]]:
                self._packed[name] = told
                self._tags.restore(self._devices[name], self._table.device_slice(name), told[2:])

    def _restore_first(self, snapshot: Mapping[str, Any]) -> None:
        """What version 0.1 wrote: devices with the first rows of their hours side by side."""
        known = {name: told for name, told in snapshot["devices"].items() if name in self._units}
        here = [self._units[name] for name in known]
        if not here:
            return
        for at, begun in enumerate(snapshot["begun"]):
            sums = np.array([told["sums"][at] for told in known.values()], np.int64)
            self._slots.put(begun, sums.reshape(len(here), -1).T, here)
        self._last_good[here] = [told["last_good"] for told in known.values()]

    def _name(self, position: int) -> str:
        return self._table[position].id if position < len(self._table.places) else ""

    def _position(self, tag: str) -> int:
        """0 for a tag that is gone."""
        try:
            return self._table.position(tag)
        except KeyError:
            return 0

    def _key(self, device: str) -> int:
        """Tells one list of tags from another."""
        return zlib.crc32("\0".join(tag.name for tag in self._table.device_tags(device)).encode())
