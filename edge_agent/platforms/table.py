"""The profile `table`: rows, for the publisher `file`."""

from __future__ import annotations

from edge_agent.api import ProfileConfig, ProfilePlugin, Scene
from edge_agent.encode.table import TableProfile


class TableConfig(ProfileConfig):
    """Nothing more to say."""


def make(config: TableConfig, scene: Scene) -> TableProfile:
    """Days are those of the agent's time zone."""
    return TableProfile(scene.zone)


plugin = ProfilePlugin("table", "rows of tables", TableConfig, make, ("file",))
