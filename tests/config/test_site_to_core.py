"""What a checked site hands to the core: tags, counters, policies, machine specs and the config hash."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from site_files import FAKE_SITE, FakeDestination, FakeDevice, replaced, site_of

from edge_agent.api import Kind
from edge_agent.config import machine_specs, plant
from edge_agent.core.asset import Asset
from edge_agent.core.asset_class import CYCLE, ENERGY, IDENTITY, JOB, SCRAP, STATE, TOTAL
from edge_agent.core.states import MachineState

S = 1_000_000_000
EVERYTHING = """\
    job: {tag: press-1.program, products: {A: {ideal_cycle: 2s}}}
    line: line-a
    order: {tag: press-1.state}
    calendar: c
    micro_stop: 2min
    unknown: hold
    hold_max: 30s
    outside_plan: exclude
"""
VISION = "  eye: {driver: fake, url: fake://10.0.0.6, tags: {bad: {address: 0}}}\n"
METER = "  meter: {driver: fake, url: fake://10.0.0.7, tags: {job: {address: 0}, p: {address: 1, unit: W}}}\n"
CALENDAR = 'calendars: {c: {shifts: {day: {start: "06:00", end: "14:00"}}}}\n'


def test_the_tag_table_has_every_tag_in_file_order(tmp_path: Path) -> None:
    table = site_of(tmp_path, FAKE_SITE).tag_table()
    assert [tag.id for tag in table] == ["press-1.state", "press-1.total", "press-1.scrap", "press-1.program"]
    assert [tag.kind for tag in table] == [Kind.INT, Kind.INT, Kind.INT, Kind.TEXT]
    assert table[0].high == float("inf")


def test_a_tag_has_what_its_section_says(tmp_path: Path) -> None:
    keys = "scale: 0.1, offset: 2, unit: Cel, deadband: 0.5, range: [-40, 400], stale: 3s"
    text = replaced(FAKE_SITE, "{address: 0}", f"{{address: 0, {keys}}}")
    tag = site_of(tmp_path, text).tag_table()[0]
    assert (tag.scale, tag.offset, tag.unit, tag.deadband, tag.low, tag.high, tag.stale_ns) == (
        0.1, 2.0, "Cel", 0.5, -40.0, 400.0, 3 * S,
    )  # fmt: skip


@pytest.mark.parametrize(("poll", "stale"), [("1s", 10), ("5s", 15)])
def test_a_tag_is_stale_after_three_polls_or_ten_seconds(tmp_path: Path, poll: str, stale: int) -> None:
    text = replaced(FAKE_SITE, "fake://10.0.0.5", f"fake://10.0.0.5\n    poll: {poll}")
    assert site_of(tmp_path, text).tag_table()[0].stale_ns == stale * S


def test_a_counter_is_as_wide_as_its_tag_unless_told(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "{address: 1}", "{address: 1, width: 16}")
    site = site_of(tmp_path, text)
    assert [site.counter("press-1", source).bits for source in ("total", "scrap")] == [16, 32]
    site = site_of(tmp_path, replaced(text, "ideal_cycle", "counter: {bits: 64}\n    ideal_cycle"))
    assert [site.counter("press-1", source).bits for source in ("total", "scrap")] == [64, 64]


def test_a_scaled_counter_wraps_at_no_power_of_two(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "{address: 1}", "{address: 1, scale: 10}")
    assert site_of(tmp_path, text).counter("press-1", "total").bits is None


@pytest.mark.parametrize(
    ("ideal", "counter", "rate"), [("1.2s", "{}", 10), ("0.1s", "{}", 50), ("0.1s", "{max_rate: 12.5}", 12.5)]
)
def test_a_counter_may_run_five_times_the_ideal_cycle(
    tmp_path: Path, ideal: str, counter: str, rate: float
) -> None:
    text = replaced(FAKE_SITE, "ideal_cycle: 1.2s", f"ideal_cycle: {ideal}\n    counter: {counter}")
    assert site_of(tmp_path, text).counter("press-1", "total").max_rate == Fraction(rate)


def test_an_ideal_cycle_keeps_every_digit(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "1.2s", "0.0416666667s")
    assert site_of(tmp_path, text).machines["press-1"].ideals() == {"": Fraction(416666667, 10**10)}


def test_states_and_products_are_found_by_number_and_by_text(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "{0: IDLE, 1: RUN}", "{0: IDLE, 0x1F: RUN}")
    text = replaced(text, "ideal_cycle: 1.2s", "job: {tag: press-1.state, products: {7: {ideal_cycle: 2s}}}")
    machine = site_of(tmp_path, text).machines["press-1"]
    idle, run = MachineState.IDLE, MachineState.RUN
    assert machine.state.states() == {"0": idle, 0: idle, "0x1F": run, 31: run}
    assert machine.products() == {"7": Fraction(2), 7: Fraction(2)}


def test_a_spec_has_everything_the_machine_says(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "    ideal_cycle: 1.2s\n", EVERYTHING)
    text = replaced(text, "1: RUN}", "1: RUN}, default: FAULT, dwell: 2s") + CALENDAR
    site = site_of(tmp_path, text)
    table = site.tag_table()
    [spec] = machine_specs(site, table)
    assert (spec.id, spec.line, spec.zone, spec.min_coverage) == ("press-1", "line-a", "Europe/Berlin", 0.9)
    assert (spec.state, spec.job, spec.order) == (table[0], table[3], table[0])
    assert spec.counts == {"total": table[1], "scrap": table[2]}
    assert (spec.otherwise, spec.dwell_ns) == (MachineState.FAULT, 2 * S)
    assert (spec.policy.micro_stop_ns, spec.policy.unknown) == (120 * S, "hold")
    assert (spec.policy.hold_max_ns, spec.policy.outside_plan) == (30 * S, "exclude")
    assert len(spec.calendar.shifts(0, 86_400 * S)) == 1
    assert spec.config_hash == site.config_hash("press-1")


def test_a_machine_without_a_calendar_is_always_planned_busy(tmp_path: Path) -> None:
    site = site_of(tmp_path, FAKE_SITE)
    [spec] = machine_specs(site, site.tag_table())
    assert spec.calendar.busy(0, 10 * S) == 10 * S


def assets_of(folder: Path, text: str) -> dict[str, Asset]:
    site = site_of(folder, text)
    return {asset.id: asset for asset in plant(site, site.tag_table()).assets}


def test_a_device_tells_what_machines_draw_from_it(tmp_path: Path) -> None:
    asset = assets_of(tmp_path, FAKE_SITE)["press-1"]
    assert set(asset.told) == {IDENTITY, STATE, TOTAL, SCRAP, CYCLE}
    assert asset.machines == (), "without a calendar its OEE does not count as measured"


def test_a_device_of_a_machine_with_a_calendar_may_be_oee_ready(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "ideal_cycle: 1.2s", "ideal_cycle: 1.2s\n    calendar: c") + CALENDAR
    assert assets_of(tmp_path, text)["press-1"].machines == ("press-1",)


def test_an_estimated_cycle_makes_no_measured_oee(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "ideal_cycle: 1.2s", "estimate_cycle: true\n    calendar: c") + CALENDAR
    assert assets_of(tmp_path, text)["press-1"].machines == ()


def test_a_unit_of_power_or_energy_tells_of_either(tmp_path: Path) -> None:
    asset = assets_of(tmp_path, replaced(FAKE_SITE, "{address: 0}", "{address: 0, unit: kW.h}"))["press-1"]
    assert asset.is_metered


def test_each_device_of_a_machine_tells_its_own_part(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "machines:", f"{VISION}{METER}machines:")
    text = replaced(text, "scrap: press-1.scrap", "scrap: eye.bad")
    job = "job: {tag: meter.job, products: {7: {ideal_cycle: 2s}}}"
    text = replaced(text, "ideal_cycle: 1.2s", f"calendar: c\n    {job}")
    assets = assets_of(tmp_path, text + CALENDAR)
    assert {name: set(asset.told) - {IDENTITY} for name, asset in assets.items()} == {
        "press-1": {STATE, TOTAL, CYCLE}, "eye": {SCRAP}, "meter": {JOB, ENERGY},
    }  # fmt: skip
    assert {name: asset.machines for name, asset in assets.items() if asset.machines} == {"press-1": ("press-1",)}


def test_good_and_scrap_of_one_device_tell_its_total(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "{total: press-1.total, scrap", "{good: press-1.total, scrap")
    assert {TOTAL, SCRAP} <= set(assets_of(tmp_path, text)["press-1"].told)


def test_paths_are_relative_to_the_site_file(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "fake://10.0.0.5", "fake://10.0.0.5\n    key_file: keys/a.pem")
    site = site_of(tmp_path, text + "publish: {p: {type: mqtt, url: x, ca: /etc/ca.pem}}\n")
    device, destination = site.devices["press-1"], site.publish["p"]
    assert isinstance(device, FakeDevice)
    assert isinstance(destination, FakeDestination)
    assert site.agent.data_dir == tmp_path / "data"
    assert device.key_file == tmp_path / "keys/a.pem"
    assert destination.ca == Path("/etc/ca.pem")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.2s", "1.2s\n    micro_stop: 300s"),
        ("1.2s", "1200ms"),
        ("1.2s", "1.2s\n    counter: {bits: 32, max_rate: 10}"),
        ("{0: IDLE, 1: RUN}", "{1: RUN, 0: IDLE}"),
        ("fake://10.0.0.5", "fake://10.0.0.6"),
        ("gw-01", "gw-02"),
        ("1.2s", "1.2s\n    line: other"),
        ("1.2s", "1.2s # faster"),
    ],
)
def test_the_hash_stays_where_kpis_stay_comparable(tmp_path: Path, old: str, new: str) -> None:
    before = site_of(tmp_path, FAKE_SITE).config_hash("press-1")
    assert site_of(tmp_path, replaced(FAKE_SITE, old, new)).config_hash("press-1") == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.2s", "1.3s"),
        ("1.2s", "1.2s\n    micro_stop: 299s"),
        ("1.2s", "1.2s\n    unknown: exclude"),
        ("1.2s", "1.2s\n    outside_plan: exclude"),
        ("1.2s", "1.2s\n    hold_max: 2min"),
        ("1.2s", "1.2s\n    counter: {max_rate: 3}"),
        ("1.2s", "1.2s\n    order: {tag: press-1.total}"),
        ("1.2s", "1.2s\n    calendar: c"),
        ("0: IDLE", "0: SETUP"),
        ("1: RUN}", "1: RUN}, dwell: 1s"),
        ("scrap: press-1.scrap", "good: press-1.scrap"),
        ("{address: 1}", "{address: 1, scale: 2}"),
        ("Europe/Berlin", "Asia/Shanghai"),
        ("start: \"06:00\"", "start: \"05:00\""),
    ],
)
def test_the_hash_changes_with_whatever_moves_a_kpi(tmp_path: Path, old: str, new: str) -> None:
    text = FAKE_SITE + CALENDAR
    if "start" in old:
        text = replaced(text, "1.2s", "1.2s\n    calendar: c")
    before = site_of(tmp_path, text).config_hash("press-1")
    after = site_of(tmp_path, replaced(text, old, new)).config_hash("press-1")
    assert after != before
    assert len(after) == 12
