"""The cell: one additive vector of times and counts, the only thing KPIs are computed from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from operator import add, attrgetter, itemgetter
from typing import Any, Final

from edge_agent.core.capability import NO_MEASURES, Measured
from edge_agent.core.energy import NO_ENERGY, Energy

NO_IDEAL: Final = Fraction(0)
NOTHING_ELSE: Final[Mapping[str, Fraction]] = {}


@dataclass(frozen=True, slots=True)
class Cell:
    """Everything OEE needs about one machine in one stretch of time (domain 2.1).

    Times are integer nanoseconds, counts integers, ideal times exact fractions of seconds, so
    `a + b` is exact, associative and commutative and `Cell()` is its zero: a shift *is* the sum of
    its minutes, a plant the sum of its machines. The fields obey
    `ct = nst + pdot + pbt + excluded` and `pbt = apt + micro + aust + adet_fault + adet_other +
    maint + adot + unk - excluded`.
    """

    # calendar
    ct: int = 0             # calendar time: the length of the window
    nst: int = 0            # not scheduled
    pdot: int = 0           # planned down: breaks, planned maintenance
    # what the machine did with its planned busy time
    apt: int = 0            # producing
    micro: int = 0          # stops not longer than the micro-stop threshold
    aust: int = 0           # setup
    adet_fault: int = 0     # delayed by a malfunction
    adet_other: int = 0     # delayed by anything else while an order was active
    maint: int = 0          # maintenance inside planned busy time
    adot: int = 0           # idle because there was no order
    unk: int = 0            # unknown after the policy of domain 2.6; includes credited and excluded
    # shares of the above, never added to it
    unk_raw: int = 0        # planned busy time without data, whatever the policy
    credited: int = 0       # part of unk proven to be production by the pieces that came out of it
    promoted: int = 0       # part of apt outside the plan
    excluded: int = 0       # part of unk taken out of planned busy time (policy `exclude`)
    held: int = 0           # part of apt assumed by holding the last state (policy `hold`)
    trial: int = 0          # part of aust with reason TRIAL
    cmt: int = 0            # corrective maintenance: adet_fault and the corrective part of maint
    pmt: int = 0            # preventive maintenance, inside and outside planned busy time
    ttr_sum: int = 0        # planned busy time down, of the faults that ended here
    # counts
    pq: int = 0             # total pieces
    gq: int = 0             # good: total - scrap - rework
    sq: int = 0             # scrap
    rq: int = 0             # rework
    unrated: int = 0        # pieces of total made while no ideal cycle was known
    n_stop: int = 0         # stops longer than the threshold that began here
    n_micro: int = 0        # micro-stops that began here
    fe: int = 0             # failure events that began here
    n_ttr_closed: int = 0   # faults that ended here
    ip: int = 0             # inspected for the first time
    gp: int = 0             # of those, good without rework
    inferred: int = 0       # pieces of total that nothing counted: inferred from how the machine runs
    unsorted: int = 0       # pieces of total of which nobody tells whether they are good
    estimated: int = 0      # pieces of total whose ideal cycle is an estimate
    n_clock: int = 0        # minutes with samples whose source time was not believed
    # ideal time, seconds
    ipt: Fraction = NO_IDEAL        # Σ ideal cycle x total
    igt: Fraction = NO_IDEAL        # Σ ideal cycle x good
    igt_gap: Fraction = NO_IDEAL    # the part of igt whose pieces came out of gaps without data
    ist: Fraction = NO_IDEAL        # Σ ideal cycle x (scrap + rework) of pieces made while starting up
    # plan, pieces
    psq: Fraction = NO_IDEAL        # planned scrap
    epc: Fraction = NO_IDEAL        # what could have been made in planned busy time: rated capacity
    # vectors of their own, of machines with meters and gauges
    energy: Energy = NO_ENERGY
    measured: Measured = NO_MEASURES

    @property
    def pbt(self) -> int:
        """Planned busy time, the denominator of OEE, ns."""
        busy = self.apt + self.micro + self.aust + self.adet_fault + self.adet_other
        return busy + self.maint + self.adot + self.unk - self.excluded

    @property
    def pot(self) -> int:
        """Planned operation time, ns: all that is scheduled, breaks included."""
        return self.ct - self.nst

    @property
    def planned(self) -> int:
        """Busy time as the calendar planned it, ns: what `data_coverage` divides by."""
        return self.pbt + self.excluded - self.promoted

    @property
    def adet(self) -> int:
        """Actual unit delay time of ISO 22400-2, ns: all stops while busy with an order."""
        return self.micro + self.adet_fault + self.adet_other + self.maint

    @property
    def op_time(self) -> int:
        """Operating time between failures, ns: production (also proven) and setup."""
        return self.apt + self.credited + self.aust

    def __add__(self, other: Cell) -> Cell:
        if not isinstance(other, Cell):
            return NotImplemented
        # In C where it can be: an open window is added up with every look at it.
        added = list(map(add, _whole(self), _whole(other)))
        for one, another in zip(_ideal(self), _ideal(other), strict=True):
            added.append(another if one is NO_IDEAL else one if another is NO_IDEAL else one + another)
        vectors = self.energy + other.energy, self.measured + other.measured
        return Cell(*(*_in_order(added), *vectors))

    def grown(self, by: Mapping[str, int], instead: Mapping[str, Fraction] = NOTHING_ELSE) -> Cell:
        """The same with fields greater by so much, and with others instead."""
        values = list(_all_of(self))
        for name, more in by.items():
            values[_PLACE[name]] += more
        for name, value in instead.items():
            values[_PLACE[name]] = value
        return Cell(*values)

    def __radd__(self, other: int) -> Cell:
        """So that `sum(cells)` works."""
        return self if other == 0 else NotImplemented

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe and exact: fractions are written as `"a/b"`; fields that are zero are left out."""
        found = {name: getattr(self, name) for name in NAMES}
        vectors = {"energy": self.energy.to_dict(), "measured": self.measured.to_list()}
        return {name: str(value) if isinstance(value, Fraction) else value
                for name, value in (found | vectors).items() if value}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Cell:
        """The cell `to_dict` wrote. ValueError on a field this version does not know."""
        if unknown := sorted(set(data) - set(_ALL)):
            raise ValueError(f"not fields of a cell: {unknown}")
        read: dict[str, Any] = {name: _READ.get(name, int)(value) for name, value in data.items()}
        return cls(**read)


