"""`assets:`: what an entry may say, what contradicts itself, and what the core gets of it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from site_files import DRIVERS, FAKE_SITE, mistakes_of, site_of, told

from edge_agent.config import plant, unlisted
from edge_agent.config.identifier import scheme_of
from edge_agent.core.asset_class import ALARM, CYCLE, ENERGY, IDENTITY, SCRAP, STATE, TOTAL
from edge_agent.warn import device_warnings

METER = """\
  meter:
    driver: fake
    url: fake://10.0.0.6
    tags: {kwh: {address: 0, unit: kW.h}, kw: {address: 1, unit: kW}, note: {address: 2, text: true}}
machines:
"""
CALENDARS = "calendars: {c: {shifts: {day: {start: '06:00', end: '14:00'}}}}\n"
BASE = FAKE_SITE.replace("machines:\n", METER) + CALENDARS


def wrong(tmp_path: Path, assets: str) -> list[str]:
    return [line.partition(": ")[2] for line in told(mistakes_of(tmp_path, f"{BASE}assets:\n{assets}"))]


def test_an_entry_says_all_that_a_register_has(tmp_path: Path) -> None:
    site = site_of(tmp_path, BASE + """\
assets:
  press:
    name: 冲床
    class: press
    type: JH21
    location: hall 1
    identifier: 88.608.8889/JH21-0042
    key_operation: stamping
    value: 420000.5
    declared: [measured]
    data_grade: 1
    machine: press-1
    devices: [meter]
    tags: {alarm: press-1.program}
    power: {tag: meter.kw, running_above: 2.5}
  saw: {class: saw, calendar: c}
  old: {status: scrapped}
