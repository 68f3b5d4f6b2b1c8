"""The profile `uns`: a unified namespace by ISA-95."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from edge_agent.api import ConfigError, Mistake, ProfileConfig, ProfilePlugin, Scene
from edge_agent.encode.isa95 import DEFAULT, Tree, check_template
from edge_agent.encode.uns import UnsProfile
from edge_agent.platforms.kpis import Kpis


class UnsConfig(ProfileConfig):
    """Where things stand in the namespace."""

    path: Annotated[str, AfterValidator(check_template)] = DEFAULT
    """levels of the topics, of {enterprise} {site} {area} {line} {machine} {device} {agent} and any text; a step whose
    level has no name is left out"""
    names: Literal["exact", "portable"] = "exact"
    """portable: `_` for whatever is not A-Z a-z 0-9 _ -, for brokers and historians that take no other names"""
    kpis: Kpis
    """figures of the KPI record that have a topic each"""


def make(config: UnsConfig, scene: Scene) -> UnsProfile:
    """Topics by place; names that no topic can have, or two things in one topic, are a mistake."""
    tree = Tree(scene, config.path, config.names == "portable")
    try:
        nowhere = not Tree(scene, _upper(config.path)).agent()
        profile = UnsProfile(tree, config.kpis)
    except ValueError as error:
        raise ConfigError(Mistake(f"publish.{scene.destination}.path", str(error), config.path)) from error
    if nowhere:
        hint = "write agent: {place: {enterprise: acme, site: suzhou}}, or a text at the beginning of path"
        message = "begins with places of which agent.place names none"
        raise ConfigError(Mistake(f"publish.{scene.destination}.path", message, config.path, hint))
    return profile


def _upper(path: str) -> str:
    """The steps before the machine."""
    steps = path.split("/")
    own = [at for at, step in enumerate(steps) if "{machine}" in step or "{device}" in step]
    return "/".join(steps[: own[0]] if own else steps)


plugin = ProfilePlugin(
    "uns", "unified namespace by ISA-95, one retained value a topic", UnsConfig, make, ("mqtt", "stdout")
)  # fmt: skip
