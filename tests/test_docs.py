"""What the pages say is so: every command, option, driver and counter is there, and every example works."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import edge_agent_hil.cli
from edge_agent import __version__, cli, registry
from edge_agent.api import ConfigError, Scene
from edge_agent.config import load, samples
from edge_agent.config.site import JournalModel
from edge_agent.config.template import read_template
from edge_agent.config.yaml_lines import parse
from edge_agent.core import kpi
from edge_agent.health import Count
from edge_agent.platforms import template as message_templates
from edge_agent_hil.load import load as load_plant

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in (
        *ROOT.glob("*.md"),
        *(p for top in ("configs", "deploy", "drivers", "hil") for p in (ROOT / top).rglob("*.md")),
    )
)
READMES = [path for path in PAGES if path.name.startswith("README")]
ENVIRONMENT = dict.fromkeys(("MQTT_PASSWORD", "CNC7_PASSWORD"), "secret-of-the-test")
PARSERS: dict[str, Callable[[], argparse.ArgumentParser]] = {
    "edge-agent": cli._parser,
    "edge-hil": edge_agent_hil.cli._parser,
}


def text_of(name: str) -> str:
    return (ROOT / name).read_text()


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def blocks(path: Path, *languages: str) -> Iterator[str]:
    """The fenced examples of a page in any of `languages`."""
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL):
        if match[1] in languages:
            yield match[2]


def commands(program: str) -> dict[str, argparse.ArgumentParser]:
    """The commands of a program, with their parsers."""
    [chosen] = [a for a in PARSERS[program]()._actions if isinstance(a, argparse._SubParsersAction)]
    return dict(chosen.choices)


def options(parser: argparse.ArgumentParser) -> list[str]:
    """The long options of a parser, and of its actions if it has any, but --help."""
    nested = [one for action in parser._actions if isinstance(action, argparse._SubParsersAction)
              for one in action.choices.values()]  # fmt: skip
    written = [text for one in (parser, *nested) for action in one._actions for text in action.option_strings]
    return [text for text in dict.fromkeys(written) if text.startswith("--") and text != "--help"]


# -- what there is, is told ----------------------------------------------------------------------


@pytest.mark.parametrize("command", commands("edge-agent"))
def test_every_command_and_its_options_are_in_the_readme(command: str) -> None:
    readme = text_of("README.md")
    told = re.findall(rf"edge-agent {command}\b[^\n|`]*", readme)
    assert told
    for option in options(commands("edge-agent")[command]):
        assert any(option in line for line in told), f"edge-agent {command} {option}"


def test_every_flag_of_a_record_is_in_the_readme() -> None:
    told = re.findall(r"^\| `([A-Z_0-9]+)` \|", text_of("README.md"), re.MULTILINE)
    flags = {name for name, value in vars(kpi).items() if name == value}
    assert flags - {"UNKNOWN"} == set(told) & flags


def test_every_option_of_the_program_itself_is_in_the_readme() -> None:
    for option in options(PARSERS["edge-agent"]()):
        assert option in text_of("README.md")


def test_every_command_and_option_of_the_rig_is_in_its_readme() -> None:
    page = text_of("hil/README.md") + text_of("hil/SCENARIOS.md")
    for command, parser in commands("edge-hil").items():
        assert f"edge-hil {command}" in page
        assert f"edge-hil {command}" in text_of("README.md")
        for option in options(parser):
            assert f"`{option}" in page


@pytest.mark.parametrize("driver", registry.drivers())
def test_every_driver_has_its_page_and_the_readme_leads_to_it(driver: str) -> None:
    page = f"drivers/edge_agent_{driver}/README.md"
    assert f"({page})" in text_of("README.md")
    assert f"(../{page})" in text_of("configs/README.md")
    assert f"driver: {driver}" in text_of(page)


@pytest.mark.parametrize("name", [*registry.publishers(), *registry.profiles()])
def test_every_publisher_and_profile_is_told(name: str) -> None:
    assert f"`{name}`" in text_of("configs/README.md")
    assert name in text_of("README.md").lower()


@pytest.mark.parametrize("name", registry.servers())
def test_every_server_is_told_where_it_is_told_of_serving(name: str) -> None:
    [row] = re.findall(r"^### `serve.<id>`.*?^\| `type` \|([^\n]*)", text_of("configs/README.md"), re.M | re.S)
    assert f"`{name}`" in row
    folder = ROOT / f"drivers/edge_agent_{name}"
    assert any(f"type: {name}" in page.read_text() for page in folder.glob("*.md"))


@pytest.mark.parametrize("count", Count)
def test_everything_the_agent_counts_is_in_the_readme(count: Count) -> None:
    assert re.search(rf"^\|[^|]*`{count}`", text_of("README.md"), re.MULTILINE)


@pytest.mark.parametrize("sample", samples())
def test_every_sample_is_in_both_tables(sample: str) -> None:
    assert f"`{sample}`" in text_of("README.md")
    assert f"| `{sample}.yaml` |" in text_of("configs/README.md")


@pytest.mark.parametrize("driver", registry.drivers())
def test_every_shipped_template_is_in_the_table_with_its_parameters(driver: str) -> None:
    for name, text in registry.drivers()[driver].templates.items():
        parameters = ", ".join(f"`{parameter}`" for parameter in read_template(text, "").defaults)
        assert f"| `{name}` | {driver} | {parameters} |" in text_of("configs/README.md")


GUARANTEE = (
    "Every sample accepted by the agent (acknowledged to the pipeline after group-commit, ≤ `commit_interval`, default "
    "1 s) is delivered to the configured broker **at least once**, in acquisition order per device within a lane, "
    "unless (a) the bounded disk quota forces documented, counted, oldest-lowest-priority-first eviction, (b) it is "
    "older than `max_age`, or (c) the platform permanently rejects it (dead-letter, counted). Each sample carries a "
    "stable key so a consumer can make the effect exactly-once. Loss window on power cut ≤ commit_interval; on process "
    "kill 0 for committed data."
)


def test_the_guarantee_stands_word_for_word_with_the_interval_that_is_the_default() -> None:
    [quoted] = re.findall(r"^### What is promised\n\n((?:> .*\n)+)", text_of("README.md"), re.MULTILINE)
    assert " ".join(line.removeprefix("> ") for line in quoted.splitlines()) == GUARANTEE
    assert JournalModel().flush == 1_000_000_000


def test_every_table_of_a_page_is_whole() -> None:
    """A row that has lost its head, or an edit's note to itself, is a page that nobody has read."""
    for page in PAGES:
        text = page.read_text()
        assert "<!--" not in text, page
        for block in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            head, rule, *rows = block.splitlines()
            columns = len(re.findall(r"(?<!\\)\|", rule))
            assert re.fullmatch(r"\|(-+\|)+", rule.replace(" ", "").replace(":", "")), f"{page}: {head}"
            for row in (head, *rows):
                assert len(re.findall(r"(?<!\\)\|", row)) == columns, f"{page}: {row}"


