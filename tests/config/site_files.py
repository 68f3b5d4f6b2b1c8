"""A driver and a publisher that exist only here, and site files made from text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from edge_agent.api import (
    ConfigError,
    DeviceConfig,
    DriverPlugin,
    Duration,
    Kind,
    Mistake,
    ProfileConfig,
    ProfilePlugin,
    PublishConfig,
    PublisherPlugin,
    TagConfig,
)
from edge_agent.config import Site, load

FAKE_SITE = """\
agent: {id: gw-01, timezone: Europe/Berlin}
devices:
  press-1:
    driver: fake
    url: fake://10.0.0.5
    tags:
      state: {address: 0}
      total: {address: 1}
      scrap: {address: 2}
      program: {address: 3, text: true}
machines:
  press-1:
    state: {tag: press-1.state, map: {0: IDLE, 1: RUN}}
    counts: {total: press-1.total, scrap: press-1.scrap}
    ideal_cycle: 1.2s
"""


class FakeTag(TagConfig):
    address: int = Field(ge=0, le=99, strict=True)
    """where"""
    text: bool = False
    width: Literal[16, 32] = 32

    @model_validator(mode="before")
    @classmethod
    def _from_one_line(cls, said: Any) -> Any:
        """`at 5`: a tag on one line."""
        if not isinstance(said, str):
            return said
        if not said.startswith("at ") or not said[3:].isdecimal():
            raise ValueError(f"{said!r} is no fake tag; write at 5")
        return {"address": int(said[3:])}

    def kind(self) -> Kind:
        return Kind.TEXT if self.text else Kind.INT

    def bits(self) -> int:
        return self.width


class FakeDevice(DeviceConfig):
    tags: Mapping[str, FakeTag] = Field(default_factory=dict)
    poll: Duration = 1_000_000_000
    retries: int = Field(default=1, strict=True)
    key_file: Path | None = None
    password: str = Field(default="", repr=False)

    def period_ns(self, tag: TagConfig) -> int:
        return self.poll

    @field_validator("url")
    @classmethod
    def _url_is_fake(cls, url: str) -> str:
        if not url.startswith("fake://"):
            raise ValueError(f"{url!r} is not a fake address; write fake://10.0.0.5")
        return url

    @model_validator(mode="after")
    def _password_is_long(self) -> FakeDevice:
        if self.password and len(self.password) < 8:
            raise ValueError(f"password {self.password} is too short; take eight characters")
        return self


class FakeDestination(PublishConfig):
    type: Literal["mqtt"] = "mqtt"
    url: str
    password: SecretStr | None = None
    window: int = Field(default=100, ge=1, le=100)
    ca: Path | None = None


def _never(*_: Any) -> Any:
    raise AssertionError("loading a site builds nothing")


DRIVERS = {"fake": DriverPlugin("fake", "", FakeDevice, _never, _never, "")}
PUBLISHERS = {"mqtt": PublisherPlugin("mqtt", "", FakeDestination, _never)}
PROFILES = {"json": ProfilePlugin("json", "", ProfileConfig, _never)}


Drivers = Mapping[str, DriverPlugin]


def site_of(folder: Path, text: str, drivers: Drivers = DRIVERS, /, **environ: str) -> Site:
    """The site of a file with this text."""
    path = folder / "site.yaml"
    path.write_text(text, "utf-8")
    return load(path, drivers, PUBLISHERS, environ, PROFILES)


def mistakes_of(folder: Path, text: str, drivers: Drivers = DRIVERS, /, **environ: str) -> list[Mistake]:
    """The mistakes in a file with this text; fails if there are none."""
    try:
        site_of(folder, text, drivers, **environ)
    except ConfigError as error:
        return list(error.mistakes)
    raise AssertionError("no mistake was found")


def told(mistakes: list[Mistake]) -> list[str]:
    """`LINE: KEY: …` of each mistake."""
    return [f"{mistake.line}: {str(mistake).split(': ', 1)[1]}" for mistake in mistakes]


def replaced(text: str, old: str, new: str) -> str:
    """FAKE_SITE or the like with one thing changed."""
    assert old in text
    return text.replace(old, new, 1)
