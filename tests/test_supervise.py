"""The only reconnect loop: back-off, log lines, cancellation, faults of plugins."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from edge_agent import supervise
from edge_agent.errors import AccessDenied, NotConnected
from edge_agent.health import Line
from edge_agent.supervise import Backoff, keep_connected, together, until

QUICK = Backoff(first=0.001, longest=0.002, denied=0.003, lasted=10.0)


@dataclass
class Peer:
    """What the other side does at each attempt, and what became of it."""

    outcomes: list[Exception | None]
    """an exception to raise in connect; None: connects"""
    use: Callable[[], Awaitable[None]] | None = None
    closed: int = 0
    lost: int = 0
    attempts: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def connect(self) -> Peer:
        self.attempts += 1
        if not self.outcomes:
            self.enough.set()
            await asyncio.Event().wait()
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise outcome
        return self

    async def used(self, connection: Peer) -> None:
        if self.use is not None:
            await self.use()

    async def close(self) -> None:
        self.closed += 1

    def was_lost(self, _reason: Exception) -> None:
        self.lost += 1


@asynccontextmanager
async def kept(peer: Peer, backoff: Backoff = QUICK) -> AsyncIterator[tuple[Line, asyncio.Task[None]]]:
    line = Line("press-1", "modbus+tcp://10.0.0.5")
    task = asyncio.create_task(keep_connected(line, peer.connect, peer.used, peer.was_lost, lambda: 0, backoff))
    try:
        yield line, task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """(failures so far, denied) of each wait; none takes any time."""
    asked: list[tuple[int, bool]] = []

    def wait(_: Backoff, failures: int, denied: bool) -> float:
        asked.append((failures, denied))
        return 0.0

    monkeypatch.setattr(Backoff, "wait", wait)
    return asked


async def until_connected(line: Line, more: Callable[[], bool] = lambda: True) -> None:
    for _ in range(2000):
        if line.state == "connected" and more():
            return
        await asyncio.sleep(0.001)
    pytest.fail("waited in vain")


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]


def test_the_wait_doubles_up_to_the_longest_with_jitter_around_it() -> None:
    backoff = Backoff(first=0.5, longest=5.0, denied=60.0)
    for failures, base in enumerate((0.5, 1.0, 2.0, 4.0, 5.0, 5.0)):
        asked = [backoff.wait(failures, denied=False) for _ in range(300)]
        assert 0.75 * base <= min(asked) < 0.9 * base < 1.1 * base < max(asked) <= 1.25 * base
    assert backoff.wait(10_000, denied=False) <= 6.25
    assert backoff.wait(0, denied=True) >= 45.0


def test_many_that_lost_the_same_peer_come_back_evenly_spread() -> None:
    backoff = Backoff(first=0.5, longest=10.0, spread=True)
    for failures, base in ((0, 0.5), (3, 4.0), (20, 10.0)):
        asked = sorted(backoff.wait(failures, denied=False) / (2 * base) for _ in range(4000))
        assert 0 <= asked[0] < asked[-1] <= 1
        for tenth in range(1, 10):      # 4000 draws: a tenth of them is off by 0.03 once in a hundred thousand times
            assert abs(asked[400 * tenth] - tenth / 10) < 0.04
    assert 45 <= backoff.wait(0, denied=True) <= 75


async def test_the_wait_starts_over_only_after_a_session_that_lasted(waits: list[tuple[int, bool]]) -> None:
    peer = Peer([NotConnected("no"), None, None, NotConnected("no")])
    async with kept(peer):
        await peer.enough.wait()
    assert waits == [(0, False), (1, False), (2, False), (3, False)]
    waits.clear()
    peer = Peer([NotConnected("no"), None, NotConnected("no")], use=lambda: asyncio.sleep(0.02))
    async with kept(peer, Backoff(lasted=0.01)):
        await peer.enough.wait()
    assert waits == [(0, False), (0, False), (1, False)]


async def test_a_denied_access_waits_longest_whether_connecting_or_using(waits: list[tuple[int, bool]]) -> None:
    async def deny() -> None:
        raise AccessDenied("the licence has run out")

    peer = Peer([AccessDenied("wrong password"), None], use=deny)
    async with kept(peer):
        await peer.enough.wait()
    assert waits == [(0, True), (1, True)]


async def test_one_line_says_gone_and_one_says_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    peer = Peer([None, NotConnected("refused"), NotConnected("timed out"), None])
    peer.use = lambda: asyncio.sleep(0) if peer.attempts == 1 else asyncio.Event().wait()  # type: ignore[return-value]
    async with kept(peer) as (line, _):
        await until_connected(line, lambda: peer.attempts == 4)
        gone = [text for text in lines(caplog) if "press-1: lost" in text]
        back = [text for text in lines(caplog) if "after" in text and "away" in text]
        assert (len(gone), len(back), len(lines(caplog))) == (1, 1, 3)
        assert "modbus+tcp://10.0.0.5" in gone[0]
        assert (line.error, peer.lost) == ("", 1)


async def test_a_peer_that_was_never_there_is_not_called_lost(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    peer = Peer([NotConnected("refused"), NotConnected("")])
    async with kept(peer) as (line, _):
        await peer.enough.wait()
        assert line.state == "lost"
        assert peer.lost == 0
    assert lines(caplog) == [
        "press-1: no connection to modbus+tcp://10.0.0.5: refused; trying again until it answers"
    ]


async def test_an_error_without_a_text_is_said_once_too(caplog: pytest.LogCaptureFixture) -> None:
    peer = Peer([NotConnected(""), NotConnected(""), NotConnected("")])
    async with kept(peer) as (line, _):
        await peer.enough.wait()
        assert line.error == "NotConnected"
    assert len(lines(caplog)) == 1


async def test_an_unexpected_error_is_logged_once_with_its_traceback_and_retried(
    caplog: pytest.LogCaptureFixture,
) -> None:
    peer = Peer([KeyError("boom"), KeyError("boom"), KeyError("boom"), None], use=asyncio.Event().wait)  # type: ignore[arg-type]
    async with kept(peer) as (line, _):
        await until_connected(line)
    traced = [record for record in caplog.records if record.exc_info]
    assert len(traced) == 1
    assert "unexpected error" in traced[0].getMessage()


async def test_cancelling_closes_the_connection_once_and_ends() -> None:
    peer = Peer([None], use=asyncio.Event().wait)  # type: ignore[arg-type]
    async with kept(peer) as (line, task):
        await until_connected(line)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert (peer.closed, peer.lost) == (1, 0)


async def test_a_plugin_that_turns_its_cancellation_into_an_error_does_not_keep_the_loop_alive() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise NotConnected("I was cancelled") from None

    peer = Peer([None, None, None], use=stubborn)
    async with kept(peer) as (line, task):
        await until_connected(line)
        task.cancel()
        done, _ = await asyncio.wait([task], timeout=2)
        assert done
    assert peer.attempts == 1


async def test_a_close_that_raises_or_hangs_does_not_keep_the_next_attempt_waiting(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "CLOSE_S", 0.01)

    class Bad(Peer):
        async def close(self) -> None:
            self.closed += 1
            if self.closed == 1:
                raise ValueError("cannot close")
            await asyncio.Event().wait()

    peer = Bad([None, None])
    async with kept(peer):
        async with asyncio.timeout(2):
            await peer.enough.wait()
    assert peer.closed == 2
    assert any("while closing" in text for text in lines(caplog))
    assert any("took longer than" in text for text in lines(caplog))


async def test_the_first_part_that_fails_ends_the_others_and_names_itself() -> None:
    ended = []

    async def waits_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def fails() -> None:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug") as caught:
        await together(("watch", fails()), ("other", waits_for_ever()))
    assert ended == [True]
    assert "in the part 'watch'" in caught.value.__notes__


async def test_a_part_that_fails_while_all_are_cancelled_does_not_swallow_the_cancellation() -> None:
    async def fails_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise NotConnected("the link is closed")

    task = asyncio.create_task(together(("drain", fails_at_the_end())))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_until_ends_all_parts_when_told_and_raises_what_fails_before() -> None:
    stop = asyncio.Event()
    ended = []

    async def part() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    asyncio.get_running_loop().call_later(0.01, stop.set)
    await until(stop, ("a", part()), ("b", part()))
    assert ended == [True, True]

    async def fails() -> None:
        raise OSError("no such thing")

    with pytest.raises(OSError, match="no such thing"):
        await until(asyncio.Event(), ("a", fails()), ("b", part()))


async def test_an_error_while_ending_is_not_lost_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    stop = asyncio.Event()

    async def fails_at_the_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("a bug at the end")

    asyncio.get_running_loop().call_later(0.01, stop.set)
    await until(stop, ("a", fails_at_the_end()))
    assert any("while ending" in text for text in lines(caplog))


async def test_a_connection_that_may_lead_to_several_places_says_to_which(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    peer = Peer([None], use=asyncio.Event().wait)  # type: ignore[arg-type]  # what it gives is not looked at
    peer.place = "mqtt://second"  # type: ignore[attr-defined]
    async with kept(peer) as (line, _):
        await until_connected(line)
        assert line.place == "mqtt://second"
        assert lines(caplog) == ["press-1: connected to mqtt://second"]
