"""`template:` in a device section: what becomes of it, and that every mistake is where the wrong text stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from site_files import DRIVERS, PUBLISHERS, mistakes_of, replaced, site_of

from edge_agent.api import ConfigError
from edge_agent.config import load

METER = """\
about: A meter that exists only here
parameters:
  base: {default: 10, about: first register}
  ct: {about: "current ratio, see the plate"}
  pace: {default: 2s}
device:
  poll: <pace>
  retries: 3
tags:
  volt: {address: <base>, unit: V, deadband: 0.5}
  amp: {address: <base+1>, unit: A, scale: <ct*0.001>}
  watt: "at <base+2>"
"""
SITE = """\
agent: {id: gw-01}
devices:
  meter-1:
    driver: fake
    url: fake://10.0.0.5
    template: ./meter.yaml
    parameters: {ct: 40}
"""
SHIPPED = {"fake": replace(DRIVERS["fake"], templates={"fake-meter": METER, "other": "tags: {a: {address: 1}}"})}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "meter.yaml").write_text(METER)
    return tmp_path


def told(folder: Path, site: str, template: str = METER, **environ: str) -> list[str]:
    """The mistakes, without the folder."""
    (folder / "meter.yaml").write_text(template)
    return [str(one).replace(f"{folder}/", "") for one in mistakes_of(folder, site, SHIPPED, **environ)]


def device(folder: Path, site: str = SITE, **environ: str) -> Any:
    return site_of(folder, site, SHIPPED, **environ).devices["meter-1"]


# -- what becomes of it --------------------------------------------------------------------------


def test_a_template_gives_device_keys_and_tags_with_parameters_put_in(folder: Path) -> None:
    meter = device(folder)
    assert (meter.poll, meter.retries, meter.url) == (2_000_000_000, 3, "fake://10.0.0.5")
    assert list(meter.tags) == ["volt", "amp", "watt"]
    assert [tag.address for tag in meter.tags.values()] == [10, 11, 12]
    assert (meter.tags["amp"].scale, meter.tags["volt"].deadband) == (0.04, 0.5)


def test_a_shipped_template_is_used_by_its_name(folder: Path) -> None:
    assert device(folder, replaced(SITE, "./meter.yaml", "fake-meter")) == device(folder)


def test_keys_of_the_site_file_win_and_those_of_a_tag_one_by_one(folder: Path) -> None:
    meter = device(folder, SITE + """\
    retries: 0
    tags:
      amp: {deadband: 0.2}
      volt: {address: 77}
      more: {address: 9}
""")  # fmt: skip
    assert (meter.retries, meter.poll) == (0, 2_000_000_000)
    assert list(meter.tags) == ["volt", "amp", "watt", "more"]
    assert (meter.tags["amp"].address, meter.tags["amp"].deadband, meter.tags["amp"].unit) == (11, 0.2, "A")
    assert (meter.tags["volt"].address, meter.tags["volt"].unit) == (77, "V")


@pytest.mark.parametrize("nothing", ["off", "null", "", "~"])
def test_a_tag_set_to_nothing_is_left_out(folder: Path, nothing: str) -> None:
    meter = device(folder, f"{SITE}    tags:\n      volt: {nothing}\n      watt: {nothing}\n")
    assert list(meter.tags) == ["amp"]


def test_a_tag_on_one_line_replaces_the_templates(folder: Path) -> None:
    meter = device(folder, f"{SITE}    tags: {{volt: at 5, watt: at 6}}\n")
    assert [(tag.address, tag.unit) for tag in meter.tags.values()] == [(5, ""), (11, "A"), (6, "")]


def test_two_devices_of_one_template_have_parameters_of_their_own(folder: Path) -> None:
    second = SITE.split("devices:\n")[1].replace("meter-1", "meter-2").replace("ct: 40", "ct: 2, base: 50")
    devices = site_of(folder, SITE + second).devices
    assert [[tag.address for tag in one.tags.values()] for one in devices.values()] == [
        [10, 11, 12], [50, 51, 52],
    ]  # fmt: skip
    assert devices["meter-2"].tags["amp"].scale == 0.002


def test_machines_know_the_tags_of_a_template(folder: Path) -> None:
    machine = """\
machines:
  press-1:
    state: {tag: meter-1.volt, map: {0: IDLE, 1: RUN}}
    counts: {total: meter-1.amp, scrap: meter-1.WATT}
    ideal_cycle: 1.2s
