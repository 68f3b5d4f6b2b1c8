"""`edge-agent report`: a document made from the agent's data folder, whether the agent runs or not."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_agent.core.windows import KINDS as WINDOWS
from edge_agent.report.words import LANGUAGES

if TYPE_CHECKING:
    from edge_agent.config import Site
    from edge_agent.report.choose import Asked

DONE, FAILED, WRONG_USAGE = 0, 1, 2
FORMS: Final = (".html", ".xlsx")
KINDS: Final = ("oee", "digital", "sme")

Load = Callable[[Path], "Site"]


class WrongAsked(Exception):
    """The command line asks for what there is not; says what there is."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """All but the site file."""
    parser.add_argument("--kind", choices=KINDS, default="oee", help="oee: machines and their losses "
                        "(default); digital: how digital the plant is; sme: what this answers of the SME questionnaire")
    kinds = ", ".join(WINDOWS)
    parser.add_argument("--window", metavar="WINDOW", help=f"{kinds} (the latest that has ended), or START/END; "
                        "default shift, or day where no machine has shifts")  # fmt: skip
    parser.add_argument("--date", metavar="DATE", help="all such windows of a production date, as 2026-11-23")
    parser.add_argument("--machine", action="append", default=[], metavar="ID", help="only this one; may be repeated")
    parser.add_argument("--lang", choices=LANGUAGES, help="default agent.language of the site file")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="where to: .html or .xlsx")


def run(options: argparse.Namespace, load: Load) -> int:
    """Make the document; returns the exit code."""
    from edge_agent.report.recall import NothingRecorded

    if options.out.suffix.lower() not in FORMS:
        print(f"edge-agent report: --out {options.out} must end in {' or '.join(FORMS)}", file=sys.stderr)
        return WRONG_USAGE
    site = load(options.site)
    try:
        _write(site, options)
    except WrongAsked as wrong:
        print(f"edge-agent report: {wrong}", file=sys.stderr)
        return WRONG_USAGE
    except (NothingRecorded, OSError) as problem:
        print(f"edge-agent report: {problem}", file=sys.stderr)
        return FAILED
    print(options.out)
    return DONE


def _write(site: Site, options: argparse.Namespace) -> None:
    from edge_agent.report import make

    form, language, now = options.out.suffix.lower(), options.lang or site.agent.language, time.time_ns()
    if options.kind == "oee":
        content = make.oee(site, _asked(site, options), options.machine, now, form, language)
    elif options.window or options.date or options.machine:
        raise WrongAsked(f"--window, --date and --machine do not belong to --kind {options.kind}: it is about all "
                         "equipment in the last seven days")  # fmt: skip
    else:
        content = make.plant(site, options.kind, now, form, language)
    options.out.write_bytes(content)


def _asked(site: Site, options: argparse.Namespace) -> Asked:
    from edge_agent.report.choose import asked

    if not site.machines:
        raise WrongAsked("the site file has no machines")
    for name in options.machine:
        if name not in site.machines:
            raise WrongAsked(f"--machine {name}: there are {', '.join(site.machines)}")
    window = options.window or ("shift" if any(one.calendar for one in site.machines.values()) else "day")
    try:
        return asked(window, options.date, site.agent.timezone, WINDOWS)
    except ValueError as problem:
        raise WrongAsked(str(problem)) from problem
