"""Mistakes in `serve:` are found with their line, and with what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

import edge_agent_modbus
import edge_agent_modbus.serving.server
import edge_agent_opcua
from edge_agent.api import ConfigError
from edge_agent.config import Site, load

DRIVERS = {"modbus": edge_agent_modbus.plugin, "opcua": edge_agent_opcua.plugin}
SERVERS = {"modbus": edge_agent_modbus.serving.server.plugin}
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
      temp:  {address: "input:10", type: int16, scale: 0.1}
      fault: {address: "holding:20.3"}
      name:  {address: "holding:30", type: string, length: 8}
  cnc-7: {driver: opcua, url: "opc.tcp://127.0.0.1:9", tags: {mode: {node: "ns=1;s=Mode"}}}
machines:
  press-1:
    state: {tag: press-1.state, map: {0: IDLE, 1: RUN}}
    counts: {total: press-1.total, scrap: press-1.scrap}
    ideal_cycle: 1.2s
kpi: {windows: [shift, day]}
serve:
  hmi:
    type: modbus
"""


def site_of(folder: Path, text: str) -> Site:
    path = folder / "site.yaml"
    path.write_text(text, "utf-8")
    return load(path, DRIVERS, {}, {}, servers=SERVERS)


def told(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        site_of(folder, text)
    return [f"{one.line - 22}: {str(one).split(': ', 1)[1]}" for one in raised.value.mistakes]


def entry(text: str) -> str:
    return f"{HEAD}    map:\n      - {{{text}}}\n"


@pytest.mark.parametrize(
    "text",
    [
        'address: "input:0", tag: press-1.temp, type: float32',
        'address: "40001", tag: press-1.total, type: uint32, order: CDAB',
        'address: "discrete:0", tag: press-1.fault',
        'address: "discrete:0", tag: press-1.scrap',
        'address: "holding:7.3", tag: press-1.fault',
        'address: "holding:7", tag: press-1.fault, type: uint16',
        'address: "holding:7", tag: press-1.name, type: string, length: 8, encoding: gbk',
        'address: "holding:7", tag: cnc-7.mode, type: string, length: 8',
        'address: "holding:7", tag: cnc-7.mode, type: float64',
        'address: "coil:7", tag: cnc-7.mode',
        'address: "input:0", kpi: press-1.shift.oee, type: uint16, scale: 0.0001',
        'address: "input:0", kpi: press-1.day.pq, type: uint32',
        'address: "input:0.high", quality: press-1.temp',
        'address: "input:0", age: press-1.temp, type: uint32',
        'address: "input:0", state: press-1',
        'address: "input:0", connected: cnc-7',
    ],
)
def test_these_entries_are_right(tmp_path: Path, text: str) -> None:
    assert len(site_of(tmp_path, entry(text)).serve["hmi"].map) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('address: "input:0", tag: press-1.tmp, type: float32',
         "tag: 'press-1.tmp' names no tag; did you mean 'press-1.temp'?"),
        ('address: "input:0", tag: pres-1.temp, type: float32',
         "tag: 'pres-1.temp' names no tag: there is no device 'pres-1'; did you mean 'press-1'?"),
        ('address: "input:0", quality: press-1.tmp',
         "quality: 'press-1.tmp' names no tag; did you mean 'press-1.temp'?"),
        ('address: "input:0", age: temp',
         "age: 'temp' is not a tag reference; write device.tag, such as press-1.state"),
        ('address: "input:0", state: press-2', "state: 'press-2' names no machine; did you mean 'press-1'?"),
        ('address: "input:0", connected: cnc-8', "connected: 'cnc-8' names no device; did you mean 'cnc-7'?"),
        ('address: "input:0", kpi: press-1.oee, type: float32',
         "kpi: 'press-1.oee' is not a KPI; write machine.window.name, such as press-1.shift.oee"),
        ('address: "input:0", kpi: press-2.shift.oee, type: float32',
         "kpi: 'press-2.shift.oee' names no KPI: there is no machine 'press-2'; did you mean 'press-1'?"),
        ('address: "input:0", kpi: press-1.hour.oee, type: float32',
         "kpi: 'press-1.hour.oee' names no KPI: there is no window 'hour'; windows of kpi.windows: day, shift"),
        ('address: "input:0", kpi: press-1.shift.scrap_rate, type: float32',
         "kpi: 'press-1.shift.scrap_rate' names no KPI: there is no figure 'scrap_rate'; did you mean 'scrap_ratio'?"),
        ('address: "input:0", kpi: press-1.shift.oee, type: uint16',
         "type: 'uint16' makes 0 or 1 of a ratio; use float32, or add scale: 0.0001"),
        ('address: "input:0", tag: press-1.name, type: uint16',
         "type: 'uint16' cannot hold press-1.name, which is a text; use a string"),
        ('address: "input:0", tag: press-1.temp, type: string, length: 8',
         "type: 'string' cannot hold press-1.temp, which is no text; use a type of numbers"),
        ('address: "discrete:0", tag: press-1.temp',
         "address: 'discrete:0' is one bit, which cannot hold press-1.temp; use a register"),
        ('address: "discrete:0", state: press-1',
         "address: 'discrete:0' is one bit, which cannot hold state of press-1; use a register"),
        ('address: "discrete:0", tag: press-1.fault, scale: 2',
         "scale: '2' is of no use with a bool; leave out scale and offset"),
        ('address: "input:0", tag: press-1.temp, type: int16, scale: 0',
         "scale: '0' cannot be taken off; write a number that is not 0"),
        ('address: "inptu:0", state: press-1',
         "address: 'inptu:0' 'inptu' is no area; did you mean input? the areas are coil, discrete, holding, input"),
        ('address: "input:65535", tag: press-1.temp, type: float32',
         "address: 'input:65535' has no room for a float32 before the last address, 65535"),
        ('address: "input:0", tag: press-1.name, type: string, order: A, length: 126',
         "length: '126' takes 126 registers; at most 125 fit into one answer"),
        ('address: "input:0", tag: press-1.temp, type: unixtime',
         "type: 'unixtime' is not a type that can be shown; "),
        ('address: "input:0", tag: press-1.temp, type: flaot32',
         "type: 'flaot32' is not a type that can be shown; did you mean float32?"),
        ('address: "input:0", state: press-1, tpye: int16', "tpye: unknown key; did you mean 'type'?"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_entry_is_named(tmp_path: Path, text: str, said: str) -> None:
    [mistake] = told(tmp_path, entry(text))
    assert mistake.startswith(f"2: serve.hmi.map[0].{said}"), mistake


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('address: "input:0", tag: press-1.temp',
         "needs a type; write how it lies in registers, for example type: float32"),
        ('address: "input:0"', "needs exactly one of tag, quality, age, kpi, state, connected"),
        ('address: "input:0", state: press-1, connected: cnc-7', "needs exactly one of tag, quality"),
        ('address: "discrete:0", tag: press-1.fault, type: uint16', "a discrete is one bit and cannot be uint16"),
        ('address: "input:0", tag: press-1.name, type: string', "a string needs its length in characters"),
        ('address: "input:0", tag: press-1.temp, type: float32, order: BA', "order BA does not fit float32"),
    ],
)
def test_what_does_not_go_together_in_an_entry_is_said_of_the_entry(tmp_path: Path, text: str, said: str) -> None:
    [mistake] = told(tmp_path, entry(text))
    assert mistake.startswith("2: serve.hmi.map[0]: ")
    assert said in mistake


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('listen: 1502', "1: serve.hmi.listen: '1502' is not a text; put it in quotes"),
        ('listen: "localhost"', "1: serve.hmi.listen: 'localhost' is not an address to listen on; write host:port"),
        ('listen: "127.0.0.1:0"', "1: serve.hmi.listen: '127.0.0.1:0' has no port from 1 to 65535; write host:port"),
        ('listen: "::1:502"', "1: serve.hmi.listen: '::1:502' has an IPv6 address without brackets; write [::1]:1502"),
        ("unit: 256", "1: serve.hmi.unit: '256' is not a unit id; write a number from 0 to 255, or any"),
        ("unit: true", "1: serve.hmi.unit: 'true' is not a unit id; write a number from 0 to 255, or any"),
        ("order: ABDC", "1: serve.hmi.order: 'ABDC' is not an order of bytes; "),
        ("gaps: yes", "1: serve.hmi.gaps: 'yes' is not one of refuse, zero"),
        ("connections: 0", "1: serve.hmi.connections: '0' must be at least 1"),
        ("idle: 500ms", "1: serve.hmi.idle: '500ms' is shorter than 1s; write for example 60s"),
        ("idel: 5s", "1: serve.hmi.idel: unknown key; did you mean 'idle'?"),
    ],
)
def test_a_mistake_in_the_server_itself_is_named(tmp_path: Path, lines: str, said: str) -> None:
    good = '    map:\n      - {address: "input:0", state: press-1}\n'
    [mistake] = told(tmp_path, f"{HEAD}    {lines}\n{good}")
    assert mistake.startswith(said), mistake


