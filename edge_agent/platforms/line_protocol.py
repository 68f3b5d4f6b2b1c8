"""The profile `line-protocol`: for InfluxDB, Telegraf, VictoriaMetrics and whoever else reads that form."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from edge_agent.api import ProfileConfig, ProfilePlugin, Scene
from edge_agent.encode.json_profile import root_topic
from edge_agent.encode.line_protocol import MEASUREMENTS, LineProtocolProfile


class LineProtocolConfig(ProfileConfig):
    """How points are named and timed."""

    precision: Literal["ns", "us", "ms", "s"] = "ns"
    """of time stamps; take `ms` for servers that keep no more (VictoriaMetrics): of two samples of a tag in one step
    the second is put one step later, as they would replace each other there. So take none that is coarser than the
    samples of a tag lie apart"""
    measurement: str = ""
    """of the samples of all devices, each with its tag `device`; default: a measurement for each device, of its
    name. A field keeps its first type for ever within a measurement: devices that share it must agree about that"""

    @field_validator("measurement")
    @classmethod
    def _measurement_is_free(cls, measurement: str) -> str:
        if measurement in MEASUREMENTS or measurement.startswith(("_", "#")):
            raise ValueError("is taken by InfluxDB or the agent itself; write for example samples")
        return measurement


def make(config: LineProtocolConfig, scene: Scene) -> LineProtocolProfile:
    """Topics below `edge/{enterprise}/{site}/{area}/{agent}/lines`."""
    root = root_topic(scene.place, scene.agent)
    return LineProtocolProfile(root, scene, config.precision, config.measurement)


plugin = ProfilePlugin(
    "line-protocol",
    "InfluxDB's line protocol, a measurement a device",
    LineProtocolConfig,
    make,
    publishers=("influxdb", "mqtt"),
)
