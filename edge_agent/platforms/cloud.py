"""What the site file may say for any of the cloud platforms, and the mistakes they have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SecretStr, model_validator

from edge_agent.api import ConfigError, Limits, Mistake, ProfileConfig, Scene
from edge_agent.encode.cloud_names import Names, Rule, clashes
from edge_agent.encode.cloud_points import FIGURES, NOT_GOOD, STATE
from edge_agent.encode.cloud_signing import base64_key
from edge_agent.encode.cloud_thing import CONNECTED, TOLD

SECOND = 1_000_000_000
Told = Literal["tags", "state", "kpi", "alarms", "digital", "status"]


class CloudConfig(ProfileConfig):
    """A platform that computes who we are: the keys of the connection that say so are not for people to write."""

    keepalive_s: ClassVar[tuple[int, int]] = (1, 65_535)
    """what the platform allows"""
    computed: ClassVar[tuple[str, ...]] = ("user", "user_file", "password", "password_file", "client_id")
    """keys of the publisher that the profile computes"""
    only_311: ClassVar[bool] = False
    """the platform speaks MQTT 3.1.1 only"""

    server_messages: float | None = Field(default=None, gt=0)
    """messages a second, where the instance takes fewer (or more) than the platform usually does"""

    @model_validator(mode="before")
    @classmethod
    def _speaks_its_version(cls, said: Any) -> Any:
        if not cls.only_311 or not isinstance(said, dict):
            return said
        return {"version": "3.1.1", **said}     # asked with MQTT 5 first it would hang up, and wants seconds between

    @model_validator(mode="after")
    def _fits_the_platform(self) -> Self:
        for key in self.computed:
            if getattr(self, key, None) is not None:
                raise ValueError(f"{key} is computed for this platform; leave it out")
        if self.only_311 and getattr(self, "version", "3.1.1") == "5":
            raise ValueError("version: this platform speaks MQTT 3.1.1 only; leave version out")
        if getattr(self, "compress", None) is not None:
            raise ValueError("compress: the platform reads no packed messages; leave it out")
        low, high = self.keepalive_s
        keepalive = getattr(self, "keepalive", low * SECOND)
        if not low * SECOND <= keepalive <= high * SECOND:
            raise ValueError(f"keepalive: {keepalive // SECOND}s; this platform allows {low}s to {high}s")
        if self.proof() is not None and self._in_the_open():
            raise ValueError(
                "what proves who we are would cross the network unencrypted; write the url as mqtts://, or add "
                "insecure: true if this network is trusted"
            )
        return self

    def limited(self, limits: Limits) -> Limits:
        """The platform's, with what the site file knows better."""
        return limits if self.server_messages is None else replace(limits, messages_s=self.server_messages)

    def proof(self) -> SecretStr | None:
        """The secret with which it proves who it is; None with a certificate."""
        return getattr(self, "secret", None)

    def encrypted(self) -> bool:
        """Whether every way to the platform is."""
        return all(one.tls for one in self._ways())

    def _in_the_open(self) -> bool:
        open_ways = any(not one.tls and not one.is_loopback for one in self._ways())
        return open_ways and not getattr(self, "insecure", False)

    def _ways(self) -> Sequence[Any]:
        """The publisher's `endpoints`."""
        ways: Sequence[Any] = getattr(self, "endpoints", ())
        return ways

    def _needs_proof(self) -> None:
        """ValueError unless there is a secret or a certificate, and not both."""
        certificate = getattr(self, "cert", None)
        if self.proof() is None and certificate is None:
            raise ValueError("secret is missing; write the device's secret, or cert: and key: if it has a certificate")
        if self.proof() is not None and certificate is not None:
            raise ValueError("secret and cert; a device has the one or the other")


class ThingConfig(CloudConfig):
    """A platform with thing models."""

    report: list[Told] = Field(default=list(TOLD), min_length=1)
    """what is told; all of it must be in the thing model: `tags`, `state`, `kpi`, `alarms`, `digital`, `status`"""
    names: Mapping[str, str] = Field(default_factory=dict)
    """identifiers that are not made by the rule: `device.tag` or `machine.figure` → identifier"""


def in_base64(secret: SecretStr) -> SecretStr:
    """For validators: ValueError unless the secret is base64, as consoles show it."""
    try:
        base64_key(secret.get_secret_value())
    except ValueError as wrong:
        raise ValueError(f"{wrong}; copy the key as the console shows it, such as c2VjcmV0LWtleQ==") from None
    return secret


def names_of(config: ThingConfig, scene: Scene, rule: Rule, things: Mapping[str, str]) -> Names:
    """The identifiers; `things`: owner → the sub-device it is told as. ConfigError names every mistake."""
    names = Names(rule, things, config.names)
    section = f"publish.{scene.destination}"
    owners = {*scene.tags.devices(), *scene.machines, *_scopes(scene)}
    found = [
        Mistake(f"{section}.sub_devices.{owner}", "names no device with tags and no machine", owner, _near(owners))
        for owner in things
        if owner not in owners
    ]
    named = list(_named(scene, things))
    known = {f"{owner}.{name}" for _, owner, name in named}
    for key, identifier in config.names.items():
        if key not in known:
            hint = "write device.tag, or machine.figure such as press-1.oee_shift"
            found.append(Mistake(f"{section}.names.{key}", "names nothing that is told", key, hint))
        elif why := rule.mistake(identifier):
            found.append(Mistake(f"{section}.names.{key}", why, identifier, "choose another"))
    for clash in clashes(names, named):
        found.append(Mistake(f"{section}.names", clash, hint="give one of them another name here"))
    if found:
        raise ConfigError(*found)
    return names


def _scopes(scene: Scene) -> Iterator[str]:
    for area, line in scene.machines.values():
        if line:
            yield f"line/{line}"
        if area:
            yield f"area/{area}"


def _near(owners: set[str]) -> str:
    return f"there are: {', '.join(sorted(owners)[:20])}" if owners else "there is none"


def _named(scene: Scene, things: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """`(thing, owner, name)` of all that may be told of what the site file has."""
    for tag in scene.tags:
        yield things.get(tag.device, ""), tag.device, tag.name
    for device in scene.tags.devices():
        for name in (CONNECTED, NOT_GOOD):
            yield things.get(device, ""), device, name
    for owner in (*scene.machines, *dict.fromkeys(_scopes(scene))):
        figures = [f"{figure}_{window}" for figure in FIGURES for window in scene.windows]
        for name in (*STATE, *figures):
            yield things.get(owner, ""), owner, name