""")
    table = site.tag_table()
    found = plant(site, table)
    press, saw, old = found.assets
    assert (press.name, press.kind, press.scheme, press.value) == ("冲床", "press", "handle", Fraction(840001, 2))
    assert press.devices == ("press-1", "meter")
    assert {item: [table[tag].id for tag in tags] for item, tags in press.told.items()} == {
        IDENTITY: [],
        STATE: ["press-1.state"],
        TOTAL: ["press-1.total"],
        CYCLE: ["press-1.total"],
        SCRAP: ["press-1.scrap"],
        ALARM: ["press-1.program"],
        ENERGY: ["meter.kwh", "meter.kw"],
    }
    assert press.machines == (), "without a calendar its OEE does not count as measured"
    assert press.power == (table.position("meter.kw"), 2.5)
    assert not press.automatic
    assert (saw.gaps, saw.is_linked, saw.counts) == (["identifier", "type", "location"], False, True)
    assert saw.calendars[0].busy(0, 7 * 86_400 * 10**9) == 7 * 8 * 3600 * 10**9
    assert not old.counts
    units = {unit.id: [table[int(tag)].id for tag in unit.tags] for unit in found.units}
    assert units["assets/press"] == [tag.id for tag in table]
    assert (units["meter"], units["assets/saw"]) == (["meter.kwh", "meter.kw", "meter.note"], [])
    assert found.devices == {"press-1": "fake", "meter": "fake"}


def test_what_belongs_to_no_entry_is_named_once_a_register_is_kept(tmp_path: Path) -> None:
    assert list(unlisted(site_of(tmp_path, BASE))) == []
    site = site_of(tmp_path, BASE + "assets: {saw: {}}\n")
    assert list(unlisted(site)) == ["devices.press-1", "devices.meter", "machines.press-1"]
    assert plant(site, site.tag_table()).unlisted == tuple(unlisted(site))
    said = device_warnings(site, DRIVERS)
    assert said[0] == "devices.press-1: belongs to no entry of assets, so it counts in no figure about the plant"
    assert len(said) == 3


def test_the_meters_of_a_machine_tell_of_its_energy_and_belong_to_its_entry(tmp_path: Path) -> None:
    text = BASE.replace("ideal_cycle: 1.2s", "ideal_cycle: 1.2s\n    energy: {tag: meter.kwh}")
    site = site_of(tmp_path, text + "assets: {a: {machine: press-1}}\n")
    table = site.tag_table()
    [asset] = plant(site, table).assets
    assert [table[tag].id for tag in asset.told[ENERGY]] == ["meter.kwh"]
    assert asset.is_metered
    assert list(unlisted(site)) == []


MISTAKES = [
    ("  a: {class: prses}", "assets.a.class: 'prses' is no class of equipment; did you mean 'press'?"),
    ("  a: {klass: press}", "assets.a.klass: unknown key; did you mean 'class'?"),
    ("  a: {machine: press-2}", "assets.a.machine: 'press-2' names no machine; did you mean 'press-1'?"),
    ("  a: {devices: [metre]}", "assets.a.devices[0]: 'metre' names no device; did you mean 'meter'?"),
    ("  a: {tags: {energy: meter.kvh}}", "assets.a.tags.energy: 'meter.kvh' names no tag; did you mean 'meter.kwh'?"),
    ("  a: {tags: {energy: meter.note}}", "assets.a.tags.energy: 'meter.note' is a text tag, a number is needed here"),
    ("  a: {identifier: 88.608/x}", "assets.a.identifier: '88.608/x' is no identifier of the form 88.node."),
    ("  a: {identifier: no. 5}", "assets.a.identifier: 'no. 5' is no identifier"),
    ("  a: {value: 0}", "assets.a.value: '0' is not an amount of money; write a number above 0, such as 850000"),
    ("  a: {value: .inf}", "assets.a.value: 'inf' is not an amount of money"),
    ("  a: {value: .nan}", "assets.a.value: 'nan' is not an amount of money"),
    ("  a: {status: broken}", "assets.a.status: 'broken' is not one of in-use, spare, scrapped"),
    ("  a: {data_grade: 4}", "assets.a.data_grade: '4' is not one of 1, 2, 3"),
    ("  a: {declared: [digtal]}",
     "assets.a.declared[0]: 'digtal' is not one of digital, connected, complete, measured, interoperable, cloud; did"),
    ("  a: {declared: [cloud, cloud]}", "assets.a.declared: declares cloud twice; name each once"),
    ("  a: {calendar: d}", "assets.a.calendar: 'd' names no calendar"),
    ("  a: {machine: press-1, calendar: c}", "assets.a.calendar: 'c' is not needed: the machine has its own"),
    ("  a: {power: {tag: meter.kw, running_above: 1}}",
     "assets.a.power: has no machine whose state it could be held against; name machine:"),
    ("  a: {is_production: false, key_operation: x}", "assets.a.key_operation: 'x' is for production equipment only"),
    ("  a: {status: scrapped, devices: [meter]}",
     "assets.a.status: 'scrapped' is scrapped, but something is read from it; remove its links, or status"),
    ("  a: {machine: press-1}\n  b: {machine: press-1}", "assets.b.machine: 'press-1' is that of assets.a"),
    ("  a: {identifier: 88.1.a/b}\n  b: {identifier: 88.1.a/b}", "assets.b.identifier: '88.1.a/b' is that of assets.a"),
    ("  Press 1: {}", "assets.Press 1: 'Press 1' is not an id"),
]  # fmt: skip


@pytest.mark.parametrize(("assets", "mistake"), MISTAKES)
def test_each_mistake_is_named_with_what_would_be_right(tmp_path: Path, assets: str, mistake: str) -> None:
    found = wrong(tmp_path, assets)
    assert len(found) == 1, found
    assert found[0].startswith(mistake)


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("88.608.8889/SNMS-handle13", "handle"),
        ("88.608.8889/META_x/with/more", "handle"),
        ("88.608/x", None),
        ("88.6080000.8889/x", None),
        ("88.608.8889/with space", None),
        ("1.2.156.3088.1", "oid"),
        ("1.2.0156", None),
        ("https://id.gs1.org/8004/0614141ABC", "gs1"),
        ("https://id.gs1.org/9999/1", None),
        ("VAA020001234567890", "vaa"),
        ("MA.156.M0001/20/SN1", "ma"),
        ("https://maker.example/type/sn", "uri"),
        ("urn:uuid:6b1e", "uri"),
        ("ecode:1234567", "other"),
        ("JH21-0042", None),
        ("", None),
    ],
)
def test_an_identifier_belongs_to_a_scheme_or_is_none(text: str, scheme: str | None) -> None:
    assert scheme_of(text) == scheme
