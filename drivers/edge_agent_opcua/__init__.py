"""OPC UA: subscribes to variables of a server; see README.md."""

from __future__ import annotations

from importlib import resources

from edge_agent.api import DriverPlugin
from edge_agent_opcua.config import OpcUaDevice
from edge_agent_opcua.driver import build, describe

plugin = DriverPlugin(
    name="opcua",
    summary="OPC UA servers, by subscription; reports changes with the device's own time and quality",
    config=OpcUaDevice,
    build=build,
    describe=describe,
    sample=resources.files(__name__).joinpath("sample.yaml").read_text(encoding="utf-8"),
)
