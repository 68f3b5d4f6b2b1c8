"""TLS: the broker's certificate is always verified, and ours is shown where asked for."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge_agent.api import AccessDenied, Message, NotConnected
from edge_agent.north.mqtt import MqttPublisher, plugin
from edge_agent.north.mqtt_config import MqttConfig
from tests.peers.mosquitto import MOSQUITTO, Mosquitto

pytestmark = [pytest.mark.peer, pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")]


class Authority:
    """A certificate authority of our own, in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        ca = x509.BasicConstraints(ca=True, path_length=0)
        self.file = self._write(name, self._build(self._issuer, self._key).add_extension(ca, critical=True))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Certificate and key files for `name` at 127.0.0.1."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        place = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        file = self._write(name, self._build(subject, key).add_extension(place, critical=False))
        key_file = self.folder / f"{name}.key"
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return file, key_file

    def _build(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
        )

    def _write(self, name: str, certificate: x509.CertificateBuilder) -> Path:
        file = self.folder / f"{name}.pem"
        signed = certificate.sign(self._key, hashes.SHA256())
        file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return file


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "our-ca")


@pytest.fixture
def lines(ours: Authority) -> list[str]:
    cert, key = ours.issue("broker")
    return ["allow_anonymous true", "user root", f"cafile {ours.file}", f"certfile {cert}", f"keyfile {key}"]


@pytest.fixture
def broker(tmp_path: Path, lines: list[str]) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path, *lines) as running:
        yield running


def publisher(port: int, host: str = "127.0.0.1", **keys: Any) -> MqttPublisher:
    config = MqttConfig(url=f"mqtts://{host}:{port}", **keys)
    built = plugin.build("platform", config, "gw-01", Message("edge/status", b"dead"))
    assert isinstance(built, MqttPublisher)
    return built


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_messages_of_all_sizes_cross_an_encrypted_link(
    broker: Mosquitto, ours: Authority, run: Callable[..., None]
) -> None:
    async def day() -> None:
        link = await publisher(broker.port, ca=ours.file).connect()
        for size, count in ((0, 200), (100, 500), (16_384, 200), (300_000, 5)):
            await link.send([Message("edge/tags", os.urandom(size))] * count)
        assert link.unmatched == 905
        await link.close()

    run(day())


async def test_a_certificate_of_an_unknown_authority_is_refused(broker: Mosquitto, tmp_path: Path) -> None:
    other = Authority(tmp_path, "other-ca")
    for ca in (other.file, None):
        with pytest.raises(AccessDenied, match=r"certificate is not trusted.*see ca:"):
            await publisher(broker.port, ca=ca).connect()


async def test_a_certificate_for_another_host_is_refused(broker: Mosquitto, ours: Authority) -> None:
    with pytest.raises(AccessDenied, match=r"not trusted.*url must name the host"):
        await publisher(broker.port, host="localhost", ca=ours.file).connect()


async def test_a_broker_may_ask_for_our_certificate(
    tmp_path: Path, ours: Authority, lines: list[str]
) -> None:
    cert, key = ours.issue("gw-01")
    false_cert, false_key = Authority(tmp_path, "other-ca").issue("impostor")
    with Mosquitto(tmp_path, *lines, "require_certificate true") as broker:
        with pytest.raises((AccessDenied, NotConnected)):
            await publisher(broker.port, ca=ours.file).connect()
        with pytest.raises((AccessDenied, NotConnected)):
            await publisher(broker.port, ca=ours.file, cert=false_cert, key=false_key).connect()
        link = await publisher(broker.port, ca=ours.file, cert=cert, key=key).connect()
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
        await publisher(broker.port, ca=ours.file, cert=cert, key=key).connect()


async def test_a_broker_without_tls_is_not_connected(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker, pytest.raises(NotConnected, match=f"mqtts://127.0.0.1:{broker.port}"):
        await publisher(broker.port, ack_timeout="2s").connect()
