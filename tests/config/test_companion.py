"""Machines whose state comes from a companion specification: tags by role, and instances without a tag list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from companion_files import FAKES, PLC, REAL, ROLES, SHORT, SITE, fake, real
from site_files import mistakes_of, replaced, site_of, told

from edge_agent.config import Site, machine_specs, plant
from edge_agent.config.companion import COUNTS, STATE
from edge_agent.config.state import FORMS
from edge_agent.core.asset_class import IDENTITY, SCRAP, TOTAL
from edge_agent.core.asset_class import STATE as STATE_FACT
from edge_agent.core.models.machinery import MachineryModel
from edge_agent.core.models.machinetool import MachinetoolModel
from edge_agent.core.models.packml import PackmlModel


def written(site: Site, device: str) -> dict[str, dict[str, Any]]:
    return {name: tag.model_dump(exclude_unset=True) for name, tag in site.devices[device].tags.items()}


# -- an instance brings its tags ---------------------------------------------------------------------


def test_a_packml_unit_brings_its_tags_with_the_paths_of_its_specification(tmp_path: Path) -> None:
    node = "/Objects/2:Filler1"
    base = "BaseStateMachine"
    assert written(site_of(tmp_path, fake(SITE), FAKES), "filler") == {
        "filler-1-state": {"node": node, "path": f"{base}/CurrentState"},
        "filler-1-machine-state": {"node": node, "path": f"{base}/MachineState/CurrentState", "optional": True},
        "filler-1-execute-state": {
            "node": node, "path": f"{base}/MachineState/ExecuteState/CurrentState", "optional": True,
        },
        "filler-1-mode": {"node": node, "path": "Status/UnitModeCurrent"},
        "filler-1-starved": {"node": node, "path": "Status/EquipmentStarved"},
        "filler-1-blocked": {"node": node, "path": "Status/EquipmentBlocked"},
        "filler-1-stop-reason": {"node": node, "path": "Admin/StopReason#Message", "optional": True},
        "filler-1-total": {"node": node, "path": "Admin/ProdProcessedCount#AccCount", "index": 0},
        "filler-1-scrap": {"node": node, "path": "Admin/ProdDefectiveCount#AccCount", "index": 0},
    }  # fmt: skip


def test_machines_of_40001_and_40501_bring_theirs_beside_those_that_are_there(tmp_path: Path) -> None:
    machine, tool = "nsu=http://acme.example/cnc/;s=Machine", "/Objects/Machines/CNC8"
    blocks = "MachineryBuildingBlocks"
    tags = written(site_of(tmp_path, fake(SITE), FAKES), "cnc-7")
    assert list(tags)[:2] == ["total", "scrap"]
    assert {name: tag for name, tag in tags.items() if name not in ("total", "scrap")} == {
        "cnc-7-state": {"node": machine, "path": f"{blocks}/MachineryItemState/CurrentState"},
        "cnc-7-mode": {"node": machine, "path": f"{blocks}/MachineryOperationMode/CurrentState", "optional": True},
        "cnc-8-state": {"node": tool, "path": f"{blocks}/MachineryItemState/CurrentState", "optional": True},
        "cnc-8-mode": {"node": tool, "path": f"{blocks}/MachineryOperationMode/CurrentState", "optional": True},
        "cnc-8-channel": {"node": tool, "path": "Monitoring/Channel*/ChannelState", "optional": True},
        "cnc-8-operation-mode": {"node": tool, "path": "Monitoring/MachineTool/OperationMode", "optional": True},
    }


def test_the_real_driver_understands_every_tag_that_is_brought(tmp_path: Path) -> None:
    site = real(tmp_path, SITE)
    assert [len(device.tags) for device in site.devices.values()] == [9, 8]


def test_every_role_that_is_brought_is_one_of_the_state_model(tmp_path: Path) -> None:
    site = real(tmp_path, SITE)
    table = site.tag_table()
    models = (PackmlModel(), MachineryModel(), MachinetoolModel())
    for spec, model in zip(machine_specs(site, table), models, strict=True):
        assert spec.model == model
        assert spec.state is None
        assert set(spec.inputs) <= {one.role for one in model.inputs}
        assert {tag.id for tag in spec.tags()} == set(site.machines[spec.id].tags())
    assert set(STATE) == set(FORMS)


def test_the_core_gets_a_model_its_inputs_and_counters(tmp_path: Path) -> None:
    site = real(tmp_path, SITE)
    filler = machine_specs(site, site.tag_table())[0]
    assert {role: tag.id for role, tag in filler.inputs.items()} == {
        one.role: f"filler.filler-1-{one.role.replace('_', '-')}" for one in STATE["packml"]
    }
    assert {source: tag.id for source, tag in filler.counts.items()} == {
        one.role: f"filler.filler-1-{one.role}" for one in COUNTS["packml"]
    }
    assert filler.counters["total"]().bits == 32


def test_counts_that_are_written_take_the_place_of_those_of_the_unit(tmp_path: Path) -> None:
    text = replaced(SITE, SHORT, SHORT + "\n    counts: {total: cnc-7.total, scrap: cnc-7.scrap}")
    site = real(tmp_path, text)
    assert site.machines["filler-1"].counts.tags() == {"total": "cnc-7.total", "scrap": "cnc-7.scrap"}
    assert "filler-1-total" not in site.devices["filler"].tags


def test_an_instance_of_a_device_with_a_template_gets_its_tags_too(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text('tags:\n  extra: {node: "ns=2;s=Extra"}\n')
    text = fake(replaced(SITE, '"opc.tcp://10.0.0.9:4840"}', '"opc.tcp://10.0.0.9:4840", template: ./t.yaml}'))
    tags = site_of(tmp_path, text, FAKES).devices["filler"].tags
    assert [*tags][:2] == ["extra", "filler-1-state"]


def test_a_device_of_an_instance_tells_state_and_counts(tmp_path: Path) -> None:
    site = real(tmp_path, SITE)
    told = {asset.id: set(asset.told) for asset in plant(site, site.tag_table()).assets}
    assert told["filler"] >= {IDENTITY, STATE_FACT, TOTAL, SCRAP}


# -- tags of any driver, by role -----------------------------------------------------------------------


def test_tags_of_any_driver_may_be_the_inputs(tmp_path: Path) -> None:
    site = site_of(tmp_path, PLC)
    [spec] = machine_specs(site, site.tag_table())
    assert spec.model == PackmlModel("opc-30060")
    assert {role: tag.id for role, tag in spec.inputs.items()} == {
        "state": "plc.state", "mode": "plc.mode", "starved": "plc.starved",
    }  # fmt: skip
    for form, model in (("machinery", MachineryModel()), ("machinetool", MachinetoolModel())):
        site = site_of(tmp_path, replaced(PLC, ROLES, f"{{{form}: {{state: plc.state}}, dwell: 2s}}"))
        [spec] = machine_specs(site, site.tag_table())
        assert (spec.model, spec.dwell_ns) == (model, 2_000_000_000)


def test_texts_need_no_numbering(tmp_path: Path) -> None:
    site = site_of(tmp_path, replaced(PLC, ROLES, "{packml: {state: plc.name}}"))
    assert machine_specs(site, site.tag_table())[0].model == PackmlModel("")


# -- mistakes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("device: filler,", "device: filer,",
         "12: machines.filler-1.packml.device: 'filer' names no device; did you mean 'filler'?"),
        (SHORT, "{device: filler}", "12: machines.filler-1.packml.node: is missing"),
        (SHORT, '{node: "/Objects/2:Filler1"}', "12: machines.filler-1.packml.device: is missing"),
        (SHORT, '{device: filler, nod: "/Objects/2:Filler1"}',
         "12: machines.filler-1.packml.nod: unknown key; did you mean 'node'?"),
        (SHORT, '{device: filler, node: ""}', "12: machines.filler-1.packml.node: must have at least 1 characters"),
        (SHORT, "filler", "12: machines.filler-1.packml: 'filler' needs keys and values below it, "
         "not a single value or list"),
        (SHORT, SHORT + "\n    state: {tag: cnc-7.total, map: {1: RUN}}",
         "12: machines.filler-1.packml: and state: exclude each other; remove one of the two"),
        (SHORT, SHORT + "\n    machinery: " + SHORT,
         "12: machines.filler-1.packml: and machinery: exclude each other; remove one of the two"),
        ("packml:", "pakml:", "12: machines.filler-1.pakml: unknown key; did you mean 'packml'?"),
        ("    counts: {total: cnc-7.total, scrap: cnc-7.scrap}\n", "",
         "14: machines.cnc-7.counts: is missing; OPC 40001-1 knows no piece counters; "
         "write counts: {total: device.tag, scrap: device.tag}"),
        ("      total: {node", '      cnc-7-mode: {node: "ns=2;s=Mode"}\n      total: {node',
         "16: machines.cnc-7.machinery: adds the tag cnc-7-mode, and devices.cnc-7.tags has one of that name; "
         "rename that tag, or the machine"),
        ('"/Objects/2:Filler1"', '"${NODE}"',
         "12: machines.filler-1.packml.node: '${NODE}' environment variable NODE is not set"),
    ],
)  # fmt: skip
def test_a_mistake_about_an_instance_is_named_where_it_is(tmp_path: Path, old: str, new: str, message: str) -> None:
    found = told(mistakes_of(tmp_path, fake(replaced(SITE, old, new)), FAKES))
    if "pakml" in new or "nod:" in new:
        assert message in found
    else:
        assert found == [message]


def test_a_device_of_another_driver_has_no_instances(tmp_path: Path) -> None:
    text = PLC + "  other: {packml: {device: plc, node: x}, ideal_cycle: 1s}\n"
    assert told(mistakes_of(tmp_path, text)) == [
        "18: machines.other.packml.device: 'plc' names a device of driver fake; only opcua devices have instances; "
        "write state: {packml: …} with a tag for each input"
    ]


def test_a_wrong_node_is_told_in_the_line_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(replaced(SITE, "/Objects/2:Filler1", "Filler1"))
    found = told(mistakes_of(tmp_path, replaced(SITE, "/Objects/2:Filler1", "Filler1"), REAL))
    assert found
    assert all(one.startswith("12: devices.filler.tags.filler-1-") for one in found)


def test_what_a_variable_put_in_is_not_shown_by_the_tags_it_gave(tmp_path: Path) -> None:
    text = replaced(SITE, "/Objects/2:Filler1", "${NODE}")
    found = told(mistakes_of(tmp_path, text, REAL, NODE="secret-name"))
    assert found
    assert "secret-name" not in str(found)


def test_an_id_too_long_for_its_tags_is_told_once(tmp_path: Path) -> None:
    name = "f" * 60
    [found] = told(mistakes_of(tmp_path, fake(SITE.replace("filler-1", name)), FAKES))
    assert found.startswith(f"12: machines.{name}.packml: adds the tag {name}-state, whose name is too long: 66")


def test_one_machine_may_not_take_the_names_of_another_ones_tags(tmp_path: Path) -> None:
    text = SITE + "  cnc-7-x: {machinery: {device: cnc-7, node: i=1}, counts: {total: cnc-7.total, scrap: cnc-7.scrap}"
    text = text.replace("cnc-7-x", "filler-1-machine") + ", ideal_cycle: 1s}\n"
    text = text.replace("machinery: {device: cnc-7, node: i=1}", "machinery: {device: filler, node: i=1}")
    [found] = told(mistakes_of(tmp_path, fake(text), FAKES))
    assert "adds the tag filler-1-machine-state" in found


@pytest.mark.parametrize(
    ("new", "messages"),
    [
        ("{packml: {state: plc.state}}",
         ["15: machines.packer.state.packml.numbering: is missing: plc.state has numbers; two specifications number "
          "the states differently; write one of opc-30050, opc-30060"]),
        ("{packml: {state: plc.state, numbering: opc-30051}}",
         ["15: machines.packer.state.packml.numbering: 'opc-30051' is not one of opc-30050, opc-30060; "
          "did you mean 'opc-30050'?"]),
        ("{packml: {mode: plc.mode}}", ["15: machines.packer.state.packml.state: is missing"]),
        ("{packml: {state: plc.name, starved: plc.name}}",
         ["15: machines.packer.state.packml.starved: 'plc.name' is a text tag, a number is needed here"]),
        ("{packml: {state: plc.nam}}",
         ["15: machines.packer.state.packml.state: 'plc.nam' names no tag; did you mean 'plc.name'?"]),
        ("{machinery: {state: plc.state, mod: plc.mode}}",
         ["15: machines.packer.state.machinery.mod: unknown key; did you mean 'mode'?"]),
        ("{machinetool: {mode: plc.mode}}",
         ["15: machines.packer.state.machinetool: needs at least one of state, program, channel; "
          "each is a device.tag"]),
        ("{tag: plc.state, map: {0: RUN}, machinery: {state: plc.state}}",
         ["15: machines.packer.state.machinery: and tag and map: exclude each other; remove one of the two"]),
        ("{machinery: {state: plc.state}, machinetool: {state: plc.state}}",
         ["15: machines.packer.state.machinery: and machinetool: exclude each other; remove one of the two"]),
        ("{machinery: {state: plc.state}, default: RUN}",
         ["15: machines.packer.state.machinery: and default: exclude each other; remove one of the two"]),
        ("{dwell: 1s}", ["15: machines.packer.state: needs a tag and a map; or one of packml, machinery, machinetool, "
                         "mtconnect, euromap, stacklight, power, pace, sources"]),
        ("{tga: plc.state, map: {0: RUN}}", ["15: machines.packer.state.tga: unknown key; did you mean 'tag'?"]),
    ],
)  # fmt: skip
def test_a_mistake_about_the_inputs_is_named_where_it_is(tmp_path: Path, new: str, messages: list[str]) -> None:
    assert told(mistakes_of(tmp_path, replaced(PLC, ROLES, new))) == messages