def test_every_exit_code_is_in_the_readme() -> None:
    codes = " ".join(re.findall(r"Exit codes:.*?\n\n", text_of("README.md"), re.DOTALL))
    for code in (cli.DONE, cli.FAILED, cli.WRONG_USAGE, cli.WRONG_CONFIG):
        assert re.search(rf"\b{code}\b", codes)


def test_the_changelog_has_what_is_not_released_and_one_version_rules() -> None:
    assert re.search(r"^## Unreleased$", text_of("CHANGELOG.md"), re.MULTILINE)
    assert tomllib.loads(text_of("pyproject.toml"))["project"]["version"] == __version__
    assert f"Version {__version__.rpartition('.')[0]}" in text_of("README.md")


# -- what is told, is so -------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target


def as_site(data: Any) -> dict[str, Any] | None:
    """An example as a whole site file; None if it is none of a site file."""
    if not isinstance(data, dict):
        return None
    if "agent" in data:
        return data
    agent = {"agent": {"id": "of-the-example"}}
    groups = ("devices", "machines", "calendars", "carbon", "publish", "serve", "journal", "kpi", "ring", "api")
    if data.keys() <= set(groups):
        return {**agent, **data}
    if all(isinstance(device, dict) and "driver" in device for device in data.values()):
        return {**agent, "devices": data}
    return None


@pytest.mark.parametrize("page", READMES, ids=name_of)
def test_every_example_of_a_site_file_loads_without_a_mistake(page: Path, tmp_path: Path) -> None:
    for number, block in enumerate(blocks(page, "yaml")):
        document = parse(block)
        assert document.mistakes == []
        path = tmp_path / f"{number}.yaml"
        if document.data.keys() <= {"about", "parameters", "device", "tags"}:
            # A template; the site file that uses it follows, and names it as its first line does.
            assert read_template(block, "").mistakes == []
            (tmp_path / block.partition("\n")[0].removeprefix("# ")).write_text(block)
            continue
        if document.data.keys() & {"samples", "report"}:
            path.write_text(block)
            message_templates.make(message_templates.TemplateConfig(template=path), Scene("cloud", "gw-1", "0"))
            continue
        if "plant" in document.data:
            path.write_text(block)
            load_plant(path)
            continue
        site = as_site(document.data)
        assert site, f"what is this an example of?\n{block}"
        path.write_text(block if "agent" in document.data else yaml.safe_dump(site))
        profiles = registry.profiles()
        load(path, registry.drivers(), registry.publishers(), ENVIRONMENT, profiles, registry.servers())


