"""MQTT in a WebSocket: to mosquitto, plain and TLS, and to servers that are not what they should be."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from edge_agent.api import AccessDenied, Message, NotConnected, Received
from edge_agent.north.mqtt import MqttPublisher, plugin
from edge_agent.north.mqtt_config import MqttConfig
from edge_agent.north.mqtt_link import MqttLink
from edge_agent.north.mqtt_websocket import WebSocket
from tests.peers.certificates import Authority
from tests.peers.mosquitto import MOSQUITTO, WebSocketMosquitto
from tests.peers.will import OnlyWill

needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def publisher(url: str, **keys: Any) -> MqttPublisher:
    built = plugin.build("platform", MqttConfig(url=url, **keys), "gw-01", OnlyWill(Message("edge/status", b"dead")))
    assert isinstance(built, MqttPublisher)
    return built


async def crosses(out: MqttLink, back: MqttLink, sizes: list[int]) -> None:
    """What is sent over the one comes over the other as it was, in its order, whatever its size."""
    sent = [Message("edge/tags", os.urandom(size)) for size in sizes]
    heard: list[Received] = []
    all_heard = asyncio.Event()

    def hear(received: Received) -> None:
        heard.append(received)
        if len(heard) == len(sent):
            all_heard.set()

    await back.listen(["edge/#"], hear)
    await out.send(sent)
    async with asyncio.timeout(60):
        await all_heard.wait()
    assert [one.payload for one in heard] == [one.payload for one in sent]


# Frames change their form at 126 and 65536 bytes.
SIZES = [0, 1, 100, 110, 111, 112, 113, 125, 126, 65_500, 65_521, 65_522, 65_536, *range(300)]
LARGE = [3_000_000, 70_000, 300_000]
"""Larger than sockets hold. Debian's mosquitto sends nothing like that in a WebSocket; to paho's own neither."""


@pytest.mark.peer
@needs_mosquitto
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_messages_of_all_sizes_go_and_come_in_a_websocket(
    tmp_path: Path, version: str, run: Callable[..., None]
) -> None:
    async def day(broker: WebSocketMosquitto) -> None:
        url = f"ws://127.0.0.1:{broker.websocket_port}/mqtt"
        link = await publisher(url, version=version).connect()
        plain = await publisher(f"mqtt://127.0.0.1:{broker.port}", client_id="other").connect()
        assert link.place == url
        await crosses(link, plain, [*SIZES, *LARGE])
        await crosses(plain, link, SIZES)
        await link.close()
        await plain.close()

    with WebSocketMosquitto(tmp_path) as broker:
        run(day(broker))


@pytest.mark.peer
@needs_mosquitto
async def test_a_websocket_may_be_encrypted_and_the_broker_ask_for_our_certificate(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path, "our-ca"), Authority(tmp_path, "other-ca")
    cert, key = ours.issue("broker")
    lines = [f"cafile {ours.ca}", f"certfile {cert}", f"keyfile {key}", "require_certificate true"]
    my_cert, my_key = ours.issue("gw-01")
    with WebSocketMosquitto(tmp_path, *lines, "user root") as broker:
        url = f"wss://127.0.0.1:{broker.websocket_port}/mqtt"
        link = await publisher(url, ca=ours.ca, cert=my_cert, key=my_key).connect()
        await crosses(link, link, SIZES)
        await link.send([Message("large", os.urandom(size)) for size in LARGE])
        await link.close()
        with pytest.raises(AccessDenied, match="not trusted"):
            await publisher(url, ca=other.ca, cert=my_cert, key=my_key).connect()
        with pytest.raises((AccessDenied, NotConnected)):
            await publisher(url, ca=ours.ca).connect()


@pytest.mark.peer
@needs_mosquitto
async def test_a_killed_broker_ends_a_websocket_too(tmp_path: Path) -> None:
    with WebSocketMosquitto(tmp_path) as broker:
        link = await publisher(f"ws://127.0.0.1:{broker.websocket_port}").connect()
        sending = asyncio.create_task(link.send([Message("edge/tags", bytes(200))] * 100_000))
        await asyncio.sleep(0.1)
        broker.kill()
        for part in (sending, link.closed()):
            with pytest.raises(NotConnected):
                await part
        await link.close()


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[str]:
    """A server of one behaviour; its address."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(once, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/mqtt"


def answering(answer: bytes) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await reader.read()

    return serve


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (b"HTTP/1.1 404 Not Found\r\n\r\n", NotConnected, "no WebSocket at /mqtt: HTTP 404 Not Found"),
        (b"HTTP/1.1 403 Forbidden\r\nX: y\r\n\r\n", AccessDenied, "HTTP 403 Forbidden"),
        (b"HTTP/1.1 401\r\n\r\n", AccessDenied, "HTTP 401"),
        (b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n<html>", NotConnected, "HTTP 200"),
        (b"SSH-2.0\r\n\r\n", NotConnected, "is not spoken there"),
        (b"\xff" * 20_000, NotConnected, "HTTP is not spoken"),
        (b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\n\r\n", NotConnected, "not to our question"),
        (
            b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
            NotConnected,
            "not to our question",
        ),
    ],
)
async def test_what_is_no_websocket_says_what_it_answered(answer: bytes, kind: type[Exception], says: str) -> None:
    async with serving(answering(answer)) as url:
        with pytest.raises(kind, match=says) as caught:
            await publisher(url).connect()
        assert str(caught.value).startswith(url)


