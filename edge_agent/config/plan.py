"""Which calendars a machine follows: its own before its line's, that before the site's, each while it holds.

(Domain 2.3: the more specific scope wins; on a date on which a calendar does not hold, the next one does.)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from edge_agent.config.calendar import CalendarModel, PlannedDownModel, overlap, told
from edge_agent.config.holidays import gaps
from edge_agent.core.calendar import Calendar

# So long before its last calendar ends it is said that there is no other.
_AHEAD: Final = timedelta(days=60)

Chain = Sequence[tuple[str, CalendarModel]]
"""Names and models, the one that is asked first first; the last may hold for ever."""


def chain(calendars: Mapping[str, CalendarModel], *scopes: Sequence[str]) -> Chain:
    """The calendars of the scopes, narrowest scope first, up to the first that holds for ever."""
    found: dict[str, CalendarModel] = {}
    for name in (name for scope in scopes for name in scope):
        found[name] = model = calendars[name]
        if model.from_ is None and model.until is None:
            break
    return list(found.items())


def calendar_of(links: Chain, zone: str, down: Iterable[PlannedDownModel] = ()) -> Calendar:
    """The calendar of the core; without any link always busy. `down` is a machine's own planned down time."""
    own = tuple(one.to_core(zone) for one in down)
    if not links:
        return Calendar(zone, shifts=None, machine_down=own)
    made: Calendar | None = None
    for at, (_, model) in reversed(list(enumerate(links))):
        made = model.to_core(zone, own if at == 0 else (), made)
    assert made is not None
    return made


def clash(links: Chain, zone: str) -> str:
    """Two shifts that run at once where one calendar follows another: which, in words; "" if there are none."""
    starts = [model.from_ for _, model in links if model.from_ is not None]
    starts += [model.until + timedelta(1) for _, model in links if model.until is not None]
    found = overlap(calendar_of(links, zone), starts) if starts else None
    return told(*found) if found else ""


def warnings_of(whose: str, links: Chain, today: date) -> list[str]:
    """What should be known of a plan these days: a calendar that ends, holidays nobody knows yet; a sentence each.

    `whose`: such as `machines.press-1` or `lines.line-a`.
    """
    said: list[str] = []
    if links and all(model.until is not None for _, model in links):
        last = max(model.until for _, model in links if model.until is not None)
        if last < today + _AHEAD:
            names = ", ".join(name for name, _ in links)
            said.append(f"{whose}: after {last} no calendar holds ({names}): nothing is planned then")
    for name, model in links:
        if model.holidays is not None:
            said += [f"calendars.{name}.holidays: {model.holidays}: {gap}" for gap in gaps(model.holidays, today)]
    return said
