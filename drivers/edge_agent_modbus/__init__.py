"""The Modbus driver: polls coils, discrete inputs and registers in few, large requests, and writes single values."""

from __future__ import annotations

from importlib.resources import files

from edge_agent.api import DriverPlugin
from edge_agent_modbus.commission.tools import ModbusTools
from edge_agent_modbus.config import ModbusDevice
from edge_agent_modbus.driver import ModbusDriver, describe, overview
from edge_agent_modbus.lines import together

_HERE = files(__package__)

plugin = DriverPlugin(
    name="modbus",
    summary="Modbus over TCP, TLS, UDP and serial lines: coils, discrete inputs, registers; writing where allowed",
    config=ModbusDevice,
    build=ModbusDriver,
    describe=describe,
    together=together,
    overview=overview,
    sample=_HERE.joinpath("sample.yaml").read_text("utf-8"),
    tools=ModbusTools(),
    templates={
        file.name.removesuffix(".yaml"): file.read_text("utf-8")
        for file in sorted(_HERE.joinpath("templates").iterdir(), key=lambda file: file.name)
        if file.name.endswith(".yaml")
    },
)
