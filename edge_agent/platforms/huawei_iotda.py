"""The profile `huawei-iotda`: Huawei Cloud IoTDA."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from edge_agent.api import Credentials, ProfilePlugin, Scene, StrictModel
from edge_agent.encode import cloud_signing
from edge_agent.encode.huawei_profile import RULE, HuaweiProfile, HuaweiThing
from edge_agent.platforms.cloud import ThingConfig, names_of


class HuaweiSubDevice(StrictModel):
    """A device behind the gateway: one that is there (`id`), or one that the gateway adds (`product` and `node`)."""

    id: str | None = Field(default=None, min_length=1, max_length=128)
    """device id of the platform; default: `{product}_{node}`"""
    product: str | None = Field(default=None, min_length=1)
    """product id, if the gateway is to add the device to the platform"""
    node: str | None = Field(default=None, min_length=1, max_length=64)
    """its identification code (nodeId), with `product`"""
    service: str | None = Field(default=None, min_length=1)
    """service of its product model that has the properties; default: that of the gateway"""

    @model_validator(mode="after")
    def _is_known(self) -> Self:
        if (self.product is None) != (self.node is None):
            raise ValueError("product goes with node; write both, or only id")
        if self.id is None and self.product is None:
            raise ValueError("names no device; write its id, or product and node if it is to be added")
        return self


class HuaweiConfig(ThingConfig):
    """Huawei IoTDA."""

    keepalive_s: ClassVar[tuple[int, int]] = (30, 1200)

    device_id: str = Field(min_length=1, max_length=128)
    """the gateway's device id, as the console shows it"""
    secret: SecretStr | None = None
    """its secret; write `${NAME}` or `${file:…}`. Without it: `cert` and `key`"""
    check_clock: bool = False
    """the platform refuses us when our clock is off by more than an hour"""
    service: str = Field(default="edge", min_length=1)
    """service of the product model that has the properties"""
    event_time: Literal["s", "ms"] = "s"
    """`ms` tells times to the millisecond; a platform that does not know them takes its own time silently"""
    sub_devices: Mapping[str, HuaweiSubDevice] = Field(default_factory=dict)
    """device, machine or `line/id` → the device of the platform it is told as"""

    @model_validator(mode="after")
    def _has_proof(self) -> Self:
        self._needs_proof()
        return self


def make(config: HuaweiConfig, scene: Scene) -> HuaweiProfile:
    """ConfigError if names clash or sub-devices are none."""
    things = {name: _thing(sub, config.service) for name, sub in config.sub_devices.items()}
    names = names_of(config, scene, RULE, {name: thing.id for name, thing in things.items()})
    secret = config.secret.get_secret_value() if config.secret else None
    sign: partial[Credentials] = partial(
        cloud_signing.huawei, config.device_id, secret, checked=config.check_clock
    )
    gateway = HuaweiThing(config.device_id, config.service)
    profile = HuaweiProfile(
        scene, gateway, things, names, sign, milliseconds=config.event_time == "ms", told=config.report
    )
    profile.limits = config.limited(profile.limits)
    return profile


def _thing(sub: HuaweiSubDevice, service: str) -> HuaweiThing:
    id = sub.id or f"{sub.product}_{sub.node}"
    return HuaweiThing(id, sub.service or service, sub.product or "", sub.node or "")


plugin = ProfilePlugin(
    "huawei-iotda", "Huawei Cloud IoTDA: properties of the gateway and its sub-devices", HuaweiConfig, make
)
