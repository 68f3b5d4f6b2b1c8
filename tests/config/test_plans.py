"""Plans of machines: holidays, whose calendar counts when, what cannot be, and what is said ahead of time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from site_files import FAKE_SITE, mistakes_of, replaced, site_of, told

from edge_agent.config import machine_specs
from edge_agent.config.calendar import CalendarModel
from edge_agent.config.holidays import gaps, holidays_of
from edge_agent.core import kpi
from edge_agent.core.calendar import Calendar, CalendarKind
from edge_agent.core.ledger import Ledger
from edge_agent.core.rota import OFF, WORKDAY
from edge_agent.core.states import MachineState
from edge_agent.warn import plan_warnings

HOUR = 3_600_000_000_000
CN_OFF = {
    # 国务院办公厅 notices: first and last day off.
    2025: [(1, 1, 1, 1), (1, 28, 2, 4), (4, 4, 4, 6), (5, 1, 5, 5), (5, 31, 6, 2), (10, 1, 10, 8)],
    2026: [(1, 1, 1, 3), (2, 15, 2, 23), (4, 4, 4, 6), (5, 1, 5, 5), (6, 19, 6, 21), (9, 25, 9, 27), (10, 1, 10, 7)],
}
CN_WORKED = {
    2025: [(1, 26), (2, 8), (4, 27), (9, 28), (10, 11)],
    2026: [(1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10)],
}
DAY = 'shifts: {day: {days: mon-fri, start: "06:00", end: "14:00"}}'


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def started(calendar: Calendar, first: date, days: int) -> list[str]:
    """`day 10-01` for each shift of so many local dates."""
    start = ns(f"{first}T00:00")
    shifts = calendar.shifts(start - 24 * HOUR, start + (days + 1) * 24 * HOUR)
    dates = {first + timedelta(n) for n in range(days)}
    return [f"{s.name} {s.production_date:%m-%d}" for s in shifts if s.production_date in dates]


def site_text(calendars: str, machine: str = "    calendar: c\n", agent: str = "") -> str:
    text = FAKE_SITE + machine + calendars
    return replaced(text, "timezone: Europe/Berlin", f"timezone: Asia/Shanghai{agent}")


# -- holidays ------------------------------------------------------------------------------------


@pytest.mark.parametrize("year", [2025, 2026])
def test_chinese_holidays_are_those_of_the_notices_with_their_adjusted_workdays(year: int) -> None:
    days = {day: kind for day, kind in holidays_of("CN").items() if day.year == year}
    off = set[date]()
    for month, first, last_month, last in CN_OFF[year]:
        span = date(year, last_month, last) - date(year, month, first)
        off |= {date(year, month, first) + timedelta(n) for n in range(span.days + 1)}
    assert {day for day, kind in days.items() if kind == OFF} == off
    assert {day for day, kind in days.items() if kind == WORKDAY} == {date(year, m, d) for m, d in CN_WORKED[year]}


def test_weekends_beside_a_holiday_stay_weekends_elsewhere() -> None:
    """1 May 2026 is a Friday; a plant in Bavaria may well work on the Saturday."""
    bavaria = holidays_of("DE-BY")
    assert bavaria[date(2026, 5, 1)] == OFF
    assert date(2026, 5, 2) not in bavaria
    assert date(2026, 6, 4) in bavaria          # Fronleichnam
    assert date(2026, 6, 4) not in holidays_of("DE")
    assert WORKDAY not in bavaria.values()


def test_a_year_of_which_nothing_has_been_made_known_is_said_to_be_so() -> None:
    last = max(day.year for day, kind in holidays_of("CN").items() if kind == WORKDAY)
    assert gaps("CN", date(last, 6, 1)) == ()
    [said] = gaps("CN", date(last, 11, 26))
    assert said.startswith(f"no adjusted workdays of {last + 1} are known, only those of 2001 to {last}; if there are")
    assert gaps("DE-BY", date(2026, 11, 26)) == ()
    assert gaps("CN", date(2055, 1, 1)) == ("no holidays of 2055 are known",)


def test_holidays_are_off_adjusted_workdays_are_worked_and_exceptions_win(tmp_path: Path) -> None:
    exceptions = "exceptions: {2026-10-02: workday, 2026-10-09: off, 2026-10-10: off}"
    site = site_of(tmp_path, site_text(f"calendars: {{c: {{{DAY}, holidays: CN, {exceptions}}}}}\n"))
    plan = site.plan("press-1")
    assert started(plan, date(2026, 9, 19), 9) == [f"day 09-{n}" for n in (20, 21, 22, 23, 24)]
    assert started(plan, date(2026, 9, 28), 14) == [f"day {n}" for n in ("09-28", "09-29", "09-30", "10-02", "10-08")]


def test_an_adjusted_workday_is_worked_like_the_day_that_is_named(tmp_path: Path) -> None:
    shifts = 'shifts: {a: {days: mon-thu, start: "06:00", end: "14:00"}, b: {days: fri, start: "06:00", end: "12:00"}}'
    calendar = f"calendars: {{c: {{{shifts}, holidays: CN, workday: fri}}}}\n"
    plan = site_of(tmp_path, site_text(calendar)).plan("press-1")
    assert started(plan, date(2026, 5, 7), 4) == ["a 05-07", "b 05-08", "b 05-09"]
    [mistake] = mistakes_of(tmp_path, site_text(calendar.replace(", workday: fri", "")))
    last = max(day for day, kind in holidays_of("CN").items() if kind == WORKDAY)
    assert (mistake.key, mistake.value, mistake.hint) == (
        "calendars.c.holidays", "CN", "write workday: with a day of the week",
    )  # fmt: skip
    assert mistake.message == f"lets shifts overlap on {last}: 'b' of {last} and 'a' of {last}"


@pytest.mark.parametrize(
    ("region", "hint"),
    [
        ("CHINA", "write its code of two letters, such as CN, or with a part of it, such as DE-BY"),
        ("DE-BYY", "did you mean 'DE-BY'?"),
        ("cn", "write its code of two letters, such as CN, or with a part of it, such as DE-BY"),
    ],
)
def test_a_country_that_is_none_is_named(tmp_path: Path, region: str, hint: str) -> None:
    [mistake] = mistakes_of(tmp_path, site_text(f"calendars: {{c: {{{DAY}, holidays: {region}}}}}\n"))
    assert (mistake.key, mistake.value, mistake.hint) == ("calendars.c.holidays", region, hint)


def test_norway_is_a_country(tmp_path: Path) -> None:
    site = site_of(tmp_path, site_text(f"calendars: {{c: {{{DAY}, holidays: NO}}}}\n"))
    assert site.calendars["c"].holidays == "NO"


# -- which calendar counts -----------------------------------------------------------------------

TWO = f"calendars: {{c: {{{DAY}}}, late: {{{DAY.replace('day:', 'late:')}}}}}\n"


def test_the_calendar_of_the_machine_counts_before_that_of_the_site(tmp_path: Path) -> None:
    monday = date(2026, 11, 23)
    own = site_of(tmp_path, site_text(TWO, agent=", calendar: late"))
    assert started(own.plan("press-1"), monday, 1) == ["day 11-23"]
    default = site_of(tmp_path, site_text(TWO, machine="", agent=", calendar: late"))
    assert started(default.plan("press-1"), monday, 1) == ["late 11-23"]
    neither = site_of(tmp_path, site_text(TWO, machine="")).plan("press-1")
    start = ns("2026-11-21T00:00")
    assert (neither.shifts(start, start + HOUR), neither.busy(start, start + HOUR)) == ([], HOUR)


FOLLOWING = """\
calendars:
  old: {until: 2026-11-24, shifts: {night: {start: "22:00", end: "06:00"}}}
  new: {from: 2026-11-25, shifts: {day: {start: "06:00", end: "14:00"}}}
