"""A plant file's mistakes: found all at once, each with key, value and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.api import ConfigError
from edge_agent_hil.expand import expand
from edge_agent_hil.load import load

ROOT = Path(__file__).parents[2]
HEAD = """\
machines:
  m:
    products: {A: {code: 1, ideal_cycle: 200ms}, B: {code: 2, ideal_cycle: 300ms}}
"""
FACE = "    modbus: {tags: {total: {address: 'holding:0'}}}\n"


def mistakes(folder: Path, text: str) -> list[str]:
    path = folder / "plant.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as found:
        load(path)
    return [str(mistake).removeprefix(str(path) + ":") for mistake in found.value.mistakes]


def test_the_demo_plant_is_right() -> None:
    plant = load(ROOT / "hil" / "edge_agent_hil" / "plants" / "demo.yaml")
    assert list(plant.machines) == ["press-1", "press-2", "cnc-7"]
    for machine in plant.machines.values():
        for product in machine.products.values():
            assert product.ideal_cycle / 60_000_000_000 <= 0.005, (
                "one piece must weigh little in a minute's OEE"
            )


def test_the_plant_of_the_readme_is_right(tmp_path: Path) -> None:
    page = (ROOT / "hil" / "README.md").read_text()
    path = tmp_path / "plant.yaml"
    path.write_text(page.partition("```yaml\n")[2].partition("```")[0])
    assert len(expand(load(path)).machines) == 22


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("    jobs: [{product: C, pieces: 3}]\n" + FACE,
         "4: machines.m.jobs.0.product: 'C' is no product of this machine; there are: A, B"),
        ("    micro_stops: {every: 5, for: 1s}\n" + FACE,
         "4: machines.m.micro_stops.every: '5' is not a duration law; write 5s (exponential, that mean) "
         "or [3s, 8s] (uniform between)"),
        ("    faults: {every: 5s, for: [8s, 3s]}\n" + FACE,
         "4: machines.m.faults.for: begins above its end; write the shorter duration first"),
        ("    faults: {every: 5s}\n" + FACE, "4: machines.m.faults.for: is missing"),
        ("    breaks: [{start: 10:00, for: 15min}]\n" + FACE,
         "4: machines.m.breaks.0.start: '600' is not a wall-clock time; write it in quotes, such as "),
        ("    breaks: [{start: '23:55', for: 15min}, {start: '00:05', for: 1min}]\n" + FACE,
         "4: machines.m.breaks: overlap; write them as one"),
        ("    scrap: 3\n" + FACE,
         "4: machines.m.scrap: '3' is wrong: Input should be less than or equal to 1"),
        ("", "2: machines.m: needs a face: modbus:, rtu:, meter: or opcua:"),
        ("    modbus: {tags: {total: {address: 'register:0'}}}\n",
         "4: machines.m.modbus.tags.total.address: 'register:0' is no Modbus address; write holding:3, "),
        ("    modbus: {tags: {total: {address: 'holding:0', type: float32}}}\n",
         "4: machines.m.modbus.tags.total.type: 'float32' cannot carry total"),
        ("    modbus: {tags: {total: {address: 'holding:0', type: uint32, order: AB}}}\n",
         "4: machines.m.modbus.tags.total.order: 'AB' is no order of these bytes; one of: ABCD, CDAB, "),
        ("    modbus: {tags: {total: {address: 'holding:0', start: 70000}}}\n",
         "4: machines.m.modbus.tags.total.start: '70000' does not fit the type"),
        ("    modbus: {tags: {total: {address: 'holding:0', type: uint32}, state: {address: 'holding:1'}}}\n",
         "4: machines.m.modbus.tags.state.address: 'holding:1' overlaps total"),
        ("    modbus: {tags: {state: {address: 'holding:0', type: string, length: 4}}}\n",
         "4: machines.m.modbus.tags.state.length: '4' has no room for SETUP"),
        ("    modbus: {states: {RUN: 1, IDLE: 0, FAULT: 1}, tags: {state: {address: 'holding:1'}}}\n",
         "4: machines.m.modbus.states: lack a code for SETUP"),
        ("    opcua: {tags: {totl: {}}}\n",
         "4: machines.m.opcua.tags.totl: 'totl' is no signal; did you mean total?"),
        ("    rtu: {unit: 2, tags: {total: {address: 'holding:0'}}}\n",
         "4: machines.m.rtu.gateway: needs a gateway that is a serial line; one with baud: under gateways:"),
        ("    modbus: {gateway: gw, tags: {total: {address: 'holding:0'}}}\ngateways: {gv: {}}\n",
         "4: machines.m.modbus.gateway: 'gw' is no gateway of this plant; there are: gv"),
        ("    modbus: {gateway: gw, tags: {total: {address: 'holding:0'}}}\ngateways: {gw: {baud: 9600}}\n",
         "4: machines.m.modbus.gateway: 'gw' is a serial line; write rtu: instead of modbus:"),
        ("    count: 3\n    modbus: {port: 1502, unit: 246, tags: {total: {address: 'holding:0'}}}\n",
         "5: machines.m.modbus.unit: '246' counts up to 248; unit ids end at 247; use another gateway"),
        ("    count: 1001\n" + FACE,
         "4: machines.m.count: '1001' is wrong: Input should be less than or equal to 1000"),
        (FACE + "lines: {a: {machines: [m, n]}}\n",
         "5: lines.a.machines.1: 'n' is no machine of this plant; there are: m"),
        ("    stack_light: {RUN: purple}\n" + FACE,
         "4: machines.m.stack_light.RUN: 'purple' is no lamp; write one or some of red, yellow, green, blue, white, "),
        ("    opcua: {tags: {recipe-heat: {}}}\n",
         "4: machines.m.opcua.tags.recipe-heat: 'heat' is not in the recipe of A, B; every product"),
        ("    scrap: 0.7\n    rework: 0.7\n" + FACE,
         "5: machines.m.rework: '0.7' and scrap are more than all pieces"),
        ("    stack_light: {FAULT: blinking red}\n    opcua: {tags: {red: {}}}\n",
         "5: machines.m.opcua.tags.red: 'red' blinks, and only Modbus shows that"),
        (FACE + "timezone: Mars/Olympus\n",
         "5: timezone: 'Mars/Olympus' is no time zone; write an IANA name such as Asia/Shanghai"),
        (FACE + "  m: {products: {A: {code: 1, ideal_cycle: 1s}}, opcua: {tags: {total: {}}}}\n",
         "5: machines.m: is written twice; keep one of them"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_key_and_value(tmp_path: Path, text: str, expected: str) -> None:
    found = mistakes(tmp_path, HEAD + text)
    assert any(line.startswith(expected) for line in found), found


def test_two_bits_of_one_register_do_not_overlap_but_a_bit_and_its_register_do(tmp_path: Path) -> None:
    bits = "running: {address: 'holding:1.0'}, fault: {address: 'holding:1.1'}"
    path = tmp_path / "plant.yaml"
    path.write_text(HEAD + f"    modbus: {{tags: {{{bits}}}}}\n")
    assert load(path).machines
    found = mistakes(tmp_path, HEAD + f"    modbus: {{tags: {{{bits}, state: {{address: 'holding:1'}}}}}}\n")
    assert found == ["4: machines.m.modbus.tags.state.address: 'holding:1' overlaps fault"]


def test_every_mistake_is_found_at_once(tmp_path: Path) -> None:
    found = mistakes(tmp_path, HEAD + "    scrap: 2\n    speed_los: 0.1\n    seed: 1\n" + FACE)
    assert [line.split(":")[0] for line in found] == ["4", "5", "6"]


def test_a_file_that_is_no_yaml_or_no_mapping_is_refused(tmp_path: Path) -> None:
    assert "is not YAML" in mistakes(tmp_path, "machines: [")[0]
    assert "is no plant file" in mistakes(tmp_path, "- 1\n")[0]
    assert "machines: is missing" in mistakes(tmp_path, "{}\n")[0]
