"""A plant for an OPC UA server under test: tags, a machine, its figures, set by hand; and clients of that server."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from asyncua import Client, ua
from asyncua.crypto import security_policies
from cryptography.hazmat.primitives.serialization import Encoding

from edge_agent.api import BAD, GOOD, Batch, Home, Kind, Tag, Value
from edge_agent_opcua.security import make
from edge_agent_opcua.security.store import Place, Store
from edge_agent_opcua.serving.server import plugin
from tests.peers.known import Known
from tests.peers.waiting import free_port

NEVER = int(np.iinfo(np.int64).min)
URI = "urn:edge-agent:gw-01"
TAGS = (
    Tag(0, "press-1", "temp", unit="Cel", low=-40.0, high=400.0),
    Tag(1, "press-1", "total", kind=Kind.INT),
    Tag(2, "press-1", "fault", kind=Kind.BOOL),
    Tag(3, "press-1", "program", kind=Kind.TEXT),
    Tag(4, "meter-1", "power", unit="[foo]"),
)


class Plant(Known):
    """What `Known` knows, with an outline. `set("press-1.temp", 1.5)` as there."""

    def __init__(self, tags: Sequence[Tag] = TAGS, machines: Sequence[str] = ("press-1",)) -> None:
        super().__init__()
        self._tags, self._machines = tags, machines

    def tags(self) -> Sequence[Tag]:
        return self._tags

    def machines(self) -> Sequence[str]:
        return self._machines

    def windows(self) -> Sequence[str]:
        return ("shift", "day")

    def latest(self) -> Batch:
        told = [self.values.get(tag.id, (None, BAD, NEVER)) for tag in self._tags]
        return Batch(
            np.arange(len(told), dtype=np.int32),
            np.array([time for _, _, time in told], np.int64),
            np.array([self._number(tag, value) for tag, (value, _, _) in zip(self._tags, told, strict=True)]),
            np.array([quality for _, quality, _ in told], np.uint8),
        )

    @staticmethod
    def _number(tag: Tag, value: Value | None) -> float:
        if isinstance(value, str):
            return tag.vocabulary.code(value)
        return float("nan") if value is None else float(value)

    def all_good(self) -> None:
        """Every tag has a value."""
        for tag, value in (("temp", 23.5), ("total", 70_000), ("fault", True), ("program", "A100")):
            self.set(f"press-1.{tag}", value, GOOD)
        self.set("meter-1.power", 4.25, GOOD)
        self.lines = {"press-1": True, "meter-1": False}
        self.states = {"press-1": 4}


def config_of(folder: Path, port: int, **section: Any) -> Any:
    """A right configuration, at home."""
    text = {"type": "opcua", "listen": f"127.0.0.1:{port}", "every": "100ms", **section}
    return plugin.config.model_validate(text).at_home(Home("gw-01", folder))


@asynccontextmanager
async def listening(plant: Plant, folder: Path, **section: Any) -> AsyncIterator[int]:
    """A server of the plant; gives its port."""
    port = free_port()
    opened = await plugin.build("scada", config_of(folder, port, **section), plant).listen()
    try:
        yield port
    finally:
        await opened.close()


class Application:
    """A client application with a certificate of its own."""

    def __init__(self, folder: Path, name: str, bits: int = 2048) -> None:
        self.uri = f"urn:test:{name}"
        key = make.new_key(bits)
        now = datetime.now(UTC)
        self.certificate = make.self_signed(key, make.Wish(self.uri, [socket.gethostname()]), now)
        folder.mkdir(exist_ok=True)
        self.cert, self.key = folder / f"{name}.der", folder / f"{name}.pem"
        self.cert.write_bytes(self.certificate.public_bytes(Encoding.DER))
        self.key.write_bytes(make.key_pem(key))

    def trust(self, data: Path) -> None:
        """As `edge-agent cert trust` does."""
        Store(data / "pki").put(Place.TRUSTED, self.certificate)


async def client_of(
    port: int, application: Application | None = None, user: tuple[str, str] | None = None,
    policy: str = "Basic256Sha256", mode: str = "SignAndEncrypt",
) -> Client:  # fmt: skip
    """A client of asyncua that has not connected yet."""
    client = Client(f"opc.tcp://127.0.0.1:{port}", timeout=10)
    if application is not None:
        client.application_uri = application.uri
        await client.set_security(
            getattr(security_policies, f"SecurityPolicy{policy}"), application.cert, application.key,
            mode=getattr(ua.MessageSecurityMode, mode),
        )  # fmt: skip
    if user is not None:
        client.set_user(user[0])
        client.set_password(user[1])
    return client


@asynccontextmanager
async def connected(port: int, *args: Any, **more: Any) -> AsyncIterator[Client]:
    """A client with a session."""
    client = await client_of(port, *args, **more)
    async with client:
        yield client


async def shown(client: Client, *keys: str) -> Any:
    """The DataValues of variables; of one alone, if it is one."""
    index = await client.get_namespace_index(URI)
    nodes = [client.get_node(ua.NodeId(key, index)) for key in keys]
    values = await client.read_attributes(nodes, ua.AttributeIds.Value)
    return values[0] if len(values) == 1 else values
