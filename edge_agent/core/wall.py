"""Wall clocks: local times of an IANA zone as UTC instants, and local days and hours as windows.

An instant is int64-sized ns since 1970 UTC. A local time that a clock change skips means the instant
of the change; one that occurs twice means its first occurrence unless `fold=1` says otherwise
(domain 2.8). Local days have 23, 24 or 25 hours; hours stay hours.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

SECOND: Final = 1_000_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MIDNIGHT: Final = time()


class Stretch(NamedTuple):
    """A named local day or hour, half-open [start, end); `date` is the local date it belongs to."""

    name: str
    start: int
    end: int
    date: date


def to_ns(moment: datetime) -> int:
    """An aware datetime as ns UTC, exact to the microsecond."""
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1000


def local(t_ns: int, zone: ZoneInfo) -> datetime:
    """The wall clock at an instant, to the whole second below."""
    return (EPOCH + timedelta(seconds=t_ns // SECOND)).astimezone(zone)


def wall_to_ns(wall: datetime, zone: str | ZoneInfo, fold: int = 0) -> int:
    """The instant at which a clock in `zone` shows `wall` (naive)."""
    place = ZoneInfo(zone) if isinstance(zone, str) else zone
    asked = wall.replace(tzinfo=place, fold=fold)
    found = asked.astimezone(UTC)
    if found.astimezone(place).replace(tzinfo=None, fold=0) == wall.replace(fold=0):
        return to_ns(found)
    after = to_ns(wall.replace(tzinfo=place, fold=0).astimezone(UTC))
    before = to_ns(wall.replace(tzinfo=place, fold=1).astimezone(UTC))
    return _change(before, after, place)


def day_start(day: date, zone: ZoneInfo) -> int:
    """The first instant of a local date."""
    return wall_to_ns(datetime.combine(day, MIDNIGHT), zone)


def day_at(t_ns: int, zone: ZoneInfo) -> date:
    """The local date whose day, from `day_start` to the next, contains an instant."""
    day = local(t_ns, zone).date()
    while day_start(day, zone) > t_ns:
        day -= timedelta(days=1)
    while day_start(day + timedelta(days=1), zone) <= t_ns:
        day += timedelta(days=1)
    return day


def days(start: int, end: int, zone: ZoneInfo) -> list[Stretch]:
    """The local calendar days that overlap [start, end), whole, in order."""
    found: list[Stretch] = []
    if start >= end:
        return found
    day = day_at(start, zone)
    begin = day_start(day, zone)
    while begin < end:
        following = day + timedelta(days=1)
        finish = day_start(following, zone)
        found.append(Stretch("day", begin, finish, day))
        day, begin = following, finish
    return found


def hours(start: int, end: int, zone: ZoneInfo) -> list[Stretch]:
    """The local clock hours that overlap [start, end), whole; an hour that a change repeats comes twice."""
    found: list[Stretch] = []
    at = start
    while at < end:
        begin, finish = _hour(at, zone)
        found.append(Stretch("hour", begin, finish, local(begin, zone).date()))
        at = finish
    return found


def _hour(t_ns: int, zone: ZoneInfo) -> tuple[int, int]:
    offset = _offset(t_ns, zone)
    begin = (t_ns + offset) // HOUR * HOUR - offset
    finish = begin + HOUR
    if _offset(begin, zone) != offset:
        begin = _change(begin, t_ns, zone)
    if _offset(finish - SECOND, zone) != offset:
        finish = _change(t_ns, finish, zone)
    return begin, finish


def _offset(t_ns: int, zone: ZoneInfo) -> int:
    shift = local(t_ns, zone).utcoffset()
    return 0 if shift is None else (shift.days * 86_400 + shift.seconds) * SECOND


def _change(before: int, after: int, zone: ZoneInfo) -> int:
    """The instant in (before, after] at which the offset becomes that of `after`; whole seconds."""
    low, high = before // SECOND, -(-after // SECOND)
    target = _offset(high * SECOND, zone)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(middle * SECOND, zone) == target:
            high = middle
        else:
            low = middle
    return high * SECOND