def test_a_server_needs_a_map_with_something_in_it_and_a_type_that_there_is(tmp_path: Path) -> None:
    assert told(tmp_path, HEAD)[0].endswith("serve.hmi.map: is missing")
    [mistake] = told(tmp_path, f"{HEAD}    map: []\n")
    assert mistake.startswith("1: serve.hmi.map: shows nothing; write for example")
    assert told(tmp_path, HEAD.replace("type: modbus", "type: modbsu"))[0].endswith(
        "serve.hmi.type: 'modbsu' is no type; did you mean 'modbus'?"
    )


def test_entries_that_overlap_are_named_with_what_is_there_already(tmp_path: Path) -> None:
    text = HEAD + """\
    map:
      - {address: "input:0", tag: press-1.temp, type: float32}
      - {address: "input:1", quality: press-1.temp}
      - {address: "holding:1", quality: press-1.temp}
      - {address: "holding:7.3", tag: press-1.fault}
      - {address: "holding:7.4", tag: press-1.fault}
      - {address: "holding:7.low", quality: press-1.temp}
      - {address: "holding:7.high", quality: press-1.temp}
      - {address: "coil:0", tag: press-1.fault}
      - {address: "coil:0", connected: press-1}
"""
    assert told(tmp_path, text) == [
        "3: serve.hmi.map[1].address: 'input:1' overlaps input:0, where tag of press-1.temp lies",
        "7: serve.hmi.map[5].address: 'holding:7.low' overlaps holding:7.3, where tag of press-1.fault lies",
        "10: serve.hmi.map[8].address: 'coil:0' overlaps coil:0, where tag of press-1.fault lies",
    ]


