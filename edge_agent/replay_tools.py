"""`edge-agent replay`: KPIs of recorded history, as the agent would have reported them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from edge_agent import registry
from edge_agent.config import Site, load
from edge_agent.config.finding import did_you_mean
from edge_agent.core.report import Report
from edge_agent.core.told import Record
from edge_agent.core.windows import KINDS
from edge_agent.encode.kpi_ml import kpi_ml
from edge_agent.replay import Asked, HistoryError, Replayed, asked, forms, replay
from edge_agent.replay.on_dask import NoDask, run_on_dask
from edge_agent.replay.plan import make_plan

DONE: Final = 0
FAILED: Final = 1
WRONG_USAGE: Final = 2

FORMATS: Final[dict[str, Callable[[Sequence[Record]], str]]] = {
    "table": forms.as_table,
    "json": forms.as_json,
    "csv": forms.as_csv,
    "kpi-ml": lambda records: kpi_ml([one for one in records if isinstance(one, Report)], time.time_ns()).decode(),
}

Add = Callable[[str, Callable[[argparse.Namespace], int], str], argparse.ArgumentParser]


def add_commands(add: Add) -> None:
    """Put the command into the parser."""
    parser = add("replay", _replay, "recompute KPIs from recorded history: the very records of the live run")
    parser.add_argument("site", type=Path, metavar="SITE.yaml")
    parser.add_argument("history", nargs="+", type=Path, metavar="HISTORY", help="CSV or Parquet file with columns "
                        "time,tag,value[,quality], a journal's folder, or an agent's data_dir")  # fmt: skip
    kinds = ", ".join(KINDS)
    parser.add_argument("--window", default="shift", metavar="WINDOW", help=f"{kinds} (default shift), or START/END: "
                        "two instants, without offset in the agent's time zone")  # fmt: skip
    parser.add_argument("--as-of", metavar="TIME", help="as it was known then: open windows are provisional")
    parser.add_argument("--machine", action="append", metavar="ID", help="only this machine; may be repeated")
    parser.add_argument("--engine", choices=("local", "dask"), default="local", help="dask: machines shared out among "
                        "workers")  # fmt: skip
    parser.add_argument("--scheduler", metavar="ADDR", help="with --engine dask: of a cluster, such as "
                        "tcp://10.0.0.9:8786; default all cores of this computer")  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, default="table", help="default table")


def _replay(options: argparse.Namespace) -> int:
    if options.scheduler and options.engine != "dask":
        print("edge-agent replay: --scheduler belongs to --engine dask", file=sys.stderr)
        return WRONG_USAGE
    site = load(options.site, registry.drivers(), registry.publishers(), profiles=registry.profiles(),
                servers=registry.servers())  # fmt: skip
    try:
        wanted = asked(options.window, options.as_of, site.agent.timezone, KINDS)
        _check_machines(options.machine or (), site)
    except ValueError as problem:
        print(f"edge-agent replay: {problem}", file=sys.stderr)
        return WRONG_USAGE
    try:
        replayed = _run(site, options, wanted)
    except HistoryError as error:
        print(error, file=sys.stderr)
        return WRONG_USAGE
    except NoDask as error:
        print(f"edge-agent replay: {error}", file=sys.stderr)
        return FAILED
    for note in replayed.notes:
        print(f"note: {note}", file=sys.stderr)
    print(FORMATS[options.format]([*replayed.reports, *replayed.sums]))
    return DONE


def _check_machines(names: Sequence[str], site: Site) -> None:
    for name in names:
        if name not in site.machines:
            raise ValueError(f"there is no machine {name!r}; {did_you_mean(name, site.machines, 'machines')}")


def _run(site: Site, options: argparse.Namespace, wanted: Asked) -> Replayed:
    if options.engine == "dask":
        return run_on_dask(make_plan(site, wanted, options.machine), options.history, options.scheduler)
    if not sys.stderr.isatty():
        return replay(site, options.history, wanted, machines=options.machine)
    try:
        return replay(site, options.history, wanted, machines=options.machine, progress=_show)
    finally:
        print("\r\033[K", end="", file=sys.stderr, flush=True)


def _show(samples: int) -> None:
    print(f"\rreading: {samples:,} samples", end="", file=sys.stderr, flush=True)
