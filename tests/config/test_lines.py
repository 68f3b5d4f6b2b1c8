"""`lines:` and `areas:`: what they make of machines, and every mistake in them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from site_files import mistakes_of, replaced, site_of

from edge_agent.config import machine_specs, scopes
from edge_agent.config.scopes import scope_warnings
from edge_agent.core.calendar import Calendar
from edge_agent.core.lineup import Pace
from edge_agent.core.rollup import Scope

MACHINE = "{state: {tag: plc.state, map: {0: IDLE, 1: RUN}}, counts: {total: plc.total, scrap: plc.scrap}, MORE}"
SITE = f"""\
agent: {{id: gw-01, place: {{site: suzhou}}, timezone: Europe/Berlin}}
devices:
  plc: {{driver: fake, url: fake://10.0.0.5, tags: {{state: {{address: 0}}, total: {{address: 1}},
        scrap: {{address: 2}}, program: {{address: 3, text: true}}}}}}
machines:
  cut: {MACHINE.replace("MORE", "ideal_cycle: 10s")}
  weld: {MACHINE.replace("MORE", "ideal_cycle: 12s, calendar: late")}
  pack: {MACHINE.replace("MORE", "ideal_cycle: 8s")}
  oven: {MACHINE.replace("MORE", "ideal_cycle: 60s, line: heat")}
lines:
  flow: {{stations: [cut, weld, pack], calendar: early}}
  heat: {{}}
areas:
  east: {{lines: [flow], machines: [oven]}}
calendars:
  early: {{shifts: {{day: {{start: "06:00", end: "14:00"}}}}}}
  late: {{shifts: {{day: {{start: "14:00", end: "22:00"}}}}}}
