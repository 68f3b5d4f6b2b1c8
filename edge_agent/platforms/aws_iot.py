"""The profile `aws-iot`: AWS IoT Core."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator

from edge_agent.api import ProfilePlugin, Scene
from edge_agent.encode.aws_profile import DEEPEST, SLASHES, TOPIC_BYTES, AwsProfile
from edge_agent.platforms.cloud import CloudConfig

# An id has at most 63 characters.
_BEHIND = len(DEEPEST.replace("{id}", "x" * 63))


class AwsConfig(CloudConfig):
    """AWS IoT Core."""

    keepalive_s: ClassVar[tuple[int, int]] = (30, 1200)
    computed: ClassVar[tuple[str, ...]] = ()

    root: str | None = Field(default=None, min_length=1)
    """what topics begin with; default: `edge/{agent}`"""
    basic_ingest: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_]{1,128}$")
    """a rule that gets the messages, and nobody else: `$aws/rules/{rule}/` before each topic"""
    sitewise: bool = False
    """samples as AWS IoT SiteWise wants them, by alias `/{enterprise}/{site}/{area}/{device}/{tag}`; properties of
    numbers are of type DOUBLE there, whole or not"""

    @field_validator("root")
    @classmethod
    def _root_leaves_room(cls, root: str | None) -> str | None:
        most = SLASHES - DEEPEST.count("/")
        if root is None:
            return None
        if root.startswith(("/", "$")) or root.endswith("/") or set("+#\0") & set(root) or "//" in root:
            raise ValueError("cannot begin a topic; write levels such as plant-1/gw-01")
        if root.count("/") > most:
            raise ValueError(f"has too many levels: AWS allows {SLASHES} slashes in a topic; write at most {most + 1}")
        if len(root.encode()) > TOPIC_BYTES - _BEHIND:
            raise ValueError(f"is too long: AWS allows {TOPIC_BYTES} bytes; write at most {TOPIC_BYTES - _BEHIND}")
        return root

    @model_validator(mode="after")
    def _shows_a_certificate(self) -> Self:
        shown = any(getattr(self, key, None) is not None for key in ("cert", "user", "user_file"))
        if self.encrypted() and not shown:
            raise ValueError("cert is missing; AWS IoT knows its things by their certificate: write cert: and key:")
        return self


def make(config: AwsConfig, scene: Scene) -> AwsProfile:
    """Topics below `edge/{agent}`, unless `root` says otherwise."""
    root = config.root or f"edge/{scene.agent}"
    place = "".join(f"/{named}" for level in ("enterprise", "site", "area") if (named := scene.place.get(level)))

    def alias(device: str, tag: str) -> str:
        return f"{place}/{device}/{tag}"

    rule, aliased = config.basic_ingest or "", alias if config.sitewise else None
    profile = AwsProfile(root, scene.agent, scene.version, rule, aliased)
    profile.limits = config.limited(profile.limits)
    return profile


plugin = ProfilePlugin("aws-iot", "AWS IoT Core: JSON within its limits, for SiteWise if you like", AwsConfig, make)
