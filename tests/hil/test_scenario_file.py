"""A scenario file: every mistake at once, with line, key, value and what would be right; the shipped ones are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.api import ConfigError
from edge_agent_hil.cli import main
from edge_agent_hil.runner.library import chosen, find, library
from edge_agent_hil.runner.load import load
from edge_agent_hil.runner.scenario_file import Expect
from edge_agent_hil.runner.site import for_each, laid_over

SCENARIO = """\
scenario: a title
plant: cell
duration: 20s
timeline:
  - {at: 2s, wire: press-1, fault: delay, by: 300ms, for: 3s}
  - {at: 4s, gateway: kill, for: 2s}
expect:
  live within: 5s
  lost: 0
"""


def mistakes(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "s.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path)
    return [str(one).removeprefix(f"{path}:") for one in caught.value.mistakes]


def test_a_scenario_says_what_stands_what_happens_and_what_must_come_of_it(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(SCENARIO)
    loaded = load(path)
    assert list(loaded.plant.machines) == ["press-1", "cnc-7"]
    delay, kill = loaded.file.timeline
    assert (delay.place, delay.name, delay.end) == ("press-1", "delay", 5 * 10**9)
    assert delay.wire_fault().by_s == 0.3
    assert (kill.place, kill.name) == ("gateway", "kill")
    assert loaded.file.expect.live_within == 5 * 10**9
    assert loaded.file.expect.log_never == ("Traceback",)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("duration: 20s", "duraton: 20s", "3: duraton: is no key of a scenario file here; did you mean duration?"),
        ("lost: 0", "lsot: 0", "9: expect.lsot: is no key of a scenario file here; did you mean lost?"),
        ("live within: 5s", "live within: 5", "8: expect.live within: '5' needs a unit; write a text such as"),
        (
            "plant: cell",
            "plant: cel",
            "2: plant: 'cel' is no file and no shipped plant; shipped are: cell, ",
        ),
        ("wire: press-1", "wire: press-2", "5: timeline.0.wire: 'press-2' has no wire here; there are: cnc-7"),
        ("fault: delay", "fault: dealy", "5: timeline.0: is wrong: a wire has no fault 'dealy'; did you mean delay?"),
        ("by: 300ms", "by: 300", "5: timeline.0: is wrong: delay, by: '300'"),
        ("gateway: kill", "gateway: kil", "6: timeline.1: is wrong: a gateway has no fault 'kil'; did you mean kill?"),
        ("for: 3s", "for: 30s", "5: timeline.0: is over after the scenario; make the duration longer"),
        ("gateway: kill", "gateway: kill, wire: broker", "6: timeline.1: needs exactly one of wire, equipment"),
        (
            "gateway: kill",
            "equipment: press-1, fault: glitch, value: x",
            "6: timeline.1.fault: 'glitch' is wrong: glitch takes no 'for'",
        ),
        (", fault: delay, by: 300ms", "", "5: timeline.0: needs a fault; write such as fault: black-hole"),
    ],
)
def test_a_mistake_is_told_with_line_key_value_and_what_would_be_right(
    tmp_path: Path, right: str, wrong: str, said: str
) -> None:
    assert right in SCENARIO
    found = mistakes(tmp_path, SCENARIO.replace(right, wrong, 1))
    assert any(one.startswith(said) for one in found), found


def test_mistakes_of_a_plant_in_the_scenario_are_told_at_their_place(tmp_path: Path) -> None:
    plant = "plant: {machines: {m: {products: {A: {code: 1, ideal_cycle: fast}}, modbus: {tags: {total: {}}}}}}"
    found = mistakes(tmp_path, SCENARIO.replace("plant: cell", plant))
    assert any(one.startswith("2: plant.machines.m.products.A.ideal_cycle: 'fast'") for one in found), found
    assert any(one.startswith("2: plant.machines.m.modbus.tags.total.address: is missing") for one in found), found


def test_every_shipped_scenario_is_right_and_says_which_pain_it_is_there_to_catch() -> None:
    scenarios = chosen(["all"])
    assert [one.name for one in scenarios] == library()
    for one in scenarios:
        assert one.file.pain.endswith("."), one.name
    assert len(scenarios) >= 25
    assert 3 <= len(chosen(["fast"])) <= 8


def test_a_name_finds_the_shipped_scenario_and_a_path_its_file(tmp_path: Path) -> None:
    assert find("broker-resets").parent.name == "scenarios"
    assert find(str(tmp_path / "mine.yaml")) == tmp_path / "mine.yaml"


def test_a_wrong_scenario_file_ends_with_78_and_names_the_mistakes_of_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(SCENARIO.replace("lost: 0", f"{name}: 0"))
    assert main(["run", str(tmp_path / "a.yaml"), str(tmp_path / "b.yaml"), str(tmp_path / "missing.yaml")]) == 78
    said = capsys.readouterr().err
    assert "a.yaml:9: expect.a: is no key" in said
    assert "b.yaml:9: expect.b: is no key" in said
    assert "missing.yaml' cannot be read" in said


@pytest.mark.parametrize(
    "words", [["run"], ["run", "fast", "--target", "press-1"], ["run", "fast", "--target", "x=tcp://h"]]
)
def test_wrong_usage_ends_with_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2


def test_the_list_of_shipped_scenarios_has_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == library()


def test_the_page_shows_a_scenario_that_is_right_and_explains_every_key(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "hil" / "SCENARIOS.md").read_text()
    example = page.partition("```yaml\n")[2].partition("```")[0]
    path = tmp_path / "example.yaml"
    path.write_text(example)
    assert load(path).file.timeline
    for name, field in Expect.model_fields.items():
        assert f"`{field.alias or name}`" in page


def test_the_page_lists_every_shipped_scenario_with_its_title_and_pain() -> None:
    page = (Path(__file__).parents[2] / "hil" / "SCENARIOS.md").read_text()
    for one in chosen(["all"]):
        assert f"| `{one.name}` | {one.file.scenario} | {one.file.pain} |" in page


def test_files_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "s.yaml" for folder in ("a", "b", "c")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(SCENARIO)
    assert [one.name for one in chosen(map(str, [*paths, paths[0]]))] == ["s", "s~2", "s~3"]


def test_what_is_said_of_each_device_is_said_of_all_and_what_is_said_of_one_wins() -> None:
    base = {"devices": {"a": {"poll": "100ms", "url": "x"}, "b": {"poll": "100ms", "url": "y"}}, "machines": {}}
    over = {"devices": {"*": {"poll": "1s", "timeout": "2s"}, "b": {"poll": "5s"}, "c": {"url": "z"}}}
    assert laid_over(base, for_each(base, over))["devices"] == {
        "a": {"poll": "1s", "url": "x", "timeout": "2s"},
        "b": {"poll": "5s", "url": "y", "timeout": "2s"},
        "c": {"url": "z"},
    }
    assert laid_over({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}) == {"a": {"c": 2}}