"""
BOTH = "    calendar: [old, new]\n"


def test_calendars_follow_one_another_by_date(tmp_path: Path) -> None:
    plan = site_of(tmp_path, site_text(FOLLOWING, BOTH)).plan("press-1")
    assert started(plan, date(2026, 11, 23), 4) == ["night 11-23", "night 11-24", "day 11-25", "day 11-26"]
    six = ns("2026-11-24T22:00")        # 06:00 in Shanghai: the last night ends, the first day begins
    assert plan.busy(six - 8 * HOUR, six + 8 * HOUR) == 16 * HOUR


def test_shifts_of_two_calendars_that_overlap_where_one_follows_the_other_are_named(tmp_path: Path) -> None:
    mistakes = mistakes_of(tmp_path, site_text(FOLLOWING.replace('start: "06:00"', 'start: "05:00"'), BOTH))
    assert told(mistakes) == [
        "16: machines.press-1.calendar: lets shifts of two calendars overlap: 'night' of 2026-11-24 and 'day' of "
        "2026-11-25; let the first end a day earlier or the second begin a day later"
    ]


def test_a_calendar_that_ends_without_another_is_said_ahead_of_time(tmp_path: Path) -> None:
    text = FOLLOWING.replace("from: 2026-11-25", "from: 2026-11-25, until: 2027-03-31")
    site = site_of(tmp_path, site_text(text, BOTH))
    assert plan_warnings(site, date(2026, 12, 1)) == []
    assert plan_warnings(site, date(2027, 2, 1)) == [
        "machines.press-1: after 2027-03-31 no calendar holds (old, new): nothing is planned then"
    ]


def test_a_calendar_that_nobody_follows_is_said(tmp_path: Path) -> None:
    """Forgotten at the machine, which would then be planned to be busy day and night."""
    site = site_of(tmp_path, site_text(f"calendars: {{c: {{{DAY}}}}}\n", machine=""))
    assert plan_warnings(site, date(2026, 6, 1)) == ["calendars.c: nobody follows it"]


def test_unknown_adjusted_workdays_are_said_once_for_all_machines(tmp_path: Path) -> None:
    known = max(day.year for day, kind in holidays_of("CN").items() if kind == WORKDAY)
    text = site_text(f"calendars: {{c: {{{DAY}, holidays: CN}}}}\n", machine="", agent=", calendar: c")
    machine = text[text.index("  press-1:\n    state") : text.index("calendars:")]
    site = site_of(tmp_path, replaced(text, machine, machine + machine.replace("press-1:", "press-2:", 1)))
    [said] = plan_warnings(site, date(known, 12, 1))
    assert said.startswith(f"calendars.c.holidays: CN: no adjusted workdays of {known + 1} are known")
    assert site.plan("press-1") is site.plan("press-2"), "a thousand machines of one plan look into one calendar"


def test_planned_down_time_of_the_machine_wins_over_that_of_its_calendar(tmp_path: Path) -> None:
    down = "planned_down: [{start: 2026-11-23T08:00, end: 2026-11-23T10:00, label: service}]"
    own = "planned_down: [{start: 2026-11-23T09:00, end: 2026-11-23T11:00, label: audit, counts_as_loss: true}]"
    site = site_of(tmp_path, site_text(f"calendars: {{c: {{{DAY}, {down}}}}}\n", f"    calendar: c\n    {own}\n"))
    spans = site.plan("press-1").spans(ns("2026-11-23T00:00"), ns("2026-11-23T04:00"))
    assert [(s.label, s.kind, (s.end - s.start) // HOUR) for s in spans] == [
        ("service", CalendarKind.PLANNED_DOWN, 1), ("audit", CalendarKind.BUSY, 2), ("day", CalendarKind.BUSY, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(("loss", "pbt", "pdot", "oee"), [("false", 465, 15, "1"), ("true", 480, 0, "31/32")])
def test_a_break_that_counts_as_a_loss_costs_oee(tmp_path: Path, loss: str, pbt: int, pdot: int, oee: str) -> None:
    """A shift of 8 h that makes a good piece each 15 s but for a break of 15 min."""
    pause = f'breaks: [{{start: "10:00", for: 15min, counts_as_loss: {loss}}}]'
    shifts = f'shifts: {{day: {{start: "06:00", end: "14:00", {pause}}}}}'
    ledger = Ledger(site_of(tmp_path, site_text(f"calendars: {{c: {{{shifts}}}}}\n")).plan("press-1"))
    six = ns("2026-11-22T22:00")        # in Shanghai
    ledger.job(0, "", Fraction(15))
    for hour, state in ((0, MachineState.RUN), (4, MachineState.OFF), (4.25, MachineState.RUN)):
        ledger.state(six + int(hour * HOUR), state)
    ledger.count(six + 8 * HOUR, "total", total=1860)
    cell = ledger.cell(six, six + 8 * HOUR)
    assert (cell.pbt, cell.pdot) == (pbt * HOUR // 60, pdot * HOUR // 60)
    assert kpi.kpis(cell)["oee"] == Fraction(oee)


# -- plans that cannot be ------------------------------------------------------------------------

NIGHT = 'n: {days: mon-fri, start: "22:00", end: "06:00"'


@pytest.mark.parametrize(
    ("calendar", "message"),
    [
        ("{}", "calendars.c: plans nothing; write shifts, or leave it out: without one a machine is always busy"),
        ("{shifts: {}}", "calendars.c: plans nothing; write shifts, or leave it out: without one a machine is always "
         "busy"),
        (f"{{{DAY}, from: 2026-02-01, until: 2026-01-31}}",
         "calendars.c.until: '2026-01-31' is before from; from is 2026-02-01; until is the last day"),
        (f"{{shifts: {{{NIGHT}, from: 2026-02-01, until: 2026-01-31}}}}}}",
         "calendars.c.shifts.n.until: '2026-01-31' is before from; from is 2026-02-01; until is the last day"),
        (f"{{shifts: {{{NIGHT}, until: 2026-01-30}}, e: {{start: '05:00', end: '13:00', from: 2026-01-31}}}}}}",
         "calendars.c.shifts.e: overlaps shift 'n' (22:00 to 06:00); 'e' on tue is 05:00 to 13:00"),
        (f"{{shifts: {{{NIGHT}}}, s: {{days: wed, start: '06:00', end: '14:00'}}, t: {{days: sun, start: '01:00', "
         "end: '09:00'}}, exceptions: {2026-11-26: sun}}",
         "calendars.c.exceptions.2026-11-26: 'sun' lets shifts overlap on 2026-11-26: 'n' of 2026-11-25 and 't' of "
         "2026-11-26; write another day of the week"),
        (f"{{shifts: {{{NIGHT}, breaks: [{{start: '01:00', for: 30min}}, {{start: '00:45', for: 16min}}]}}}}}}",
         "calendars.c.shifts.n.breaks[0]: begins within breaks[1]; write them as one break"),
        (f"{{{DAY}, exceptions: {{1912-10-01: off}}}}",
         "calendars.c.exceptions.1912-10-01: 'off' is no date a plan can have; years 1970 to 2199"),
        (f"{{{DAY}, planned_down: [{{start: 9999-12-01T06:00, end: 9999-12-01T07:00}}]}}",
         "calendars.c.planned_down[0].end: '9999-12-01T07:00' is no date a plan can have; years 1970 to 2199"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_is_named(tmp_path: Path, calendar: str, message: str) -> None:
    found = mistakes_of(tmp_path, site_text(f"calendars: {{c: {calendar}}}\n"))
    assert message in [one.split(": ", 1)[1] for one in told(found)]


QUARTERS = st.integers(0, 95).map(lambda n: f"{n // 4:02}:{n % 4 * 15:02}")
DAYS = st.sampled_from(["daily", "mon-fri", "sat,sun", "sun", "mon", "fri-mon"])
SHIFT = st.fixed_dictionaries({"days": DAYS, "start": QUARTERS, "end": QUARTERS})
# Zones, and a local date beside a change of their clocks: an hour, half of one, midnight, a day, two hours.
CHANGES = [
    ("Europe/Berlin", date(2024, 3, 31)), ("Europe/Berlin", date(2024, 10, 27)), ("Asia/Shanghai", date(2026, 11, 23)),
    ("Australia/Lord_Howe", date(2024, 4, 7)), ("America/Havana", date(2024, 11, 3)),
    ("Pacific/Apia", date(2011, 12, 29)), ("Antarctica/Troll", date(2024, 3, 31)),
]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(SHIFT, min_size=1, max_size=4), st.sampled_from(CHANGES))
def test_shifts_that_check_accepts_never_run_at_once_whatever_the_clocks_do(
    shifts: list[dict[str, str]], change: tuple[str, date]
) -> None:
    zone, day = change
    try:
        model = CalendarModel.model_validate({"shifts": {f"s{at}": shift for at, shift in enumerate(shifts)}})
    except ValidationError:
        return
    start = ns(f"{day}T00:00")
    found = model.to_core(zone).shifts(start - 48 * HOUR, start + 72 * HOUR)
    assert all(one.end <= other.start for one, other in pairwise(found))
    if found:
        assert model.to_core(zone).busy(found[0].start, found[-1].end) == sum(s.end - s.start for s in found)


def test_shifts_that_take_turns_by_date_do_not_overlap(tmp_path: Path) -> None:
    """A night that ends at 06:00, from the last Friday on one that ends at 05:00 and an early shift after it."""
    early = 'e: {start: "05:00", end: "13:00", from: 2026-01-31}'
    site_of(tmp_path, site_text(f"calendars: {{c: {{shifts: {{{NIGHT}, until: 2026-01-29}}, {early}}}}}}}\n"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1.2s", "0s", "ideal_cycle: '0s' must be more than 0"),
        ("1.2s", "1ns", "ideal_cycle: '1ns' is no time a machine takes for a piece; from 100us to 30d"),
        ("1.2s", "1000d", "ideal_cycle: '1000d' is no time a machine takes for a piece; from 100us to 30d"),
        ("1.2s", "1.2s\n    counter: {max_rate: 0.5}", "counter.max_rate: '0.5' is slower than the machine; its ideal "
         "cycle needs 0.833333 pieces per second; allow more, or leave it out"),
        ("1: RUN", "1: SETUP", "state.map: names no RUN: the machine would never run; write which value means that it "
         "produces: {1: RUN}"),
        ("scrap: press-1.scrap", "scrap: press-1.total",
         "counts.scrap: 'press-1.total' is the tag of total too; each needs a counter of its own"),
        ("scrap: press-1.scrap", "scrap: press-1.scrap, rework: press-1.scrap",
         "counts.rework: 'press-1.scrap' is the tag of scrap too; each needs a counter of its own"),
        ("scrap: press-1.scrap", "scrap: press-1.scrap, good: press-1.state",
         "counts: needs exactly two of total, good, scrap; the third follows; given: total, good, scrap"),
        ("1.2s", "1.2s\n    no_order_is_planned_stop: true", "no_order_is_planned_stop: 'true' does nothing without "
         "order; write order: {tag: …}, which tells whether one is active"),
    ],
)  # fmt: skip
def test_a_machine_that_cannot_be_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    found = told(mistakes_of(tmp_path, replaced(FAKE_SITE, old, new)))
    assert [one.split(": machines.press-1.", 1)[1] for one in found] == [message]


@pytest.mark.parametrize(("ideal", "minutes"), [("1.2s", 10), ("5min", 100)])
def test_patience_is_twenty_ideal_cycles_but_at_least_ten_minutes(tmp_path: Path, ideal: str, minutes: int) -> None:
    site = site_of(tmp_path, replaced(FAKE_SITE, "1.2s", ideal))
    assert site.machines["press-1"].patience_ns() == minutes * 60 * 10**9


# -- ideal cycles by date ------------------------------------------------------------------------


def test_an_ideal_cycle_may_be_another_one_from_a_date_on(tmp_path: Path) -> None:
    later = "1.2s\n    ideal_cycle_from: {2026-07-01: 1.1s, 2027-01-01T06:00: 0.05s}"
    site = site_of(tmp_path, replaced(FAKE_SITE, "1.2s", later))       # in Berlin
    [spec] = machine_specs(site, site.tag_table())
    assert spec.ideal == Fraction(6, 5)
    later_on = [(ns("2026-06-30T22:00"), Fraction(11, 10)), (ns("2027-01-01T05:00"), Fraction(1, 20))]
    assert spec.versions == {"": later_on}
    assert site.counter("press-1", "total").max_rate == 100, "five times the fastest there will be"


def test_products_have_ideal_cycles_by_date_whatever_their_codes_are_written_like(tmp_path: Path) -> None:
    job = "job: {tag: press-1.total, products: {0x1F: {ideal_cycle: 1s, ideal_cycle_from: {2026-07-01: 2s}}}}"
    site = site_of(tmp_path, replaced(FAKE_SITE, "ideal_cycle: 1.2s", job))
    [spec] = machine_specs(site, site.tag_table())
    assert spec.versions["31"] == [(ns("2026-06-30T22:00"), Fraction(2))]


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ("ideal_cycle: 1.2s\n    ideal_cycle_from: {2026-07-32: 1.1s}",
         "ideal_cycle_from.2026-07-32: '1.1s' is not a date; there is no such day"),
        ("ideal_cycle: 1.2s\n    ideal_cycle_from: {July: 1.1s}", "ideal_cycle_from.July: '1.1s' is neither a date nor "
         "a local date and time; write 2026-07-01 or 2026-07-01T06:00"),
        ("ideal_cycle: 1.2s\n    ideal_cycle_from: {2026-07-01: 0s}",
         "ideal_cycle_from.2026-07-01: '0s' must be more than 0"),
        ("ideal_cycle: 1.2s\n    counter: {max_rate: 1}\n    ideal_cycle_from: {2026-07-01: 0.5s}",
         "counter.max_rate: '1' is slower than the machine; its ideal cycle needs 2 pieces per second; allow more, or "
         "leave it out"),
        ("job: {tag: press-1.program, products: {A: {ideal_cycle: 1s}}}\n    ideal_cycle_from: {2026-07-01: 0.5s}",
         "ideal_cycle_from: stands beside no ideal_cycle; write it beside the ideal_cycle of each product"),
    ],
)  # fmt: skip
def test_a_later_ideal_cycle_that_cannot_be_is_named(tmp_path: Path, new: str, message: str) -> None:
    found = told(mistakes_of(tmp_path, replaced(FAKE_SITE, "ideal_cycle: 1.2s", new)))
    assert [one.split(": machines.press-1.", 1)[1] for one in found] == [message]


# -- the config hash -----------------------------------------------------------------------------

BASE = site_text(
    """\
