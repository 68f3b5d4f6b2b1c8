"""The profile `sparkplug`: Sparkplug B 3.0, as an edge node with devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, model_validator

from edge_agent.api import Profile, ProfileConfig, ProfilePlugin, Scene

if TYPE_CHECKING:
    from edge_agent.encode.sparkplug.profile import SparkplugProfile


def _level(text: str) -> str:
    if not text or (wrong := sorted(set("+/#\0") & set(text))):
        why = f"has {wrong[0]!r}" if text else "is empty"
        raise ValueError(f"{why}: it becomes a level of a topic; write a name without + / #")
    return text


Level = Annotated[str, AfterValidator(_level)]


class SparkplugConfig(ProfileConfig):
    """An edge node."""

    group: Level
    """the group of edge nodes it belongs to; group and node together are unique in the whole infrastructure"""
    node: Level | None = None
    """the edge node's id; default: the agent's id"""
    primary_host: Level | None = None
    """id of the host application without which nothing is sent: births wait until it is online"""
    old_state: bool = False
    """believe a primary host of Sparkplug 2.2 as well, which says ONLINE and OFFLINE on `STATE/{id}`"""
    aliases: bool = False
    """numbers instead of names in data: for metered links"""
    datatypes: bool = False
    """data say the datatype of each metric, too: for hosts that do not look it up in the birth, such as those made with
    the library sparkplug-payload (Node-RED), which read no value without it"""
    templates: bool = False
    """each machine is one metric, an instance of the template `_types_/Machine`, instead of one metric a figure"""

    @model_validator(mode="after")
    def _host_can_be_known_and_read_us(self) -> Self:
        if self.old_state and self.primary_host is None:
            raise ValueError("old_state without primary_host; name the host whose state is meant")
        if getattr(self, "compress", None) is not None:
            raise ValueError("compress: a host of Sparkplug reads no packed messages; leave it out")
        return self


def make(config: Any, scene: Scene) -> Profile:
    """See `ProfilePlugin.make`."""
    return _made(config, scene)


def _made(config: Any, scene: Scene) -> SparkplugProfile:
    # Imported here: protobuf is loaded only where it is spoken.
    from edge_agent.encode.sparkplug.profile import SparkplugProfile
    from edge_agent.encode.sparkplug.topic import EdgeNode

    return SparkplugProfile(
        EdgeNode(config.group, config.node or scene.agent), scene,
        aliases=config.aliases, templates=config.templates, commands=config.listens(), datatypes=config.datatypes,
    )  # fmt: skip


plugin = ProfilePlugin(
    "sparkplug", "Sparkplug B 3.0: an edge node, its devices, births and deaths", SparkplugConfig, make
)
