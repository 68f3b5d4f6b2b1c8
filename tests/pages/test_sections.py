"""Sections of the site file from what somebody chooses on the page Set-up."""

from __future__ import annotations

import pytest

from edge_agent.pages.parts import attributes
from edge_agent.pages.setup import sections
from edge_agent.pages.setup.bar import begins
from edge_agent.pages.setup.mapping import spent
from edge_agent.pages.tools.catalogue import HEAD, rows
from edge_agent.pages.tools.chart import troubles
from edge_agent.pages.words import Words


@pytest.mark.parametrize(
    ("name", "id_"),
    [("CurMachSpeed", "cur-mach-speed"), ("holding-5", "holding-5"), ("温度", "tag"), ("  A.b_C ", "a-b-c")],
)
def test_a_name_becomes_an_id(name: str, id_: str) -> None:
    assert sections.slug(name) == id_


def test_an_id_that_is_taken_gets_a_number() -> None:
    assert sections.unique("state", ["total"]) == "state"
    assert sections.unique("state", ["state", "state-2"]) == "state-3"


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("10.0.0.7", "opc.tcp://10.0.0.7:4840"),
        ("plc.local:4841/line", "opc.tcp://plc.local:4841/line"),
        ("opc.tcp://10.0.0.7:4840", "opc.tcp://10.0.0.7:4840"),
    ],
)
def test_what_is_typed_as_an_address_becomes_a_url(typed: str, url: str) -> None:
    assert sections.host_of(typed, "opc.tcp", 4840) == url


def test_modbus_addresses_name_their_unit() -> None:
    assert sections.modbus_tcp("10.0.0.5", 3) == "modbus+tcp://10.0.0.5:502?unit=3"
    assert sections.modbus_tcp("modbus+tcp://10.0.0.5?unit=7", 3) == "modbus+tcp://10.0.0.5?unit=7"
    assert sections.modbus_rtu("/dev/ttyUSB0", 9600, "N", 2) == "modbus+rtu:///dev/ttyUSB0?unit=2&baud=9600&parity=N"


@pytest.mark.parametrize(
    ("said", "tag"),
    [
        ("holding:1 float32 CDAB", {"address": "holding:1", "type": "float32", "order": "CDAB"}),
        ("holding:0 uint16", {"address": "holding:0", "type": "uint16"}),
        ("holding:20.3", {"address": "holding:20.3"}),
        ("holding:30 string[16] BA", {"address": "holding:30", "type": "string", "length": 16, "order": "BA"}),
    ],
)
def test_a_reading_of_the_wizard_becomes_a_tag(said: str, tag: dict[str, object]) -> None:
    assert sections.modbus_tag({"tag": said}) == tag


@pytest.mark.parametrize(
    ("value", "state"),
    [
        ("Running", "RUN"), ("AUTO", "RUN"), ("Execute", "RUN"), ("运行", "RUN"), ("Standby", "IDLE"), ("待机", "IDLE"),
        ("Störung", "FAULT"), ("Alarm 12", "FAULT"), ("Rüsten", "SETUP"), ("保养", "MAINT"), ("Off", "OFF"), ("17", ""),
    ],
)  # fmt: skip
def test_the_state_that_a_text_means_is_guessed(value: str, state: str) -> None:
    assert sections.guess(value) == state


def test_a_form_changes_its_own_keys_and_leaves_the_others() -> None:
    old = {"line": "a", "operator": {}, "counts": {"total": "x.t"}, "ideal_cycle": "1s"}
    new = {"line": None, "counts": {"good": "x.g"}, "ideal_cycle": None, "job": {"tag": "x.p"}}
    made = sections.merged(old, new, ("line", "counts", "ideal_cycle", "job"))
    assert made == {"operator": {}, "counts": {"good": "x.g"}, "job": {"tag": "x.p"}}
    assert list(made) == ["operator", "counts", "job"]


def test_breaks_are_written_and_read_alike() -> None:
    text = "10:00 15min, 12:30 30min"
    assert sections.breaks_of(text) == [("10:00", "15min"), ("12:30", "30min")]
    made = sections.calendar(
        [{"name": "day", "days": "mon-fri", "start": "06:00", "end": "14:00", "breaks": sections.breaks_of(text)}], "CN"
    )
    assert sections.breaks_text(made["shifts"]["day"]["breaks"]) == text
    assert made["holidays"] == "CN"


def test_time_is_shared_out_among_the_values_that_held() -> None:
    points = [(0, 1, "good"), (4000, 0, "good"), (5000, None, "bad"), (9000, True, "good")]
    assert spent(points, 10_000) == {"1": 4.0, "0": 1.0, "true": 1.0}
    assert spent([], 10_000) == {}


def test_stretches_that_were_not_good_end_with_the_next_good_sample() -> None:
    points = [(1, 1, "good"), (2, None, "bad"), (3, None, "bad"), (4, 1, "good"), (5, 2, "uncertain")]
    assert troubles(points, 9) == [(2, 4), (5, 9)]


def test_the_catalogue_has_a_row_a_tag_and_no_formulas() -> None:
    tag = {"tag": "press-1.temp", "kind": "float", "unit": "Cel", "quality": "good", "time": None}
    entry = {
        "title": "=Press", "class": "press", "location": "hall 3", "identifier": "88.1", "scheme": "vaa",
        "data_grade": 2, "devices": ["press-1"],
    }  # fmt: skip
    said = {"devices": {"p": {"entry": entry}}, "sources": {"press-1": {"protocol": "modbus"}}}
    [row] = rows([tag], {"press-1.temp": {"score": 0.5}}, said)
    assert len(row) == len(HEAD)
    assert row[:6] == ["press-1.temp", "press-1", "float", "Cel", "'=Press", "press"]
    assert row[-1] == "0.5000"
    [alone] = rows([{**tag, "tag": "other.x"}], {}, {"devices": {}, "sources": {}})
    assert alone[4:6] == ["", ""]


def test_what_equipment_calls_itself_is_an_attribute_and_never_more_than_one() -> None:
    nicegui = pytest.importorskip("nicegui", reason="needs the extra ui")
    with nicegui.Client(nicegui.ui.page("/nowhere")):
        name = """x" onclick='alert(1)' :style=[1] \\"""
        element = attributes(nicegui.ui.element("div"), data_node=name, aria_label=7)
    assert dict(element.props) == {"data-node": name, "aria-label": "7"}


def test_what_begins_anew_is_told_before_it_is_applied() -> None:
    words = Words("en")
    assert begins({"anew": []}, words) == ""
    many = [f"machines.m{n}" for n in range(8)]
    told = str(begins({"anew": many}, words))
    assert "all else works on: machines.m0, machines.m1" in told
    assert told.endswith("machines.m5 +2</p>")
    assert "Everything connects anew" in begins({"anew": ["agent"]}, words)