def test_the_readme_has_a_whole_site_file() -> None:
    assert any("agent" in parse(block).data for block in blocks(ROOT / "README.md", "yaml"))


def test_the_message_shown_for_a_wrong_file_is_what_is_said(tmp_path: Path) -> None:
    """`site.yaml:LINE: KEY: unknown key; did you mean 'NAME'?` of the README, about the README's own example."""
    shown = r"^(site\.yaml:(\d+): (\S+): unknown key; did you mean '(\w+)'\?)$"
    [(message, line, key, meant)] = re.findall(shown, text_of("README.md"), re.MULTILINE)
    example = next(block for block in blocks(ROOT / "README.md", "yaml") if "agent" in parse(block).data)
    lines = example.splitlines()
    lines[int(line) - 1] = re.sub(rf"\b{meant}:", f"{key.rpartition('.')[2]}:", lines[int(line) - 1])
    path = tmp_path / "site.yaml"
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigError) as wrong:
        load(path, registry.drivers(), registry.publishers(), ENVIRONMENT, registry.profiles())
    assert [str(mistake) for mistake in wrong.value.mistakes] == [f"{tmp_path}/{message}"]


def shell_lines(page: Path) -> Iterator[list[str]]:
    """The words of every command in the page's shell examples, and of every command quoted in a line of text."""
    for block in blocks(page, "sh", "bash", ""):
        for line in block.splitlines():
            if re.match(r"(\w+=\S+ )*(make|edge-agent|edge-hil|pytest|pip)\b", line):
                yield shlex.split(line, comments=True)
    for quoted in re.findall(r"`((?:make|edge-agent|edge-hil|pytest) [^`…]+)`", page.read_text()):
        yield shlex.split(quoted)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_shown_is_one(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", text_of("Makefile"), re.MULTILINE)
    for words in shell_lines(page):
        words = [word for word in words if not re.fullmatch(r"[A-Z_]+=.*", word)]
        program, first = words[0], words[1]
        if program == "make":
            assert first in targets
        elif program in PARSERS and first not in ("COMMAND", "--verbose", "--version"):
            assert first in commands(program), f"{page.name}: {' '.join(words)}"
            known = options(commands(program)[first])
            for option in re.findall(r"--[a-z-]+", " ".join(words)):
                assert option in known, f"{page.name}: {' '.join(words)}"


def test_the_make_targets_of_the_readme_take_the_variables_it_names() -> None:
    makefile = text_of("Makefile")
    for page in READMES:
        for name in re.findall(r"make \w+ ([A-Z]+)=", page.read_text()):
            assert f"$({name})" in makefile


def test_the_golden_cases_are_as_many_as_the_readme_says() -> None:
    cases = json.loads(text_of("tests/golden/oee.json"))["cases"]
    [said] = re.findall(r"(\d+) worked cases", text_of("README.md"))
    assert int(said) == len(cases)


def test_topics_of_the_readme_are_those_of_the_profile() -> None:
    source = text_of("edge_agent/encode/json_profile.py") + text_of("edge_agent/encode/json_samples.py")
    for topic in ("status", "tags", "state", "kpi"):
        assert re.search(rf"`…/[^`]*{topic}", text_of("README.md"))
        assert f"/{topic}" in source


def test_every_route_of_the_api_is_in_the_readme() -> None:
    def plain(routes: list[tuple[str, str]]) -> set[tuple[str, str]]:
        return {(method.lower(), re.sub(r"\{[^}]*\}", "{…}", path)) for method, path in routes}

    code = "".join(path.read_text() for path in (ROOT / "edge_agent/web").glob("*.py"))
    found = plain(re.findall(r'@app\.(get|post|put|delete)\(\s*"(/[^"]*)"', code))
    rows = re.findall(r"^\| (`(?:GET|POST|DELETE) /[^|]*) \|", text_of("README.md"), re.MULTILINE)
    told = plain(re.findall(r"`(GET|POST|PUT|DELETE) (/[^`]*)`", " ".join(rows)))
    assert told == {*found, ("get", "/api/openapi.json")}
