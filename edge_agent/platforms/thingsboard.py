"""The profile `thingsboard`: a ThingsBoard gateway."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from edge_agent.api import ConfigError, Limits, Mistake, ProfileConfig, ProfilePlugin, Scene, Size
from edge_agent.encode.isa95 import check_template
from edge_agent.encode.thingsboard import PAYLOAD, ThingsboardProfile
from edge_agent.encode.thingsboard_names import DEVICE, DEVICE_LEVELS, MACHINE, MACHINE_LEVELS, Names
from edge_agent.platforms.kpis import Kpis


def _of_device(name: str) -> str:
    return check_template(name, DEVICE_LEVELS)


def _of_machine(name: str) -> str:
    return check_template(name, MACHINE_LEVELS)


class ThingsboardConfig(ProfileConfig):
    """What things are called there, and what the server takes. Its access token is `user`."""

    device_name: Annotated[str, AfterValidator(_of_device)] = DEVICE
    """of each device; {device} {agent} {enterprise} {site} {area} and any text: unique within a tenant"""
    machine_name: Annotated[str, AfterValidator(_of_machine)] = MACHINE
    """of each machine; {machine} {line} and the others; as that of a device, to have both in one"""
    device_type: str = Field(default="equipment", min_length=1)
    """device profile of devices"""
    machine_type: str = Field(default="machine", min_length=1)
    """device profile of machines"""
    kpis: Kpis
    """figures of the KPI record that have a key each"""
    server_payload: Size = Field(default=PAYLOAD, ge=1024)
    """the server's NETTY_MAX_PAYLOAD_SIZE: it hangs up on anything larger"""
    server_messages: float = Field(default=0.0, ge=0)
    """messages a second that the server's rate limits allow; 0: it has none"""


def make(config: ThingsboardConfig, scene: Scene) -> ThingsboardProfile:
    """Two things of one name are a mistake."""
    try:
        names = Names(scene, config.device_name, config.machine_name, config.device_type, config.machine_type)
    except ValueError as error:
        raise ConfigError(Mistake(f"publish.{scene.destination}", str(error))) from error
    return ThingsboardProfile(scene, names, config.kpis, Limits(config.server_payload, config.server_messages))


plugin = ProfilePlugin(
    "thingsboard", "ThingsBoard gateway: telemetry, attributes, RPC", ThingsboardConfig, make, ("mqtt", "stdout")
)  # fmt: skip
