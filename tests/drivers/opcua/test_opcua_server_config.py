"""What a site file says about an OPC UA server: mistakes with their line, warnings, what is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edge_agent_modbus
from edge_agent.api import BAD, GOOD, ConfigError, Home, Kind, Reason, Tag, bad, uncertain
from edge_agent.config import Site, load
from edge_agent_opcua.serving.machinery import STATES, words_of
from edge_agent_opcua.serving.server import plugin
from edge_agent_opcua.serving.shown import Watch, outline
from edge_agent_opcua.serving.status import is_bad, status_of
from edge_agent_opcua.serving.units import unit_of
from tests.peers.shown_plant import Plant

DRIVERS = {"modbus": edge_agent_modbus.plugin}
HEAD = """\
agent: {id: gw-01}
devices:
  press-1:
    driver: modbus
    url: modbus+tcp://127.0.0.1:9
    tags:
      state: {address: "holding:0"}
      total: {address: "holding:1", type: uint32}
      scrap: {address: "holding:3"}
machines:
  press-1:
    state: {tag: press-1.state, map: {0: IDLE, 1: RUN}}
    counts: {total: press-1.total, scrap: press-1.scrap}
    ideal_cycle: 1.2s
kpi: {windows: [shift, day]}
serve:
  scada:
    type: opcua
"""


def site_of(folder: Path, text: str) -> Site:
    path = folder / "site.yaml"
    path.write_text(text, "utf-8")
    return load(path, DRIVERS, {}, {"PW": "s3cret"}, servers={"opcua": plugin})


def told(folder: Path, lines: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        site_of(folder, f"{HEAD}    {lines}\n")
    return [f"{one.line - HEAD.count(chr(10))}: {str(one).split(': ', 1)[1]}" for one in raised.value.mistakes]


def test_nothing_has_to_be_said_and_the_rest_comes_from_the_agent(tmp_path: Path) -> None:
    config: Any = site_of(tmp_path, HEAD).serve["scada"]
    assert (config.listen, config.security, config.sessions, config.every) == ("127.0.0.1:4840", "auto", 20, 10**9)
    home = config.at_home(Home("gw-01", tmp_path / "data"))
    assert (home.namespace, home.pki, home.agent) == ("urn:edge-agent:gw-01", tmp_path / "data" / "pki", "gw-01")


def test_everything_may_be_said_and_a_password_is_not_shown(tmp_path: Path) -> None:
    text = HEAD + """\
    listen: 0.0.0.0:4841
    users: {scada: "${PW}"}
    show: {tags: [press-1.total, press-1], machines: [press-1], kpis: [shift.oee, day.gq]}
    every: 500ms
    namespace: urn:acme:suzhou
    sessions: 5
    pki: certificates
