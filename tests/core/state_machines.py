"""Machines whose state comes from several tags of one made-up device, and their samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

import numpy as np

from edge_agent.core.batch import Batch
from edge_agent.core.calendar import Calendar
from edge_agent.core.counters import Counter
from edge_agent.core.ledger import Policy
from edge_agent.core.machine import Machine, MachineSpec
from edge_agent.core.models import StateModel
from edge_agent.core.models.machinery import MachineryModel
from edge_agent.core.models.machinetool import MachinetoolModel
from edge_agent.core.models.packml import PackmlModel
from edge_agent.core.quality import Reason, bad
from edge_agent.core.tags import Kind, Tag

S = 1_000_000_000
NAN = float("nan")
LOST = bad(Reason.COMM_LOST)
NAMES = ("state", "mode", "starved", "machine_state", "execute_state", "channel", "program", "operation_mode", "alarm")
TEXTS = {"state", "mode", "machine_state", "execute_state"}
TAGS = {name: Tag(n, "m", name, Kind.TEXT if name in TEXTS else Kind.INT) for n, name in enumerate(NAMES)}
TOTAL, SCRAP = Tag(len(NAMES), "m", "total", Kind.INT), Tag(len(NAMES) + 1, "m", "scrap", Kind.INT)
ROLES: Mapping[type[StateModel], tuple[str, ...]] = {
    PackmlModel: ("state", "mode", "starved", "machine_state", "execute_state"),
    MachineryModel: ("state", "mode", "alarm"),
    MachinetoolModel: ("state", "mode", "channel", "program", "operation_mode", "alarm"),
}
MODELS = (PackmlModel(), MachineryModel(), MachinetoolModel())

Told = tuple[str, float, str | int | None]
"""Role, seconds, value; None is a loss of the line."""


def spec(model: StateModel | None, **more: object) -> MachineSpec:
    told = {
        "id": "m",
        "state": None,
        "states": {},
        "calendar": Calendar("UTC", shifts=None),
        "policy": Policy(),
        "counts": {"total": TOTAL, "scrap": SCRAP},
        "counters": {source: lambda: Counter(32, 10) for source in ("total", "scrap")},
        "ideal": Fraction(2),
        "model": model,
        "inputs": {role: TAGS[role] for role in ROLES[type(model)]} if model else {},
        **more,
    }
    return MachineSpec(**told)  # type: ignore[arg-type]


def machine(model: StateModel | None = None, **more: object) -> Machine:
    return Machine(spec(model or PackmlModel(), **more))


def samples(rows: Iterable[Told], quality: int = LOST) -> Batch:
    listed = list(rows)
    values = [
        NAN if value is None else TAGS[role].vocabulary.code(value) if isinstance(value, str) else float(value)
        for role, _, value in listed
    ]
    return Batch(
        np.array([TAGS[role].position for role, _, _ in listed], np.int32),
        np.array([round(t * S) for _, t, _ in listed], np.int64),
        np.array(values, float),
        np.array([quality if value is None else 0 for _, _, value in listed], np.uint8),
    )


def changes(held: Machine) -> list[tuple[float, str]]:
    return [(one.since / S, f"{one.state.name} {one.reason}".strip()) for one in held.take_changes()]


def spans(held: Machine, until: float = 1000) -> list[tuple[float, str]]:
    return [(one.start / S, f"{one.state.name} {one.reason}".strip()) for one in held.ledger.spans(0, round(until * S))]
