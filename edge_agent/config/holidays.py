"""`holidays: CN`: the public holidays of a country, and the weekend days worked in their stead (调休).

The dates are those of the package `holidays`, which is loaded only where a site file asks for it. Only what is made
known year by year, such as the adjusted workdays of China, ends with what the package knew when it was released.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from typing import Annotated, Final

from pydantic import AfterValidator, WithJsonSchema

from edge_agent.config.finding import Finding, did_you_mean, report
from edge_agent.core.rota import OFF, ONE_DAY, WORKDAY

YEARS: Final = range(2001, 2051)
"""Outside them there are no holidays. The package knows the adjusted workdays of China from the first on."""

# Where the official notice takes the weekend days beside a holiday for a part of it: seven days from 1 October.
_WITH_WEEKENDS: Final = frozenset({"CN"})
_SATURDAY: Final = 5
# Adjusted workdays of a year are usually made known in the November before.
_AHEAD: Final = timedelta(days=60)
# A country that has had none for so long has given them up.
_LATELY: Final = 3


@lru_cache(16)
def holidays_of(region: str) -> Mapping[date, str]:
    """Date → `off` for a holiday, `workday` for a weekend day that is worked; in order.

    `region`: a country, ISO 3166-1, and if wanted one of its subdivisions: `CN`, `DE-BY`. KeyError if there is none.
    """
    from holidays import country_holidays, list_supported_countries

    country, _, part = region.partition("-")
    known = list_supported_countries(include_aliases=True)
    if country not in known or (part and part not in known[country]):
        raise KeyError(region)
    with warnings.catch_warnings():     # of years it does not know: `gaps` says so
        warnings.simplefilter("ignore")
        found = country_holidays(country, subdiv=part or None, years=YEARS, expand=False)
        worked = {day for day in found.weekend_workdays if day.year in YEARS}
    free = {day for day in found if day.year in YEARS} - worked
    if country in _WITH_WEEKENDS:
        free |= set(_beside(free, worked))
    return dict(sorted({**dict.fromkeys(free, OFF), **dict.fromkeys(worked, WORKDAY)}.items()))


def _beside(free: Iterable[date], worked: set[date]) -> Iterable[date]:
    """The weekend days that touch a holiday, directly or by another one."""
    for day in free:
        for step in (ONE_DAY, -ONE_DAY):
            at = day + step
            while at.weekday() >= _SATURDAY and at not in worked:
                yield at
                at += step


@lru_cache(16)
def gaps(region: str, today: date) -> tuple[str, ...]:
    """What is not known of this year or, shortly before it, of the next: a sentence each."""
    told = holidays_of(region)
    adjusted = {day.year for day, kind in told.items() if kind == WORKDAY}
    years = {day.year for day in told}
    said = []
    for year in sorted({today.year, (today + _AHEAD).year}):
        if year not in years:
            said.append(f"no holidays of {year} are known")
        elif year not in adjusted and adjusted & set(range(year - _LATELY, year)):
            upto = max(one for one in adjusted if one < year)
            said.append(
                f"no adjusted workdays of {year} are known, only those of {min(adjusted)} to {upto}; if there are any, "
                "update the package `holidays` or write them as `exceptions`"
            )
    return tuple(said)


def _check_region(text: str) -> str:
    try:
        holidays_of(text)
    except KeyError:
        report([Finding("is no country or part of one whose holidays are known", _near(text))])
    return text


def _near(text: str) -> str:
    from holidays import list_supported_countries

    known = list_supported_countries(include_aliases=False)
    country = text.partition("-")[0]
    if known.get(country):
        return did_you_mean(text, [f"{country}-{part}" for part in known[country]], f"parts of {country}")
    return "write its code of two letters, such as CN, or with a part of it, such as DE-BY"


Region = Annotated[
    str,
    AfterValidator(_check_region),
    WithJsonSchema({"type": "string", "pattern": r"^[A-Z]{2}(-.+)?$"}),
]
"""A country, or a part of one, whose holidays are known."""
