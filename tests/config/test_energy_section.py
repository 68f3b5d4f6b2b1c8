"""`energy:`, `characteristics:` and `carbon:`: what they make of a machine, and every mistake in them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from site_files import FAKE_SITE, mistakes_of, replaced, site_of, told

from edge_agent.config import machine_specs
from edge_agent.config.carbon import grid_factors
from edge_agent.core.energy import KWH, WH

METER = """\
  meter: {driver: fake, url: "fake://10.0.0.7", tags: {
    kwh: {address: 0, unit: kW.h, scale: 0.01, width: 16}, plain: {address: 1}, power: {address: 2, unit: kW}}}
machines:
"""


def site(energy: str, more: str = "", carbon: str = "carbon: {region: 华东}\n") -> str:
    text = replaced(FAKE_SITE, "machines:\n", METER)
    return carbon + replaced(text, "    ideal_cycle", f"    energy: {energy}\n{more}    ideal_cycle")


def test_a_register_is_read_as_wide_and_in_the_unit_that_its_tag_says(tmp_path: Path) -> None:
    energy = "{tag: meter.kwh, factor: 40, max_kw: 30, others: {aux: {tag: meter.plain, unit: Wh}}}"
    held = site_of(tmp_path, site(energy))
    [spec] = machine_specs(held, held.tag_table())
    [(tag, main), (_, aux)] = spec.meters
    assert (tag.id, main.name, main.modulus, main.energy) == ("meter.kwh", "", 1 << 16, 400 * WH)
    assert main.rate == Fraction(30 * KWH, 3600 * 400 * WH)     # 30 kW in steps of 400 Wh a second
    assert main.room == 1 + 2       # a minute at 30 kW adds 500 Wh, and some meters tell once a minute only
    assert (aux.name, aux.energy, aux.limit) == ("aux", WH, None)
    assert spec.policy.fitted.meters == (("", 30_000_000), ("aux", None))
    assert spec.policy.fitted.factors == (Fraction("0.55"), Fraction("0.1229"))
    assert (spec.carbon["region"], spec.carbon["year"], spec.carbon["kg_co2_per_kwh"]) == ("cn-east", 2023, 0.55)


def test_without_a_section_nobody_says_from_which_grid_the_energy_is(tmp_path: Path) -> None:
    held = site_of(tmp_path, site("{tag: meter.kwh}", carbon=""))
    [spec] = machine_specs(held, held.tag_table())
    assert spec.policy.fitted.factors.grid is None
    assert set(spec.carbon) == {"kgce_per_kwh", "kgce_source"}


def test_a_factor_of_ones_own_is_told_with_its_source(tmp_path: Path) -> None:
    held = site_of(tmp_path, site("{tag: meter.kwh}", carbon="carbon: {factor: 0.42, year: 2026, source: contract}\n"))
    [spec] = machine_specs(held, held.tag_table())
    label = [spec.carbon[key] for key in ("region", "year", "kg_co2_per_kwh", "source")]
    assert label == ["own", 2026, 0.42, "contract"]


def test_the_factors_that_are_shipped_are_dated_and_have_a_source() -> None:
    keys = [(one.region, one.year) for one in grid_factors()]
    assert len(keys) == len(set(keys))
    assert all(one.source and 2020 < one.year < 2100 and 0 < one.factor < 1 for one in grid_factors())


def test_what_moves_energy_moves_the_config_hash_and_a_machine_without_keeps_its_own(tmp_path: Path) -> None:
    plain = site_of(tmp_path, site("{tag: meter.kwh}")).config_hash("press-1")
    for other in ("{tag: meter.kwh, factor: 2}", "{tag: meter.kwh, max_kw: 5}", "{tag: meter.kwh, bits: 32}"):
        assert site_of(tmp_path, site(other)).config_hash("press-1") != plain
    greener = site("{tag: meter.kwh}", carbon="carbon: {region: cn-south}\n")
    assert site_of(tmp_path, greener).config_hash("press-1") != plain
    gauge = "    characteristics: {x: {tag: meter.plain, lsl: 1, usl: 2}}\n"
    assert site_of(tmp_path, site("{tag: meter.kwh}", gauge)).config_hash("press-1") != plain
    without = site_of(tmp_path, FAKE_SITE).config_hash("press-1")
    assert site_of(tmp_path, "carbon: {region: cn}\n" + FAKE_SITE).config_hash("press-1") == without


@pytest.mark.parametrize(
    ("energy", "more", "carbon", "message"),
    [
        ("{tag: meter.plain}", "", "", "energy.unit: is missing, and the unit of meter.plain is not written; "
         "write one of Wh, kWh, MWh, J, kJ, MJ, GJ"),
        ("{tag: meter.power}", "", "", "energy.unit: is missing, and the unit of meter.power is kW; write one of"),
        ("{tag: meter.kwh, others: {aux: {tag: meter.plain}}}", "", "", "energy.others.aux.unit: is missing, and"),
        ("{tag: meter.kw}", "", "", "energy.tag: 'meter.kw' names no tag; did you mean 'meter.kwh'?"),
        ("{tag: meter.kwh, bits: 16, rollover: 10000}", "", "", "rollover: '10000' and bits: exclude each other"),
        ("{tag: meter.kwh, max_kw: 0}", "", "", "energy.max_kw: '0' must be more than 0"),
        ("{tag: meter.kwh}", "    characteristics: {x: {tag: meter.plain, lsl: 2, usl: 2}}\n", "",
         "characteristics.x.usl: '2' is not above lsl; lsl is 2; a characteristic needs room between both"),
        ("{tag: meter.kwh}", "    characteristics: {x: {tag: meter.plain, lsl: 1, usl: 2, product: A}}\n", "",
         "characteristics.x.product: 'A' names no product; there are no products"),
        ("{tag: meter.kwh}", "", "carbon: {region: mars}\n", "carbon.region: 'mars' names no region with a grid "
         "factor; regions: cn, cn-central, cn-east, "),
        ("{tag: meter.kwh}", "", "carbon: {region: cn, year: 1999}\n", "carbon.year: '1999' there is no factor of this "
         "year; years of cn: 2021, 2022, 2023; or write factor: and source:"),
        ("{tag: meter.kwh}", "", "carbon: {region: cn, factor: 0.4, source: x}\n", "carbon.factor: '0.4' and region: "
         "exclude each other"),
        ("{tag: meter.kwh}", "", "carbon: {factor: 0.4}\n", "carbon.source: is missing; say where the factor is from"),
        ("{tag: meter.kwh}", "", "carbon: {factor: 530.6, source: x}\n", "carbon.factor: '530.6' must be at most 3"),
        ("{tag: meter.kwh}", "", "carbon: {year: 2023}\n", "carbon: needs region or factor; write region: cn-east, or"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_what_would_be_right(
    tmp_path: Path, energy: str, more: str, carbon: str, message: str
) -> None:
    [mistake] = told(mistakes_of(tmp_path, site(energy, more, carbon)))
    assert message in mistake
