"""`counts:` of machines that have no counters, and what `check` says of counts that cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from site_files import FAKE_SITE, mistakes_of, replaced, site_of, told

from edge_agent.config import machine_specs
from edge_agent.core.machine import MachineSpec
from edge_agent.core.pulses import PulseCounter

COUNTS = "counts: {total: press-1.total, scrap: press-1.scrap}"


def spec_of(folder: Path, counts: str, more: str = "") -> MachineSpec:
    text = replaced(FAKE_SITE, COUNTS, f"counts: {counts}{more}")
    site = site_of(folder, text)
    return machine_specs(site, site.tag_table())[0]


def test_a_pulse_is_counted_by_the_agent_which_takes_time_without_data_out_of_the_plan(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "{total: {pulse: press-1.total, debounce: 20ms}, scrap: press-1.scrap}")
    counter = spec.counters["total"]()
    assert isinstance(counter, PulseCounter)
    assert counter.rules == ["pulse", 20_000_000]
    assert spec.counts["total"].id == "press-1.total"
    assert (spec.policy.unknown, spec.policy.unsorted, spec.policy.inferred) == ("exclude", False, False)


def test_what_is_written_of_unknown_time_counts_more_than_who_counts(tmp_path: Path) -> None:
    assert spec_of(tmp_path, "{total: {pulse: press-1.total}}", "\n    unknown: bridge").policy.unknown == "bridge"
    assert spec_of(tmp_path, "{total: press-1.total, scrap: {pulse: press-1.scrap}}").policy.unknown == "bridge"


def test_a_pulse_or_run_edges_may_stand_alone(tmp_path: Path) -> None:
    assert spec_of(tmp_path, "{good: {pulse: press-1.total}}").policy.unsorted
    spec = spec_of(tmp_path, "{total: runs}")
    assert (spec.runs, spec.counts, spec.policy.inferred, spec.policy.unsorted) == (True, {}, True, True)


def test_units_are_those_of_the_product_else_of_the_machine(tmp_path: Path) -> None:
    products = "{A: {ideal_cycle: 1s, units_per_count: 4}, B: {ideal_cycle: 1s}}"
    job = f"units_per_count: 2\n    job: {{tag: press-1.program, products: {products}}}"
    text = replaced(FAKE_SITE, "ideal_cycle: 1.2s", job)
    site = site_of(tmp_path, text)
    spec = machine_specs(site, site.tag_table())[0]
    assert (spec.units, dict(spec.units_of)) == (2, {"A": 4})


def test_how_pieces_are_counted_makes_another_config_hash(tmp_path: Path) -> None:
    forms = (
        ("{total: {pulse: press-1.total}}", ""),
        ("{total: {pulse: press-1.total, debounce: 20ms}}", ""),
        ("{good: {pulse: press-1.total}}", ""),
        ("{total: runs}", ""),
        ("{total: press-1.total, scrap: press-1.scrap}", ""),
        ("{total: press-1.total, scrap: press-1.scrap}", "\n    units_per_count: 2"),
    )
    assert len({spec_of(tmp_path, *form).config_hash for form in forms}) == len(forms)
    written, left_out = (spec_of(tmp_path, "{total: runs}", more) for more in ("\n    unknown: exclude", ""))
    assert written.config_hash == left_out.config_hash


def test_a_machine_may_learn_its_ideal_cycle_itself(tmp_path: Path) -> None:
    text = replaced(FAKE_SITE, "ideal_cycle: 1.2s", "estimate_cycle: true")
    site = site_of(tmp_path, text)
    spec = machine_specs(site, site.tag_table())[0]
    assert (spec.ideal, spec.policy.estimates, spec.grain_ns) == (None, True, 1_000_000_000)
    assert site.counter("press-1", "total").max_rate == 10
    assert spec.config_hash != machine_specs(other := site_of(tmp_path, FAKE_SITE), other.tag_table())[0].config_hash


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("{total: {pulse: press-1.totl}}",
         "14: machines.press-1.counts.total.pulse: 'press-1.totl' names no tag; did you mean 'press-1.total'?"),
        ("{total: {puls: press-1.total}}",
         "14: machines.press-1.counts.total.puls: unknown key; did you mean 'pulse'?"),
        ("{total: {pulse: press-1.program}}",
         "14: machines.press-1.counts.total.pulse: 'press-1.program' is a text tag, a number is needed here"),
        ("{total: {pulse: press-1.total, debounce: 5}}",
         "14: machines.press-1.counts.total.debounce: '5' needs a unit; write a text such as 500ms, 1s, 5min "
         "(durations) or 64MB (sizes)"),
        ("{total: run, scrap: press-1.scrap}",
         "14: machines.press-1.counts.total: 'run' is not a tag reference; write device.tag, such as press-1.state"),
        ("{scrap: {pulse: press-1.scrap}}",
         "14: machines.press-1.counts: needs exactly two of total, good, scrap; the third follows; given: scrap"),
        ("{total: press-1.total}",
         "14: machines.press-1.counts: needs exactly two of total, good, scrap; the third follows; given: total"),
        ("{total: press-1.total, scrap: press-1.scrap, inspected: press-1.total}",
         "14: machines.press-1.counts.first_pass: is missing beside inspected; first pass yield is "
         "first_pass / inspected"),
        ("{good: runs, scrap: press-1.scrap}",
         "14: machines.press-1.counts.good: 'runs' is not a tag reference; write device.tag, such as press-1.state"),
        ("{total: runs}\n    estimate_cycle: true  #",
         "12: machines.press-1: has no ideal cycle, but total: runs; pieces are inferred from it; "
         "write ideal_cycle: 1.2s"),
        ("{total: press-1.total, scrap: press-1.scrap}\n    units_per_count: 0",
         "15: machines.press-1.units_per_count: '0' must be at least 1"),
    ],
)  # fmt: skip
def test_counts_that_cannot_be_are_named_with_what_would_be_right(tmp_path: Path, counts: str, message: str) -> None:
    text = replaced(FAKE_SITE, COUNTS, f"counts: {counts}")
    if counts.endswith("#"):
        text = replaced(text, "    ideal_cycle: 1.2s\n", "")
    assert told(mistakes_of(tmp_path, text)) == [message]