calendars:
  c:
    shifts: {day: {days: mon-fri, start: "06:00", end: "14:00", breaks: [{start: "10:00", for: 15min}]}}
    planned_down: [{start: 2026-12-01T06:00, end: 2026-12-01T08:00}]
    exceptions: {2026-10-09: off}
    holidays: CN
""",
    "    calendar: c\n    order: {tag: press-1.state}\n",
)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("holidays: CN", "holidays: HU"), ("holidays: CN", "holidays: CN\n    workday: mon"),
        ("holidays: CN", "holidays: CN\n    from: 2026-01-01"), ("holidays: CN", "holidays: CN\n    until: 2026-12-31"),
        ("for: 15min", "for: 15min, counts_as_loss: true"), ("T08:00}", "T08:00, counts_as_loss: true}"),
        ("exceptions: {2026-10-09: off}", "exceptions: {2026-10-09: mon}"),
        ("days: mon-fri", "days: mon-fri, from: 2026-01-01"),
        ("1.2s", "1.2s\n    planned_down: [{start: 2026-12-02T06:00, end: 2026-12-02T07:00}]"),
        ("1.2s", "1.2s\n    no_order_is_planned_stop: true"),
        ("1.2s", "1.2s\n    ideal_cycle_from: {2026-07-01: 1.1s}"),
    ],
)  # fmt: skip
def test_the_hash_changes_with_every_rule_of_the_plan(tmp_path: Path, old: str, new: str) -> None:
    before = site_of(tmp_path, BASE).config_hash("press-1")
    assert site_of(tmp_path, replaced(BASE, old, new)).config_hash("press-1") != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("for: 15min", "for: 15min, label: tea"), ("T08:00}", "T08:00, label: service}"),
        ("1.2s", "1.2s\n    patience: 1h"),
        ("1.2s", "1.2s\n    no_order_is_planned_stop: false"), ("calendar: c\n", "calendar: [c]\n"),
        ("exceptions: {2026-10-09: off}", "exceptions: {2026-10-09: off, 2026-10-01: off}"),
        ("timezone: Asia/Shanghai", "timezone: Asia/Shanghai, calendar: c"),
    ],
)  # fmt: skip
def test_the_hash_stays_where_the_plan_stays(tmp_path: Path, old: str, new: str) -> None:
    before = site_of(tmp_path, BASE).config_hash("press-1")
    assert site_of(tmp_path, BASE.replace(old, new)).config_hash("press-1") == before
