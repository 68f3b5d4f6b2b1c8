"""The publisher `file`: all that is durable, as tables on this computer, rolled by local day; see `local_store`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import orjson

from edge_agent.api import Claim, ConfigError, Message, Mistake, Profile, PublishConfig, PublisherPlugin
from edge_agent.north.local_store import Rows, Store, ToParquet
from edge_agent.north.local_thread import in_daemon_thread


class FileConfig(PublishConfig):
    """A folder of tables."""

    type: Literal["file"] = "file"
    profile: str = "table"
    """the form of the rows"""
    order: Literal["live-first", "strict"] = "strict"
    """a table is best read in its order"""
    path: Path
    """folder; relative to the site file"""
    format: Literal["csv", "parquet"] = "csv"
    """parquet needs `pip install 'edge-agent[parquet]'`"""

    def addresses(self) -> tuple[str, ...]:
        """See `PublishConfig.addresses`."""
        return (str(self.path),)

    def claims(self, destination: str, agent: str) -> Sequence[Claim]:
        """See `PublishConfig.claims`."""
        return [Claim("path", f"folder {self.path}", "each destination needs a folder of its own")]


class FileLink:
    """The folder, held; used once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def send(self, messages: Sequence[Message]) -> None:
        """See `api.Link.send`: acknowledged is what is on the disk."""
        await in_daemon_thread(lambda: self._store.append(map(_rows, messages)), "file")

    async def closed(self) -> None:
        """See `api.Link.closed`: never by itself."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """See `api.Link.close`."""
        self._store.close()


def _rows(message: Message) -> Rows:
    kind, _, day = message.topic.partition("/")
    return kind, day, int(message.token or 0), orjson.loads(message.payload)


class FilePublisher:
    """Opens the folder."""

    def __init__(self, config: FileConfig) -> None:
        self._config = config

    async def connect(self) -> FileLink:
        """See `api.Publisher.connect`."""
        store = Store(self._config.path, _to_parquet() if self._config.format == "parquet" else None)
        await in_daemon_thread(store.open, "file")
        return FileLink(store)


def _to_parquet() -> ToParquet:
    """Imported here: pyarrow weighs 60 MB, and nobody else uses it."""
    from edge_agent.north.local_parquet import to_parquet

    return to_parquet


def build(destination: str, config: FileConfig, agent_id: str, profile: Profile) -> FilePublisher:
    """See `api.PublisherPlugin.build`."""
    if config.format == "parquet" and not find_spec("pyarrow"):
        hint = "pip install 'edge-agent[parquet]', or take csv"
        raise ConfigError(Mistake(f"publish.{destination}.format", "needs pyarrow, which is not here", "parquet", hint))
    return FilePublisher(config)


plugin = PublisherPlugin("file", "tables in a folder, CSV or Parquet, a day each", FileConfig, build)
