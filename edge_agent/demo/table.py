"""The demo's screen: a live table where there is a terminal, a line a machine where there is none."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

COLOURS = {"RUN": "green", "IDLE": "yellow", "FAULT": "red", "SETUP": "blue", "MAINT": "blue"}
# Without a terminal a picture a second would only fill a log.
PLAIN_EVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known at one moment: per machine its state and KPI record as received."""

    machines: tuple[str, ...]
    states: Mapping[str, Mapping[str, Any]]
    kpis: Mapping[str, Mapping[str, Any]]
    samples: int
    backlog: int | None
    elapsed_s: float


def percent(value: float | None) -> str:
    """`84.44 %`, or a dash for what is undefined."""
    return "–" if value is None else f"{100 * value:.2f} %"


def _cells(picture: Picture, machine: str) -> list[str]:
    state = picture.states.get(machine, {}).get("state", "…")
    record = picture.kpis.get(machine)
    if record is None:
        return [machine, state, *["…"] * 7]
    kpi, counts = record["kpi"], record["counts"]
    return [
        machine,
        state,
        percent(kpi["oee"]),
        percent(kpi["availability_classic"]),
        percent(kpi["performance_classic"]),
        percent(kpi["quality_count"]),
        str(counts["gq"]),
        str(counts["sq"]),
        percent(kpi["data_coverage"]),
    ]


HEADINGS = ("machine", "state", "OEE", "A", "P", "Q", "good", "scrap", "coverage")


def table(picture: Picture) -> Table:
    """The live table."""
    backlog = "…" if picture.backlog is None else str(picture.backlog)
    title = f"{picture.elapsed_s:5.0f} s   {picture.samples} samples received   backlog {backlog}"
    drawn = Table(title=title)
    for heading in HEADINGS:
        drawn.add_column(heading, justify="left" if heading in ("machine", "state") else "right")
    for machine in picture.machines:
        cells = _cells(picture, machine)
        colour = COLOURS.get(cells[1])
        if colour:
            cells[1] = f"[{colour}]{cells[1]}[/{colour}]"
        drawn.add_row(*cells)
    return drawn


class Screen:
    """Shows pictures, the way the output allows."""

    def __init__(self) -> None:
        self._live = Live(console=Console(), auto_refresh=False) if sys.stdout.isatty() else None
        self._last_plain = -PLAIN_EVERY_S

    def __enter__(self) -> Screen:
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.__exit__(None, None, None)

    def show(self, picture: Picture) -> None:
        """Draw, or print if it is time for it."""
        if self._live:
            self._live.update(table(picture), refresh=True)
        elif picture.elapsed_s - self._last_plain >= PLAIN_EVERY_S:
            self._last_plain = picture.elapsed_s
            for machine in picture.machines:
                named = zip(HEADINGS, _cells(picture, machine), strict=True)
                print(f"{picture.elapsed_s:5.0f} s  " + "  ".join(f"{h} {c}" for h, c in named), flush=True)
