"""The InfluxDB publisher: knows one bucket's configuration and opens links to its server."""

from __future__ import annotations

from edge_agent.api import Profile, PublisherPlugin
from edge_agent.north.influx_config import InfluxConfig
from edge_agent.north.influx_link import InfluxLink


class InfluxPublisher:
    """Opens links to one server."""

    def __init__(self, destination: str, config: InfluxConfig) -> None:
        self._destination = destination
        self._config = config

    async def connect(self) -> InfluxLink:
        """See `api.Publisher.connect`. `AccessDenied`: token, bucket, certificate."""
        link = InfluxLink(self._config, self._destination)
        try:
            await link.open()
        except BaseException:
            await link.close()
            raise
        return link


def build(destination: str, config: InfluxConfig, agent_id: str, profile: Profile) -> InfluxPublisher:
    """See `api.PublisherPlugin.build`."""
    return InfluxPublisher(destination, config)


plugin = PublisherPlugin(
    name="influxdb",
    summary="InfluxDB 2 and servers that take its writes, in batches, each answered",
    config=InfluxConfig,
    build=build,
)
