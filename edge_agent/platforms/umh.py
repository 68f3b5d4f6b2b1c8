"""The profile `umh`: the historian of the United Manufacturing Hub."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from edge_agent.api import ConfigError, Mistake, ProfileConfig, ProfilePlugin, Scene
from edge_agent.encode.isa95 import DEFAULT, Tree, check_template
from edge_agent.encode.umh import UmhProfile
from edge_agent.platforms.kpis import Kpis


class UmhConfig(ProfileConfig):
    """Where things stand in the hub."""

    path: Annotated[str, AfterValidator(check_template)] = DEFAULT
    """levels behind `umh/v1`, the first one the enterprise; of {enterprise} {site} {area} {line} {machine} {device}
    {agent} and any text; a step whose level has no name is left out"""
    kpis: Kpis
    """figures of the KPI record that are columns of their own"""


def make(config: UmhConfig, scene: Scene) -> UmhProfile:
    """Topics by place; names that UMH cannot take are a mistake."""
    key = f"publish.{scene.destination}.path"
    if "{enterprise}" in config.path and not scene.place.get("enterprise"):
        hint = "write agent: {place: {enterprise: acme}}"
        raise ConfigError(Mistake(key, "begins with an enterprise that has no name", config.path, hint))
    try:
        return UmhProfile(Tree(scene, config.path, portable=True), config.kpis)
    except ValueError as error:
        raise ConfigError(Mistake(key, str(error), config.path)) from error


plugin = ProfilePlugin(
    "umh", "United Manufacturing Hub (classic), _historian", UmhConfig, make, ("mqtt", "stdout")
)  # fmt: skip
