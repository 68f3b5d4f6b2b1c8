"""Reading a scenario file: every mistake in it and in its plant at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import ValidationError

from edge_agent_hil import breaks, face_file, plant_file, yaml_file
from edge_agent_hil.checks import cross_checks
from edge_agent_hil.equipment_control import read_order
from edge_agent_hil.expand import expand
from edge_agent_hil.load import load as load_plant
from edge_agent_hil.plant_file import PlantFile
from edge_agent_hil.runner import scenario_file
from edge_agent_hil.runner.scenario_file import BROKER, Scenario, Step
from edge_agent_hil.yaml_file import Found

LIBRARY = Path(str(files("edge_agent_hil") / "scenarios"))
PLANTS = Path(str(files("edge_agent_hil") / "plants"))
PLANT = plant_file, face_file, breaks


@dataclass(frozen=True, slots=True)
class Loaded:
    """A scenario with its plant."""

    name: str
    """of its file"""
    file: Scenario
    plant: PlantFile
    """every machine written out"""
    plant_path: Path | None
    """where the plant stands, if not in the scenario"""

    def write_plant(self, folder: Path) -> Path:
        """The plant as a file."""
        if self.plant_path:
            return self.plant_path
        path = folder / "plant.yaml"
        path.write_text(yaml.safe_dump(self.file.plant, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return path


def load(path: Path) -> Loaded:
    """The scenario; `ConfigError` names everything that is wrong with it or with the plant in it."""
    plants: list[tuple[PlantFile, Path | None]] = []

    def checks(file: Scenario) -> Iterator[Found]:
        plant, found = _plant(file, path)
        yield from found
        if plant:
            plants.append(plant)
            yield from _checks(file, plant[0])

    file = yaml_file.read(path, Scenario, "scenario file", "scenario:", (scenario_file, *PLANT), checks)
    return Loaded(path.stem, file, *plants[0])


def _plant(file: Scenario, path: Path) -> tuple[tuple[PlantFile, Path | None] | None, list[Found]]:
    """The plant and where it stands; or what is wrong with it."""
    if isinstance(file.plant, str):
        place = PLANTS / f"{file.plant}.yaml"
        place = place if place.exists() else path.parent / file.plant
        if not place.exists():
            shipped = ", ".join(sorted(one.stem for one in PLANTS.glob("*.yaml")))
            return None, [(("plant",), "is no file and no shipped plant", file.plant, f"shipped are: {shipped}")]
        return (expand(load_plant(place)), place), []
    try:
        plant = PlantFile.model_validate(file.plant)
    except ValidationError as error:
        found = yaml_file.found_in(error, "plant", PLANT)
    else:
        found = cross_checks(plant)
    under = [(("plant", *key), message, value, hint) for key, message, value, hint in found]
    return (None if under else (expand(plant), None)), under


def _checks(file: Scenario, plant: PlantFile) -> Iterator[Found]:
    devices = sorted({*plant.machines, *file.site.get("devices", {})})
    for position, step in enumerate(file.timeline):
        for key, message, value, hint in _step(step, plant):
            yield ("timeline", position, *key), message, value, hint
        if step.end > file.duration:
            yield ("timeline", position), "is over after the scenario", "", "make the duration longer"
    for name in file.judged:
        if name not in devices:
            yield ("judged",), "is no machine or device here", name, f"there are: {', '.join(devices)}"
    for tag in file.expect.quality:
        if tag.partition(".")[0] not in devices:
            yield ("expect", "quality", tag), "is of no device here", "", f"there are: {', '.join(devices)}"


def _step(step: Step, plant: PlantFile) -> Iterator[Found]:
    places = (*sorted(plant.machines), BROKER)
    if step.wire and step.wire not in places:
        yield ("wire",), "has no wire here", step.wire, f"there are: {', '.join(places)}"
    if step.equipment and step.equipment not in plant.machines:
        yield ("equipment",), "is no machine here", step.equipment, f"there are: {', '.join(plant.machines)}"
    elif step.equipment:
        try:
            read_order(step.order(), plant)
        except ValueError as error:
            yield ("fault",), f"is wrong: {error}", step.fault, ""
