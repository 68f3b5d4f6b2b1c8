"""Evidence for the digitalisation ladder: what was really seen of each device in the last seven days.

Milliseconds add up in hour slots, a ring of 168. A slot carries the time at which it was begun, and
only slots begun within the last 168 hours are ever counted: a clock that jumps, in either direction,
costs at most the slots it lands in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_agent.core import digital
from edge_agent.core.batch import Int64s
from edge_agent.core.digital import Device
from edge_agent.core.ladder import DeviceFacts, missing, unmeasured

Flags = NDArray[np.bool_]

LATE_NS: Final = 5_000_000_000
"""A sample received later than this after its source time is late."""

_MS: Final = 1_000_000
_HOUR: Final = 3_600_000_000_000
_SLOTS: Final = 7 * 24
_LONGEST_STEP: Final = 2_000_000_000    # past it nobody looked: what was not seen is no evidence

# Rows of a slot: milliseconds (of known and expected: tag-milliseconds), then numbers of samples.
_OBSERVED, _CONNECTED, _ONLINE, _DELIVERED, _KNOWN, _EXPECTED, _LATE, _RECEIVED = range(8)
_ROWS: Final = 8

_NOTE: Final = "points of 6 estimated from evidence about the devices of the site file, not a self-assessment"


class Evidence:
    """A moving window of seven days over all devices; their slices tile the tag table."""

    def __init__(self, devices: Sequence[DeviceFacts]) -> None:
        self._facts = tuple(devices)
        self._at = {facts.id: at for at, facts in enumerate(self._facts)}
        n_tags, n = sum(len(facts.stale_ns) for facts in self._facts), len(self._facts)
        self._limit = np.zeros(n_tags, np.int64)
        self._owner = np.zeros(n_tags, np.intp)
        for at, facts in enumerate(self._facts):
            self._limit[facts.tags] = facts.stale_ns
            self._owner[facts.tags] = at
        self._n_tags = np.bincount(self._owner, minlength=n)
        self._begun = np.full(_SLOTS, -1, np.int64)         # ns UTC; −1: the slot was never used
        self._sums = np.zeros((_SLOTS, _ROWS, n), np.int64)
        self._arrived = np.zeros((2, n), np.int64)          # late and received since the last tick
        self._last_good = np.zeros(n, np.int64)             # ns UTC; 0: no good sample ever
        self._coverage: dict[str, Fraction] = {}            # machine → data coverage of its OEE
        self._last_tick: int | None = None

    # -- what is seen ------------------------------------------------------------------------

    def tick(
        self, now_ns: int, seen: Int64s, good: Flags, connected: Mapping[str, bool], delivering: bool
    ) -> None:
        """Account for the time since the last tick as it looks now; call once a second.

        `seen` (tags,) is the time up to which each tag is known, ns UTC, `good` (tags,) whether its
        latest sample is good; `connected` the state of each device's line; `delivering` whether a
        destination acknowledges. A device is online while one of its tags is known.
        """
        elapsed = self._elapsed_ms(now_ns)
        known = (good & (now_ns - seen <= self._limit)).nonzero()[0]
        owners = self._owner[known]
        n_known = np.bincount(owners, minlength=len(self._facts))
        online = n_known > 0
        newest = np.zeros_like(self._last_good)
        np.maximum.at(newest, owners, np.minimum(seen[known], now_ns))
        self._last_good[online] = newest[online]
        slot = self._slot(now_ns)
        slot[_OBSERVED] += elapsed
        slot[_CONNECTED] += elapsed * self._flags(connected)
        slot[_ONLINE] += elapsed * online
        slot[_DELIVERED] += elapsed * (online & delivering)
        slot[_KNOWN] += elapsed * n_known
        slot[_EXPECTED] += elapsed * self._n_tags
        slot[_LATE:] += self._arrived
        self._arrived[:] = 0

    def late(self, device: str, n_late: int, n: int) -> None:
        """Of `n` samples received, `n_late` came more than LATE_NS after their source time.

        Not for polled devices: their source time is the time of the poll.
        """
        self._arrived[:, self._at[device]] += (n_late, n)

    def _elapsed_ms(self, now_ns: int) -> int:
        passed = 0 if self._last_tick is None else max(now_ns - self._last_tick, 0)
        self._last_tick = now_ns - passed % _MS     # the rest of a millisecond counts next time
        return min(passed, _LONGEST_STEP) // _MS

    def _slot(self, now_ns: int) -> Int64s:
        """The rows to add to, shape (_ROWS, devices)."""
        hour = now_ns // _HOUR
        at = hour % _SLOTS
        if self._begun[at] // _HOUR != hour:
            self._begun[at] = now_ns
            self._sums[at] = 0
        slot: Int64s = self._sums[at]
        return slot

    def _flags(self, connected: Mapping[str, bool]) -> Flags:
        return np.fromiter((connected.get(name, False) for name in self._at), np.bool_, len(self._at))

    # -- what it amounts to ------------------------------------------------------------------

    def devices(self, now_ns: int) -> list[Device]:
        """Every device with its evidence, in the order of the facts.

        Whether a device belongs to a key process, is numerically controlled or has a standard
        semantic model cannot be seen; it is left unset.
        """
        columns = self._sums[self._recent(now_ns)].sum(axis=0).T.tolist()
        return [self._device(at, sums) for at, sums in enumerate(columns)]

    def _device(self, at: int, sums: Sequence[int]) -> Device:
        facts = self._facts[at]
        on_time = 1 - _share(sums[_LATE], sums[_RECEIVED])
        return Device(
            name=facts.id,
            digital=bool(self._last_good[at] > 0),
            connected=sums[_CONNECTED] > 0,
            cloud=sums[_DELIVERED] > 0,
            online_ratio=_share(sums[_ONLINE], sums[_OBSERVED]),
            tag_coverage=facts.coverage,
            completeness=_share(sums[_KNOWN], sums[_EXPECTED]),
            timeliness=on_time if sums[_RECEIVED] or sums[_ONLINE] else Fraction(0),
            oee_ready=bool(facts.machines) and not unmeasured(facts, self._coverage),
        )

    def summary(self, now_ns: int, kpi_coverage: Mapping[str, Fraction | None]) -> dict[str, Any]:
        """Plant indices, scores and every device, JSON-safe; ratios are 0 to 1, times ms UTC.

        `kpi_coverage` is each machine's data coverage in its open window; for a machine whose window
        has no planned time (None) the last one that had some stands.
        """
        self._coverage.update({name: c for name, c in kpi_coverage.items() if c is not None})
        devices = self.devices(now_ns)
        rates = digital.indices(devices)
        return {
            "since": self._since(now_ns) // _MS,
            "indices": {name: _number(rate) for name, rate in rates.items()},
            "sme": {
                "q2_digital_rate": _number(digital.sme_score(rates["device_digital_rate"])),
                "q3_connected_rate": _number(digital.sme_score(rates["device_connected_rate_of_all"])),
                "note": _NOTE,
            },
            "devices": {device.name: self._said(at, device) for at, device in enumerate(devices)},
        }

    def _said(self, at: int, device: Device) -> dict[str, Any]:
        level, last_good = digital.level(device), int(self._last_good[at])
        return {
            "level": level,
            "name": digital.LEVELS[level],
            "connected": device.connected,
            "cloud": device.cloud,
            "online_ratio": float(device.online_ratio),
            "completeness": float(device.completeness),
            "timeliness": float(device.timeliness),
            "tag_coverage": float(device.tag_coverage),
            "last_good": last_good // _MS if last_good else None,
            "missing": missing(self._facts[at], device, self._coverage),
        }

    def _recent(self, now_ns: int) -> Flags:
        """The slots that count, shape (_SLOTS,); the next hour's too, which a clock set back has left."""
        ahead = self._begun // _HOUR - now_ns // _HOUR
        return (self._begun >= 0) & (ahead <= 1) & (ahead > -_SLOTS)

    def _since(self, now_ns: int) -> int:
        """The beginning of the oldest slot that counts."""
        return int(self._begun[self._recent(now_ns)].min(initial=now_ns))

    # -- survival ----------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything, JSON-safe: what `restore` needs."""
        held = (self._begun >= 0).nonzero()[0]
        return {
            "begun": self._begun[held].tolist(),
            "coverage": {machine: str(covered) for machine, covered in self._coverage.items()},
            "devices": {
                name: {"last_good": int(self._last_good[at]), "sums": self._sums[held, :, at].tolist()}
                for name, at in self._at.items()
            },
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take up where `snapshot` was made; the time between is not observed.

        Devices that are gone are passed over, new ones begin with nothing.
        """
        begun = np.array(snapshot["begun"], np.int64)
        slots = begun // _HOUR % _SLOTS
        self._begun[:], self._sums[:], self._last_good[:], self._last_tick = -1, 0, 0, None
        self._begun[slots] = begun
        for name, held in snapshot["devices"].items():
            at = self._at.get(name)
            if at is not None:
                self._sums[slots, :, at] = np.array(held["sums"], np.int64).reshape(-1, _ROWS)
                self._last_good[at] = held["last_good"]
        self._coverage = {machine: Fraction(covered) for machine, covered in snapshot["coverage"].items()}


def _share(part: int, whole: int) -> Fraction:
    return Fraction(part, whole) if whole else Fraction(0)


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
