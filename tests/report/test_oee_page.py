"""The OEE report as a page: read from a data folder that the agent's own parts have written."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from edge_agent.core import catalog, kpi
from edge_agent.core.cell import NAMES
from edge_agent.core.kpi import SECOND
from edge_agent.encode import records
from edge_agent.journal import Journal, RecordKind
from edge_agent.report import sections
from edge_agent.report.choose import Asked
from edge_agent.report.html import oee_page
from edge_agent.report.model import OeeDocument, Trace
from edge_agent.report.oee import oee_document
from edge_agent.report.recall import NothingRecorded, folder_of, recall
from edge_agent.report.words import TEXTS, Words, shared_out
from tests.report import plant
from tests.report.plant import document
from tests.report.reading import Text

VOID = {"meta", "br", "link", "img"}


def test_each_machine_has_a_page_for_each_shift_of_the_production_date(shifts: OeeDocument) -> None:
    assert [(page.id, page.record.window.name) for page in shifts.machines] == [
        (machine, shift) for machine in ("press-1", "press-2", "cnc-7") for shift in ("day", "night")
    ]
    assert all(page.record.final for page in shifts.machines)


def test_the_facts_in_the_journal_add_up_to_the_agents_own_records(shifts: OeeDocument) -> None:
    assert {page.trace for page in shifts.machines} == {Trace.SAME}


def test_whichever_checkpoint_a_window_is_told_from_the_facts_give_the_same_record(site_file: Path) -> None:
    hours = document(site_file, "hour", "2026-11-23", "press-1").machines
    assert len(hours) == 19     # since 05:00
    assert {page.trace for page in hours if page.record.final} == {Trace.SAME}
    morning = document(site_file, "2026-11-23T06:00/2026-11-23T07:00", None, "press-1").machines[0]
    assert morning.cell == hours[1].cell


def test_every_second_is_in_one_bucket_and_the_stretches_add_up_to_each(shifts: OeeDocument) -> None:
    for page in shifts.machines:
        found: Counter[str] = Counter()
        at = page.record.window.start
        for one in page.slices:
            assert one.start == at
            at = one.end
            found[one.bucket] += one.length
        assert at == page.record.window.end
        assert {name: ns for name, ns in sections.buckets(page.cell) if ns} == dict(found)
        assert sum(ns for _, ns in sections.buckets(page.cell)) == page.cell.ct == 8 * 3600 * SECOND


def test_the_waterfall_ends_where_planned_time_began(shifts: OeeDocument) -> None:
    for page in shifts.machines:
        steps = sections.steps(page.cell)
        assert sum((step.value for step in steps), Fraction(0)) == sections.seconds(page.cell.pbt)
        assert steps[-1].before == steps[-1].value == page.cell.igt


def test_jobs_hours_and_reasons_add_up_to_the_record(shifts: OeeDocument) -> None:
    [page, *_] = shifts.machines
    assert [(job.product, job.start, job.end) for job in page.jobs] == [
        ("A100", plant.ns("2026-11-23T06:00"), plant.ns("2026-11-23T11:00")),
        ("B200", plant.ns("2026-11-23T11:00"), plant.ns("2026-11-23T14:00")),
    ]
    for parts in (page.jobs, page.hours):
        assert sum(one.cell.pq for one in parts) == page.cell.pq
        assert sum(one.cell.pbt for one in parts) == page.cell.pbt
    lost = page.cell.pbt + page.cell.excluded - page.cell.apt
    assert sum(reason.time for reason in page.reasons) == lost
    assert page.curve[-1].total == page.cell.pq


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_is_whole_needs_nothing_else_and_runs_nothing(shifts: OeeDocument, language: str) -> None:
    page = oee_page(shifts, language)  # type: ignore[arg-type]
    Text(page)
    assert "<script" not in page
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", page)
    assert set(re.findall(r"url\([^)]*\)", page)) == {"url(#hatch)"}
    assert "http" not in page


def test_a_page_says_what_a_reader_must_know(shifts: OeeDocument) -> None:
    text = str(Text(oee_page(shifts, "en")))
    [page, *_] = shifts.machines
    values = kpi.kpis(page.cell)
    w = Words("en", "Asia/Shanghai")
    for name in ("oee", "availability_classic", "availability_iso", "performance_classic", "effectiveness_iso"):
        assert w.percent(values[name]).replace("\u202f", " ") in text
    assert "Too little of the planned time has data" in text
    assert "Communication lost" in text
    assert "Performance is above 100 %" in text
    assert page.record.config_hash in text
    assert "2026-11-23 06:00:00+08:00" in text
    assert "igt / pbt" in text
    assert "the same, to the nanosecond" in text
    assert "Data until 2026-11-24 07:30:00" in text


def test_the_same_page_in_chinese_uses_the_terms_of_the_trade(shifts: OeeDocument) -> None:
    presses = replace(shifts, machines=shifts.machines[:4])     # a source of emission factors is cited as it is
    text = str(Text(oee_page(presses, "zh")))
    for term in ("设备综合效率", "时间开动率", "性能开动率", "合格品率", "计划忙碌时间", "六大损失", "通信中断"):
        assert term in text
    assert "普及率" not in text
    assert not re.findall(r"\b(?:the|of|and|was|were)\b", text)


def test_every_kpi_element_flag_state_and_bucket_has_words() -> None:
    flags = {value for name, value in vars(kpi).items() if name.isupper() and value == name}
    names = [f"kpi.{one.name}" for one in (*catalog.ALL, *catalog.ORDER)]
    names += [f"element.{name}" for name in (*NAMES, "pbt", "pot")] + [f"flag.{name}" for name in flags]
    names += [f"bucket.{name}" for name in sections.BUCKETS]
    assert [name for name in names if name not in TEXTS] == []
    assert all(english and chinese for english, chinese in TEXTS.values())


def test_without_a_date_the_latest_window_that_has_ended_is_reported(site_file: Path) -> None:
    [page] = document(site_file, "shift", None, "press-1").machines
    assert (page.record.window.name, str(page.record.window.production_date)) == ("night", "2026-11-23")
    [page] = document(site_file, "hour", None, "press-1").machines
    assert page.record.window.end == plant.ns("2026-11-24T07:00")


def test_an_open_window_is_provisional_and_ends_where_the_journal_does(site_file: Path) -> None:
    found = document(site_file, "day", "2026-11-24", "press-1")
    [page] = found.machines
    assert not page.record.final
    assert page.trace is Trace.FRESH
    assert page.cell.ct == plant.ns("2026-11-24T07:30") - plant.ns("2026-11-24T00:00")
    text = str(Text(oee_page(found, "en")))
    assert "provisional" in text
    assert "of 24:00:00 so far" in text


def test_any_stretch_of_time_can_be_reported(site_file: Path) -> None:
    found = document(site_file, "2026-11-23T08:00/2026-11-23T12:00:00+08:00", None, "cnc-7")
    [page] = found.machines
    assert page.record.window.kind == "span"
    assert page.cell.ct == 4 * 3600 * SECOND
    assert "Period, 2026-11-23" in str(Text(oee_page(found, "en")))


def test_a_time_before_the_journal_began_is_no_data_and_no_zero(site_file: Path) -> None:
    [page] = document(site_file, "2026-11-20T06:00/2026-11-23T06:00", None, "cnc-7").machines
    assert page.cell.unk_raw == page.cell.planned > 0
    assert "LOW_CONFIDENCE" in page.record.flags


def test_a_journal_is_read_while_an_agent_has_it_open(tmp_path: Path) -> None:
    path = plant.site_file(tmp_path)
    site = plant.read_site(path)
    asyncio.run(plant.live(site, plant.ns("2026-11-23T05:00"), plant.ns("2026-11-23T08:30")))

    async def look() -> OeeDocument:
        journal = await Journal.open(folder_of(site), max_bytes=10**9, max_age_ns=10**18, clock=time.time_ns)
        try:
            return document(path, "hour", None, "press-2")
        finally:
            await journal.close()

    [page] = asyncio.run(look()).machines
    assert page.trace is Trace.SAME


def test_a_restated_window_shows_its_latest_revision_and_the_ones_before(tmp_path: Path) -> None:
    path = plant.site_file(tmp_path)
    site = plant.read_site(path)
    end = plant.ns("2026-11-23T08:30")
    asyncio.run(plant.live(site, plant.ns("2026-11-23T05:00"), end))
    [page] = document(path, "hour", None, "press-2").machines
    restated = replace(page.record, revision=1, as_of=end, cell=replace(page.cell, gq=page.cell.gq - 100))

    async def restate() -> None:
        journal = await Journal.open(folder_of(site), max_bytes=10**9, max_age_ns=10**18, clock=lambda: end)
        journal.append(RecordKind.REPORT, records.pack_report(restated))
        await journal.close()

    asyncio.run(restate())
    found = document(path, "hour", None, "press-2")
    [page] = found.machines
    assert [one.revision for one in page.revisions] == [0, 1]
    assert page.cell.gq == restated.cell.gq
    assert page.trace is Trace.DIFFERS
    assert "the figures are others than in the record" in str(Text(oee_page(found, "en")))


def test_rules_that_have_changed_since_are_said_and_the_record_stays(tmp_path: Path, site_file: Path) -> None:
    changed = tmp_path / "site.yaml"
    changed.write_text(site_file.read_text().replace("ideal_cycle: 30s", "ideal_cycle: 25s"))
    [page] = document(changed, "shift", None, "cnc-7").machines
    assert page.trace is Trace.RULES
    assert page.cell.ipt == page.cell.pq * 30


def test_what_the_journal_no_longer_keeps_is_said(tmp_path: Path) -> None:
    path = plant.site_file(tmp_path)
    site = plant.read_site(path)
    end = plant.ns("2026-11-24T07:30")
    asyncio.run(plant.live(site, plant.ns("2026-11-23T05:00"), end))
    [page] = [
        page for page in document(path, "hour", "2026-11-23", "press-1").machines
        if page.record.window.start == plant.ns("2026-11-23T08:00")
    ]  # fmt: skip
    segments = sorted(folder_of(site).glob("events/*.seg"))
    assert len(segments) > 3
    for segment in segments[:-1]:
        segment.unlink()
    with pytest.raises(NothingRecorded, match=r"nothing is known of such a window; the journal in .* covers 2026-11-2"):
        document(path, "2026-11-23T08:00/2026-11-23T09:00", None, "press-1")

    async def restate() -> None:
        journal = await Journal.open(folder_of(site), max_bytes=10**9, max_age_ns=10**18, clock=lambda: end)
        journal.append(RecordKind.REPORT, records.pack_report(replace(page.record, revision=1)))
        await journal.close()

    asyncio.run(restate())
    found = document(path, "hour", "2026-11-23", "press-1")
    [again] = [page for page in found.machines if page.trace is Trace.GONE]
    assert again.cell == page.cell
    assert not again.slices
    assert "no longer keeps" in str(Text(oee_page(found, "en")))


def test_names_from_the_plant_are_text_and_never_markup(shifts: OeeDocument) -> None:
    [page, *_] = shifts.machines
    evil = "<img src=x onerror=alert(1)>"
    job = replace(page.jobs[0], product=evil)
    slices = (page.slices[0]._replace(reason=evil), *page.slices[1:])
    reason = replace(page.reasons[0], reason=evil)
    record = replace(page.record, products={evil: page.cell})
    worse = replace(page, line=evil, record=record, jobs=(job,), slices=slices, reasons=(reason,))
    told = oee_page(replace(shifts, machines=(worse,)), "en")
    Text(told)
    assert "<img" not in told
    assert "&lt;img" in told


def test_what_is_shown_adds_up_though_it_is_rounded() -> None:
    thirds = [Fraction(1, 3)] * 3
    assert sum(shared_out(thirds)) == 1
    assert sum(shared_out([Fraction(-1, 3), *thirds, Fraction(1, 3)])) == 1


def test_nothing_recorded_is_said_with_the_folder(tmp_path: Path) -> None:
    site = plant.read_site(plant.site_file(tmp_path))
    with pytest.raises(NothingRecorded, match=r"data/journal does not exist"):
        oee_document(site, Asked("shift"), (), 0)


def test_records_that_cannot_be_read_are_counted_and_the_rest_is_shown(tmp_path: Path) -> None:
    path = plant.site_file(tmp_path)
    site = plant.read_site(path)
    end = plant.ns("2026-11-23T08:00")
    asyncio.run(plant.live(site, plant.ns("2026-11-23T05:00"), end))

    async def spoil() -> None:
        journal = await Journal.open(folder_of(site), max_bytes=10**9, max_age_ns=10**18, clock=lambda: end)
        journal.append(RecordKind.EVENT, b"{}")
        journal.append(RecordKind.REPORT, b"no json")
        await journal.close()

    asyncio.run(spoil())
    assert recall(site, folder_of(site), 0).passed_over == 2
    assert "2 records of the journal could not be read" in str(Text(oee_page(document(path, "hour", None), "en")))


def test_jobs_are_windows_too_and_one_that_goes_on_ends_where_the_journal_does(site_file: Path) -> None:
    found = document(site_file, "job", None, "press-1")
    [page] = found.machines
    assert (page.record.window.name, page.cell.ct) == ("A100", plant.ns("2026-11-23T11:00") - page.record.window.start)
    assert "Throughput rate" in str(Text(oee_page(found, "en")))
    first, second = document(site_file, "job", "2026-11-23", "press-1").machines
    assert first.record.window == page.record.window
    assert (second.record.window.name, second.end) == ("B200", plant.ns("2026-11-24T07:30"))
    text = str(Text(oee_page(replace(found, machines=(second,)), "zh")))
    assert "暂定" in text
    assert "工单 B200" in text


def test_a_production_day_has_its_shifts_and_its_products(site_file: Path) -> None:
    [page] = document(site_file, "production_day", "2026-11-23", "press-1").machines
    assert page.record.window.start == plant.ns("2026-11-23T06:00")
    assert page.record.window.end == plant.ns("2026-11-24T06:00")
    assert set(page.record.products) == {"A100", "B200"}


def test_a_machine_with_a_meter_and_a_gauge_tells_its_energy_and_its_capability(shifts: OeeDocument) -> None:
    page = next(page for page in shifts.machines if page.id == "cnc-7")
    text = str(Text(oee_page(replace(shifts, machines=(page,)), "en")))
    w = Words("en", "Asia/Shanghai")
    values = catalog.kpi_values(page.cell, "shift")
    assert f"Energy per good piece {w.exact(values['kwh_per_good_piece'])} kWh" in text
    assert "cn-east 2023" in text
    assert "Measured characteristics" in text
    [(_, bore)] = sections.measured_rows(page.cell)
    assert f"{bore['n']} 12 " in text
    assert "单件合格品能耗" in str(Text(oee_page(shifts, "zh")))
    other = str(Text(oee_page(replace(shifts, machines=shifts.machines[:1]), "en")))
    assert "Energy by state" not in other
