"""Imports all that an agent, its pages and the simulated plant may need while they run: Python writes the byte code of
that and no more. For the Containerfile: at run time nothing can be written beside the programs."""

from __future__ import annotations

import importlib
import pkgutil

OURS = ("edge_agent", "edge_agent_modbus", "edge_agent_opcua", "edge_agent_simulated", "edge_agent_hil")
# Loaded by name, or late.
OTHERS = ("influxdb_client", "uvicorn.loops.auto", "uvicorn.lifespan.off", "holidays.countries.china", "email.message")

for package in map(importlib.import_module, OURS):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith("__main__"):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:     # of an extra that the image does without
                print(f"{module.name}: {error}")
for name in OTHERS:
    importlib.import_module(name)
