"""The OEE report of a site: windows chosen, the journal read, a page made of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Final

from edge_agent import __version__
from edge_agent.config import Site, scopes
from edge_agent.core.report import Window
from edge_agent.core.wall import DAY, day_start, local
from edge_agent.journal import stat
from edge_agent.report.build import machine_page
from edge_agent.report.choose import Asked, windows
from edge_agent.report.groups import add_up
from edge_agent.report.model import Head, MachinePage, OeeDocument
from edge_agent.report.recall import NothingRecorded, Recalled, blank, folder_of, known_until, recall

JOB: Final = "job"

# The latest job that has ended is looked for so far back.
JOBS_BACK_NS: Final = 7 * DAY


def oee_document(site: Site, asked: Asked, machines: Collection[str], now: int) -> OeeDocument:
    """Of `machines`, none: of all, and of what they add up to. Raises `NothingRecorded` if there is nothing to tell."""
    folder = folder_of(site)
    until = known_until(folder)
    began = min(segment.created for segment in stat(folder).segments)
    # Which jobs there were is a question to the facts; other windows are the calendar's.
    engine = recall(site, folder, _jobs_since(site, asked, until)).engine if asked.kind == JOB else blank(site)
    chosen = {
        name: windows(partial(engine.windows, machine), machine.spec.zone, asked, began, until)
        for name, machine in engine.machines.items()
        if not machines or name in machines
    }
    levels = [] if machines else scopes(site, [machine.spec for machine in engine.machines.values()])
    together = [(one, windows(one.windows, one.zone, asked, began, until)) for one in levels]
    asked_for = [window for found in (*chosen.values(), *(found for _, found in together)) for window in found]
    known = recall(site, folder, min((window.start for window in asked_for), default=until))
    pages = _pages(chosen, known, began, site.kpi.watermark)
    if not pages:
        extent = " to ".join(f"{local(t, site.zone):%Y-%m-%d %H:%M}" for t in (began, until))
        raise NothingRecorded(f"nothing is known of such a window; the journal in {folder} covers {extent}")
    groups = [
        group
        for scope, found in together
        for window in found
        if (group := add_up(scope, window, known, pages, site.kpi.watermark)) is not None
    ]
    return OeeDocument(head(site, known, now, known.until), tuple(pages), tuple(groups))


def _pages(
    chosen: Mapping[str, Sequence[Window]], known: Recalled, began: int, watermark: int
) -> list[MachinePage]:
    """Of all windows of which anything is known."""
    found: list[MachinePage] = []
    for name, asked_for in chosen.items():
        for window in asked_for:
            made = known.revisions(name, window)
            if not made and window.end <= began:
                continue
            page = machine_page(known.engine.machines[name], window, made, known.until, watermark)
            found += [] if page is None else [page]
    return found


def _jobs_since(site: Site, asked: Asked, until: int) -> int:
    return until - JOBS_BACK_NS if asked.day is None else day_start(asked.day, site.zone) - DAY


def head(site: Site, known: Recalled, now: int, until: int) -> Head:
    """What stands above a document made at `now` of what was known at `until`, ns UTC."""
    place = site.agent.place
    named = tuple(level for level in (place.enterprise, place.site, place.area) if level)
    return Head(site.agent.id, named, site.agent.timezone, now, __version__, until, known.passed_over)
