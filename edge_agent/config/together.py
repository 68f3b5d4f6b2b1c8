"""What only shows when all devices of a driver are seen together, such as one serial port at two speeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_agent.api import DeviceConfig, DriverPlugin
from edge_agent.config.explain import Found, Source
from edge_agent.config.yaml_lines import Key


def clashes(
    devices: Mapping[str, DeviceConfig | None], drivers: Mapping[str, DriverPlugin], source: Source
) -> list[Found]:
    """What each driver says of its devices that are right by themselves; asked once per driver."""
    by_driver: dict[str, dict[str, Any]] = {}
    for name, device in devices.items():
        if device is not None:
            by_driver.setdefault(device.driver, {})[name] = device
    found = list[Found]()
    for driver, together in by_driver.items():
        for clash in drivers[driver].together(together):
            key: Key = ("devices", clash.device, *clash.key.split("."))
            found.append(Found(key, clash.message, clash.hint, source.written(key)))
    return found
