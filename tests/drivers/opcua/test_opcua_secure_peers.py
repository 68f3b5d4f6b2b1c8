"""Real servers with security: whether ours is accepted, theirs is judged, and a refusal is understood."""

from __future__ import annotations

import asyncio
import logging
import shutil
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asyncua import Client, ua

from edge_agent.api import AccessDenied
from edge_agent_opcua.security import approve, glue
from edge_agent_opcua.security.choose import STRENGTH, Endpoint, LoginKind, NoEndpoint, choose, confirm
from edge_agent_opcua.security.explain import DROPPED, explained
from edge_agent_opcua.security.pki import Own, Pki
from edge_agent_opcua.security.trust import Untrusted
from tests.peers.opcua_certificates import DAY, certificate, key_of
from tests.peers.process import Peer
from tests.peers.waiting import free_port

PEERS = Path(__file__).parents[2] / "peers"
URI = "urn:peer:server"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library logs of a refusal is what we expect of it."""
    monkeypatch.setattr(logging.getLogger("asyncua"), "disabled", True)
    for name in ("asyncua.client.ua_client", "asyncua.client.client", "asyncua.uaprotocol"):
        monkeypatch.setattr(logging.getLogger(name), "disabled", True)


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path / "pki")


@pytest.fixture
def own(pki: Pki) -> Own:
    return pki.own("urn:gateway-3:edge-agent:gw-01", [socket.gethostname(), "127.0.0.1"], now())


@contextmanager
def asyncua_server(folder: Path, *options: object, port: int = 0, number: int = 0) -> Iterator[str]:
    """The URL of an asyncua server whose certificate has key `number`."""
    port = port or free_port()
    pair = certificate("peer", uri=URI, hosts=["127.0.0.1"], begins=now() - DAY, ends=now() + DAY,
                       key=key_of(2048, 100 + number))  # fmt: skip
    cert, key = pair.write(folder, f"server-{number}")
    with Peer([sys.executable, PEERS / "opcua_secure_server.py", port, cert, key, URI, *options]):
        yield f"opc.tcp://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def node_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL of a node-opcua server that trusts nobody yet, and its PKI folder."""
    folder = tmp_path_factory.mktemp("node")
    if shutil.which("node") is None or not (PEERS / "node/node_modules/node-opcua").is_dir():
        pytest.skip("needs node and node-opcua: run tests/peers/install.sh")
    port = free_port()
    with Peer(["node", PEERS / "node/uasecure.js", port, folder]):
        yield f"opc.tcp://127.0.0.1:{port}", folder


async def announced(url: str) -> list[Any]:
    return list(await Client(url).connect_and_get_server_endpoints())


@asynccontextmanager
async def connected(url: str, endpoint: Endpoint, own: Own | None, **login: Any) -> AsyncIterator[Client]:
    """A plain client of the library over the chosen endpoint."""
    client = Client(url, timeout=10)
    glue.secure(client, endpoint, own)
    if "user" in login:
        client.set_user(login["user"])
        client.set_password(login["password"])
    if "certificate" in login:
        glue.log_in(client, login["certificate"])
    await client.connect()
    try:
        yield client
    finally:
        await client.disconnect()


async def state_of(url: str, endpoint: Endpoint, own: Own | None, **login: Any) -> int:
    async with connected(url, endpoint, own, **login) as client:
        return int(await client.nodes.server_state.read_value())


async def noticed(url: str, endpoint: Endpoint, own: Own) -> None:
    """Connect until the server has seen that a file was moved; it looks at its folders now and then."""
    end = time.monotonic() + 30
    while True:
        try:
            await state_of(url, endpoint, own)
        except (AssertionError, ConnectionError):
            assert time.monotonic() < end, "moved to the trusted certificates, and still refused"
            await asyncio.sleep(0.2)
        else:
            return


def approved(pki: Pki, sent: bytes, uri: str) -> list[str]:
    """Judge, approve what the message says, judge again."""
    with pytest.raises(Untrusted) as error:
        pki.judge(sent, "127.0.0.1", uri, now())
    words = str(error.value).split("edge-agent cert trust ")[1].split()
    approve.trust(Path(words[2]), words[0], False, now())
    return pki.judge(sent, "127.0.0.1", uri, now())


@pytest.mark.parametrize("login", ["anonymous", "user", "cert"])
async def test_every_policy_mode_and_login_works_with_asyncua(tmp_path, pki, own, login: LoginKind):
    user_cert, user_key = certificate("operator", uri="", key=key_of(2048, 50)).write(tmp_path, "user")
    logins: dict[str, dict[str, Any]] = {
        "anonymous": {}, "user": {"user": "edge", "password": "s3cret"},
        "cert": {"certificate": glue.user_certificate(user_cert, user_key)},
    }  # fmt: skip
    with asyncua_server(tmp_path, "--none", "--user-cert", user_cert) as url:
        offered = await announced(url)
        best = choose(offered, "auto", "auto", login)
        assert (best.policy, best.mode, best.application_uri) == ("Aes256_Sha256_RsaPss", 3, URI)
        assert best.hides_password
        assert approved(pki, best.certificate, best.application_uri) == []
        for policy in STRENGTH:
            for mode in ("Sign", "SignAndEncrypt"):
                endpoint = choose(offered, policy, mode, login)
                assert await state_of(url, endpoint, own, **logins[login]) == 0
        assert await state_of(url, choose(offered, "None", "None", login), None, **logins[login]) == 0