def test_two_servers_on_one_port_are_a_mistake_of_the_second(tmp_path: Path) -> None:
    entries = 'map: [{address: "input:0", state: press-1}]'
    servers = "\n".join(
        f'  {name}: {{type: modbus, listen: "{listen}", {entries}}}'
        for name, listen in zip(
            "abcd", ("127.0.0.1:1502", "10.0.0.1:1502", "0.0.0.0:1502", "[::1]:1503"), strict=True
        )
    )
    text = HEAD.partition("  hmi:")[0] + servers + "\n"
    assert told(tmp_path, text) == [
        "1: serve.c.listen: '0.0.0.0:1502' port 1502 is taken by serve.a; each needs a port of its own"
    ]


def test_all_mistakes_of_a_map_are_found_at_once(tmp_path: Path) -> None:
    text = HEAD + """\
    map:
      - {address: "input:0", tag: press-1.tmp, type: float32}
      - {address: "input:9", state: press-1}
      - {address: "input:10", state: press-3}
      - {adress: "input:11", kpi: press-1.shift.oe, type: float32}
"""
    keys = [line.split(": ")[1] for line in told(tmp_path, text)]
    assert sorted(keys) == [
        "serve.hmi.map[0].tag", "serve.hmi.map[2].state", "serve.hmi.map[3].adress", "serve.hmi.map[3].kpi",
    ]  # fmt: skip


def test_beyond_this_computer_there_is_a_warning_that_modbus_has_no_login() -> None:
    entries = [{"address": "input:0", "connected": "a"}]
    plugin = SERVERS["modbus"]
    beyond = {"0.0.0.0:502": "every network", "[::]:502": "every network", "10.0.0.2:502": "10.0.0.2"}
    for listen, where in beyond.items():
        [said] = plugin.warnings(plugin.config.model_validate({"type": "modbus", "listen": listen, "map": entries}))
        assert "no login" in said
        assert where in said
    for listen in ("127.0.0.1:502", "[::1]:502", "localhost:502"):
        assert not plugin.warnings(plugin.config.model_validate({"type": "modbus", "listen": listen, "map": entries}))
