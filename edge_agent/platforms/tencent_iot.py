"""The profile `tencent-iot`: Tencent IoT Explorer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import ClassVar, Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from edge_agent.api import Credentials, Duration, ProfilePlugin, Scene, StrictModel
from edge_agent.encode import cloud_signing
from edge_agent.encode.tencent_profile import RULE, TencentProfile, TencentThing
from edge_agent.platforms.cloud import SECOND, ThingConfig, in_base64, names_of


class TencentSubDevice(StrictModel):
    """A device behind the gateway."""

    product_id: str = Field(min_length=1)
    """its product"""
    device_name: str = Field(min_length=1)
    """its name"""
    secret: SecretStr | None = None
    """its key, if the gateway is to bind it; without it, it must be bound already"""

    @field_validator("secret")
    @classmethod
    def _secret_is_base64(cls, secret: SecretStr | None) -> SecretStr | None:
        return None if secret is None else in_base64(secret)


class TencentConfig(ThingConfig):
    """Tencent IoT Explorer."""

    keepalive_s: ClassVar[tuple[int, int]] = (1, 900)
    only_311: ClassVar[bool] = True

    product_id: str = Field(min_length=1)
    """the gateway's product"""
    device_name: str = Field(min_length=1)
    """its name"""
    secret: SecretStr | None = None
    """its key, base64; write `${NAME}` or `${file:…}`. Without it: `cert` and `key`"""
    sign_method: Literal["hmacsha256", "hmacsha1"] = "hmacsha256"
    """how it is signed"""
    token_life: Duration = 24 * 3600 * SECOND
    """how long a signature holds; a new one is made for each connection"""
    sub_devices: Mapping[str, TencentSubDevice] = Field(default_factory=dict)
    """device, machine or `line/id` → the device of the platform it is told as"""

    @field_validator("secret")
    @classmethod
    def _secret_is_base64(cls, secret: SecretStr | None) -> SecretStr | None:
        return None if secret is None else in_base64(secret)

    @model_validator(mode="after")
    def _has_proof(self) -> Self:
        self._needs_proof()
        return self


def make(config: TencentConfig, scene: Scene) -> TencentProfile:
    """ConfigError if names clash or sub-devices are none."""
    things = {
        name: TencentThing(sub.product_id, sub.device_name, sub.secret.get_secret_value() if sub.secret else "")
        for name, sub in config.sub_devices.items()
    }
    names = names_of(config, scene, RULE, {name: thing.path for name, thing in things.items()})
    secret = config.secret.get_secret_value() if config.secret else None
    sign: partial[Credentials] = partial(
        cloud_signing.tencent, config.product_id, config.device_name, secret,
        life_ns=config.token_life, method=config.sign_method,
    )  # fmt: skip
    gateway = TencentThing(config.product_id, config.device_name)
    profile = TencentProfile(scene, gateway, things, names, sign, config.report)
    profile.limits = config.limited(profile.limits)
    return profile


plugin = ProfilePlugin(
    "tencent-iot", "Tencent IoT Explorer: properties, events and actions of the thing model", TencentConfig, make
)