_ALL: Final = tuple(field.name for field in fields(Cell))
_all_of: Final = attrgetter(*_ALL)
_PLACE: Final = {name: place for place, name in enumerate(_ALL)}
VECTORS: Final = ("energy", "measured")
NAMES: Final = tuple(name for name in _ALL if name not in VECTORS)
"""the fields that are numbers"""
FRACTIONS: Final = frozenset({"ipt", "igt", "igt_gap", "ist", "psq", "epc"})
COUNTS: Final = (
    "pq", "gq", "sq", "rq", "unrated", "n_stop", "n_micro", "fe", "n_ttr_closed", "ip", "gp", "inferred", "unsorted",
    "estimated", "n_clock",
)  # fmt: skip
TIMES: Final = tuple(name for name in NAMES if name not in FRACTIONS and name not in COUNTS)

_SORTED: Final = (*(name for name in NAMES if name not in FRACTIONS), *(name for name in NAMES if name in FRACTIONS))
_whole = attrgetter(*_SORTED[: len(NAMES) - len(FRACTIONS)])
_ideal = attrgetter(*_SORTED[len(NAMES) - len(FRACTIONS) :])
_in_order = itemgetter(*map(_SORTED.index, NAMES))
_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(FRACTIONS, Fraction), "energy": Energy.from_dict, "measured": Measured.from_list,
}  # fmt: skip
