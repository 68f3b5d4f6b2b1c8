"""OPC UA: subscribes to variables of a server; see README.md."""

from __future__ import annotations

from importlib import resources

from edge_agent.api import DriverPlugin
from edge_agent_opcua.commission.tools import OpcUaTools
from edge_agent_opcua.config import OpcUaDevice
from edge_agent_opcua.driver import build, describe, warnings
from edge_agent_opcua.security.tools import OpcUaCertificates
from edge_agent_opcua.sharing import overview

plugin = DriverPlugin(
    name="opcua",
    summary="OPC UA servers, by subscription or polling; variables, alarms, writing and methods; secured",
    config=OpcUaDevice,
    build=build,
    describe=describe,
    overview=overview,
    warnings=warnings,
    tools=OpcUaTools(),
    certificates=OpcUaCertificates(),
    sample=resources.files(__name__).joinpath("sample.yaml").read_text(encoding="utf-8"),
)
