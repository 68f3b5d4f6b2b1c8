"""The wire: every fault as both ends see it, and nothing changed where there is none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent_hil.wire import Wire
from edge_agent_hil.wire_faults import KINDS, WireFault, parse_wire_fault, wire_fault

PATIENCE_S = 20.0
QUIET_S = 0.3


class Echo:
    """A server that says everything back, and remembers how its conversations ended."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.connections = 0
        self.ends: list[str] = []
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while data := await reader.read(65536):
                self.heard += data
                writer.write(data)
                await writer.drain()
            self.ends.append("eof")
        except ConnectionError:
            self.ends.append("reset")
        finally:
            self._writers.discard(writer)
            writer.close()

    async def close(self) -> None:
        self._server.close()
        for writer in tuple(self._writers):
            writer.close()


class Rig:
    """An echo, a wire before it, and its clients."""

    def __init__(self, echo: Echo, wire: Wire) -> None:
        self.echo, self.wire = echo, wire
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.wire.port)
        self._writers.append(writer)
        return Client(reader, writer)

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
        await self.wire.close()
        await self.echo.close()
        await asyncio.sleep(0)


class Client:
    """Someone who says something and waits for it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def hears(self, data: bytes, length: int | None = None) -> bytes:
        """Say it; what comes back."""
        self.writer.write(data)
        return await asyncio.wait_for(self.reader.readexactly(length or len(data)), PATIENCE_S)

    async def hears_nothing(self) -> bool:
        """Nothing comes for a moment, not even an end."""
        try:
            await asyncio.wait_for(self.reader.read(1), QUIET_S)
        except TimeoutError:
            return True
        return False

    async def end(self) -> str:
        """How it ends."""
        try:
            await asyncio.wait_for(self.reader.read(), PATIENCE_S)
        except ConnectionError:
            return "reset"
        return "eof"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    echo = Echo()
    wire = Wire("127.0.0.1", await echo.start())
    await wire.start()
    made = Rig(echo, wire)
    yield made
    await made.close()


async def until(what: Callable[[], Any], why: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, why
        await asyncio.sleep(0.01)


async def test_a_wire_without_a_fault_changes_nothing_however_much_passes(rig: Rig) -> None:
    client = await rig.connect()
    data = bytes(range(256)) * 8192
    client.writer.write(data)
    assert await asyncio.wait_for(client.reader.readexactly(len(data)), PATIENCE_S) == data
    counters = rig.wire.counters()
    assert (counters["up_bytes"], counters["down_bytes"], counters["open"]) == (len(data), len(data), 1)


async def test_an_end_that_has_no_more_to_say_still_hears_the_answer(rig: Rig) -> None:
    client = await rig.connect()
    client.writer.write(b"the last word")
    client.writer.write_eof()
    assert await asyncio.wait_for(client.reader.read(), PATIENCE_S) == b"the last word"
    await until(lambda: rig.echo.ends == ["eof"], "both ends are told in good manners")
    await until(lambda: rig.wire.counters()["open"] == 0, "nothing is left of it")


async def test_refusing_it_breaks_what_is_there_lets_nobody_in_and_keeps_its_port(rig: Rig) -> None:
    client = await rig.connect()
    await client.hears(b"x")
    port = rig.wire.port
    rig.wire.apply(wire_fault("refuse"))
    assert await client.end() == "reset"
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            await rig.connect()
    rig.wire.clear()
    assert rig.wire.port == port
    assert await (await rig.connect()).hears(b"back") == b"back"


async def test_refusing_it_may_keep_what_is_there(rig: Rig) -> None:
    client = await rig.connect()
    await client.hears(b"x")
    rig.wire.apply(wire_fault("refuse", {"keep": True}))
    with pytest.raises(ConnectionRefusedError):
        await rig.connect()
    assert await client.hears(b"still") == b"still"


async def test_a_reset_is_heard_at_both_ends_and_once_only(rig: Rig) -> None:
    client = await rig.connect()
    await client.hears(b"x")
    rig.wire.apply(wire_fault("reset"))
    assert await client.end() == "reset"
    await until(lambda: rig.echo.ends == ["reset"], "the target is told")
    assert await (await rig.connect()).hears(b"new") == b"new"


async def test_resets_may_come_again_and_again_until_cleared(rig: Rig) -> None:
    rig.wire.apply(wire_fault("reset", {"every": "50ms"}))
    for _ in range(3):
        assert await (await rig.connect()).end() == "reset"
    rig.wire.clear("reset")
    client = await rig.connect()
    assert await client.hears_nothing()
    assert await client.hears(b"x") == b"x"


async def test_into_a_black_hole_everything_goes_and_nobody_is_told_until_it_is_mended(rig: Rig) -> None:
    client = await rig.connect()
    await client.hears(b"x")
    rig.wire.apply(wire_fault("black-hole"))
    client.writer.write(b"held")
    newcomer = await rig.connect()
    newcomer.writer.write(b"greeting")
    assert await client.hears_nothing()
    assert await newcomer.hears_nothing()
    assert (rig.echo.heard, rig.echo.connections) == (b"x", 1)
    rig.wire.clear()
    assert await client.hears(b"", 4) == b"held"
    assert await newcomer.hears(b"", 8) == b"greeting"


async def test_who_gives_up_before_the_wire_is_mended_was_never_there(rig: Rig) -> None:
    rig.wire.apply(wire_fault("black-hole"))
    gone = await rig.connect()
    gone.writer.write(b"hello?")
    await gone.writer.drain()
    gone.writer.close()
    await until(lambda: rig.wire.counters()["connections"] == 1, "it was let in")
    await until(lambda: rig.wire.counters()["open"] == 0, "it has gone")
    rig.wire.clear()
    assert await (await rig.connect()).hears(b"x") == b"x"
    assert (rig.echo.connections, rig.echo.heard) == (1, b"x")


async def test_one_way_alone_may_be_a_black_hole(rig: Rig) -> None:
    client = await rig.connect()
    await client.hears(b"x")
    rig.wire.apply(wire_fault("black-hole", {"way": "down"}))
    client.writer.write(b"question")
    await until(lambda: rig.echo.heard == b"xquestion", "it arrives")
    assert await client.hears_nothing()
    rig.wire.clear()
    assert await client.hears(b"", 8) == b"question"


async def test_a_half_open_connection_stays_silent_for_good_while_new_ones_are_as_before(rig: Rig) -> None:
    client = await rig.connect()
    await client.hears(b"x")
    rig.wire.apply(wire_fault("half-open"))
    await until(lambda: rig.echo.ends == ["reset"], "the target has lost it")
    client.writer.write(b"anyone?")
    assert await client.hears_nothing()
    assert await (await rig.connect()).hears(b"new") == b"new"
    rig.wire.clear()
    assert await client.hears_nothing()
    assert rig.echo.heard == b"xnew"
    assert rig.wire.counters()["half_open"] == 1


async def test_a_delay_holds_every_piece_as_long_and_lets_many_be_on_their_way(rig: Rig) -> None:
    client = await rig.connect()
    rig.wire.apply(wire_fault("delay", {"by": "200ms", "way": "up"}))
    began = time.monotonic()
    for n in range(10):
        client.writer.write(bytes([n]))
        await client.writer.drain()
        await asyncio.sleep(0.02)
    assert await client.hears(b"", 10) == bytes(range(10))
    passed = time.monotonic() - began
    assert passed >= 0.2 + 9 * 0.02
    assert passed < 10 * 0.2, "one did not wait for the other"


async def test_jitter_and_loss_make_pieces_late_and_never_change_their_order(rig: Rig) -> None:
    client = await rig.connect()
    rig.wire.apply(wire_fault("jitter", {"by": "30ms"}))
    rig.wire.apply(wire_fault("lose", {"share": "20%"}))
    said = bytes(range(40))
    for n in said:
        client.writer.write(bytes([n]))
        await client.writer.drain()
        await asyncio.sleep(0.005)
    assert await client.hears(b"", 40) == said
    assert rig.wire.counters()["lose"] > 0


async def test_a_throttled_wire_passes_so_many_bytes_a_second(rig: Rig) -> None:
    client = await rig.connect()
    rig.wire.apply(wire_fault("throttle", {"rate": 1000, "way": "down"}))
    began = time.monotonic()
    assert await client.hears(bytes(500)) == bytes(500)
    assert time.monotonic() - began >= 0.45


async def test_a_cut_ends_the_connection_in_the_middle_of_a_frame(rig: Rig) -> None:
    rig.wire.apply(wire_fault("cut", {"after": 5}))
    for _ in range(2):
        client = await rig.connect()
        client.writer.write(b"123456789")
        assert await asyncio.wait_for(client.reader.read(), PATIENCE_S) == b"12345"
    rig.wire.clear()
    assert await (await rig.connect()).hears(b"123456789") == b"123456789"
    assert rig.wire.counters()["cut"] == 2


async def test_corruption_turns_one_bit_of_a_piece_where_it_was_told_to(rig: Rig) -> None:
    client = await rig.connect()
    rig.wire.apply(wire_fault("corrupt", {"share": 1, "at": 2, "way": "down"}))
    for _ in range(5):
        heard = await client.hears(b"abcd")
        assert heard[:2] + heard[3:] == b"abd"
        assert bin(heard[2] ^ ord("c")).count("1") == 1
    assert rig.echo.heard == b"abcd" * 5
    assert rig.wire.counters()["corrupt"] == 5


async def test_a_duplicated_piece_arrives_twice(rig: Rig) -> None:
    client = await rig.connect()
    rig.wire.apply(wire_fault("duplicate", {"share": 1, "way": "up"}))
    assert await client.hears(b"again", 10) == b"againagain"


async def test_a_target_that_is_not_there_shows_as_a_connection_that_breaks(rig: Rig) -> None:
    await rig.echo.close()
    assert await (await rig.connect()).end() == "reset"
    assert rig.wire.counters()["unreachable"] == 1


async def test_what_passes_may_be_looked_at() -> None:
    echo, seen = Echo(), []
    wire = Wire("127.0.0.1", await echo.start(), tap=lambda number, way, data: seen.append((number, way, data)))
    await wire.start()
    rig = Rig(echo, wire)
    await (await rig.connect()).hears(b"one")
    await (await rig.connect()).hears(b"two")
    await rig.close()
    assert seen[:4] == [(0, "up", b"one"), (0, "down", b"one"), (1, "up", b"two"), (1, "down", b"two")]
    assert sorted(seen[4:]) == [(0, "up", b""), (1, "up", b"")], "both are over"


@pytest.mark.parametrize("name", KINDS)
def test_every_fault_reads_as_it_is_written(name: str) -> None:
    fault = wire_fault(name)
    assert parse_wire_fault(str(fault)) == fault == parse_wire_fault(name)


@given(st.integers(1, 10**7), st.sampled_from(["up", "down", "both"]))
def test_what_is_said_of_a_fault_survives_being_written(us: int, way: str) -> None:
    fault = parse_wire_fault(f"delay:by={us}us,way={way}")
    assert isinstance(fault, WireFault)
    assert (fault.by_s, fault.way) == (us / 1e6, way)
    assert parse_wire_fault(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("dely", "a wire has no fault 'dely'; did you mean delay?"),
        ("delay:by=0s", "delay, by: '0s' is no time that passes"),
        ("delay:bye=1s", "delay takes no 'bye'; did you mean by?"),
        ("delay:300ms", "'300ms' is no KEY=VALUE"),
        ("lose:share=2", "lose, share: '2' is no share"),
        ("cut:after=9-3", "cut, after: '9-3' is no number of bytes"),
        ("refuse:keep=perhaps", "refuse, keep: 'perhaps' is none of no, yes, false, true"),
        ("half-open:way=up", "half-open takes no 'way'"),
        ("throttle:rate=0", "throttle, rate: '0' is no whole number from 1"),
        ("black-hole:way=left", "black-hole, way: 'left' is none of up, down, both"),
    ],
)
def test_a_wrong_fault_says_what_would_be_right(text: str, says: str) -> None:
    with pytest.raises(ValueError) as error:
        parse_wire_fault(text)
    assert says in str(error.value)
