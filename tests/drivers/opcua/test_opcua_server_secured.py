"""Who gets into the secured OPC UA server, and how little the others get; node-opcua and asyncua as clients."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from asyncua import Client, ua

from edge_agent_opcua.security.store import Place, Store
from tests.peers.shown_plant import URI, Application, Plant, client_of, connected, listening, shown

pytestmark = pytest.mark.asyncio(loop_scope="module")
NODE = Path(__file__).parents[2] / "peers" / "node"
SCADA = ("scada", "s3cret")


class Secured:
    """A secured server with one user, and one client application that it trusts."""

    def __init__(self, plant: Plant, port: int, data: Path, known: Application) -> None:
        self.plant, self.port, self.data, self.known = plant, port, data, known


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secured]:
    data, plant = tmp_path_factory.mktemp("secured"), Plant()
    plant.all_good()
    known = Application(data / "clients", "known")
    known.trust(data)
    async with listening(plant, data, users={SCADA[0]: SCADA[1]}) as port:
        yield Secured(plant, port, data, known)


async def refused(client: Client) -> str:
    """Why a client does not get in."""
    with pytest.raises(ua.UaStatusCodeError) as told:
        await client.connect()
    return ua.StatusCode(told.value.code).name


@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"])
@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
async def test_a_known_application_with_a_user_reads(secured: Secured, policy: str, mode: str) -> None:
    async with connected(secured.port, secured.known, SCADA, policy, mode) as client:
        assert (await shown(client, "press-1.temp")).Value.Value == 23.5


async def test_only_secured_endpoints_are_offered_and_each_takes_users_only(secured: Secured) -> None:
    client = Client(f"opc.tcp://127.0.0.1:{secured.port}")
    offered = await client.connect_and_get_server_endpoints()
    assert {(e.SecurityPolicyUri.rpartition("#")[2], e.SecurityMode.name) for e in offered} == {
        (policy, mode)
        for policy in ("Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss")
        for mode in ("Sign", "SignAndEncrypt")
    }
    assert {token.TokenType.name for e in offered for token in e.UserIdentityTokens} == {"UserName"}
    signed = [token for e in offered if e.SecurityMode.name == "Sign" for token in e.UserIdentityTokens]
    assert all(not token.SecurityPolicyUri.endswith("#None") for token in signed), "passwords are encrypted anyway"


async def test_an_unsecured_channel_gives_the_endpoints_and_nothing_else(secured: Secured) -> None:
    assert await refused(await client_of(secured.port)) == "BadSecurityPolicyRejected"
    client = await client_of(secured.port)
    await client.connect_socket()
    await client.send_hello()
    await client.open_secure_channel()
    try:
        node = ua.ReadValueId(NodeId=ua.NodeId(2258), AttributeId=ua.AttributeIds.Value)
        request = ua.ReadParameters(NodesToRead=[node])
        with pytest.raises(ua.uaerrors.BadUserAccessDenied):
            await client.uaclient.session.read(request)
        with pytest.raises(ua.uaerrors.BadServiceUnsupported):
            names = [ua.LocalizedText("x")]
            await client.uaclient.register_server(ua.RegisteredServer(ServerUri="urn:x", ServerNames=names))
    finally:
        client.disconnect_socket()


@pytest.mark.parametrize("user", [("scada", "wrong"), ("scada", ""), ("admin", "s3cret"), ("Admin", "")])
async def test_a_wrong_password_does_not_get_in(secured: Secured, user: tuple[str, str]) -> None:
    assert await refused(await client_of(secured.port, secured.known, user)) == "BadUserAccessDenied"


async def test_nobody_gets_in_anonymously(secured: Secured) -> None:
    client = await client_of(secured.port, secured.known)
    with pytest.raises(ua.UaError):     # asyncua finds no token of its own that the server takes
        await client.connect()
    client = await client_of(secured.port, secured.known)
    await client.connect_socket()
    await client.send_hello()
    await client.open_secure_channel()
    try:
        await client.create_session()
        for token in (ua.AnonymousIdentityToken(PolicyId="anonymous"), None):
            params = ua.ActivateSessionParameters()
            challenge = client.security_policy.peer_certificate + client._server_nonce
            params.ClientSignature.Algorithm = client.security_policy.AsymmetricSignatureURI
            params.ClientSignature.Signature = client.security_policy.asymmetric_cryptography.signature(challenge)
            if token is not None:
                params.UserIdentityToken = token
            with pytest.raises(ua.uaerrors.BadIdentityTokenRejected):
                await client.uaclient.session.activate_session(params)
    finally:
        client.disconnect_socket()


async def test_an_unknown_application_is_refused_until_it_is_trusted(
    secured: Secured, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    stranger = Application(secured.data / "clients", "stranger")
    for _ in range(2):
        assert await refused(await client_of(secured.port, stranger, SCADA)) == "BadCertificateUntrusted"
    told = [record.getMessage() for record in caplog.records if "a client was refused" in record.getMessage()]
    assert len(told) == 1, "said once, not at every attempt"
    assert told[0].startswith("scada: a client was refused: the client's certificate is not trusted yet")
    assert "edge-agent cert trust" in told[0]
    store = Store(secured.data / "pki")
    [held] = [one for one in store.held(Place.REJECTED) if one.certificate == stranger.certificate]
    store.move(held, Place.TRUSTED)
    async with connected(secured.port, stranger, SCADA) as client:
        assert (await shown(client, "press-1.temp")).Value.Value == 23.5


async def test_showing_the_certificate_of_a_known_application_is_not_enough(secured: Secured) -> None:
    thief = Application(secured.data / "clients", "thief")
    client = await client_of(secured.port, thief, SCADA)
    await client.connect_socket()
    await client.send_hello()
    await client.open_secure_channel()
    try:
        for shown_certificate in (secured.known.cert.read_bytes(), None):
            params = ua.CreateSessionParameters(
                ClientNonce=bytes(32), ClientCertificate=shown_certificate, EndpointUrl=client.server_url.geturl(),
                RequestedSessionTimeout=60_000, SessionName="thief",
            )  # fmt: skip
            params.ClientDescription.ApplicationUri = thief.uri
            with pytest.raises(ua.uaerrors.BadCertificateUntrusted):
                await client.uaclient.session.create_session(params)
    finally:
        client.disconnect_socket()


async def test_an_application_that_calls_itself_otherwise_than_its_certificate_is_refused(secured: Secured) -> None:
    client = await client_of(secured.port, secured.known, SCADA)
    client.application_uri = "urn:test:somebody-else"
    assert await refused(client) == "BadCertificateUriInvalid"


async def test_there_are_no_more_sessions_than_allowed_and_room_again_for_each_that_ends(tmp_path: Path) -> None:
    plant = Plant()
    plant.all_good()
    async with listening(plant, tmp_path, security="none", anonymous=True, sessions=3) as port:
        held = [await client_of(port) for _ in range(3)]
        for client in held:
            await client.connect()
        assert await refused(await client_of(port)) == "BadTooManySessions"
        await held.pop().disconnect()
        async with connected(port) as client:
            assert (await shown(client, "press-1.temp")).Value.Value == 23.5
        idle = [await client_of(port) for _ in range(2)]
        for client in idle:     # sessions that nobody activates give way
            await client.connect_socket()
            await client.send_hello()
            await client.open_secure_channel()
            await client.create_session()
        async with connected(port) as client:
            assert (await shown(client, "press-1.temp")).Value.Value == 23.5
        for client in idle:
            client.disconnect_socket()
        for client in held:
            await client.disconnect()


async def test_without_users_the_certificate_alone_decides(tmp_path: Path) -> None:
    plant = Plant()
    plant.all_good()
    known, stranger = (Application(tmp_path / "clients", name) for name in ("known", "stranger"))
    known.trust(tmp_path)
    async with listening(plant, tmp_path) as port:
        async with connected(port, known) as client:
            assert (await shown(client, "press-1.temp")).Value.Value == 23.5
        assert await refused(await client_of(port, stranger)) == "BadCertificateUntrusted"
        assert await refused(await client_of(port)) == "BadSecurityPolicyRejected"


async def test_anonymous_lets_any_certificate_in_but_only_over_a_secured_channel(tmp_path: Path) -> None:
    plant = Plant()
    plant.all_good()
    async with listening(plant, tmp_path, anonymous=True) as port:
        async with connected(port, Application(tmp_path / "clients", "stranger")) as client:
            assert (await shown(client, "press-1.temp")).Value.Value == 23.5
        assert await refused(await client_of(port)) == "BadSecurityPolicyRejected"


async def test_without_security_passwords_are_encrypted_for_the_server_all_the_same(tmp_path: Path) -> None:
    plant = Plant()
    plant.all_good()
    async with listening(plant, tmp_path, security="none", users={SCADA[0]: SCADA[1]}) as port:
        client = Client(f"opc.tcp://127.0.0.1:{port}")
        [endpoint] = await client.connect_and_get_server_endpoints()
        assert endpoint.SecurityMode is ua.MessageSecurityMode.None_
        [token] = endpoint.UserIdentityTokens
        assert (token.TokenType.name, token.SecurityPolicyUri.rpartition("#")[2]) == ("UserName", "Basic256Sha256")
        async with connected(port, user=SCADA) as client:
            assert (await shown(client, "press-1.temp")).Value.Value == 23.5
        assert await refused(await client_of(port, user=("scada", "wrong"))) == "BadUserAccessDenied"


async def node_reads(secured: Secured, folder: Path, **more: Any) -> asyncio.subprocess.Process:
    """node-opcua asks."""
    if shutil.which("node") is None or not (NODE / "node_modules" / "node-opcua").is_dir():
        pytest.skip("needs node and node-opcua: run tests/peers/install.sh")
    ask = {
        "url": f"opc.tcp://127.0.0.1:{secured.port}", "namespace": URI, "folder": str(folder / "certificates"),
        "cert": str(secured.known.cert), "key": str(secured.known.key), "uri": secured.known.uri,
        "mode": "SignAndEncrypt", "policy": "Basic256Sha256", "user": SCADA[0], "password": SCADA[1],
        "keys": ["press-1.temp", "press-1.total", "machine.press-1.state", "machine.press-1.kpi.shift.oee"], **more,
    }  # fmt: skip
    return await asyncio.create_subprocess_exec(
        "node", str(NODE / "uaread.js"), json.dumps(ask), stdout=asyncio.subprocess.PIPE
    )


async def answer(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """What it says in the end."""
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    told: dict[str, Any] = json.loads(out.decode().strip().splitlines()[-1])
    return told


@pytest.mark.peer
@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes256_Sha256_RsaPss"])
async def test_node_opcua_reads_and_can_write_nothing(secured: Secured, tmp_path: Path, policy: str) -> None:
    told = await answer(await node_reads(secured, tmp_path, policy=policy, write="press-1.temp"))
    temp, total, state, oee = told["values"]
    assert (temp["value"], temp["type"], temp["status"]) == (23.5, "Double", "Good")
    assert (total["value"], total["type"]) == ([0, 70_000], "Int64")
    assert (state["value"], state["type"]) == (4, "UInt32")
    assert (oee["value"], oee["status"]) == (None, "BadNoData")
    assert told["written"] == "BadNotWritable"


@pytest.mark.peer
async def test_node_opcua_with_a_wrong_password_is_refused(secured: Secured, tmp_path: Path) -> None:
    told = await answer(await node_reads(secured, tmp_path, password="wrong"))
    assert "BadUserAccessDenied" in told["failed"]


@pytest.mark.peer
async def test_node_opcua_is_told_of_changes(secured: Secured, tmp_path: Path) -> None:
    process = await node_reads(secured, tmp_path, watch="press-1.total")
    assert process.stdout is not None
    async with asyncio.timeout(60):
        while (await process.stdout.readline()).strip() != b"watching":
            pass
    secured.plant.set("press-1.total", 70_001)
    told = await answer(process)
    secured.plant.set("press-1.total", 70_000)
    assert [one["value"] for one in told["watched"]] == [[0, 70_000], [0, 70_001]]