async def test_wrong_passwords_and_unknown_users_are_told_apart_from_certificates(tmp_path, own):
    with asyncua_server(tmp_path) as url:
        endpoint = choose(await announced(url), "auto", "auto", "user")
        with pytest.raises(ua.UaStatusCodeError) as error:
            await state_of(url, endpoint, own, user="edge", password="wrong")
        assert "wrong user or password" in explained(error.value.code)


async def test_a_server_without_none_is_not_connected_to_without_security(tmp_path):
    with asyncua_server(tmp_path) as url, pytest.raises(NoEndpoint, match="write security: auto"):
        choose(await announced(url), "None", "None", "anonymous")


async def test_the_list_of_endpoints_is_the_same_over_the_secured_channel(tmp_path, own):
    with asyncua_server(tmp_path, "--none") as url:
        offered = await announced(url)
        best = choose(offered, "auto", "auto", "anonymous")
        async with connected(url, best, own) as client:
            confirm(best, await client.get_endpoints(), "auto", "auto", "anonymous")
        weakest = choose([one for one in offered if one.SecurityMode == 2], "auto", "auto", "anonymous")
        async with connected(url, weakest, own) as client:
            with pytest.raises(NoEndpoint, match="something in between may have changed it"):
                confirm(weakest, await client.get_endpoints(), "auto", "auto", "anonymous")


async def test_a_server_that_does_not_trust_us_is_explained_and_takes_us_once_it_does(tmp_path, own):
    trusted = tmp_path / "of-the-server"
    trusted.mkdir()
    with asyncua_server(tmp_path, "--trust", trusted) as url:
        endpoint = choose(await announced(url), "auto", "auto", "anonymous")
        with pytest.raises(ua.UaStatusCodeError) as error:
            await state_of(url, endpoint, own)
        assert own.thumbprint in explained(error.value.code, own.thumbprint)
        (trusted / "edge-agent.der").write_bytes(own.cert_der)
        assert await state_of(url, endpoint, own) == 0


async def test_a_server_that_returns_with_another_certificate_is_refused_until_that_is_approved(tmp_path, pki, own):
    port = free_port()
    with asyncua_server(tmp_path, port=port) as url:
        endpoint = choose(await announced(url), "auto", "auto", "anonymous")
        assert approved(pki, endpoint.certificate, endpoint.application_uri) == []
    with asyncua_server(tmp_path, port=port, number=1) as url:
        endpoint = choose(await announced(url), "auto", "auto", "anonymous")
        with pytest.raises(Untrusted, match="another certificate of this application is trusted"):
            pki.judge(endpoint.certificate, "127.0.0.1", endpoint.application_uri, now())
        assert approved(pki, endpoint.certificate, endpoint.application_uri) == []
        assert await state_of(url, endpoint, own) == 0


@pytest.mark.peer
async def test_node_opcua_refuses_us_in_a_way_we_understand_and_takes_us_once_it_trusts_us(node_server, own):
    url, theirs = node_server
    offered = await announced(url)
    endpoint = choose(offered, "auto", "auto", "anonymous")
    assert endpoint.policy == "Aes256_Sha256_RsaPss"
    with pytest.raises((AssertionError, ConnectionError, ua.UaStatusCodeError)) as error:
        await state_of(url, endpoint, own)
    told = explained(error.value.code) if isinstance(error.value, ua.UaStatusCodeError) else DROPPED
    assert "does not trust our certificate yet" in told
    [refused] = (theirs / "rejected").iterdir()
    assert own.thumbprint in refused.name
    refused.rename(theirs / "trusted/certs" / refused.name)
    await noticed(url, endpoint, own)
    for policy in STRENGTH:
        for mode in ("Sign", "SignAndEncrypt"):
            assert await state_of(url, choose(offered, policy, mode, "anonymous"), own) == 0
    by_user = choose(offered, "auto", "auto", "user")
    assert await state_of(url, by_user, own, user="edge", password="s3cret") == 0


@pytest.mark.peer
async def test_the_certificate_node_opcua_makes_for_itself_is_judged_sound(node_server, pki):
    url, _ = node_server
    endpoint = choose(await announced(url), "auto", "auto", "anonymous")
    notes = approved(pki, endpoint.certificate, endpoint.application_uri)
    assert all("does not speak for 127.0.0.1" in note for note in notes)
    with pytest.raises(AccessDenied, match="calls itself urn:another"):
        pki.judge(endpoint.certificate, "127.0.0.1", "urn:another", now())
