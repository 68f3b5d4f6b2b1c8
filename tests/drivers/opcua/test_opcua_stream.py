"""What no server does on demand: numbers that wrap, answers that cross a claim, holes too wide to fill."""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np
import pytest
from asyncua import ua

from edge_agent.api import Refused
from edge_agent_opcua.changes import Changes, Published, none
from edge_agent_opcua.publish import Publishing
from edge_agent_opcua.stream import Rhythm, Stream, following
from tests.drivers.opcua.decode_reference import data_change, message

LAST = 0xFFFF_FFFF
RHYTHM = Rhythm(100_000_000, 1_500_000_000)


def of(number: int, changes: Changes | None = None, available: tuple[int, ...] = ()) -> Published:
    return Published(7, number, changes=none() if changes is None else changes, available=available)


def keepalive(number: int, available: tuple[int, ...] = ()) -> Published:
    return Published(7, number, available=available)


class Taken:
    """A stream that has seen the messages up to `before`; the server still has those in `kept`."""

    def __init__(self, before: int = 0, kept: tuple[int, ...] = ()) -> None:
        self.numbers: list[int] = []
        self.ended: list[str] = []
        self.asked: list[int] = []
        self.stream = Stream(7, RHYTHM, self._put, lambda reason: self.ended.append(str(reason)))
        self.stream._next = following(before) if before else 1
        self.stream.again = self._again
        self._kept = kept

    async def _put(self, one: Published) -> None:
        if not one.is_keepalive:
            self.numbers.append(one.sequence)

    async def _again(self, subscription: int, number: int) -> Published:
        assert subscription == 7
        self.asked.append(number)
        if number not in self._kept:
            raise Refused("BadMessageNotAvailable")
        return of(number)


async def test_numbers_go_on_behind_the_largest_with_one():
    taken = Taken(LAST - 1, kept=(LAST, 1))
    assert await taken.stream.take(of(LAST))
    assert await taken.stream.take(of(1))
    assert await taken.stream.take(of(2))
    assert (taken.numbers, taken.asked, taken.ended) == ([LAST, 1, 2], [], [])


async def test_a_hole_across_the_largest_number_is_filled():
    taken = Taken(LAST - 1, kept=(LAST, 1))
    assert await taken.stream.take(of(2))
    assert (taken.numbers, taken.asked) == ([LAST, 1, 2], [LAST, 1])


async def test_a_message_that_comes_twice_is_acknowledged_and_not_passed_on():
    taken = Taken(5)
    assert await taken.stream.take(of(6))
    assert await taken.stream.take(of(6))
    assert taken.numbers == [6]


async def test_what_the_server_has_not_kept_ends_it_after_what_it_has():
    taken = Taken(5, kept=(6,))
    assert not await taken.stream.take(of(8))
    assert taken.numbers == [6]
    assert taken.ended == ["messages of the server were lost, from number 7 on: BadMessageNotAvailable"]


async def test_a_hole_wider_than_any_server_keeps_is_not_asked_for_message_by_message():
    taken = Taken(5)
    assert not await taken.stream.take(of(5_000))
    assert (taken.asked, len(taken.ended)) == ([], 1)


async def test_a_keep_alive_that_is_ahead_is_believed_only_where_the_server_can_give_what_is_missing():
    taken = Taken(5, kept=(6, 7))
    assert not await taken.stream.take(keepalive(9))
    assert (taken.asked, taken.ended) == ([], [])
    assert not await taken.stream.take(keepalive(8, available=(6, 7)))
    assert taken.numbers == [6, 7]


async def test_silence_is_counted_in_keepalives_however_long_our_own_loop_stood_still():
    stream = Taken().stream
    stream.alive()
    late = stream.due_s + 60
    assert stream.tick(stream.due_s - 0.1) == 0
    assert stream.tick(late) == 1
    assert stream.tick(late + 0.1) == 1
    assert stream.tick(late + 1.6) == 2


