"""Prints what pyproject.toml says the agent needs, with the extras named: `needed.py ui`. For the Containerfile."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
print("\n".join([*project["dependencies"], *(line for name in sys.argv[1:] for line in extras.get(name, []))]))