"""
    assert site_of(folder, SITE + machine.replace("WATT", "watt")).machines
    assert told(folder, SITE + machine.replace("WATT", "wat")) == [
        "site.yaml:11: machines.press-1.counts.scrap: 'meter-1.wat' names no tag; did you mean 'meter-1.watt'?"
    ]


def test_a_parameter_may_come_from_the_environment(folder: Path) -> None:
    assert device(folder, replaced(SITE, "40", '"${CT}"'), CT="40").tags["amp"].scale == 0.04


# -- mistakes in the site file -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("./meter.yaml", "fake-metr", "6: devices.meter-1.template: 'fake-metr' is no template of fake; did you mean "
         "'fake-meter'?"),
        ("./meter.yaml", "zzz", "6: devices.meter-1.template: 'zzz' is no template of fake; templates of fake: "
         "fake-meter, other; a file is written ./zzz.yaml"),
        ("./meter.yaml", "./none.yaml", "6: devices.meter-1.template: './none.yaml' cannot be read (No such file or "
         "directory); a path is relative to the site file"),
        ("./meter.yaml", "./", "6: devices.meter-1.template: './' cannot be read (Is a directory); a path is "
         "relative to the site file"),
        ("./meter.yaml", "5", "6: devices.meter-1.template: is not a text; write a file such as ./meter.yaml, or the "
         "name of a shipped one"),
        ("./meter.yaml", "", "6: devices.meter-1.template: is empty; write a file such as ./meter.yaml, or the name "
         "of a shipped one"),
        ("    template: ./meter.yaml\n", "", "6: devices.meter-1.parameters: are given, but no template"),
        ("{ct: 40}", "{ct: 40, bse: 1}", "7: devices.meter-1.parameters.bse: is no parameter of the template; did you "
         "mean 'base'?"),
        ("{ct: 40}", "{ctt: 40}", "7: devices.meter-1.parameters.ctt: is no parameter of the template; did you "
         "mean 'ct'?"),
        ("{ct: 40}", "{base: 40}", "7: devices.meter-1.parameters.ct: is missing; current ratio, see the plate"),
        ("    parameters: {ct: 40}\n", "", "3: devices.meter-1.parameters.ct: is missing; current ratio, see the "
         "plate"),
        ("{ct: 40}", "{ct: [40]}", "7: devices.meter-1.parameters.ct: is not a single value"),
        ("{ct: 40}", "{ct: }", "7: devices.meter-1.parameters.ct: is empty"),
        ("{ct: 40}", "40", "7: devices.meter-1.parameters: needs keys and values below it, not a single value or list"),
        ("{ct: 40}", "{ct: many}", "7: devices.meter-1.parameters.ct: 'many' is not a number, and the template "
         "computes <ct*0.001> with it"),
        ("{ct: 40}", "{ct: 40}\n    tags: {vol: off}", "8: devices.meter-1.tags.vol: is left out, but the template has "
         "no such tag; did you mean 'volt'?"),
        ("{ct: 40}", "{ct: 40}\n    tags: {watt: {unit: W}}", "8: devices.meter-1.tags.watt: is one line of text in "
         'the template, so it cannot be changed key by key; write the whole tag; the template has "at 12"'),
        ("{ct: 40}", "{ct: 40}\n    tags: {volt: {adress: 4}}", "8: devices.meter-1.tags.volt.adress: unknown key; did "
         "you mean 'address'?"),
        ("{ct: 40}", "{ct: 40}\n    tags: {volt: {address: 100}}", "8: devices.meter-1.tags.volt.address: '100' must "
         "be at most 99"),
        ("{ct: 40}", "{ct: 40}\n    pol: 1s", "8: devices.meter-1.pol: unknown key; did you mean 'poll'?"),
        ("{ct: 40}", "{ct: 40}\n    tags: [volt]", "8: devices.meter-1.tags: needs keys and values below it, not a "
         "single value or list"),
        ("    driver: fake\n", "", "3: devices.meter-1.driver: is missing; drivers: fake"),
    ],
)  # fmt: skip
def test_a_mistake_of_the_site_file_is_in_its_line(folder: Path, old: str, new: str, message: str) -> None:
    assert told(folder, replaced(SITE, old, new)) == [f"site.yaml:{message}"]


def test_the_rest_of_a_device_is_checked_although_its_template_is_not_there(folder: Path) -> None:
    text = replaced(SITE, "./meter.yaml", "./none.yaml").replace("fake://10", "http://10")
    machine = "machines: {m: {state: {tag: meter-1.x, map: {0: IDLE}}, counts: {total: meter-1.a, good: meter-1.b}}}\n"
    assert [" ".join(one.split(": ")[:2]) for one in told(folder, text + machine)] == [
        "site.yaml:5 devices.meter-1.url", "site.yaml:6 devices.meter-1.template", "site.yaml:8 machines.m",
    ]  # fmt: skip


# -- mistakes in the template --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("scale: <ct", "scal: <ct", "11: devices.meter-1.tags.amp.scal: unknown key; did you mean 'scale'?"),
        ("deadband: 0.5", "deadband: none", "10: devices.meter-1.tags.volt.deadband: 'none' is not a number"),
        ("retries: 3", "retries: many", "8: devices.meter-1.retries: 'many' is not a whole number"),
        ("retries: 3", "retry: 3", "8: devices.meter-1.retry: unknown key; did you mean 'retries'?"),
        ("address: <base+1>", "address: <base+99>", "11: devices.meter-1.tags.amp.address: '109' must be at most 99 "
         "(from <base+99>, base: 10)"),
        ("default: 2s", "default: 2", "7: devices.meter-1.poll: '2' needs a unit (from <pace>, pace: 2); write a text "
         "such as 500ms, 1s, 5min (durations) or 64MB (sizes)"),
        ("  volt: {address: <base>, ", "  volt: {", "10: devices.meter-1.tags.volt.address: is missing"),
        ("volt:", "Volt:", "10: devices.meter-1.tags.Volt: 'Volt' is not an id (a-z, 0-9, '-' and '_', at most 63, not "
         "starting with '-' or '_'); 'volt' would do"),
        ('"at <base+2>"', '"to <base+2>"', "12: devices.meter-1.tags.watt: 'to 12' is no fake tag (from to <base+2>, "
         "base: 10); write at 5"),
        ("about: A", "abut: A", "1: abut: unknown key, in the template of meter-1; did you mean 'about'?"),
        ("tags:", "tgs:", "9: tgs: unknown key, in the template of meter-1; did you mean 'tags'?"),
        ("about: first", "abot: first", "3: parameters.base.abot: unknown key, in the template of meter-1; did you "
         "mean 'about'?"),
        ("about: A meter that exists only here", "about: [1]", "1: about: is not a text, in the template of meter-1; "
         "put it in quotes"),
        ("{default: 2s}", "2s", "5: parameters.pace: needs keys below it, in the template of meter-1; write pace: "
         "{default: 1, about: what it is}"),
        ("{default: 2s}", "{default: [2s]}", "5: parameters.pace.default: is not a single value, in the template of "
         "meter-1; without the key default the site file must give a value"),
        ("{default: 2s}", "{default: 2s}\n  Ct-2: {default: 1}", "6: parameters.Ct-2: is no name of a parameter, in "
         "the template of meter-1; a-z, 0-9 and '_', starting with a letter, such as ct_ratio"),
        ("retries: 3", "driver: fake", "8: device.driver: does not belong into a template's device:, in the template "
         "of meter-1; the site file says it"),
        ("<base+1>", "<bas+1>", "11: tags.amp.address: '<bas+1>' <bas> names no parameter, in the template of meter-1; "
         "did you mean 'base'?"),
        ("<base+1>", "<base/1>", "11: tags.amp.address: '<base/1>' <base/1> is no placeholder, in the template of "
         "meter-1; write <base>, <base+4>, <base-1> or <ct*0.1>"),
        ("unit: A", 'unit: "${A}"', "11: tags.amp.unit: '${A}' ${…} is not replaced in a template, in the template of "
         "meter-1; make it a parameter and write ${…} in the site file"),
        ("  retries: 3", "  retries: 3\n  retries: 4", "9: device.retries: is written twice, in the template of "
         "meter-1; the first is in line 8"),
        (METER, "", "1: template: is empty, in the template of meter-1; keys: about, parameters, device, tags"),
        (METER, "- a", "1: template: is no template: its top level has no keys, in the template of meter-1; keys: "
         "about, parameters, device, tags"),
        (METER, "tags: [a]", "1: tags: needs keys and values below it, not a single value or list, in the template of "
         "meter-1"),
        (METER, "tags: {a: b: c}", "1: YAML: expected ',' or '}', but got ':', in the template of meter-1; while "
         "parsing a flow mapping in line 1"),
    ],
)  # fmt: skip
def test_a_mistake_of_the_template_is_in_its_line(folder: Path, old: str, new: str, message: str) -> None:
    [mistake] = told(folder, SITE, replaced(METER, old, new))
    assert mistake == f"meter.yaml:{message}"


def test_a_default_that_is_no_number_is_a_mistake_of_the_template(folder: Path) -> None:
    template = replaced(METER, "{about:", "{default: many, about:")
    [mistake] = told(folder, replaced(SITE, "    parameters: {ct: 40}\n", ""), template)
    assert mistake.startswith("meter.yaml:4: devices.meter-1.template.parameters.ct.default: 'many' is not a number")


def test_a_wrong_value_of_a_shipped_template_names_it(folder: Path) -> None:
    site = replaced(SITE, "./meter.yaml", "fake-meter").replace("ct: 40", "ct: 40, base: 98")
    assert told(folder, site) == [
        "fake-meter.yaml (shipped with fake):12: devices.meter-1.tags.watt: 'at 100' address: must be at most 99 "
        "(from at <base+2>, base: 98)"
    ]


def test_mistakes_of_a_template_are_told_once_and_after_those_of_the_site_file(folder: Path) -> None:
    second = SITE.split("devices:\n")[1].replace("meter-1", "meter-2")
    site = replaced(SITE, "fake://", "http://") + second
    mistakes = told(folder, site, METER + "tag: 1\n")
    assert [one.partition(": ")[0] for one in mistakes] == ["site.yaml:5", "meter.yaml:13"]


def test_a_template_in_another_encoding_is_refused(folder: Path) -> None:
    (folder / "meter.yaml").write_bytes("about: Zähler".encode("latin-1"))
    [mistake] = mistakes_of(folder, SITE)
    assert (mistake.line, mistake.message) == (6, "is not a text in UTF-8")


def test_no_message_shows_a_parameter_that_came_from_the_environment(folder: Path) -> None:
    site = replaced(SITE, "ct: 40", 'ct: 1, pace: "${PACE}", base: "${BASE}"')
    mistakes = told(folder, site, PACE="swordfish", BASE="6543")
    assert [one.partition(": ")[0] for one in mistakes][:2] == ["meter.yaml:7", "meter.yaml:10"]
    assert not [one for one in mistakes if "swordfish" in one or "654" in one]
    assert "(from <pace>, pace: ${PACE})" in mistakes[0]


def test_no_message_shows_what_the_environment_put_into_a_templates_name(folder: Path) -> None:
    site = replaced(SITE, "./meter.yaml", '"./${NAME}.yaml"')
    [mistake] = told(folder, site, METER + "tag: 1\n", NAME="meter")
    assert mistake == "./${NAME}.yaml:13: tag: unknown key, in the template of meter-1; did you mean 'tags'?"
    [mistake] = told(folder, site, NAME="swordfish")
    assert mistake.startswith("site.yaml:6: devices.meter-1.template: './${NAME}.yaml' cannot be read")


def test_an_unset_variable_in_a_parameter_is_one_mistake(folder: Path) -> None:
    assert told(folder, replaced(SITE, "40", '"${CT}"')) == [
        "site.yaml:7: devices.meter-1.parameters.ct: '${CT}' environment variable CT is not set"
    ]


# -- whatever it holds ---------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(
    ["<base>", "<base+4>", "<ct*vt>", "<>", "<base", "off", "at 5", "at <ct>", "1s", "${A}", "<ct*1e9>"]
)  # fmt: skip
NAMES = st.sampled_from(["base", "ct", "default", "about", "tags", "device", "address", "unit", "driver", "poll"])
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4))
TEMPLATES = (
    st.text(max_size=40)
    | TREES.map(lambda tree: f"{tree!r}".replace("None", "null"))
    | st.fixed_dictionaries({}, optional={"about": TREES, "parameters": TREES, "device": TREES, "tags": TREES})
    .map(repr).map(lambda text: text.replace("None", "null"))
)  # fmt: skip


def loads_or_says_why(path: Path) -> None:
    try:
        load(path, SHIPPED, PUBLISHERS, {})
    except ConfigError as error:
        mistakes = error.mistakes
    else:
        return
    assert mistakes
    assert all(mistake.line > 0 and mistake.file for mistake in mistakes)


@settings(max_examples=150, deadline=None)
@given(TEMPLATES, TREES.map(repr), TREES.map(repr))
def test_no_template_and_no_parameters_make_loading_fail_in_another_way(
    tmp_path_factory: pytest.TempPathFactory, template: str, parameters: str, tags: str
) -> None:
    folder = tmp_path_factory.mktemp("site")
    (folder / "meter.yaml").write_text(template, "utf-8", "surrogatepass")
    parameters, tags = (text.replace("None", "null") for text in (parameters, tags))
    site = replaced(SITE, "{ct: 40}", parameters) + f"    tags: {tags}\n"
    path = folder / "site.yaml"
    path.write_text(site, "utf-8", "surrogatepass")
    loads_or_says_why(path)


DAMAGE = ["", "x", ": ", "[", "{", "}", " 5", "<", ">", "<base", "&a", "*a", "~", "-", '"', "<<: "]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_damaged_template_makes_loading_fail_in_another_way(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = METER
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(st.sampled_from(DAMAGE)) + text[at + data.draw(st.integers(0, 5)) :]
    folder = tmp_path_factory.mktemp("site")
    (folder / "meter.yaml").write_text(text)
    (folder / "site.yaml").write_text(SITE)
    loads_or_says_why(folder / "site.yaml")
