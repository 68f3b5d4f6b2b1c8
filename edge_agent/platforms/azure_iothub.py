"""The profile `azure-iothub`: Azure IoT Hub."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from edge_agent.api import Credentials, Duration, ProfilePlugin, Scene
from edge_agent.encode import cloud_signing
from edge_agent.encode.azure_profile import AzureProfile
from edge_agent.platforms.cloud import SECOND, CloudConfig, in_base64


class AzureConfig(CloudConfig):
    """Azure IoT Hub."""

    keepalive_s: ClassVar[tuple[int, int]] = (1, 1740)
    only_311: ClassVar[bool] = True

    device_id: str = Field(pattern=r"^[A-Za-z0-9\-.%_*?!(),:=@$']{1,128}$")
    """the device's id in the hub"""
    secret: SecretStr | None = None
    """its symmetric key, base64; write `${NAME}` or `${file:…}`. Without it: `cert` and `key`"""
    hub: str | None = Field(default=None, min_length=1)
    """name of the hub, such as `acme.azure-devices.net`; default: the host of `url`"""
    token_life: Duration = 24 * 3600 * SECOND
    """how long a token holds; then the hub ends the link, and the next one has a new token"""
    api_version: str = Field(default="2021-04-12", pattern=r"^\d{4}-\d\d-\d\d$")
    """of IoT Hub"""

    @field_validator("secret")
    @classmethod
    def _secret_is_base64(cls, secret: SecretStr | None) -> SecretStr | None:
        return None if secret is None else in_base64(secret)

    @field_validator("token_life")
    @classmethod
    def _token_lives(cls, token_life: int) -> int:
        if token_life < 300 * SECOND:
            raise ValueError("is too short: clocks differ; write 5min or more, such as 24h")
        return token_life

    @model_validator(mode="after")
    def _has_proof(self) -> Self:
        self._needs_proof()
        return self


def make(config: AzureConfig, scene: Scene) -> AzureProfile:
    """The hub's name is that of `url`, unless `hub` says otherwise."""
    hub = config.hub or urlsplit(getattr(config, "url", "")).hostname or ""
    secret = config.secret.get_secret_value() if config.secret else None
    sign: partial[Credentials] = partial(
        cloud_signing.azure, hub, config.device_id, secret, life_ns=config.token_life, api_version=config.api_version
    )
    profile = AzureProfile(config.device_id, scene.agent, scene.version, sign, scene.destination)
    profile.limits = config.limited(profile.limits)
    return profile


plugin = ProfilePlugin(
    "azure-iothub", "Azure IoT Hub: JSON as device-to-cloud messages, direct methods in", AzureConfig, make
)
