"""The profile `json`: for everyone who reads JSON."""

from __future__ import annotations

from pydantic import field_validator

from edge_agent.api import ConfigError, Mistake, ProfileConfig, ProfilePlugin, Scene
from edge_agent.encode.isa95 import check_template
from edge_agent.encode.json_profile import ROOT, ROOT_LEVELS, JsonProfile, root_topic


class JsonConfig(ProfileConfig):
    """Where its topics are."""

    root: str = ROOT
    """what all topics begin with, of {enterprise} {site} {area} {agent} and any text; a step whose level has no name is
    left out"""

    @field_validator("root")
    @classmethod
    def _root_is_a_template(cls, root: str) -> str:
        return check_template(root, ROOT_LEVELS)


def make(config: JsonConfig, scene: Scene) -> JsonProfile:
    """Topics below `root`."""
    root = root_topic(scene.place, scene.agent, config.root)
    if not root:
        hint = "write it under agent.place, or a text into root"
        raise ConfigError(
            Mistake(f"publish.{scene.destination}.root", "names no place that agent.place has", config.root, hint)
        )
    return JsonProfile(root, scene.agent, scene.version)


plugin = ProfilePlugin(
    "json", "JSON, a topic a device and machine", JsonConfig, make, ("mqtt", "stdout")
)  # fmt: skip
