"""`state:` of a machine: lamps, power, codes and several sources; what is wrong about it is named."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from site_files import FAKE_SITE, mistakes_of, replaced, site_of, told

from edge_agent.config import machine_specs
from edge_agent.config.reading_speed import speed_warnings
from edge_agent.config.state import CodesName
from edge_agent.core.judges import RolesJudge, Stall
from edge_agent.core.lamps import LampModel
from edge_agent.core.models.codes import CodesModel
from edge_agent.core.power import PowerJudge
from edge_agent.core.sources import Rank, SourceSpec
from edge_agent.core.states import MachineState

S = 1_000_000_000
CODES = ", ".join(get_args(CodesName))
BY_MAP = "{tag: press-1.state, map: {0: IDLE, 1: RUN}}"
LAMPS = "stacklight: {red: press-1.state, green: press-1.total"
POWER = "power: {tag: press-1.total, off: 50, run: [1350, 1650]"


def sources(tmp_path: Path, state: str) -> list[SourceSpec]:
    site = site_of(tmp_path, replaced(FAKE_SITE, BY_MAP, state))
    [spec] = machine_specs(site, site.tag_table())
    return list(spec.sources)


def test_a_stack_light_has_a_lamp_for_each_tag(tmp_path: Path) -> None:
    table = "map: {green blinking: IDLE STARVED, red + green: MAINT, off: OFF}"
    [lamps] = sources(tmp_path, f"{{{LAMPS}, dwell: 2s, {table}}}}}")
    assert {role: tag.id for role, tag in lamps.inputs.items()} == {"red": "press-1.state", "green": "press-1.total"}
    assert isinstance(lamps.judge, RolesJudge)
    assert (lamps.rank, lamps.judge.debounce_ns, lamps.judge.dwell_ns) == (Rank.DI, S // 20, 2 * S)
    assert lamps.judge.model == LampModel(("red", "green"), {
        "00B00": (MachineState.IDLE, "STARVED"), "10100": (MachineState.MAINT, ""), "00000": (MachineState.OFF, ""),
    })  # fmt: skip


def test_a_threshold_is_a_pair_or_one_number_with_a_tenth_around_it(tmp_path: Path) -> None:
    [power] = sources(tmp_path, f"{{{POWER}}}}}")
    assert isinstance(power.judge, PowerJudge)
    levels = power.judge.levels
    assert levels.off == pytest.approx((45, 55))
    assert (levels.run, levels.dwell_ns, levels.median_ns) == ((1350, 1650), 5 * S, 3 * S // 2)
    assert (power.rank, power.exact) == (Rank.POWER, {"power"})


def test_each_source_has_its_rank(tmp_path: Path) -> None:
    more = "{tag: press-1.scrap, map: {1: FAULT}, kind: di}, {tag: press-1.program, codes: mtconnect}"
    told_by = sources(tmp_path, f"{{sources: [{{{POWER}}}}}, {{{LAMPS}}}}}, {more}]}}")
    assert [one.rank for one in told_by] == [Rank.POWER, Rank.DI, Rank.DI, Rank.NATIVE]
    assert [tag.id for one in told_by for tag in one.inputs.values()] == [
        "press-1.total", "press-1.state", "press-1.total", "press-1.scrap", "press-1.program",
    ]  # fmt: skip


def test_codes_need_no_map_and_a_map_may_add_to_them(tmp_path: Path) -> None:
    state = "{tag: press-1.state, codes: umh, map: {7: MAINT PREVENTIVE}, default: IDLE}"
    site = site_of(tmp_path, replaced(FAKE_SITE, BY_MAP, state))
    [spec] = machine_specs(site, site.tag_table())
    assert isinstance(spec.model, CodesModel)
    assert (spec.model.name, spec.model.own.otherwise) == ("umh", MachineState.IDLE)
    assert spec.model.own.states[7] == (MachineState.MAINT, "PREVENTIVE")


def test_a_moulding_machine_waits_three_cycles_or_a_micro_stop(tmp_path: Path) -> None:
    state = "{euromap: {status: press-1.state, mode: press-1.scrap, cycles: press-1.total}}"
    waits = {"ideal_cycle: 200s": 600, "ideal_cycle: 1.2s": 300, "micro_stop: 1s\n    ideal_cycle: 2s": 6}
    for keys, wait in waits.items():
        site = site_of(tmp_path, replaced(replaced(FAKE_SITE, BY_MAP, state), "ideal_cycle: 1.2s", keys))
        [source] = machine_specs(site, site.tag_table())[0].sources
        assert isinstance(source.judge, RolesJudge)
        assert source.judge.watches == {"waiting": Stall(wait * S)}


def test_whatever_moves_the_state_moves_the_config_hash(tmp_path: Path) -> None:
    states = [
        BY_MAP, "{tag: press-1.state, map: {0: IDLE STARVED, 1: RUN}}", "{tag: press-1.state, codes: umh}",
        "{tag: press-1.state, codes: focas}", f"{{{LAMPS}}}}}", f"{{{LAMPS}, dwell: 2s}}}}",
        f"{{{LAMPS}, debounce: 0s}}}}", f"{{{LAMPS}, map: {{red: MAINT}}}}}}",
        f"{{{POWER}}}}}", f"{{{POWER}, dwell: 1s}}}}", f"{{{POWER}, median: 0s}}}}",
        f"{{sources: [{{{POWER}}}}}]}}", f"{{sources: [{{{POWER}}}, kind: native}}]}}",
        f"{{sources: [{{{POWER}}}}}, {{{LAMPS}}}}}]}}", "{mtconnect: {execution: press-1.program}}",
        "{euromap: {status: press-1.state}}",
    ]  # fmt: skip
    hashes = [site_of(tmp_path, replaced(FAKE_SITE, BY_MAP, state)).config_hash("press-1") for state in states]
    assert len(set(hashes)) == len(states)


@pytest.mark.parametrize(
    ("state", "messages"),
    [
        ("{tag: press-1.state}", [f"machines.press-1.state.map: is missing; or codes: {CODES}"]),
        ("{tag: press-1.state, codes: umg}",
         [f"machines.press-1.state.codes: 'umg' is not one of {CODES}; did you mean 'umh'?"]),
        ("{tag: press-1.state, map: {0: IDEL STARVED}}",
         ["machines.press-1.state.map.0: 'IDEL STARVED' is not a machine state; did you mean 'IDLE'?"]),
        ("{stacklight: {}}", ["machines.press-1.state.stacklight: needs at least one lamp; "
                              "red, yellow, green, blue, white: device.tag"]),
        (f"{{{LAMPS}, map: {{purple: RUN}}}}}}",
         ["machines.press-1.state.stacklight.map.purple: 'RUN' this key names no lamps; "
          "write lamps (red, yellow, green, blue, white), each with or without ' blinking', joined by ' + '; or off"]),
        (f"{{{LAMPS}, map: {{blue: RUN}}}}}}",
         ["machines.press-1.state.stacklight.map.blue: 'RUN' this key names blue, which has no tag; add blue:"]),
        (f"{{{LAMPS}, map: {{red + green: RUN, green + red: IDLE}}}}}}",
         ["machines.press-1.state.stacklight.map.green + red: 'IDLE' this key is the same as 'red + green'; "
          "remove one of the two"]),
        (f"{{{LAMPS}, white: press-1.program}}}}",
         ["machines.press-1.state.stacklight.white: 'press-1.program' is a text tag, a number is needed here"]),
        ("{power: {tag: press-1.total}}", ["machines.press-1.state.power: needs off, run or both; "
                                           "edge-agent learn SITE.yaml TAG finds them"]),
        ("{power: {tag: press-1.total, off: [60, 40]}}",
         ["machines.press-1.state.power.off: is out of order; write [low, high], both above 0"]),
        ("{power: {tag: press-1.total, off: 100, run: 105}}",
         ["machines.press-1.state.power.run: '105' begins at 94.5, below 110 where off ends; off is below run"]),
        (f"{{{POWER}}}, dwell: 5s}}",
         ["machines.press-1.state.power: and dwell: exclude each other; write it below power"]),
        (f"{{{POWER}}}, {LAMPS}}}}}",
         ["machines.press-1.state.stacklight: and power: exclude each other; remove one of the two"]),
        (f"{{sources: [{{{POWER}}}}}], dwell: 1s}}",
         ["machines.press-1.state.sources: and dwell: exclude each other; each source has its own"]),
        ("{sources: [{tag: press-1.state}]}",
         [f"machines.press-1.state.sources[0].map: is missing; or codes: {CODES}"]),
        ("{sources: []}", ["machines.press-1.state: needs a tag and a map; or one of packml, machinery, machinetool, "
                           "mtconnect, euromap, stacklight, power, pace, sources"]),
    ],
)  # fmt: skip
def test_a_mistake_about_the_state_is_named(tmp_path: Path, state: str, messages: list[str]) -> None:
    found = told(mistakes_of(tmp_path, replaced(FAKE_SITE, BY_MAP, state)))
    assert [message.partition(": ")[2] for message in found] == messages


def test_lamps_beside_the_state_belong_below_it(tmp_path: Path) -> None:
    [mistake] = mistakes_of(tmp_path, replaced(FAKE_SITE, f"state: {BY_MAP}", f"{LAMPS}}}"))
    assert str(mistake).endswith("machines.press-1.stacklight: belongs below state; write state: {stacklight: …}")


def test_lamps_and_meters_that_are_read_too_seldom_are_named(tmp_path: Path) -> None:
    state = f"{{sources: [{{{LAMPS}}}}}, {{{POWER}}}}}]}}"
    site = site_of(tmp_path, replaced(FAKE_SITE, BY_MAP, state))
    assert list(speed_warnings(site)) == [
        "machines.press-1.state: press-1.state is read every 1s, too seldom to see it blink; poll: 200ms would do",
        "machines.press-1.state: press-1.total is read every 1s, too seldom to see it blink; poll: 200ms would do",
    ]
    slow = replaced(replaced(FAKE_SITE, BY_MAP, f"{{{POWER}}}}}"), "fake://10.0.0.5", "fake://10.0.0.5\n    poll: 5s")
    assert list(speed_warnings(site_of(tmp_path, slow))) == [
        "machines.press-1.state: press-1.total is read every 5s, so a median of 1500ms takes out no spikes; "
        "median: 7500ms does"
    ]
    fast = replaced(replaced(FAKE_SITE, BY_MAP, state), "fake://10.0.0.5", "fake://10.0.0.5\n    poll: 200ms")
    assert list(speed_warnings(site_of(tmp_path, fast))) == []
