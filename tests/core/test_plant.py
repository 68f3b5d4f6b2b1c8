"""The summary of how digital a plant is: levels, reasons, indices, declarations, the questionnaire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from edge_agent.core import digital
from edge_agent.core.asset import Asset
from edge_agent.core.asset_class import ALARM, CLASSES, CYCLE, ENERGY, IDENTITY, ITEMS, JOB, SCRAP, STATE, TOTAL
from edge_agent.core.batch import Batch
from edge_agent.core.calendar import Calendar
from edge_agent.core.cell import Cell
from edge_agent.core.digital import Device
from edge_agent.core.evidence import Evidence
from edge_agent.core.ladder import Standing
from edge_agent.core.measured import Measured
from edge_agent.core.plant import Plant, summary
from edge_agent.core.report import Report, Window
from edge_agent.core.sighting import Seen
from edge_agent.core.tags import Tag, TagTable
from edge_agent.core.units import Unit

S = 1_000_000_000
HOUR, DAY = 3600 * S, 86_400 * S
T0 = 20_000 * DAY
ALL = dict.fromkeys(ITEMS, (0,))
ONE, HALF = Fraction(1), Fraction(1, 2)

PRESS = Asset(
    "press", name="冲床", kind="press", type="JH21", location="hall 1", key_operation="stamping", value=Fraction(300),
    machine="m", machines=("m",), devices=("plc",), told={item: (0,) for item in ITEMS if item != JOB},
    calendars=(Calendar("UTC", None),),
)  # fmt: skip
SAW = Asset("saw", kind="saw", value=Fraction(100), calendars=(Calendar("UTC"),))
SPARE = Asset("old", status="spare")
COMPRESSOR = Asset("air", kind="utility", is_production=False)
READ = Seen(True, True, ONE, ONE, ONE, T0, 0)
"""Everything that can be seen is there."""


class Site:
    """A PLC with two tags, and a register; runs for as long as told."""

    def __init__(self, *assets: Asset, machines: tuple[str, ...] = ("m",)) -> None:
        self.table = TagTable(Tag(at, "plc", name, stale_ns=10 * S) for at, name in enumerate(("state", "total")))
        units = [Unit("plc", np.arange(2), ("plc",))]
        entries = [asset for asset in assets if asset.is_entry]
        units += [Unit(a.unit, np.arange(2 * a.is_linked), a.devices) for a in entries]
        self.plant = Plant(assets, {"plc": "modbus+tcp"}, tuple(units), ("devices.meter",))
        self.evidence = Evidence(self.table, ["plc"], units)
        self.measured = Measured(machines, ("hour", "shift"))
        self.now = T0
        self.evidence.reads("plc", polled=True)
        self.tick(up=False)

    def tick(self, *, up: bool) -> None:
        self.now += S
        if up:
            scan = Batch(np.arange(2, dtype=np.int32), np.full(2, self.now), np.ones(2), np.zeros(2, np.uint8))
            self.evidence.heard("plc", self.now, scan)
            self.evidence.take(scan, True)
        seen = np.full(2, self.now if up else 0)
        self.evidence.tick(self.now, seen, np.zeros(2, np.uint8), {"plc": up}, up)

    def run(self, seconds: int, *, up: bool = True) -> None:
        for _ in range(seconds):
            self.tick(up=up)

    def report(self, missing: int, *, start: int = T0, final: bool = True, kind: str = "hour") -> None:
        window = Window(kind, kind, start, start + HOUR, date(2024, 10, 4), "UTC")
        cell = Cell(ct=HOUR, apt=HOUR - missing, unk=missing, unk_raw=missing)
        self.measured.note(Report("m", window, 0, final, self.now, "", cell))

    def said(self, lines: Mapping[str, str] | None = None) -> dict[str, Any]:
        found = summary(self.plant, self.table, self.evidence, self.measured, self.now, lines or {})
        told: dict[str, Any] = orjson.loads(orjson.dumps(found))
        assert told == found, "JSON-safe as it is"
        return told


# -- levels and reasons ------------------------------------------------------------------------------


STANDINGS: list[tuple[Standing, int, list[str]]] = [
    (Standing(SAW), 0, ["the agent reads nothing of it: link a machine, devices or tags"]),
    (Standing(PRESS), 0, ["no good sample has come from it yet"]),
    (Standing(PRESS, replace(READ, connected=False, online=Fraction(1, 10))), 1, [
        "not connected in the last seven days", "online 10.0 %, 50 % needed"]),
    (Standing(PRESS, replace(READ, online=Fraction(4999, 10_000))), 1, ["online 49.9 %, 50 % needed"]),
    (Standing(PRESS, replace(READ, online=HALF)), 2, [
        "online 50.0 %, 90 % needed",
        "required tags 0.0 %, 80 % needed; not mapped: program or job; without a good sample: identity, state or its "
        "inputs, total count, scrap or good count, alarms, cycle time, power or energy"]),
    (Standing(PRESS, replace(READ, completeness=HALF, timeliness=HALF), frozenset(PRESS.told)), 2, [
        "completeness 50.0 %, 95 % needed", "timeliness 50.0 %, 95 % needed"]),
    (Standing(PRESS, READ, frozenset(PRESS.told)), 3, ["no planned time of m has been seen yet"]),
    (Standing(PRESS, READ, frozenset(PRESS.told), {"m": Fraction(9499, 10_000)}), 3, [
        "OEE data of m 94.9 %, 95 % needed"]),
    (Standing(replace(PRESS, machines=(), machine=""), READ, frozenset(PRESS.told)), 3, [
        "its machine has no calendar, or draws its state or counts from elsewhere"]),
    (Standing(replace(PRESS, machines=(), machine="", told={}), READ, frozenset(ITEMS)), 3, [
        "no machine with a state, counts, an ideal cycle and a calendar is linked to it"]),
    (Standing(PRESS, replace(READ, delivered=False), frozenset(PRESS.told), {"m": ONE}), 4, [
        "it is not read by a standard semantic model (packml, machinery or machinetool)",
        "it has no registered identifier", "its data are not classified: data_grade",
        "its data reached no platform in the last seven days"]),
    (Standing(replace(PRESS, companion="OPC 30050", identifier="88.1.a/b", data_grade=1), READ,
              frozenset(PRESS.told), {"m": ONE}), 5, []),
]  # fmt: skip


@pytest.mark.parametrize(("standing", "level", "lacking"), STANDINGS, ids=range(len(STANDINGS)))
def test_a_level_comes_with_what_the_next_one_lacks_in_two_languages(
    standing: Standing, level: int, lacking: list[str]
) -> None:
    assert digital.level(standing.evidenced) == level
    assert [lack.en for lack in standing.lacks()] == lacking
    for lack in standing.lacks():
        assert any("\u4e00" <= letter <= "\u9fff" for letter in lack.zh)
        assert lack.code


def test_what_is_declared_raises_the_declared_level_only() -> None:
    told = frozenset({"digital", "connected", "complete", "measured", "interoperable", "cloud"})
    for n, declared in enumerate(["digital", "connected", "complete", "measured", "interoperable"], 1):
        some = frozenset(["digital", "connected", "complete", "measured", "interoperable"][:n])
        standing = Standing(replace(SAW, declared=some))
        assert (digital.level(standing.evidenced), digital.level(standing.declared)) == (0, n), declared
    assert Standing(replace(SAW, declared=told)).declared.cloud
    assert not Standing(replace(SAW, declared=told)).evidenced.cloud


def test_every_class_asks_for_an_identity_and_nothing_unknown() -> None:
    for kind in CLASSES.values():
        assert kind.required[0] == IDENTITY
        assert set(kind.required) <= set(ITEMS)


# -- the whole summary -------------------------------------------------------------------------------


def test_a_plant_is_summed_up_over_its_register_not_over_what_is_connected() -> None:
    site = Site(PRESS, SAW, SPARE, COMPRESSOR)
    site.run(100)
    site.report(0)
    said = site.said()
    assert said["register"] == {
        "kept": True, "entries": 4, "counted": 2, "spare": 1, "scrapped": 0, "not_production": 1,
        "unlisted": ["devices.meter"],
    }  # fmt: skip
    assert said["indices"] == {
        "device_digital_rate": 0.5,
        "device_connected_rate_of_all": 0.5,
        "digital_device_connected_rate": 1.0,
        "key_process_nc_rate": 0.0,
        "device_cloud_rate": 0.5,
        "mean_online_ratio_of_connected": 1.0,
        "digital_maturity_index": 40.0,
        "oee_managed_rate": 0.5,
        "key_operation_control_rate": 0.0,
        "required_tag_coverage": 7 / 12,
    }
    assert said["levels"] == [1, 0, 0, 0, 1, 0]
    assert (said["sme"]["q2_digital_rate"], said["sme"]["q3_connected_rate"]) == (4.5, 4.5)
    assert said["observed_s"] == 100
    press = said["devices"]["press"]
    assert (press["level"], press["name"], press["name_zh"], press["oee_coverage"]) == (4, "measured", "度量", 1.0)
    assert (press["last_good"], press["tag"], press["protocol"]) == (site.now // 1_000_000, "plc.total", "modbus+tcp")
    assert press["tags"] == {item: "missing" if item == JOB else "fresh" for item in ITEMS}
    assert press["quality"] == {
        "conformity": 1.0, "completeness": 1.0, "accuracy": 1.0, "consistency": None, "timeliness": 1.0,
        "accessibility": 1.0, "score": 1.0,
    }  # fmt: skip
    assert press["missing"] == [reason["en"] for reason in press["reasons"]]
    assert said["devices"]["saw"]["last_good"] is None
    assert said["devices"]["old"]["entry"]["counted"] is False
    assert said["sources"]["plc"]["quality"]["score"] == 1.0


def test_indices_are_weighed_by_what_the_equipment_is_worth_and_how_long_it_is_needed() -> None:
    site = Site(PRESS, SAW)
    site.run(10)
    said = site.said()
    assert said["by_value"]["device_digital_rate"] == 0.75
    assert said["by_value"]["mean_online_ratio_of_connected"] == 1.0
    assert said["by_planned_time"]["device_digital_rate"] == 1.0, "the saw is planned for no time at all"


def test_a_weight_that_is_not_known_leaves_no_weighted_index() -> None:
    site = Site(PRESS, replace(SAW, value=None, calendars=()))
    said = site.said()
    assert set(said["by_value"].values()) == {None}
    assert set(said["by_planned_time"].values()) == {None}
    assert said["indices"]["device_digital_rate"] == 0.0


def test_declarations_stand_beside_the_evidence() -> None:
    site = Site(PRESS, replace(SAW, declared=frozenset({"digital", "connected", "cloud"})))
    site.run(10)
    said = site.said()
    assert said["indices"]["device_connected_rate_of_all"] == 0.5
    assert said["declared"]["device_connected_rate_of_all"] == 1.0
    assert said["declared"]["device_cloud_rate"] == 1.0
    assert said["declared"]["mean_online_ratio_of_connected"] == 1.0, "nobody can declare for how long it was online"
    saw = said["devices"]["saw"]
    assert (saw["level"], saw["declared_level"], saw["declared"]) == (0, 2, ["cloud", "connected", "digital"])


def test_when_a_device_dies_its_figures_fall_and_the_reason_says_so() -> None:
    site = Site(PRESS)
    site.run(100)
    site.report(0)
    assert site.said()["devices"]["press"]["level"] == 4
    site.run(150, up=False)
    said = site.said({"plc": "connection refused"})
    press = said["devices"]["press"]
    assert press["level"] == 1
    assert press["online_ratio"] == 0.4
    assert press["quality"]["completeness"] == 0.4
    assert press["missing"] == ["online 40.0 %, 50 % needed", "plc is not connected now: connection refused"]
    assert press["reasons"][1]["zh"] == "plc 当前未连接: connection refused"
    assert said["indices"]["digital_maturity_index"] == 20.0


def test_a_register_with_nothing_in_use_has_no_rates() -> None:
    said = Site(SPARE).said()
    assert set(said["indices"].values()) == {None}
    assert said["sme"]["q2_digital_rate"] is None
    assert Site().said()["devices"] == {}


def test_nothing_is_called_what_only_a_survey_can_find() -> None:
    site = Site(PRESS, SAW)
    site.run(10)
    assert "普及率" not in orjson.dumps(site.said()).decode()
    root = Path(__file__).parents[2]
    files = [path for kind in ("py", "j2", "md", "yaml") for path in root.glob(f"edge_agent/**/*.{kind}")]
    files += [*root.glob("*.md"), *(path for path in root.glob("configs/**/*") if path.is_file())]
    assert len(files) > 100
    named = [path for path in files if "普及率" in path.read_text("utf-8")]
    assert named == [root / "edge_agent/core/digital.py"], "only to say that nothing may be called so"


# -- the questionnaire -------------------------------------------------------------------------------


def test_the_questionnaire_gets_what_the_evidence_supports_and_from_which_assets() -> None:
    site = Site(PRESS, replace(SAW, told={ENERGY: (0,)}, devices=("plc",)))
    site.run(10)
    site.report(0)
    said = site.said()["sme"]
    assert said["q4"]["points"] == pytest.approx(4 * 0.7)
    assert said["q4"]["links"]["能耗管理"]["evidence"] == ["press", "saw"]
    assert {scene: (told["level"], told["evidence"]) for scene, told in said["scenes"].items()} == {
        "设备管理": (3, ["press"]),
        "生产管控": (1, ["press"]),
        "质量管理": (2, ["press"]),
        "能耗管理": (3, ["press"]),
    }
    assert said["q2"]["evidence"] == ["press", "saw"]


def test_a_plant_without_a_register_and_evidence_gets_nothing() -> None:
    said = Site(Asset("plc", devices=("plc",), is_entry=False)).said()["sme"]
    assert {told["level"] for told in said["scenes"].values()} == {0}
    assert said["q4"]["points"] == 0


# -- planned time with data --------------------------------------------------------------------------


def test_the_coverage_of_an_oee_is_that_of_all_windows_in_seven_days() -> None:
    site = Site(PRESS)
    assert site.measured.coverage("m", site.now) is None
    for hour in range(10):
        site.report(HOUR // 2 if hour < 2 else 0, start=T0 + hour * HOUR)
    assert site.measured.coverage("m", T0 + 10 * HOUR) == Fraction(9, 10)
    site.report(HOUR, start=T0 + 10 * HOUR, final=False)
    assert site.measured.coverage("m", T0 + 10 * HOUR) == Fraction(9, 11)
    site.report(0, start=T0 + 10 * HOUR)
    assert site.measured.coverage("m", T0 + 10 * HOUR) == Fraction(10, 11), "the final report takes its place"
    site.report(0, start=T0)
    assert site.measured.coverage("m", T0 + 10 * HOUR) == Fraction(21, 22), "and so does a revision"
    site.report(HOUR, start=T0 + 5 * HOUR, kind="shift")
    assert site.measured.coverage("m", T0 + 10 * HOUR) == Fraction(21, 22), "shifts are made of the same hours"
    assert site.measured.coverage("m", T0 + 8 * DAY) is None


def test_the_coverage_survives_a_restart_and_a_change_of_machines() -> None:
    site = Site(PRESS)
    site.report(HOUR // 4)
    told = orjson.loads(orjson.dumps(site.measured.snapshot()))
    again = Measured(("new", "m"), ("hour",))
    again.restore(told)
    assert (again.coverage("m", site.now), again.coverage("new", site.now)) == (Fraction(3, 4), None)
    other = Measured(("m",), ("shift",))
    other.restore(told)
    assert other.coverage("m", site.now) is None


def test_golden_devices_weigh_the_same_by_equal_weights() -> None:
    devices = [Device("a", digital=True, connected=True, online_ratio=HALF), Device("b", key_process=True)]
    assert digital.indices(devices, [7, 7]) == digital.indices(devices)


def test_a_fixed_list_of_items_is_told_in_both_languages() -> None:
    assert {STATE, TOTAL, SCRAP, ALARM, CYCLE} < set(ITEMS)
    assert all(en and zh for en, zh in ITEMS.values())
