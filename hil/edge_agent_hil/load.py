"""Reading a plant file: every mistake at once, with file, line, key and value."""

from __future__ import annotations

from pathlib import Path

from edge_agent_hil import breaks, face_file, plant_file, yaml_file
from edge_agent_hil.checks import cross_checks
from edge_agent_hil.plant_file import PlantFile


def load(path: Path) -> PlantFile:
    """The plant a file describes; `ConfigError` names everything that is wrong with it."""
    return yaml_file.read(path, PlantFile, "plant file", "machines:", (plant_file, face_file, breaks), cross_checks)
