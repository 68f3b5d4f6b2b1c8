"""The profile `json`: for everyone who reads JSON."""

from __future__ import annotations

from edge_agent.api import ProfileConfig, ProfilePlugin, Scene
from edge_agent.encode.json_profile import JsonProfile, root_topic


class JsonConfig(ProfileConfig):
    """Nothing more to say."""


def make(config: JsonConfig, scene: Scene) -> JsonProfile:
    """Topics below `edge/{enterprise}/{site}/{area}/{agent}`."""
    return JsonProfile(root_topic(scene.place, scene.agent), scene.agent, scene.version)


plugin = ProfilePlugin("json", "JSON, a topic a device and machine", JsonConfig, make)
