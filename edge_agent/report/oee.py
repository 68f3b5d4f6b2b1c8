"""The OEE report of a site: windows chosen, the journal read, a page made of each."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from edge_agent import __version__
from edge_agent.config import Site, scopes
from edge_agent.journal import stat
from edge_agent.report.build import machine_page
from edge_agent.report.choose import Asked, windows
from edge_agent.report.groups import add_up
from edge_agent.report.model import Head, OeeDocument
from edge_agent.report.recall import NothingRecorded, Recalled, blank, folder_of, known_until, recall


def oee_document(site: Site, asked: Asked, machines: Collection[str], now: int) -> OeeDocument:
    """Of `machines`, none: of all, and of what they add up to. Raises `NothingRecorded` if there is nothing to tell."""
    folder = folder_of(site)
    until = known_until(folder)
    began = min(segment.created for segment in stat(folder).segments)
    engine = blank(site)
    chosen = {
        name: windows(partial(engine.windows, machine), machine.spec.zone, asked, began, until)
        for name, machine in engine.machines.items()
        if not machines or name in machines
    }
    starts = [window.start for found in chosen.values() for window in found]
    if not starts:
        raise NothingRecorded(f"no machine has such a window up to where the journal in {folder} ends")
    levels = [] if machines else scopes(site, [machine.spec for machine in engine.machines.values()])
    together = [(one, windows(one.windows, one.zone, asked, began, until)) for one in levels]
    known = recall(site, folder, min([*starts, *(window.start for _, found in together for window in found)]))
    pages = [
        machine_page(
            known.engine.machines[name], window, known.revisions(name, window), known.until, site.kpi.watermark
        )
        for name, found in chosen.items()
        for window in found
    ]
    groups = [
        group
        for scope, found in together
        for window in found
        if (group := add_up(scope, window, known, pages, site.kpi.watermark)) is not None
    ]
    return OeeDocument(head(site, known, now, known.until), tuple(pages), tuple(groups))


def head(site: Site, known: Recalled, now: int, until: int) -> Head:
    """What stands above a document made at `now` of what was known at `until`, ns UTC."""
    place = site.agent.place
    named = tuple(level for level in (place.enterprise, place.site, place.area) if level)
    return Head(site.agent.id, named, site.agent.timezone, now, __version__, until, known.passed_over)
