"""What the core tells the outside: samples of a device, a state change, a KPI report, the status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from edge_agent.core.batch import Batch
from edge_agent.core.cell import Cell
from edge_agent.core.states import MachineState
from edge_agent.core.tags import Kind

OPEN: Final = 1 << 62
"""The end of what has not ended."""


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open stretch of time [start, end), ns UTC.

    `kind` is shift, hour, day, production_day, job, or span for any other; `name` the shift's name, the job's
    product or the kind; `zone` the IANA zone in which it is shown; `production_date` the local date of the
    shift's start (domain 2.8); `order` the number of the job's order. A job that goes on ends at `OPEN`.
    """

    kind: str
    name: str
    start: int
    end: int
    production_date: date
    zone: str
    order: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The KPIs of one machine in one window, as of an instant; `revision` grows with each restatement."""

    machine: str
    window: Window
    revision: int
    final: bool
    as_of: int
    config_hash: str
    cell: Cell
    flags: tuple[str, ...] = ()
    products: Mapping[str, Cell] = field(default_factory=dict)
    """the cell by product, of machines that have jobs; they add up to it"""
    carbon: Mapping[str, Any] = field(default_factory=dict)
    """what a kWh stands for, of machines with a meter: factors with region, year and source; JSON-safe"""
    historical: bool = False
    """it has waited in the journal for the link"""


@dataclass(frozen=True, slots=True)
class StateChange:
    """A machine entered `state` at `since` (ns UTC); not `shown` where an operator says otherwise.

    seq         of its journal record; 0: it is in none. A correction has a greater one than what it corrects, while
                its `since` may be earlier
    historical  it has waited in the journal for the link
    """

    machine: str
    state: MachineState
    reason: str
    since: int
    shown: bool = True
    seq: int = 0
    historical: bool = False


@dataclass(frozen=True, slots=True)
class Samples:
    """A journal record of one device's samples, as profiles see it.

    `batch.tag` is the position within `names` and `kinds`; `texts` holds, per such position, the
    text of each code that occurs.
    """

    seq: int
    device: str
    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    batch: Batch
    texts: Mapping[int, Mapping[int, str]] = field(default_factory=dict)
    historical: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """The agent's own status.

    `devices` maps each device to `connected`, `connecting` or `lost`; `backlog` each destination to
    the journal records that wait for it; `draining` each that is catching up to how many records of before
    it still has to get, how many a second it gets and in how many seconds it will have them (None: nobody
    knows); `counts` is what the agent counts of itself; `journal` says what is wrong with the disk, '' if
    nothing; `commands` maps each destination from which commands may come to `listening` or why it is not;
    `audit` says why nothing can be written to equipment.
    """

    online: bool
    time: int
    devices: Mapping[str, str] = field(default_factory=dict)
    backlog: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    journal: str = ""
    commands: Mapping[str, str] = field(default_factory=dict)
    audit: str = ""
    draining: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gap:
    """Records of the journal that one destination will never get.

    lane       `events` or `samples`
    first,last sequence numbers, both included, between which they stood
    records    how many they were; at most, where files are gone
    start,end  between which instants they were appended, ns UTC; 0 if nobody knows
    why        `space`, `age`, `damage`, `memory` (given up while the disk took nothing)
    """

    destination: str
    lane: str
    first: int
    last: int
    records: int
    start: int
    end: int
    why: str
