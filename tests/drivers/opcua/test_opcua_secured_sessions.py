"""A device with security from the first attempt to its values: what an engineer sees, and types, in between."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.api import AccessDenied, NotConnected
from edge_agent.cli import main as edge_agent
from tests.drivers.opcua.conftest import NODE, PEERS, Device, Peer
from tests.peers.opcua_certificates import certificate, key_of
from tests.peers.waiting import free_port

CLOCK = {"clock": "i=2258", "product": "i=2261"}
URI = "urn:press-1:server"


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Callable[..., Peer]]:
    """Start an asyncua server with all security policies: `secured(*options, port=…, certificate=Pair)`."""
    peers: list[Peer] = []

    def run(*options: str, port: int = 0, pair: Any = None) -> Peer:
        pair = pair if pair is not None else certificate(uri=URI)
        cert, key = pair.write(tmp_path, f"server-{len(peers)}")
        port = port or free_port()
        script = str(PEERS / "opcua_secure_server.py")
        peers.append(Peer([sys.executable, script, str(port), str(cert), str(key), URI, *options], port))
        return peers[-1]

    yield run
    for peer in peers:
        peer.kill()


async def refusal(cnc: Device) -> str:
    with pytest.raises(NotConnected) as caught:
        await cnc.connect()
    assert caught.value.retry_after_s == 5.0        # whoever approves wants to see that it works
    return str(caught.value)


def approve(told: str) -> None:
    """Type the command of the message."""
    command = re.search(r"edge-agent (cert trust [0-9a-f]{16}) --pki (\S+)", told)
    assert command is not None, told
    assert edge_agent([*command[1].split(), "--pki", command[2]]) == 0


async def test_an_unknown_server_is_refused_until_its_certificate_is_approved(secured, device, tmp_path):
    cnc = device(secured().url, CLOCK, security="auto", pki=str(tmp_path / "pki"))
    told = await refusal(cnc)
    assert "the server's certificate is not trusted yet" in told
    assert "SHA-256 fingerprint" in told
    approve(told)
    await cnc.connect()
    assert (await cnc.values())["clock"] > 1.7e9


@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"])
@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
async def test_every_policy_and_mode_brings_values(one_server, device, policy, mode):
    peer, pki = one_server
    cnc = device(peer.url, CLOCK, security={"policy": policy, "mode": mode}, pki=str(pki))
    await cnc.connect()
    assert (await cnc.values())["clock"] > 1.7e9


async def test_users_get_in_by_password_and_by_certificate(one_server, device):
    peer, pki = one_server
    cert, key = pki.parent / "user.der", pki.parent / "user.pem"
    for login in ({"user": "edge", "password": "s3cret"}, {"cert": str(cert), "key": str(key)}):
        cnc = device(peer.url, CLOCK, security="auto", login=login, pki=str(pki))
        await cnc.connect()
        assert (await cnc.values())["clock"] > 1.7e9
    wrong = device(peer.url, CLOCK, security="auto", login={"user": "edge", "password": "no"}, pki=str(pki))
    with pytest.raises(AccessDenied, match="BadUserAccessDenied"):
        await wrong.connect()


async def test_a_server_with_another_certificate_after_a_restart_is_refused_until_that_is_approved(
    secured, device, tmp_path
):
    first = secured()
    cnc = device(first.url, CLOCK, security="auto", pki=str(tmp_path / "pki"))
    approve(await refusal(cnc))
    await cnc.connect()
    await cnc.values()
    first.kill()
    secured(port=first.port, pair=certificate(uri=URI, key=key_of(2048, 1)))
    told = await refusal(cnc)
    assert "another certificate of this application is trusted" in told
    approve(told)
    await cnc.connect()
    assert (await cnc.values())["clock"] > 1.7e9


async def test_auto_is_never_none(server, device, tmp_path):
    told = "the server offers no encryption; to connect without it, write security: none"
    with pytest.raises(AccessDenied, match=told):
        await device(server.url, CLOCK, security="auto", pki=str(tmp_path)).connect()


async def test_a_key_that_does_not_fit_is_said_with_the_way_out(secured, device, tmp_path):
    cnc = device(secured().url, CLOCK, security="auto", pki=str(tmp_path / "pki"))
    await refusal(cnc)
    [key] = (tmp_path / "pki/own/private").iterdir()
    key.write_text("nothing")
    assert "edge-agent cert new --force" in await refusal(cnc)


@pytest.mark.peer
async def test_node_opcua_trusts_us_once_our_certificate_was_moved_there(device, tmp_path, capsys):
    if shutil.which("node") is None or not (NODE / "node_modules" / "node-opcua").is_dir():
        pytest.skip("needs node and node-opcua: run tests/peers/install.sh")
    port = free_port()
    peer = Peer(["node", str(NODE / "uasecure.js"), str(port), str(tmp_path / "theirs")], port)
    try:
        cnc = device(peer.url, CLOCK, security="auto", pki=str(tmp_path / "pki"))
        approve(await refusal(cnc))
        told = await refusal(cnc)
        assert "does not trust our certificate yet" in told
        ours = re.search("thumbprint ([0-9a-f]{40})", told)
        assert ours is not None
        capsys.readouterr()
        assert edge_agent(["cert", "list", "--json", "--pki", str(tmp_path / "pki")]) == 0
        assert ours[1] in capsys.readouterr().out
        for _ in range(40):         # it looks at its folders now and then, and may have put ours back meanwhile
            for rejected in (tmp_path / "theirs/rejected").iterdir():
                rejected.rename(tmp_path / "theirs/trusted/certs" / rejected.name)
            await asyncio.sleep(1.0)
            with contextlib.suppress(NotConnected):
                await cnc.connect()
                break
        assert (await cnc.values())["clock"] > 1.7e9
    finally:
        peer.kill()


@pytest.fixture(scope="module")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Peer, Path]]:
    """A server that is trusted already, and our folder of certificates; user.der and user.pem lie beside it."""
    folder = tmp_path_factory.mktemp("secured")
    user, _ = certificate(uri="urn:operator").write(folder, "user")
    pair = certificate(uri=URI)
    cert, key = pair.write(folder, "server")
    trusted = folder / "pki/trusted/certs"
    trusted.mkdir(parents=True)
    (trusted / "server.der").write_bytes(pair.der)
    port = free_port()
    script = str(PEERS / "opcua_secure_server.py")
    peer = Peer([sys.executable, script, str(port), str(cert), str(key), URI, "--user-cert", str(user)], port)
    yield peer, folder / "pki"
    peer.kill()
