"""The InfluxDB publisher against a server that answers as it is told to."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.api import AccessDenied, Message, NotConnected, Rejected
from edge_agent.config.destination import with_profile
from edge_agent.north import influx_link
from edge_agent.north.influx import InfluxPublisher, plugin
from edge_agent.north.influx_link import InfluxLink
from edge_agent.platforms import line_protocol
from tests.peers.certificates import Authority
from tests.peers.fake_influx import FakeInflux
from tests.peers.waiting import free_port


@pytest.fixture
def server() -> Iterator[FakeInflux]:
    with FakeInflux() as running:
        yield running


def publisher(url: str, **keys: Any) -> InfluxPublisher:
    said = {"type": "influxdb", "url": url, "org": "acme", "bucket": "plant", "token": "secret", **keys}
    config = with_profile(plugin, line_protocol.plugin).model_validate(said)
    built = plugin.build("history", config, "gw-01", None)  # type: ignore[arg-type]
    assert isinstance(built, InfluxPublisher)
    return built


async def linked(server: FakeInflux, **keys: Any) -> InfluxLink:
    return await publisher(server.url, **keys).connect()


def lines(*numbers: int, series: str = "m") -> Message:
    return Message("t", "\n".join(f"{series},n={n} x={n}.5,i={n}i {n}" for n in numbers).encode())


def count(server: FakeInflux) -> int:
    return len(server.stored)


# -- what arrives --------------------------------------------------------------------------------


@pytest.mark.parametrize("gzip", [True, False])
async def test_every_line_is_stored_in_requests_of_the_batch_size(server: FakeInflux, gzip: bool) -> None:
    link = await linked(server, batch_size=100, gzip=gzip)
    await link.send([lines(*range(n, n + 30)) for n in range(0, 300, 30)])
    await link.close()
    assert count(server) == 300
    assert [n for n, _ in server.writes] == [90, 90, 90, 30]
    assert set(server.encodings) == ({"gzip"} if gzip else {""})


async def test_a_message_larger_than_a_request_is_cut_between_lines(server: FakeInflux) -> None:
    link = await linked(server, batch_size=64)
    await link.send([lines(*range(200)), Message("t", b""), lines(200)])
    await link.close()
    assert count(server) == 201
    assert max(n for n, _ in server.writes) <= 64


async def test_the_precision_of_the_time_stamps_is_said(server: FakeInflux) -> None:
    link = await linked(server, precision="ms")
    await link.send([lines(1)])
    await link.close()
    assert server.queries == [{"org": "acme", "bucket": "plant", "precision": "ms"}]


async def test_what_is_sent_twice_is_stored_once(server: FakeInflux) -> None:
    link = await linked(server)
    server.answer_next("stored-reset")
    with pytest.raises(NotConnected):
        await link.send([lines(1, 2, 3)])
    await link.close()
    again = await linked(server)
    await again.send([lines(1, 2, 3)])
    await again.close()
    assert count(server) == 3


async def test_the_loop_goes_on_while_a_server_thinks(server: FakeInflux) -> None:
    link = await linked(server, timeout="1s")
    server.answer_next("hang")
    sending = asyncio.create_task(link.send([lines(1)]))
    began = time.monotonic()
    turns = 0
    while not sending.done():
        await asyncio.sleep(0.01)
        turns += 1
    with pytest.raises(NotConnected, match="timed out"):
        await sending
    assert time.monotonic() - began >= 0.9
    assert turns > 20
    await link.close()


async def test_a_server_that_hangs_does_not_hold_up_the_end(server: FakeInflux) -> None:
    link = await linked(server, timeout="60s")
    server.answer_next("hang")
    sending = asyncio.create_task(link.send([lines(1)]))
    await asyncio.sleep(0.3)
    began = time.monotonic()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await link.close()
    assert time.monotonic() - began < 5
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "influxdb-history")


async def test_a_link_that_is_closed_leaves_no_thread(server: FakeInflux) -> None:
    for _ in range(3):
        link = await linked(server)
        await link.close()
    mine = [one for one in threading.enumerate() if one.name == "influxdb-history"]
    await asyncio.to_thread(lambda: [one.join(10) for one in mine])
    assert not [one for one in mine if one.is_alive()]


# -- what is refused for good ----------------------------------------------------------------------


def poisoned(*numbers: int, poison: frozenset[int]) -> Message:
    said = [f"m,n={n}{',poison=p' if n in poison else ''} x={n}.5 {n}" for n in numbers]
    return Message("t", "\n".join(said).encode())


@pytest.mark.parametrize("version", ["2", "3", "cloud"])
@pytest.mark.parametrize("poison", [{0}, {7}, {299}, {3, 4, 150}, set(range(60, 90)), set(range(0, 300, 2))])
async def test_the_poison_lines_are_refused_and_all_others_stored(poison: set[int], version: str) -> None:
    bad = frozenset(poison)
    with FakeInflux(version=version) as server:
        link = await linked(server)
        await link.send([lines(1, series="first")])
        server.writes.clear()
        with pytest.raises(Rejected) as caught:
            await link.send([poisoned(*range(n, n + 30), poison=bad) for n in range(0, 300, 30)])
        await link.close()
    refusal = caught.value
    assert refusal.positions == tuple(sorted({n // 30 for n in poison}))
    assert all("unable to parse" in reason for reason in refusal.reasons.values())
    found = {
        int(said.split(b"n=")[1].split(b",")[0])
        for at in refusal.positions
        for said in refusal.parts.get(at, poisoned(*range(30 * at, 30 * at + 30), poison=bad).payload).split(b"\n")
    }
    assert found == poison, "just the poison lines"
    assert count(server) == 301 - len(poison)


async def test_a_whole_message_that_is_refused_is_no_part_of_one(server: FakeInflux) -> None:
    link = await linked(server)
    with pytest.raises(Rejected) as caught:
        await link.send([lines(1), poisoned(2, 3, poison=frozenset({2, 3})), lines(4)])
    await link.close()
    assert caught.value.positions == (1,)
    assert caught.value.parts == {}
    assert count(server) == 2


@pytest.mark.parametrize(("version", "requests"), [("2", 3), ("3", 20), ("cloud", 1000)])
async def test_one_field_of_another_type_does_not_cost_the_others(version: str, requests: int) -> None:
    with FakeInflux(version=version) as server:
        link = await linked(server)
        await link.send([Message("t", b'm a=1.0,b=1i,c="x" 1')])
        server.writes.clear()
        changed = Message("t", "\n".join(f'm a={n}.0,b={n}.5,c="b=1, {n}" {n}' for n in range(2, 400)).encode())
        with pytest.raises(Rejected) as caught:
            await link.send([changed])
        await link.close()
    assert caught.value.parts[0].split(b"\n") == [f"m b={n}.5 {n}".encode() for n in range(2, 400)]
    assert "type" in caught.value.reasons[0]
    assert count(server) == 399
    assert all(set(fields) == {"a", "c"} for (_, at), fields in server.stored.items() if at != 1)
    assert len(server.writes) <= requests, "all of it, all but the field, and only the field, in halves if need be"


async def test_a_line_larger_than_the_server_takes_is_refused_and_others_are_halved(server: FakeInflux) -> None:
    server.most_bytes = 400
    link = await linked(server, gzip=False)
    large = Message("t", b'large text="' + b"x" * 500 + b'" 1')
    with pytest.raises(Rejected) as caught:
        await link.send([lines(*range(50)), large, lines(*range(50, 60))])
    assert caught.value.positions == (1,)
    assert "413" in caught.value.reasons[1]
    assert count(server) == 60
    server.writes.clear()
    await link.send([lines(*range(100, 150))])
    assert count(server) == 110
    refusals = [status for _, status in server.writes if status == 413]
    assert len(refusals) <= 1, "what a server takes is remembered as long as the link lasts"
    await link.close()


async def test_a_server_that_takes_nothing_at_all_loses_nothing(server: FakeInflux) -> None:
    link = await linked(server)
    with pytest.raises(AccessDenied, match="takes nothing"):
        await link.send([poisoned(1, 2, poison=frozenset({1, 2}))])
    await link.close()


async def test_a_server_that_suddenly_refuses_everything_loses_nothing_either(server: FakeInflux) -> None:
    link = await linked(server)
    await link.send([lines(1, 2)])
    for _ in range(6):
        server.answer_next(400)     # three lines in halves, and one that it has stored before
    with pytest.raises(AccessDenied, match=r"takes nothing: .*400: as told"):
        await link.send([lines(3, 4, 5)])
    await link.send([lines(3, 4, 5)])
    with pytest.raises(Rejected) as caught:
        await link.send([poisoned(6, 7, poison=frozenset({6, 7}))])
    assert caught.value.positions == (0,)
    await link.close()
    assert count(server) == 5


# -- what has to wait -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"token": "wrong"}, "401: unauthorized access"),
        ({"token": None}, "see token:"),
        ({"bucket": "other"}, 'bucket "other" not found'),
        ({"bucket": "other"}, "create_bucket: true"),
        ({"org": "nobody"}, 'organization name "nobody" not found'),
    ],
)
async def test_whoever_may_not_write_is_told_at_once_what_to_do(
    server: FakeInflux, keys: dict[str, Any], says: str
) -> None:
    with pytest.raises(AccessDenied) as caught:
        await linked(server, **keys)
    assert says in str(caught.value)
    assert count(server) == 0


@pytest.mark.parametrize("status", [401, 403, 404, 405, 307])
async def test_a_right_that_is_lost_holds_what_waits(server: FakeInflux, status: int) -> None:
    link = await linked(server)
    server.answer_next(status)
    with pytest.raises(AccessDenied):
        await link.send([lines(1)])
    await link.close()


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"Retry-After": "7"}, (7, 7)),
        (503, {"Retry-After": "90"}, (90, 90)),
        (503, {"Retry-After": "1000000"}, (600, 600)),
        (503, {"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}, (600, 600)),
        (503, {"Retry-After": "Fri, 01 Jan 2010 00:00:00 GMT"}, (0, 0)),
        (503, {"Retry-After": "soon"}, (0, 0)),
        (500, {}, (0, 0)),
        (502, {}, (0, 0)),
        (408, {}, (0, 0)),
    ],
)
async def test_a_server_without_time_is_asked_again_when_it_says(
    server: FakeInflux, status: int, headers: dict[str, str], wait: tuple[float, float]
) -> None:
    link = await linked(server)
    server.answer_next(status, headers)
    with pytest.raises(NotConnected) as caught:
        await link.send([lines(1)])
    assert wait[0] <= caught.value.retry_after_s <= wait[1]
    assert str(status) in str(caught.value)
    await link.close()


async def test_a_connection_that_breaks_is_no_answer(server: FakeInflux) -> None:
    link = await linked(server)
    server.answer_next("reset")
    with pytest.raises(NotConnected):
        await link.send([lines(1)])
    await link.close()
    assert count(server) == 0


async def test_where_nothing_listens_is_said_so() -> None:
    with pytest.raises(NotConnected, match="nothing listens there"):
        await publisher(f"http://127.0.0.1:{free_port()}").connect()


async def test_something_that_is_no_influxdb_is_said_so() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        port = other.sockets[0].getsockname()[1]
        with pytest.raises(NotConnected):
            await publisher(f"http://127.0.0.1:{port}").connect()


async def test_a_silent_server_is_seen_though_nothing_is_sent(
    server: FakeInflux, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx_link, "WATCH_S", 1.0)
    link = await linked(server, timeout="1s")
    watching = asyncio.create_task(link.closed())
    await asyncio.sleep(2.5)
    assert not watching.done()
    server.is_dead = True
    with pytest.raises(NotConnected):
        await asyncio.wait_for(watching, 20)
    await link.close()


# -- buckets and secrets ----------------------------------------------------------------------------


async def test_a_bucket_is_created_with_its_retention_where_that_is_wanted(server: FakeInflux) -> None:
    link = await linked(server, bucket="new", create_bucket=True, retention="30d")
    await link.send([lines(1)])
    await link.close()
    assert server.buckets["new"] == 30 * 86400
    again = await linked(server, bucket="new", create_bucket=True)
    await again.close()
    assert server.buckets["new"] == 30 * 86400


async def test_a_token_that_may_not_create_a_bucket_is_told_so(server: FakeInflux) -> None:
    server.may_create = False
    with pytest.raises(AccessDenied, match=r"cannot be created: .*403: insufficient permissions"):
        await linked(server, bucket="new", create_bucket=True)


async def test_the_token_is_in_no_log_and_in_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeInflux() as server:
        link = await linked(server)
        server.answer_next(503)
        with pytest.raises(NotConnected) as caught:
            await link.send([lines(1)])
        await link.close()
        with pytest.raises(AccessDenied) as denied:
            await linked(server, token="other-s3cret")
    for said in (caplog.text, str(caught.value), repr(caught.value), str(denied.value)):
        assert "secret" not in said
        assert "s3cret" not in said


# -- TLS ---------------------------------------------------------------------------------------------


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "our-ca")


def serving(ours: Authority, **keys: Any) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*ours.issue("influx", **keys))
    return made


async def test_lines_cross_an_encrypted_link_to_a_server_that_is_trusted(ours: Authority) -> None:
    with FakeInflux(context=serving(ours)) as server:
        link = await linked(server, ca=ours.ca)
        await link.send([lines(1, 2)])
        await link.close()
    assert count(server) == 2


async def test_a_server_that_is_not_trusted_gets_no_token(ours: Authority, tmp_path: Path) -> None:
    with FakeInflux(context=serving(ours)) as server:
        with pytest.raises(AccessDenied, match=r"not trusted: .*; see ca:"):
            await linked(server)
        with pytest.raises(AccessDenied, match="not trusted"):
            await linked(server, ca=Authority(tmp_path, "other").ca)
    assert not server.queries


async def test_a_certificate_of_another_name_is_not_trusted(ours: Authority) -> None:
    with (
        FakeInflux(context=serving(ours, address="127.0.0.2")) as server,
        pytest.raises(AccessDenied, match="the url must name the host as it does"),
    ):
        await linked(server, ca=ours.ca)


async def test_a_server_may_ask_for_our_certificate(ours: Authority) -> None:
    asking = serving(ours)
    asking.load_verify_locations(ours.ca)
    asking.verify_mode = ssl.CERT_REQUIRED
    cert, key = ours.issue("gw-01")
    with FakeInflux(context=asking) as server:
        link = await linked(server, ca=ours.ca, cert=cert, key=key)
        await link.send([lines(1)])
        await link.close()
    assert count(server) == 1


async def test_a_file_that_is_no_certificate_is_named(server: FakeInflux, tmp_path: Path) -> None:
    (tmp_path / "no.pem").write_text("no")
    with pytest.raises(AccessDenied, match=r"ca: .*no\.pem"):
        await publisher("https://127.0.0.1:1", ca=tmp_path / "no.pem").connect()
