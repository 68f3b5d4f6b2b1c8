"""The profile `aliyun-iot`: Alibaba Cloud IoT Platform, Alink JSON (物模型)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from edge_agent.api import Credentials, ProfilePlugin, Scene, StrictModel
from edge_agent.encode import cloud_signing
from edge_agent.encode.aliyun_profile import RULE, AliyunProfile, AliyunThing
from edge_agent.platforms.cloud import ThingConfig, names_of


class AliyunSubDevice(StrictModel):
    """A device behind the gateway: the gateway adds it to its topology, and logs it in."""

    product_key: str = Field(min_length=1)
    """its ProductKey"""
    device_name: str = Field(min_length=1)
    """its DeviceName"""
    secret: SecretStr
    """its DeviceSecret; write `${NAME}` or `${file:…}`"""


class AliyunConfig(ThingConfig):
    """Alibaba Cloud IoT Platform."""

    keepalive_s: ClassVar[tuple[int, int]] = (30, 1200)

    product_key: str = Field(min_length=1)
    """the gateway's ProductKey"""
    device_name: str = Field(min_length=1)
    """its DeviceName"""
    secret: SecretStr
    """its DeviceSecret; write `${NAME}` or `${file:…}`"""
    sign_method: Literal["hmacsha256", "hmacsha1", "hmacmd5"] = "hmacsha256"
    """how it is signed"""
    sub_devices: Mapping[str, AliyunSubDevice] = Field(default_factory=dict)
    """device, machine or `line/id` → the device of the platform it is told as"""


def make(config: AliyunConfig, scene: Scene) -> AliyunProfile:
    """ConfigError if names clash or sub-devices are none."""
    things = {
        name: AliyunThing(sub.product_key, sub.device_name, sub.secret.get_secret_value())
        for name, sub in config.sub_devices.items()
    }
    names = names_of(config, scene, RULE, {name: thing.root for name, thing in things.items()})
    sign: partial[Credentials] = partial(
        cloud_signing.aliyun, config.product_key, config.device_name, config.secret.get_secret_value(),
        f"{config.product_key}.{config.device_name}", tls=config.encrypted(), method=config.sign_method,
    )  # fmt: skip
    gateway = AliyunThing(config.product_key, config.device_name)
    profile = AliyunProfile(scene, gateway, things, names, sign, config.report)
    profile.limits = config.limited(profile.limits)
    return profile


plugin = ProfilePlugin(
    "aliyun-iot", "Alibaba Cloud IoT Platform: Alink JSON (物模型), answered by the platform", AliyunConfig, make
)