"""
    config: Any = site_of(tmp_path, text).serve["scada"]
    assert config.users["scada"].get_secret_value() == "s3cret"
    assert "s3cret" not in repr(config)
    assert config.show.kpis == ("shift.oee", "day.gq")
    home = config.at_home(Home("gw-01", tmp_path / "data"))
    assert (home.namespace, home.pki) == ("urn:acme:suzhou", tmp_path / "certificates")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("security: Basic256", "1: serve.scada.security: 'Basic256' is not one of auto, none"),
        ("security: none", "1: serve.scada.security: 'none' lets nobody in: there are no users; add users, or"),
        ("every: 10ms", "1: serve.scada.every: '10ms' is shorter than 100ms; write for example 1s"),
        ("namespace: gw", "1: serve.scada.namespace: 'gw' is no URI of your own; write for example urn:"),
        ("namespace: 'http://opcfoundation.org/UA/'", "1: serve.scada.namespace: "),
        ("users: {scada: ''}", "1: serve.scada.users: "),
        ("sessions: 0", "1: serve.scada.sessions: '0' must be at least 1"),
        ("lsiten: '127.0.0.1:4840'", "1: serve.scada.lsiten: unknown key; did you mean 'listen'?"),
        ("show: {tags: [press-2]}", "1: serve.scada.show.tags[0]: 'press-2' names no device; did you mean 'press-1'?"),
        ("show: {tags: [press-1.totl]}",
         "1: serve.scada.show.tags[0]: 'press-1.totl' names no tag; did you mean 'press-1.total'?"),
        ("show: {tags: press-1}", "1: serve.scada.show.tags: 'press-1' is one name; write true for all, or a list"),
        ("show: {machines: [press-2]}", "1: serve.scada.show.machines[0]: 'press-2' names no machine; did you mean"),
        ("show: {kpis: [shift.scrap_rate]}",
         "1: serve.scada.show.kpis[0]: 'shift.scrap_rate' names no KPI: there is no figure 'scrap_rate'; did you mean "
         "'scrap_ratio'?"),
        ("show: {kpis: [hour.oee]}",
         "1: serve.scada.show.kpis[0]: 'hour.oee' names no KPI: there is no window 'hour'; windows of kpi.windows"),
        ("show: {kpis: [press-1.shift.oee]}",
         "1: serve.scada.show.kpis[0]: 'press-1.shift.oee' is not a figure of all machines; write window.name"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(tmp_path: Path, lines: str, said: str) -> None:
    [mistake] = told(tmp_path, lines)
    assert mistake.startswith(said), mistake


def test_users_are_of_no_use_where_anyone_is_let_in(tmp_path: Path) -> None:
    [mistake] = told(tmp_path, "anonymous: true\n    users: {scada: x}")
    assert mistake.startswith("1: serve.scada.anonymous: 'true' lets anyone in, so users are of no use")


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, []),
        ({"security": "none", "anonymous": True}, ["is unsecured"]),
        ({"listen": "0.0.0.0:4840", "security": "none", "users": {"a": "b"}}, ["of every network"]),
        ({"listen": "10.0.0.2:4840", "security": "none", "anonymous": True}, ["is unsecured", "port 4840 of 10.0.0.2"]),
        ({"listen": "10.0.0.2:4840", "anonymous": True}, ["anonymous: whoever reaches port 4840 of 10.0.0.2"]),
        ({"listen": "0.0.0.0:4840", "users": {"a": "b"}}, []),
    ],
)
def test_what_is_open_is_warned_of(section: dict[str, Any], said: list[str], tmp_path: Path) -> None:
    config = plugin.config.model_validate({"type": "opcua", **section}).at_home(Home("gw-01", tmp_path))
    warnings = plugin.warnings(config)
    assert len(warnings) == len(said)
    for warning, part in zip(warnings, said, strict=True):
        assert part in warning


def test_devices_tags_machines_and_figures_are_chosen() -> None:
    plant = Plant(machines=("press-1", "press-2"))
    chosen = outline("scada", plant, ("meter-1", "press-1.temp"), ("press-2",), ("day.oee",))
    assert list(chosen.variables()) == [
        "press-1.temp", "meter-1.power", "device.press-1.connected", "device.meter-1.connected",
        "machine.press-2.state", "machine.press-2.kpi.day.oee",
    ]  # fmt: skip
    assert list(outline("scada", plant, (), (), None).variables()) == []
    assert len(list(outline("scada", plant, ("*",), ("*",), None).variables())) == 5 + 2 + 2 * (1 + 2 * 8)


# Item state and mode by domain table (OPC 40001-1): rows NotAvailable, OutOfService, NotExecuting, Executing.
READ_BACK = {
    "None": ("OFF", "FAULT", "IDLE", "RUN"),
    "Processing": ("OFF", "FAULT", "IDLE", "RUN"),
    "Setup": ("SETUP",) * 4,
    "Maintenance": ("MAINT",) * 4,
}


@pytest.mark.parametrize("state", range(1, 7))
def test_what_is_said_of_a_state_reads_back_as_that_state(state: int) -> None:
    said = words_of(state)
    assert said is not None
    item, mode = said
    assert READ_BACK[mode.name][item.number] == STATES[state]


@pytest.mark.parametrize("state", [0, 7, -1])
def test_of_an_unknown_state_nothing_is_said(state: int) -> None:
    assert words_of(state) is None


def test_every_quality_has_a_status_of_its_class() -> None:
    assert status_of(GOOD) == 0
    for reason in Reason:
        assert status_of(GOOD | reason) == 0
        assert status_of(uncertain(reason)) >> 30 == 1
        assert is_bad(status_of(bad(reason))) or reason is Reason.STALE
    assert status_of(BAD | 63) == 0x8000_0000, "a reason of a later version"


def test_units_have_their_code_or_none() -> None:
    assert unit_of("Cel")[1] == 4_408_652 == int.from_bytes(b"CEL")
    assert unit_of("kW.h")[1] == int.from_bytes(b"KWH")
    assert unit_of("furlong") == ("http://unitsofmeasure.org", -1, "furlong")


def test_only_what_changes_is_told_and_all_of_it_at_first() -> None:
    plant = Plant()
    plant.all_good()
    watch = Watch(plant, outline("scada", plant, ("*",), ("*",), ("shift.oee",)))
    first = {change.key: change for change in watch.changes()}
    assert len(first) == 5 + 2 + 1 + 1
    assert watch.changes() == []
    plant.set("press-1.temp", 23.5)     # the same again, later
    assert watch.changes() == []
    plant.set("press-1.program", "B200")
    plant.states["press-1"] = 5
    assert [(change.key, change.value) for change in watch.changes()] == [
        ("press-1.program", "B200"), ("machine.press-1.state", 5),
    ]  # fmt: skip
    plant.set("press-1.temp", None, bad(Reason.COMM_LOST))
    [lost] = watch.changes()
    assert lost[1:3] == (None, 0x8031_0000)
    plant.set("press-1.temp", None, bad(Reason.STALE))
    [stale] = watch.changes()
    assert stale[1:] == (23.5, 0x4090_0000, first["press-1.temp"].time)
    plant.set("press-1.temp", 23.5)
    assert [change[:3] for change in watch.changes()] == [("press-1.temp", 23.5, 0)]


SAMPLES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.one_of(st.none(), st.integers(-5, 5).map(float)),
        st.sampled_from([GOOD, uncertain(Reason.NONE), bad(Reason.COMM_LOST), bad(Reason.STALE), bad(Reason.REFUSED)]),
        st.booleans(),
    ),
    max_size=60,
)


@given(SAMPLES)
def test_whoever_puts_all_changes_in_place_sees_what_one_who_looks_afresh_sees(
    samples: list[tuple[int, float | None, int, bool]],
) -> None:
    tags = [Tag(n, "d", f"t{n}", kind=Kind.INT) for n in range(4)]
    plant = Plant(tags, ())
    chosen = outline("scada", plant, ("*",), (), ())
    watch, held = Watch(plant, chosen), {}
    for n, value, quality, looks in samples:
        plant.set(f"d.t{n}", value if quality < BAD else None, quality)
        if looks:
            held |= {change.key: change[1:3] for change in watch.changes()}
    held |= {change.key: change[1:3] for change in watch.changes()}
    afresh = {change.key: change[1:3] for change in Watch(plant, chosen).changes()}
    stale = {f"d.t{n}" for n in range(4) if plant.values.get(f"d.t{n}", (0, 0, 0))[1] == bad(Reason.STALE)}
    assert {key: value for key, value in held.items() if key not in stale} == {
        key: value for key, value in afresh.items() if key not in stale
    }
    assert all(held[key][1] in (0x4090_0000, 0x8032_0000) for key in stale)
