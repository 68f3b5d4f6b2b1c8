"""What the config hash and the JSON Schema know of machines of companion specifications."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from companion_files import FAKES, PLC, ROLES, SITE, fake
from site_files import PROFILES, PUBLISHERS, replaced, site_of

from edge_agent.config import schema
from edge_agent.config.state import FORMS, StateModel


def hash_of(folder: Path, text: str, machine: str = "filler-1") -> str:
    return site_of(folder, fake(text), FAKES).config_hash(machine)


def test_the_hash_does_not_know_where_the_instance_is_nor_how_the_machine_is_called(tmp_path: Path) -> None:
    before = hash_of(tmp_path, SITE)
    assert hash_of(tmp_path, SITE.replace("filler-1", "filler-9"), "filler-9") == before
    assert hash_of(tmp_path, replaced(SITE, "2:Filler1", "2:Filler2")) == before
    assert hash_of(tmp_path, replaced(SITE, "0.5s", "0.6s")) != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("opc-30060", "opc-30050"),
        (", starved: plc.starved", ""),
        ("starved: plc.starved", "blocked: plc.starved"),
        ("mode: plc.mode", "mode: plc.starved"),
        ("opc-30060}}", "opc-30060}, dwell: 1s}"),
        ("state: {address: 0}", "state: {address: 0, scale: 2}"),
    ],
)
def test_the_hash_changes_with_what_the_inputs_mean(tmp_path: Path, old: str, new: str) -> None:
    before = site_of(tmp_path, PLC).config_hash("packer")
    assert site_of(tmp_path, replaced(PLC, old, new)).config_hash("packer") != before


def test_another_model_over_the_same_tags_has_another_hash(tmp_path: Path) -> None:
    hashes = {
        site_of(tmp_path, replaced(PLC, ROLES, f"{{{form}: {{state: plc.name}}}}")).config_hash("packer")
        for form in FORMS
    }
    assert len(hashes) == 3


DOCUMENT = schema(FAKES, PUBLISHERS, profiles=PROFILES)
MACHINES = jsonschema.Draft202012Validator({**DOCUMENT["properties"]["machines"], "$defs": DOCUMENT["$defs"]})
INSTANCE = {"device": "filler", "node": "i=1"}
COUNTED: dict[str, Any] = {"counts": {"total": "a.b", "scrap": "a.c"}, "ideal_cycle": "1s"}
BY_MAP = {"tag": "a.b", "map": {"0": "RUN"}}


@pytest.mark.parametrize(
    ("machine", "fits"),
    [
        ({"state": BY_MAP, **COUNTED}, True),
        ({"packml": INSTANCE, "ideal_cycle": "1s"}, True),
        ({"packml": INSTANCE, **COUNTED}, True),
        ({"machinery": INSTANCE, **COUNTED}, True),
        ({"machinetool": INSTANCE, **COUNTED}, True),
        ({"state": {"packml": {"state": "a.b", "numbering": "opc-30050"}, "dwell": "1s"}, **COUNTED}, True),
        ({"machinery": INSTANCE, "ideal_cycle": "1s"}, False),
        ({"state": BY_MAP, "ideal_cycle": "1s"}, False),
        ({"state": BY_MAP, "packml": INSTANCE, **COUNTED}, False),
        ({"packml": {"device": "filler"}, **COUNTED}, False),
        ({"state": {"tag": "a.b"}, **COUNTED}, False),
        ({"state": {"packml": {"state": "a.b"}, **BY_MAP}, **COUNTED}, False),
        (COUNTED, False),
    ],
)
def test_the_schema_knows_where_a_state_may_come_from(machine: Any, fits: bool) -> None:
    assert MACHINES.is_valid({"m": machine}) is fits


def test_a_machine_reads_as_if_its_tags_had_been_written_out(tmp_path: Path) -> None:
    site = site_of(tmp_path, fake(SITE), FAKES)
    state = site.machines["cnc-7"].state
    assert isinstance(state, StateModel)
    assert (state.form, state.inputs()) == (
        "machinery", {"state": "cnc-7.cnc-7-state", "mode": "cnc-7.cnc-7-mode"},
    )  # fmt: skip
