"""TLS: the broker's certificate is always verified, and ours is shown where asked for."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from edge_agent.api import AccessDenied, Message, NotConnected
from edge_agent.north.mqtt import MqttPublisher, plugin
from edge_agent.north.mqtt_config import MqttConfig
from tests.peers.certificates import Authority
from tests.peers.mosquitto import MOSQUITTO, Mosquitto
from tests.peers.will import OnlyWill

pytestmark = [pytest.mark.peer, pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")]


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "our-ca")


@pytest.fixture
def lines(ours: Authority) -> list[str]:
    cert, key = ours.issue("broker")
    return ["allow_anonymous true", "user root", f"cafile {ours.ca}", f"certfile {cert}", f"keyfile {key}"]


@pytest.fixture
def broker(tmp_path: Path, lines: list[str]) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, *lines) as running:
        yield running


def publisher(port: int, host: str = "127.0.0.1", **keys: Any) -> MqttPublisher:
    config = MqttConfig(url=f"mqtts://{host}:{port}", **keys)
    built = plugin.build("platform", config, "gw-01", OnlyWill(Message("edge/status", b"dead")))
    assert isinstance(built, MqttPublisher)
    return built


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_messages_of_all_sizes_cross_an_encrypted_link(
    broker: Mosquitto, ours: Authority, run: Callable[..., None]
) -> None:
    async def day() -> None:
        link = await publisher(broker.port, ca=ours.ca).connect()
        for size, count in ((0, 200), (100, 500), (16_384, 200), (300_000, 5)):
            await link.send([Message("edge/tags", os.urandom(size))] * count)
        assert link.unmatched == 905
        await link.close()

    run(day())


async def test_a_certificate_of_an_unknown_authority_is_refused(broker: Mosquitto, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other-ca")
    for ca in (other.ca, None):
        with pytest.raises(AccessDenied, match=r"certificate is not trusted.*see ca:"):
            await publisher(broker.port, ca=ca).connect()


async def test_a_certificate_for_another_host_is_refused(broker: Mosquitto, ours: Authority) -> None:
    with pytest.raises(AccessDenied, match=r"not trusted.*url must name the host"):
        await publisher(broker.port, host="localhost", ca=ours.ca).connect()


async def test_a_broker_may_ask_for_our_certificate(
    tmp_path: Path, ours: Authority, lines: list[str]
) -> None:
    cert, key = ours.issue("gw-01")
    false_cert, false_key = Authority(tmp_path, "other-ca").issue("impostor")
    with Mosquitto(tmp_path, *lines, "require_certificate true") as broker:
        with pytest.raises((AccessDenied, NotConnected)):
            await publisher(broker.port, ca=ours.ca).connect()
        with pytest.raises((AccessDenied, NotConnected)):
            await publisher(broker.port, ca=ours.ca, cert=false_cert, key=false_key).connect()
        link = await publisher(broker.port, ca=ours.ca, cert=cert, key=key).connect()
        await link.send([Message("edge/tags", b"x")] * 10)
        await link.close()


async def test_certificates_renewed_on_the_disk_are_taken_at_the_next_connection(
    tmp_path: Path, ours: Authority, lines: list[str]
) -> None:
    old = Authority(tmp_path, "old-ca")
    old_cert, old_key = old.issue("gw-01-old")
    new_cert, new_key = ours.issue("gw-01-new")
    ca, cert, key = (tmp_path / f"current-{name}.pem" for name in ("ca", "cert", "key"))
    with Mosquitto(tmp_path, *lines, "require_certificate true") as broker:
        made = publisher(broker.port, ca=ca, cert=cert, key=key)
        for file, text in ((ca, old.ca), (cert, old_cert), (key, old_key)):
            file.write_bytes(text.read_bytes())
        with pytest.raises(AccessDenied, match="not trusted"):
            await made.connect()
        ca.write_bytes(ours.ca.read_bytes())
        with pytest.raises((AccessDenied, NotConnected)):
            await made.connect()
        for file, text in ((cert, new_cert), (key, new_key)):
            file.write_bytes(text.read_bytes())
        link = await made.connect()
        await link.send([Message("edge/tags", b"x")] * 10)
        await link.close()


async def test_missing_or_mixed_up_files_are_named(
    broker: Mosquitto, ours: Authority, tmp_path: Path
) -> None:
    cert, _ = ours.issue("gw-01")
    _, key = ours.issue("gw-02")
    with pytest.raises(AccessDenied, match=r"ca: .*none\.pem.*No such file"):
        await publisher(broker.port, ca=tmp_path / "none.pem").connect()
    with pytest.raises(AccessDenied, match=r"cert: .*gw-01\.pem"):
        await publisher(broker.port, ca=ours.ca, cert=cert, key=key).connect()


async def test_a_broker_without_tls_is_not_connected(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, pytest.raises(NotConnected, match=f"mqtts://127.0.0.1:{broker.port}"):
        await publisher(broker.port, ack_timeout="2s").connect()
