"""Passwords in files that somebody else renews."""

from __future__ import annotations

import asyncio
import base64
import os
import threading
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from edge_agent.api import AccessDenied, Credentials, Message, NotConnected
from edge_agent.north.mqtt import MqttPublisher, plugin
from edge_agent.north.mqtt_config import MqttConfig
from edge_agent.north.mqtt_token import LARGEST, Login, Token, read_login, read_token
from tests.peers.fake_broker import FakeBroker, Script
from tests.peers.will import OnlyWill

GREETING = [Message("edge/tags", b"1")] * 3


def publisher(port: int, **keys: Any) -> MqttPublisher:
    config = MqttConfig(url=f"mqtt://127.0.0.1:{port}", ack_timeout="400ms", **keys)
    built = plugin.build("platform", config, "gw-01", OnlyWill(Message("edge/status", b"{}")))
    assert isinstance(built, MqttPublisher)
    return built


def jwt(**claims: Any) -> str:
    parts = [orjson.dumps({"alg": "none"}), orjson.dumps(claims), b"signature"]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def carried(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()


async def test_user_and_password_are_read_from_their_files_at_each_connection(tmp_path: Path) -> None:
    user, password = tmp_path / "user", tmp_path / "token"
    async with FakeBroker(Script()) as broker:
        made = publisher(broker.port, user_file=user, password_file=password)
        for name, word in (("gw", "first"), ("gw-2", "second")):
            user.write_text(f"{name}\n")
            password.write_text(f"{word}\n")
            await (await made.connect()).close()
            assert broker.greetings[-1].endswith(carried(name) + carried(word))


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "No such file"), (b" \n", "is empty"), (b"x" * (LARGEST + 1), "too long"), (b"\xff", "utf-8")],
)
async def test_a_file_that_holds_no_password_is_named(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(AccessDenied, match=f"password_file: {path}.*{says}"):
        await publisher(1, user="gw", password_file=path).connect()


async def test_a_token_that_expires_soon_is_traded_for_its_successor_in_good_manners(tmp_path: Path) -> None:
    path, now = tmp_path / "token", int(time.time())
    path.write_text(jwt(iat=now - 900, exp=now + 60))
    async with FakeBroker(Script()) as broker:
        made = publisher(broker.port, user="gw", password_file=path)
        link = await made.connect()
        closed = asyncio.create_task(link.closed())
        await asyncio.sleep(0.3)
        assert not closed.done()
        path.write_text(jwt(iat=now, exp=now + 960))
        with pytest.raises(NotConnected, match="successor has come"):
            async with asyncio.timeout(8):
                await closed
        await link.send(GREETING)
        await link.close()
        await asyncio.sleep(0.2)
        assert broker.goodbyes == 1
        link = await made.connect()
        assert broker.greetings[-1].endswith(carried(path.read_text()))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await link.closed()
        await link.close()


async def test_a_refusal_says_that_the_token_has_expired(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(jwt(exp=time.time() - 100))
    async with FakeBroker(Script(connack=0x87)) as broker:
        with pytest.raises(AccessDenied, match=r"Not authorized.*the token in .*token expired 10\d s ago"):
            await publisher(broker.port, user="gw", password_file=path).connect()


@pytest.mark.parametrize(
    ("text", "expires", "renews"),
    [
        ("plain password", None, None),
        ("a.b.c", None, None),
        (jwt(sub="gw"), None, None),
        (jwt(exp=True), None, None),
        (jwt(exp="soon"), None, None),
        (jwt(exp=5000), 5000, 4700),
        (jwt(exp=5000, iat=4900), 5000, 4980),
        (jwt(exp=5000, iat=6000), 5000, 5000),
        (jwt(exp=100_000, iat=0), 100_000, 99_700),
    ],
)
def test_a_jwt_is_known_and_anything_else_never_expires(
    tmp_path: Path, text: str, expires: float | None, renews: float | None
) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    token = read_token("password_file", path)
    assert (token.expires_s, token.renew_s) == (expires, renews)
    assert text not in repr(token)


def test_an_older_or_unreadable_token_is_no_successor(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(jwt(exp=5000, n=1))
    token = read_token("password_file", path)
    now = 4699.0
    login = Login(Credentials("gw"), path, token, lambda: now)
    path.write_text(jwt(exp=6000))
    assert not login.outdated()         # too early to look
    now = 4701.0
    for text in (jwt(exp=5000, n=2), jwt(exp=4000), ""):
        path.write_text(text)
        assert not login.successor()
    path.write_text("a new one, of another kind")
    assert login.successor()


async def test_a_file_on_a_network_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    path = tmp_path / "token"
    os.mkfifo(path)                         # whoever opens it waits for somebody who writes
    login = Login(Credentials("gw"), path, Token("old", expires_s=time.time()))
    began = time.monotonic()
    assert not any(login.outdated() for _ in range(100))
    assert time.monotonic() - began < 1
    assert sum(thread.name.startswith("asyncio_") for thread in threading.enumerate()) == 1
    path.write_text("new")
    for _ in range(1000):
        if login.outdated():
            return
        await asyncio.sleep(0.01)
    pytest.fail("waited in vain")


def test_without_a_file_nothing_is_ever_outdated() -> None:
    who = Credentials("gw", "user", "password")
    login = read_login(who, None, None)
    assert login.who == who
    assert not login.outdated()
    assert not login.hint()
    assert Token("x").renew_s is None