async def test_a_server_that_never_answers_http_is_given_up() -> None:
    async with serving(answering(b"HTTP/1.1 101")) as url:
        with pytest.raises(NotConnected, match="timed out"):
            await publisher(url, ack_timeout="300ms").connect()


async def test_the_request_carries_our_headers_and_asks_for_mqtt() -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))

    async with serving(serve) as url:
        with pytest.raises(NotConnected):
            await publisher(f"{url}?key=s3cret", headers={"Authorization": "Bearer s3cret"}).connect()
    lines = asked[0].decode().split("\r\n")
    assert lines[0] == "GET /mqtt?key=s3cret HTTP/1.1"
    assert {"Authorization: Bearer s3cret", "Sec-WebSocket-Protocol: mqtt"} <= set(lines)


# -- frames ------------------------------------------------------------------------------------


@pytest.fixture
def pair() -> Iterator[tuple[WebSocket, socket.socket]]:
    """A WebSocket and the server's end, after the handshake."""
    ours, theirs = socket.socketpair()

    class ShakenHands(WebSocket):
        def _shake_hands(self, *_: object) -> None:
            """As if it were done."""

    yield ShakenHands(ours, "host", "/mqtt", {}, 1.0), theirs
    ours.close()
    theirs.close()


def frame(kind: int, data: bytes, last: bool = True) -> bytes:
    return bytes([kind | (0x80 if last else 0), len(data)]) + data


def unmasked(data: bytes, mask: bytes) -> bytes:
    return bytes(byte ^ mask[at % 4] for at, byte in enumerate(data))


def test_a_message_in_fragments_with_a_ping_between_them_is_whole(pair: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(frame(2, b"ab", last=False) + frame(9, b"hi") + frame(0, b"", last=False) + frame(0, b"cd"))
    assert ours.recv(3) == b"abc"
    assert ours.pending() == 1
    assert ours.recv(100) == b"d"
    answer = theirs.recv(100)
    assert answer[:2] == bytes([0x8A, 0x82])
    assert unmasked(answer[6:], answer[2:6]) == b"hi"


def test_frames_that_come_byte_by_byte_are_read(pair: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = pair
    ours.setblocking(False)
    got = b""
    for byte in frame(2, b"hello") + frame(9, b"") + bytes([0x82, 126, 0, 200]) + bytes(200) + frame(8, b"\x03\xe8"):
        theirs.sendall(bytes([byte]))
        try:
            got += ours.recv(1000)
        except BlockingIOError:
            pass
    assert got == b"hello" + bytes(200)
    assert ours.recv(10) == b""


@pytest.mark.parametrize("odd", [b"\x82\x81abcde", b"\x81\x01a", b"\xc2\x01a", b"\x89\x7e\x00\x80"])
def test_frames_that_have_no_place_in_mqtt_end_the_connection(
    odd: bytes, pair: tuple[WebSocket, socket.socket]
) -> None:
    ours, theirs = pair
    theirs.sendall(odd)
    with pytest.raises(ConnectionError):
        ours.recv(10)


def test_a_frame_that_the_kernel_takes_in_pieces_is_sent_once(pair: tuple[WebSocket, socket.socket]) -> None:
    ours, theirs = pair
    ours.setblocking(False)
    data, sent, got = os.urandom(2_000_000), 0, b""
    theirs.settimeout(0.2)
    while sent < len(data):
        try:
            sent += ours.send(data[sent:])
        except BlockingIOError:
            pass
        got += theirs.recv(1 << 20)
    while len(got) < len(data) + 14:
        got += theirs.recv(1 << 20)
    assert got[:2] == b"\x82\xff"
    assert int.from_bytes(got[2:10], "big") == len(data)
    assert unmasked(got[14:], got[10:14]) == data


async def test_a_server_that_closes_the_websocket_ends_the_link() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(line for line in asked.split("\r\n") if line.startswith("Sec-WebSocket-Key")).split(": ")[1]
        accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
        connack = frame(2, b"\x20\x03\x00\x00\x00")
        writer.write(head + b"Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: " + accept + b"\r\n\r\n" + connack)
        await asyncio.sleep(0.1)
        writer.write(frame(8, b"\x03\xe9"))
        await reader.read()

    async with serving(serve) as url:
        link = await publisher(url, version="5").connect()
        with pytest.raises(NotConnected):
            async with asyncio.timeout(3):
                await link.closed()
