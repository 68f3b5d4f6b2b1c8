"""The demo's screen: a live table where there is a terminal, a line a machine where there is none."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table

COLOURS = {"RUN": "green", "IDLE": "yellow", "FAULT": "red", "SETUP": "blue", "MAINT": "blue", "UNKNOWN": "magenta"}
KPIS = {
    "OEE %": "oee",
    "A %": "availability_classic",
    "P %": "performance_classic",
    "Q %": "quality_count",
    "data %": "data_coverage",
}
HEADINGS = ("machine", "state", *KPIS, "good", "scrap")
LEGEND = (
    "OEE = availability × performance × quality, as received from the broker\n"
    "data: share of the time with data. Ctrl-C ends it all, with a summary"
)
# Without a terminal a picture a second would only fill a log.
PLAIN_EVERY_S = 10.0
# The first piece of a window that is milliseconds old gives an OEE of some thousand percent.
SETTLED_S = 3.0


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known at one moment: per machine its state and KPI record as received."""

    machines: tuple[str, ...]
    states: Mapping[str, Mapping[str, Any]]
    kpis: Mapping[str, Mapping[str, Any]]
    samples: int
    backlog: int | None
    elapsed_s: float
    connected: bool = True

    def title(self) -> str:
        """How long, how much."""
        if self.elapsed_s < 0:
            return f"the shift begins in {-self.elapsed_s:.0f} s"
        backlog = "…" if self.backlog is None else str(self.backlog)
        told = f"{self.elapsed_s:.0f} s   {self.samples} samples received   backlog {backlog}"
        return told if self.connected else f"{told}   THE BROKER IS AWAY"

    def cells(self, machine: str) -> list[str]:
        """The machine's row, in the order of HEADINGS."""
        state = str(self.states.get(machine, {}).get("state", "…"))
        record = self.kpis.get(machine)
        if record is None or self.elapsed_s < SETTLED_S:
            return [machine, state, *["…"] * (len(HEADINGS) - 2)]
        kpis = [percent(record["kpi"][name]) for name in KPIS.values()]
        return [machine, state, *kpis, str(record["counts"]["gq"]), str(record["counts"]["sq"])]


def percent(value: float | None) -> str:
    """`84.44`, or a dash for what is undefined."""
    return "–" if value is None else f"{100 * value:.2f}"


def table(picture: Picture) -> Table:
    """The live table; it fits 80 columns."""
    drawn = Table(title=picture.title(), caption=LEGEND, caption_justify="left", box=box.ROUNDED, title_style="bold")
    for heading in HEADINGS:
        # Wide enough from the start: the table stands still when a state or a figure changes.
        text = heading in ("machine", "state")
        width = 7 if text else 6 if heading in ("A %", "Q %") else None
        drawn.add_column(heading, justify="left" if text else "right", min_width=width)
    for machine in picture.machines:
        cells = picture.cells(machine)
        colour = COLOURS.get(cells[1])
        if colour:
            cells[1] = f"[{colour}]{cells[1]}[/{colour}]"
        drawn.add_row(*cells)
    return drawn


class Screen:
    """Shows pictures, the way the output allows."""

    def __init__(self) -> None:
        console = Console()
        live = sys.stdout.isatty() and not console.is_dumb_terminal
        self._live = Live(console=console, auto_refresh=False) if live else None
        self._next_plain = SETTLED_S

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
        elif picture.elapsed_s >= self._next_plain:
            self._next_plain += PLAIN_EVERY_S
            for machine in picture.machines:
                name, state, *cells = picture.cells(machine)
                told = "  ".join(f"{heading} {cell}" for heading, cell in zip(HEADINGS[2:], cells, strict=True))
                print(f"{picture.elapsed_s:5.0f} s  {name:8} {state:7}  {told}", flush=True)
