"""The samples, the reference and the schema, with the drivers and the publisher that are shipped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import edge_agent.config
import edge_agent_modbus
import edge_agent_modbus.serving.server
import edge_agent_opcua
import edge_agent_simulated
from edge_agent import registry
from edge_agent.api import ConfigError, DeviceConfig, PublishConfig, ServeConfig, TagConfig, WriteConfig
from edge_agent.config import Site, machine_specs, sample, samples, schema
from edge_agent.config.counts import PulseModel
from edge_agent.config.fields import is_model, keys_of, members, step
from edge_agent.north import mqtt
from edge_agent.platforms import json
from edge_agent_modbus.serving.server_config import ModbusServe
from edge_agent_modbus.serving.shown import ShownModel

SHIPPED = (edge_agent_modbus.plugin, edge_agent_opcua.plugin, edge_agent_simulated.plugin)
DRIVERS = {plugin.name: plugin for plugin in SHIPPED}
PUBLISHERS = {"mqtt": mqtt.plugin}
PROFILES = {"json": json.plugin}
SERVERS = {"modbus": edge_agent_modbus.serving.server.plugin}
load = partial(edge_agent.config.load, servers=SERVERS)
ENVIRON = MappingProxyType({"MQTT_PASSWORD": "a-password"})
OF_THE_LOADER = {"devices.<id>": ("template", "parameters")}    # replaced before any model sees them
CONFIGS = Path(__file__).parents[2] / "configs"
OURS = ["meters", "minimal", "modbus", "opcua", "simulated", "two-shift-line"]


def keys_in(tmp_path: Path, text: str) -> list[tuple[int, str, str]]:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load(path, DRIVERS, PUBLISHERS, ENVIRON, PROFILES)
    return [(mistake.line, mistake.key, mistake.hint) for mistake in raised.value.mistakes]


@pytest.mark.parametrize("name", OURS)
def test_every_sample_loads_and_reaches_the_core(name: str) -> None:
    site = load(CONFIGS / f"{name}.yaml", DRIVERS, PUBLISHERS, ENVIRON, PROFILES)
    table = site.tag_table()
    assert len(machine_specs(site, table)) == len(site.machines) >= 1
    for device_id, device in site.devices.items():
        assert list(DRIVERS[device.driver].describe(device_id, device, table.device_tags(device_id)))


def test_the_samples_are_the_files_of_configs() -> None:
    assert set(OURS) <= set(samples()) == {path.stem for path in CONFIGS.glob("*.yaml")}
    assert sample("minimal") == (CONFIGS / "minimal.yaml").read_text("utf-8")


def test_a_sample_that_does_not_exist_names_those_that_do() -> None:
    with pytest.raises(KeyError, match="minimal"):
        sample("../../etc/passwd")


@pytest.mark.parametrize("plugin", DRIVERS.values(), ids=lambda plugin: str(plugin.name))
def test_the_sample_of_every_driver_loads(tmp_path: Path, plugin: Any) -> None:
    section = "\n".join(f"    {line}" for line in plugin.sample.splitlines())
    path = tmp_path / "site.yaml"
    path.write_text(f"agent: {{id: gw-01}}\ndevices:\n  device:\n{section}\n")
    site = load(path, DRIVERS, PUBLISHERS, {"PLC_PASSWORD": "x"}, PROFILES)
    assert site.devices["device"].driver == plugin.name


def test_mistakes_of_real_drivers_are_in_their_lines(tmp_path: Path) -> None:
    text = sample("modbus").replace('"holding:0"', '"holdin:0"').replace("type: int16", "type: int15")
    text = text.replace("poll: 10s", "pol: 10s")
    lines = text.splitlines()
    written = ("holdin:", "int15", "pol: ")
    wrong = [next(n for n, line in enumerate(lines, 1) if what in line) for what in written]
    keys = ["devices.press-1.tags.state.address", "devices.press-1.tags.temp.type", "devices.meter-1.pol"]
    found = keys_in(tmp_path, text)
    assert [(line, key) for line, key, _ in found] == list(zip(wrong, keys, strict=True))
    assert found[2][2] == "did you mean 'poll'?"


def test_a_signal_that_does_not_exist_is_named(tmp_path: Path) -> None:
    text = sample("simulated").replace("signal: sine", "signal: sin").replace("signal: walk, ", "")
    text = text.replace("poll: 500ms", "pol: 500ms")
    assert [(key, hint) for _, key, hint in keys_in(tmp_path, text)] == [
        ("devices.toy-1.tags.temp.signal", "did you mean 'sine'?"),
        ("devices.toy-2.tags.current.signal", ""),
    ]


def test_a_mistake_in_a_signal_is_named_without_the_signal(tmp_path: Path) -> None:
    text = sample("simulated").replace("poll: 500ms", "pol: 500ms").replace("every: 90s", "every: 90")
    assert [key for _, key, _ in keys_in(tmp_path, text)] == [
        "devices.toy-1.tags.scrap.every", "devices.toy-2.tags.current.pol",
    ]  # fmt: skip


def test_counters_are_as_wide_as_the_drivers_say() -> None:
    site = load(CONFIGS / "simulated.yaml", DRIVERS, PUBLISHERS, ENVIRON, PROFILES)
    assert site.counter("toy-2", "good").bits == 16
    site = load(CONFIGS / "two-shift-line.yaml", DRIVERS, PUBLISHERS, ENVIRON, PROFILES)
    assert site.counter("press-1", "total").bits == 32


def test_a_bad_node_id_and_a_bad_key_of_a_login_are_in_their_lines(tmp_path: Path) -> None:
    text = sample("opcua").replace("ns=2;i=1003", "ns=2;1003").replace("# login: {user:", "login: {usr:")
    text = text.replace("${CNC7_PASSWORD}", "${MQTT_PASSWORD}")
    assert [key for _, key, _ in keys_in(tmp_path, text)] == [
        "devices.cnc-7.login.usr", "devices.cnc-7.login", "devices.cnc-7.tags.bad.node",
    ]  # fmt: skip


def test_a_password_in_the_clear_to_another_machine_is_a_mistake_of_its_destination(tmp_path: Path) -> None:
    text = sample("two-shift-line").replace("mqtts://", "mqtt://")
    assert [key for _, key, _ in keys_in(tmp_path, text)] == ["publish.platform"]


def test_an_unset_variable_is_found_before_anything_starts() -> None:
    with pytest.raises(ConfigError, match="environment variable MQTT_PASSWORD is not set"):
        load(CONFIGS / "two-shift-line.yaml", DRIVERS, PUBLISHERS, {}, PROFILES)


DAMAGE = ["", "x", ": ", "[", "{", "}", " 5", "${A}", "&a", "*a", "~", "-", '"']


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damaged_site_file_makes_loading_fail_in_another_way(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lines = sample(data.draw(st.sampled_from(OURS))).splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        cut = data.draw(st.integers(0, len(lines[at])))
        put = data.draw(st.sampled_from(DAMAGE))
        rest = data.draw(st.sampled_from(["", lines[at][cut:], lines[at][cut + 1 :]]))
        lines[at] = lines[at][:cut] + put + rest
    path = tmp_path_factory.mktemp("site") / "site.yaml"
    path.write_text("\n".join(lines))
    try:
        load(path, DRIVERS, PUBLISHERS, ENVIRON, PROFILES)
    except ConfigError as error:
        mistakes = error.mistakes
    else:
        return
    assert mistakes
    assert all(mistake.line > 0 and mistake.file for mistake in mistakes)


def tables(markdown: str) -> Iterator[tuple[str, list[str]]]:
    """Each heading of the reference with the keys of its table."""
    for part in re.split(r"^### ", markdown, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        yield heading.strip("`"), re.findall(r"^\| `([^`]+)` \|", body, flags=re.MULTILINE)


def sections(model: type[BaseModel], way: str) -> Iterator[tuple[str, list[str]]]:
    """Each section of the model, named as the reference names it, with its keys."""
    if way:
        yield way, list(keys_of(model))
    for name, annotation in keys_of(model).items():
        for member in members(annotation):
            below = f"{way}.{name}" if way else name
            if way.endswith("state.sources[]"):
                continue    # as below state
            if is_model(member):
                # A pulse is the same whatever it counts: told once.
                yield from sections(member, f"{way}.<source>" if member is PulseModel else below)
                continue
            for inner in (one for below_it in step(member, name) for one in members(below_it)):
                if is_model(inner):
                    named = "<name>" if name in ("products", "shifts") else "<id>"
                    yield from sections(inner, f"{below}.{named}")
            for inner in step(member, 0) if not isinstance(member, type) else ():
                if is_model(inner):
                    yield from sections(inner, f"{below}[]")


def documented() -> Mapping[str, list[str]]:
    return dict(tables((CONFIGS / "README.md").read_text("utf-8")))


def test_every_key_of_the_site_file_is_documented() -> None:
    found = dict(sections(Site, ""))
    assert set(found) > {"agent", "devices.<id>.tags.<id>", "calendars.<id>.shifts.<name>.breaks[]", "ring"}
    for section, keys in found.items():
        told = [key for key in documented().get(section, ()) if key not in OF_THE_LOADER.get(section, ())]
        assert told == keys, f"configs/README.md, section {section}"


def test_nothing_is_documented_that_does_not_exist() -> None:
    of_publishers = {f"publish.<id>` of type {name}" for name in registry.publishers()}
    own = [name for name, plugin in registry.profiles().items() if keys_of(plugin.config)]
    of_profiles = {f"publish.<id>` with profile `{name}" for name in own}
    of_plugins = {"devices.<id>.tags.<id>.write", *of_publishers, *of_profiles}
    assert set(documented()) == {*dict(sections(Site, "")), *of_plugins}


@pytest.mark.parametrize("name", registry.publishers())
def test_every_key_of_a_publisher_is_documented(name: str) -> None:
    shared = set(keys_of(PublishConfig)) - {"url"}      # told once, for all of them
    keys = [key for key in keys_of(registry.publishers()[name].config) if key not in shared]
    assert sorted(documented()[f"publish.<id>` of type {name}"]) == sorted(keys)


@pytest.mark.parametrize("name", registry.profiles())
def test_every_key_of_a_profile_is_documented(name: str) -> None:
    keys = keys_of(registry.profiles()[name].config)
    assert sorted(documented().get(f"publish.<id>` with profile `{name}", ())) == sorted(keys)


def test_what_every_driver_shares_is_what_the_reference_says() -> None:
    driver, url, tags = keys_of(DeviceConfig)
    assert documented()["devices.<id>"] == [driver, url, *OF_THE_LOADER["devices.<id>"], tags]
    assert documented()["devices.<id>.tags.<id>"] == list(keys_of(TagConfig))
    assert documented()["devices.<id>.tags.<id>.write"] == list(keys_of(WriteConfig))
    assert documented()["publish.<id>"] == list(keys_of(PublishConfig))
    assert documented()["serve.<id>"] == list(keys_of(ServeConfig))


def test_every_key_of_the_modbus_server_is_documented_on_its_page() -> None:
    page = (CONFIGS.parent / "drivers" / "edge_agent_modbus" / "README.md").read_text("utf-8")
    told = re.findall(r"^\| `([^`]+)` \|", page.partition("## As a server")[2], flags=re.MULTILINE)
    assert set(told) >= {*keys_of(ModbusServe), *keys_of(ShownModel)}


DOCUMENT = schema(DRIVERS, PUBLISHERS, SERVERS, PROFILES)


def referred(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value.removeprefix("#/$defs/")
            else:
                yield from referred(value)
    elif isinstance(node, list):
        for item in node:
            yield from referred(item)


def test_the_schema_is_one_json_document_with_all_it_refers_to() -> None:
    assert orjson.loads(orjson.dumps(DOCUMENT)) == DOCUMENT
    assert set(referred(DOCUMENT)) == set(DOCUMENT["$defs"])


def test_the_schema_knows_every_driver_and_its_keys() -> None:
    devices = DOCUMENT["properties"]["devices"]["additionalProperties"]
    assert devices["properties"]["driver"]["enum"] == list(DRIVERS)
    for rule, config in zip(devices["allOf"], (plugin.config for plugin in DRIVERS.values()), strict=True):
        for way, more in (("else", set[str]()), ("then", {"template", "parameters"})):
            section = DOCUMENT["$defs"][rule["then"][way]["$ref"].removeprefix("#/$defs/")]
            assert set(section["properties"]) == set(keys_of(config)) | more
            assert section["properties"]["driver"]["const"] == rule["if"]["properties"]["driver"]["const"]
            assert section["additionalProperties"] is False


DEVICES = jsonschema.Draft202012Validator({**DOCUMENT["properties"]["devices"], "$defs": DOCUMENT["$defs"]})
METER = {"driver": "modbus", "template": "eastron-sdm630"}
TOY = {"driver": "simulated", "template": "./toy.yaml"}


@pytest.mark.parametrize(
    ("device", "fits"),
    [
        (METER, True),
        ({**METER, "url": "modbus+tcp://10.0.0.5", "parameters": {"poll": "1s"}}, True),
        ({**METER, "tags": {"power": {"deadband": 5}, "power_l1": "off", "power_l2": None}}, True),
        ({**METER, "tags": {"power": {"deadbnd": 5}}}, False),
        ({**METER, "parameters": [1]}, False),
        ({**METER, "pol": "1s"}, False),
        ({**TOY, "tags": {"temp": {"unit": "Cel"}}}, True),
        ({**TOY, "tags": {"temp": {"signal": "sine", "hi": 1}}}, False),
        ({"driver": "modbus"}, False),
        ({"driver": "modbus", "url": "modbus+tcp://10.0.0.5", "tags": {"power": {"deadband": 5}}}, False),
        ({"driver": "modbus", "url": "modbus+tcp://10.0.0.5", "parameters": {}}, False),
    ],
)
def test_the_schema_lets_a_template_give_what_else_must_be_written(device: Any, fits: bool) -> None:
    assert DEVICES.is_valid({"device": device}) is fits


def test_the_schema_says_durations_as_they_are_written() -> None:
    micro_stop = DOCUMENT["$defs"]["MachineModel"]["properties"]["micro_stop"]
    assert micro_stop["type"] == "string"
    assert re.fullmatch(micro_stop["pattern"], "300s")
    assert "default" not in micro_stop
    assert "5min" in micro_stop["description"]
    assert "default" in DOCUMENT["$defs"]["StateModel"]["properties"]


def test_every_key_of_ours_is_described_in_the_schema() -> None:
    ours = [name for name in DOCUMENT["$defs"] if name.endswith("Model")]
    bare = [
        f"{name}.{key}"
        for name in ours
        for key, value in DOCUMENT["$defs"][name]["properties"].items()
        if not value.get("description")
    ]
    assert bare == []