"""
STATIONS = "stations: [cut, weld, pack]"
TWO_PRODUCTS = "job: {tag: plc.program, products: {A: {ideal_cycle: 9s}, B: {ideal_cycle: 20s}}}"


def scopes_of(folder: Path, text: str) -> dict[str, Scope]:
    site = site_of(folder, text)
    return {scope.key: scope for scope in scopes(site, machine_specs(site, site.tag_table()))}


def test_lines_areas_and_the_site_know_their_machines(tmp_path: Path) -> None:
    found = scopes_of(tmp_path, SITE)
    assert {key: scope.machines for key, scope in found.items()} == {
        "line/flow": ("cut", "weld", "pack"),
        "line/heat": ("oven",),
        "area/east": ("cut", "weld", "pack", "oven"),
        "site/suzhou": ("cut", "weld", "pack", "oven"),
    }
    serial = found["line/flow"].serial
    assert serial is not None
    assert serial.pace("") == Pace("weld", Fraction(12))
    assert found["line/heat"].serial is None


def test_a_line_that_only_machines_name_has_them_side_by_side(tmp_path: Path) -> None:
    text = SITE[: SITE.index("lines:")] + SITE[SITE.index("calendars:") :]
    found = scopes_of(tmp_path, text.replace("ideal_cycle: 8s", "ideal_cycle: 8s, line: heat"))
    assert found["line/heat"].machines == ("pack", "oven")
    assert found["line/heat"].serial is None


def test_one_machine_makes_no_site(tmp_path: Path) -> None:
    head, tail = SITE.split("  weld:")[0], SITE[SITE.index("calendars:") :]
    assert scopes_of(tmp_path, head + tail) == {}


def test_a_machines_own_calendar_wins_over_its_lines_and_a_line_over_none(tmp_path: Path) -> None:
    site = site_of(tmp_path, SITE)
    assert [[name for name, _ in site.calendars_of(machine)] for machine in site.machines] == [
        ["early"], ["late"], ["early"], [],
    ]  # fmt: skip
    cut, weld, _, oven = machine_specs(site, site.tag_table())
    noon = 1_700_000_000 * 10**9 // 86_400_000_000_000 * 86_400_000_000_000 + 11 * 3_600_000_000_000
    hour = 3_600_000_000_000
    busy = [spec.calendar.busy(noon, noon + hour) for spec in (cut, weld, oven)]
    assert busy == [hour, 0, hour]
    assert isinstance(oven.calendar, Calendar)
    assert cut.line == "flow"


def test_a_machine_that_gets_its_lines_calendar_has_another_config_hash(tmp_path: Path) -> None:
    before = site_of(tmp_path, SITE)
    after = site_of(tmp_path, replaced(SITE, "calendar: early}", "calendar: late}"))
    assert before.config_hash("cut") != after.config_hash("cut")
    assert before.config_hash("weld") == after.config_hash("weld")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (STATIONS, "stations: [weld, cut, pack]"),
        (STATIONS, f"{STATIONS}, constraint: pack"),
        (STATIONS, f"{STATIONS}, design_cycle: 13s"),
        (STATIONS, "stations: [[cut, weld], pack]"),
        ("ideal_cycle: 12s", "ideal_cycle: 12s, micro_stop: 2min"),
    ],
    ids=["another order", "another constraint", "a design cycle", "side by side", "another rule of a machine"],
)
def test_whatever_moves_a_lines_figures_changes_its_hash(tmp_path: Path, old: str, new: str) -> None:
    before, after = scopes_of(tmp_path, SITE), scopes_of(tmp_path, replaced(SITE, old, new))
    assert before["line/flow"].config_hash != after["line/flow"].config_hash
    assert before["line/heat"].config_hash == after["line/heat"].config_hash


def test_shifts_are_those_of_the_scopes_calendar_or_of_the_one_that_all_machines_have(tmp_path: Path) -> None:
    found = scopes_of(tmp_path, SITE)
    assert found["line/flow"].calendar is not None
    assert (found["area/east"].calendar, found["site/suzhou"].calendar) == (None, None)
    common = replaced(SITE, "12s, calendar: late", "12s").replace("line: heat", "line: heat, calendar: early")
    assert scopes_of(tmp_path, common)["site/suzhou"].calendar is not None
    own = replaced(SITE, "machines: [oven]", "machines: [oven], calendar: late")
    assert scopes_of(tmp_path, own)["area/east"].calendar is not None


def test_what_is_right_but_should_be_known_of_sums_is_a_warning(tmp_path: Path) -> None:
    strict = replaced(SITE, "ideal_cycle: 8s", "ideal_cycle: 8s, micro_stop: 1min")
    said = scope_warnings(site_of(tmp_path, strict))
    assert [one.split(" judged")[0].split(" follow")[0] for one in said] == [
        "lines.flow: pack", "areas.east: pack", "areas.east: its machines", "site: pack", "site: its machines",
    ]  # fmt: skip
    quiet = replaced(SITE, "timezone: Europe/Berlin", "timezone: Europe/Berlin, calendar: early")
    assert scope_warnings(site_of(tmp_path, quiet)) == []


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        (STATIONS, "stations: [cut, wield]",
         "lines.flow.stations[1]: 'wield' names no machine; did you mean 'weld'?"),
        (STATIONS, "stations: [cut, weld, cut]", "lines.flow.stations[2]: 'cut' is twice"),
        ("heat: {}", "heat: {stations: [oven, cut], calendar: early}",
         "lines.heat.stations[1]: 'cut' is in line 'flow', too"),
        ("ideal_cycle: 8s", "ideal_cycle: 8s, line: heat",
         "machines.pack.line: 'heat' but it is a station of line 'flow'; take it out of lines.flow.stations"),
        ("line: heat", "line: flow", "machines.oven.line: 'flow' names a line of which it is no station"),
        ("line: heat", "line: heap", "machines.oven.line: 'heap' names no line of lines:; did you mean 'heat'?"),
        (STATIONS, f"{STATIONS}, constraint: oven",
         "lines.flow.constraint: 'oven' is no station of this line; stations: cut, pack, weld"),
        ("heat: {}", "heat: {}\n  dark: {}", "lines.dark: has no machines; list its stations: [first, next]"),
        (STATIONS, "stations: []", "lines.flow.stations: needs at least 1"),
        ("heat: {}", "heat: {constraint: oven}", "lines.heat.constraint: needs stations"),
        (", calendar: early}\n  heat", "}\n  heat", "lines.flow.calendar: is missing"),
        ("calendar: early}\n  heat", "calendar: eary}\n  heat",
         "lines.flow.calendar: 'eary' names no calendar; did you mean 'early'?"),
        ("ideal_cycle: 12s", TWO_PRODUCTS,
         "lines.flow: the pace depends on the product, which pack at its end does not tell; give it a job:"),
        ("ideal_cycle: 12s", "estimate_cycle: true",
         "lines.flow: the ideal cycle of weld is not given but estimated; give it an ideal_cycle:"),
        ("[flow]", "[floh]", "areas.east.lines[0]: 'floh' names no line; did you mean 'flow'?"),
        ("[oven]", "[owen]", "areas.east.machines[0]: 'owen' names no machine; did you mean 'oven'?"),
        ("[oven]", "[cut]", "areas.east.machines[0]: 'cut' is counted twice: it is in line 'flow' of this area"),
        ("[oven]", "[oven]}\n  west: {machines: [oven]", "areas.west.machines[0]: 'oven' is in area 'east', too"),
        ("lines: [flow], machines: [oven]", "", "areas.east: is empty; write lines: [line-a]"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said_where_it_stands(tmp_path: Path, old: str, new: str, mistake: str) -> None:
    found, *_ = mistakes_of(tmp_path, replaced(SITE, old, new))
    assert str(found).split(": ", 1)[1].startswith(mistake)


def test_a_product_at_the_end_that_another_station_does_not_know_is_a_mistake(tmp_path: Path) -> None:
    text = replaced(SITE, "ideal_cycle: 8s", TWO_PRODUCTS)
    text = replaced(text, "ideal_cycle: 10s", TWO_PRODUCTS.replace("B:", "C:"))
    [one] = mistakes_of(tmp_path, text)
    assert "what is made at its end, 'B', is not known to cut" in str(one)
    named = replaced(text, STATIONS, f"{STATIONS}, constraint: weld")
    site_of(tmp_path, named)
