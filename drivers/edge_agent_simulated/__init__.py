"""The simulated driver: signals for trying things out, without any equipment."""

from __future__ import annotations

from importlib.resources import files

from edge_agent.api import DriverPlugin
from edge_agent_simulated.config import SimulatedDevice
from edge_agent_simulated.driver import SimulatedDriver, describe

plugin = DriverPlugin(
    name="simulated",
    summary="signals made up on the spot, for trying things out: sine, ramp, square, counter, walk, cycle",
    config=SimulatedDevice,
    build=SimulatedDriver,
    describe=describe,
    sample=files(__package__).joinpath("sample.yaml").read_text("utf-8"),
)
