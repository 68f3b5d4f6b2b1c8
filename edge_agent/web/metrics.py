"""`/metrics`: the agent's own figures and those of machines, in the text format of Prometheus."""

from __future__ import annotations

import math
import os
import resource
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from fastapi import FastAPI
from fastapi.responses import Response

from edge_agent import __version__
from edge_agent.core.states import MachineState
from edge_agent.web.overview import OverviewAnswer
from edge_agent.web.view import View

CONTENT: Final = "text/plain; version=0.0.4; charset=utf-8"
PREFIX: Final = "edge_agent_"

Sample = tuple[Mapping[str, str], float | int | bool | None]
"""Labels and value; None: not known, and left out."""


class Family(NamedTuple):
    """A metric with all its samples."""

    name: str
    type: str
    help: str
    samples: Iterable[Sample]


def add_metrics(app: FastAPI, view: View) -> None:
    """Add the route to the application."""

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Everything a monitoring system watches, in the text format of Prometheus."""
        return Response(text(families(view)), media_type=CONTENT)


def families(view: View) -> Iterator[Family]:
    """Every metric, named as in the README."""
    status = view.status()
    yield Family("info", "gauge", "the agent and its version", [({"agent": status.agent, "version": __version__}, 1)])
    yield Family("healthy", "gauge", "1 while every line stands and the journal takes what comes",
                 [({}, view.health().ok)])  # fmt: skip
    for name, n in status.counts.items():
        yield Family(f"{name}_total", "counter", f"{name.replace('_', ' ')} since the agent started", [({}, n)])
    devices = status.devices.items()
    yield Family("device_up", "gauge", "1 while connected",
                 [({"device": name}, one.state == "connected") for name, one in devices])  # fmt: skip
    yield Family("device_failures", "gauge", "attempts in a row that failed",
                 [({"device": name}, one.failures) for name, one in devices])  # fmt: skip
    yield Family("device_tags", "gauge", "tags by the quality of their last value",
                 [({"device": name, "quality": quality}, n) for name, one in devices
                  for quality, n in one.tags.model_dump().items()])  # fmt: skip
    yield from _destinations(view)
    journal = status.journal
    yield Family("journal_ok", "gauge", "1 while the journal takes what comes", [({}, journal.ok)])
    yield Family("journal_bytes", "gauge", "size of the journal on disk", [({}, journal.bytes)])
    yield Family("journal_pending_records", "gauge", "records not on disk yet", [({}, journal.pending)])
    yield Family("journal_written_bytes_total", "counter", "written to the medium", [({}, journal.written_bytes)])
    yield from _machines(view.overview.overview())
    yield from _process()


def _destinations(view: View) -> Iterator[Family]:
    found = view.lines.destinations({}).destinations
    yield Family("destination_up", "gauge", "1 while connected",
                 [({"destination": one.id}, one.state == "connected") for one in found])  # fmt: skip
    yield Family("destination_backlog_records", "gauge", "journal records that wait, by lane",
                 [({"destination": one.id, "lane": lane}, n)
                  for one in found for lane, n in one.lanes.items()])  # fmt: skip
    yield Family("destination_evicted_records_total", "counter", "records deleted before they were delivered",
                 [({"destination": one.id, "lane": lane}, n)
                  for one in found for lane, n in one.evicted.items()])  # fmt: skip


def _machines(shop: OverviewAnswer) -> Iterator[Family]:
    yield Family("machine_state", "gauge", "1 for the state a machine is in",
                 [({"machine": one.id, "state": state}, one.state == state)
                  for one in shop.machines for state in MachineState.__members__])  # fmt: skip
    for name, what in _RATIOS.items():
        labelled = [({"machine": one.id, "window": one.window or ""}, getattr(one, name)) for one in shop.machines]
        yield Family(f"machine_{name}_ratio", "gauge", what, labelled)
    yield Family("machine_pieces", "gauge", "pieces of the open window",
                 [({"machine": one.id, "window": one.window or "", "kind": kind}, n)
                  for one in shop.machines for kind, n in (("total", one.total), ("good", one.good))])  # fmt: skip


_RATIOS: Final = {
    "oee": "OEE of the open shift, else of the day",
    "availability": "its availability",
    "performance": "its performance",
    "quality": "its quality",
    "data_coverage": "share of its planned busy time with data",
}


def _process() -> Iterator[Family]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    yield Family("process_cpu_seconds_total", "counter", "processor time used", [({}, used.ru_utime + used.ru_stime)])
    if sys.platform == "linux":
        yield Family("process_resident_memory_bytes", "gauge", "memory in use", [({}, _resident())])


def _resident() -> int:
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 — no disk: the kernel answers
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def text(found: Iterable[Family]) -> str:
    """In the text format; `process_…` by their usual names, all others with ours before them."""
    lines = []
    for family in found:
        name = family.name if family.name.startswith("process_") else f"{PREFIX}{family.name}"
        lines += [f"# HELP {name} {family.help}", f"# TYPE {name} {family.type}"]
        lines += [f"{name}{_labels(labels)} {_number(value)}" for labels, value in family.samples if value is not None]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _number(value: float) -> str:
    return str(int(value)) if isinstance(value, int) else "NaN" if math.isnan(value) else repr(value)