class Wire:
    """Where publish requests go; answers are given by hand."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, asyncio.Future[bytes]]] = []

    def send(self, request: object) -> asyncio.Future[bytes]:
        self.asked.append((request, asyncio.get_running_loop().create_future()))
        return self.asked[-1][1]

    def refuse(self, at: int, name: str) -> None:
        self.asked[at][1].set_exception(ua.UaStatusCodeError(getattr(ua.StatusCodes, name)))


@contextlib.asynccontextmanager
async def running(publishing: Publishing):
    task = asyncio.create_task(publishing.run())
    await asyncio.sleep(0.01)
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_nothing_is_asked_for_without_a_subscription_and_then_one_more_than_there_are():
    wire, taken = Wire(), Taken()
    publishing = Publishing(wire.send)
    async with running(publishing):
        assert wire.asked == []
        publishing.claim(7, taken.stream.take, taken.stream.end)
        await asyncio.sleep(0.01)
        assert len(wire.asked) == 2


async def test_a_server_without_subscriptions_ends_all_but_those_claimed_since_it_was_asked():
    wire, first, second = Wire(), Taken(), Taken()
    publishing = Publishing(wire.send)
    async with running(publishing):
        publishing.claim(7, first.stream.take, first.stream.end)
        await asyncio.sleep(0.01)
        publishing.disclaim(7)
        publishing.claim(8, second.stream.take, second.stream.end)
        wire.refuse(0, "BadNoSubscription")         # asked when the first was already deleted
        await asyncio.sleep(0.01)
        assert second.ended == []
        wire.refuse(len(wire.asked) - 1, "BadNoSubscription")
        await asyncio.sleep(0.01)
        assert second.ended == ["the server has no subscription of ours any more"]


async def test_what_arrived_is_acknowledged_with_the_next_request_and_what_nobody_claims_is_not():
    wire, taken = Wire(), Taken(2)
    publishing = Publishing(wire.send)
    async with running(publishing):
        publishing.claim(7, taken.stream.take, taken.stream.end)
        await asyncio.sleep(0.01)
        wire.asked[0][1].set_result(message(data_change([])))           # number 3 of subscription 7
        await asyncio.sleep(0.01)
        told = wire.asked[-1][0].Parameters.SubscriptionAcknowledgements
        assert [(one.SubscriptionId, one.SequenceNumber) for one in told] == [(7, 3)]
        publishing.disclaim(7)
        publishing.claim(9, taken.stream.take, taken.stream.end)
        wire.asked[1][1].set_result(message(data_change([])))
        await asyncio.sleep(0.01)
        assert wire.asked[-1][0].Parameters.SubscriptionAcknowledgements == []


async def test_a_server_that_takes_fewer_requests_gets_fewer():
    wire, taken = Wire(), Taken()
    publishing = Publishing(wire.send)
    async with running(publishing):
        publishing.claim(7, taken.stream.take, taken.stream.end)
        await asyncio.sleep(0.01)
        wire.refuse(1, "BadTooManyPublishRequests")
        await asyncio.sleep(0.01)
        assert len(wire.asked) == 2                 # one is still there, and no other is sent
        wire.refuse(0, "BadTimeout")
        await asyncio.sleep(0.01)
        assert len(wire.asked) == 3


async def test_any_other_refusal_is_the_end_of_the_line():
    wire, taken = Wire(), Taken()
    publishing = Publishing(wire.send)
    async with running(publishing) as task:
        publishing.claim(7, taken.stream.take, taken.stream.end)
        await asyncio.sleep(0.01)
        wire.refuse(0, "BadSessionIdInvalid")
        with pytest.raises(ua.UaStatusCodeError):
            await task


def test_rows_are_chosen_with_what_belongs_to_them():
    three = Changes(
        np.arange(3, dtype=np.uint32), np.array([11, 12, 12], np.uint8), np.zeros(3, np.uint32),
        np.zeros(3, np.int64), np.array([1.0, np.nan, np.nan]), {1: "a", 2: "b"},
    )  # fmt: skip
    two = three.where(np.array([True, False, True]))
    assert (two.handle.tolist(), two.other) == ([0, 2], {1: "b"})
