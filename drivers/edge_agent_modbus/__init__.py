"""The Modbus driver: polls coils, discrete inputs and registers in few, large requests."""

from __future__ import annotations

from importlib.resources import files

from edge_agent.api import DriverPlugin
from edge_agent_modbus.config import ModbusDevice
from edge_agent_modbus.driver import ModbusDriver, describe
from edge_agent_modbus.tools import ModbusTools

_HERE = files(__package__)

plugin = DriverPlugin(
    name="modbus",
    summary="Modbus TCP: coils, discrete inputs, holding and input registers",
    config=ModbusDevice,
    build=ModbusDriver,
    describe=describe,
    sample=_HERE.joinpath("sample.yaml").read_text("utf-8"),
    tools=ModbusTools(),
    templates={
        file.name.removesuffix(".yaml"): file.read_text("utf-8")
        for file in sorted(_HERE.joinpath("templates").iterdir(), key=lambda file: file.name)
        if file.name.endswith(".yaml")
    },
)
