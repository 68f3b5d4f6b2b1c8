"""Flow control, and the decoder's corners that no real server offers on demand."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from edge_agent.api import BAD, GOOD, AccessDenied, Kind, NotConnected, Reason, Tag, bad
from edge_agent_opcua import feed as feed_module
from edge_agent_opcua.changes import NO_TIME, NOT_A_SCALAR, Changes, Published
from edge_agent_opcua.feed import Arrival, Feed
from edge_agent_opcua.values import Decoder

NOW = 1_795_413_600_000_000_000
SECOND = 1_000_000_000
DOUBLE, STRING = 11, 12


def changes(*rows):
    """(handle, type, value, status, seconds after NOW or None) each."""
    handle, kind, value, status, after = map(list, zip(*rows, strict=True))
    number = [isinstance(one, int | float) for one in value]
    return Changes(
        np.array(handle, np.uint32),
        np.array(kind, np.uint8),
        np.array(status, np.uint32),
        np.array([NO_TIME if one is None else NOW + round(one * SECOND) for one in after], np.int64),
        np.array([one if is_number else math.nan for one, is_number in zip(value, number, strict=True)]),
        {row: one for row, one in enumerate(value) if not number[row] and kind[row]},
    )


def decoder(n=3, last=None):
    tags = [Tag(i + 10, "cnc", f"t{i}") for i in range(n)]
    return Decoder(tags, np.zeros(n, np.int64) if last is None else last)


def numbers(handle, count, after=0.0):
    return changes(*[(handle, DOUBLE, float(i), 0, after) for i in range(count)])


def arrival(count):
    return Arrival(Published(1, 1, changes=numbers(0, count)), NOW, 0)


async def test_the_writer_waits_when_the_reader_is_slow_and_goes_on_when_it_reads(monkeypatch):
    monkeypatch.setattr(feed_module, "LIMIT", 100)
    feed = Feed()
    assert await feed.put(arrival(60)) is False
    writing = asyncio.create_task(feed.put(arrival(60)))
    await asyncio.sleep(0.05)
    assert not writing.done()
    assert sum(len(taken.message.changes) for taken in await feed.take(1)) == 120
    assert await writing is True
    assert await feed.put(arrival(60)) is False


async def test_what_came_before_the_end_is_still_taken_and_the_first_reason_counts():
    feed = Feed()
    await feed.put(arrival(1))
    feed.fail(AccessDenied("first"))
    feed.fail(NotConnected("second"))
    assert len(await feed.take(1)) == 1
    with pytest.raises(AccessDenied, match="first"):
        await feed.take(1)


async def test_a_sign_of_life_is_told_from_silence():
    feed = Feed()
    assert await feed.take(0.01) is None
    feed.stir()
    assert await feed.take(1) == []
    assert await feed.take(0.01) is None


async def test_whoever_waits_for_room_is_let_go_at_the_end(monkeypatch):
    monkeypatch.setattr(feed_module, "LIMIT", 1)
    feed = Feed()
    writing = asyncio.create_task(feed.put(arrival(2)))
    await asyncio.sleep(0.01)
    feed.fail(NotConnected("gone"))
    async with asyncio.timeout(1):
        await writing
    feed.reopen()
    assert len(await feed.take(1)) == 1


def test_tags_keep_their_positions_in_the_table():
    batch = decoder().batch(changes((2, DOUBLE, 1.5, 0, 0), (0, STRING, "A", 0, 0)), NOW, 0)
    assert batch.tag.tolist() == [12, 10]
    assert batch.value.tolist() == [1.5, 0.0]


def test_a_server_that_invents_handles_is_found_out():
    with pytest.raises(IndexError):
        decoder().batch(changes((7, DOUBLE, 1.5, 0, 0)), NOW, 0)


def test_only_the_first_of_several_first_values_gets_the_received_time():
    batch = decoder().batch(numbers(0, 3, 1.0), NOW, 0)
    assert batch.time.tolist() == [NOW, NOW + SECOND, NOW + SECOND + 1]


def test_no_time_at_all_is_ours_without_a_remark():
    one = decoder()
    one.batch(numbers(0, 1), NOW, 0)
    batch = one.batch(changes((0, DOUBLE, 1.0, 0, None)), NOW + SECOND, 0)
    assert batch.time.tolist() == [NOW + SECOND]
    assert batch.quality.tolist() == [GOOD]
    before_1970 = changes((0, DOUBLE, 1.0, 0, 0))
    before_1970.time[0] = -1
    batch = one.batch(before_1970, NOW + 2 * SECOND, 0)
    assert (batch.time.tolist(), batch.quality.tolist()) == ([NOW + 2 * SECOND], [GOOD])


def test_the_end_of_time_does_not_overflow():
    one = decoder()
    one.batch(numbers(0, 1), NOW, 0)
    last_of_all = changes((0, DOUBLE, 1.0, 0, 0))
    last_of_all.time[0] = 2**63 - 1
    batch = one.batch(last_of_all, NOW + SECOND, 0)
    assert (batch.time.tolist(), batch.quality.tolist()) == ([NOW + SECOND], [GOOD | Reason.CLOCK])


def test_what_publishing_held_back_is_not_implausible():
    one = decoder(last=np.full(3, NOW - 60 * SECOND))
    one.batch(numbers(0, 1), NOW - 30 * SECOND, 0)
    for held, quality in ((0, GOOD | Reason.CLOCK), (10 * SECOND, GOOD)):
        assert one.batch(changes((0, DOUBLE, 1.0, 0, -12.0)), NOW, held).quality.tolist() == [quality]


def test_a_bad_sample_stays_bad_whatever_its_time():
    one = decoder()
    one.batch(numbers(0, 1), NOW, 0)
    batch = one.batch(changes((0, 0, None, 0x8000_0000, -3600)), NOW + SECOND, 0)
    assert batch.quality.tolist() == [bad(Reason.DEVICE)]


def test_order_holds_across_sessions_but_yields_to_a_clock_set_back():
    last = np.zeros(1, np.int64)
    one = decoder(1, last)
    one.batch(numbers(0, 1), NOW, 0)
    one.batch(changes((0, DOUBLE, 1.0, 0, 5.0)), NOW + SECOND, 0)
    again = decoder(1, last).batch(numbers(0, 1), NOW + 2 * SECOND, 0)
    assert again.time.tolist() == [NOW + 5 * SECOND + 1]
    set_back = decoder(1, last).batch(numbers(0, 1), NOW - 3600 * SECOND, 0)
    assert set_back.time.tolist() == [NOW - 3600 * SECOND]


def test_a_full_vocabulary_is_unmapped(monkeypatch):
    monkeypatch.setattr("edge_agent.core.tags.VOCABULARY_LIMIT", 1)
    batch = decoder().batch(changes((0, STRING, "A", 0, 0), (0, STRING, "B", 0, 0)), NOW, 0)
    assert batch.quality.tolist() == [GOOD, bad(Reason.UNMAPPED)]
    assert np.isnan(batch.value[1])


def test_not_a_number_is_left_for_the_agent_to_judge():
    batch = decoder().batch(changes((0, DOUBLE, math.nan, 0, 0)), NOW, 0)
    assert np.isnan(batch.value[0])
    assert batch.quality.tolist() == [GOOD]


def test_arrays_and_nothing_do_not_decide_the_kind():
    one = decoder()
    rows = changes((0, NOT_A_SCALAR, [1], 0, 0), (0, 0, None, 0, 0), (0, 1, True, 0, 0))
    batch = one.batch(rows, NOW, 0)
    assert batch.quality.tolist() == [BAD | Reason.DEVICE, BAD | Reason.DEVICE, GOOD]
    assert one._tags[0].kind is Kind.BOOL


def test_a_null_string_is_an_empty_text():
    one = decoder()
    batch = one.batch(changes((0, STRING, None, 0, 0)), NOW, 0)
    assert one._tags[0].vocabulary.text(batch.value[0]) == ""


def test_a_tag_that_is_subscribed_to_anew_begins_with_a_statement_again():
    one = decoder()
    one.batch(numbers(0, 1), NOW, 0)
    one.expect_first([0])
    batch = one.batch(changes((0, DOUBLE, 1.0, 0, -3600)), NOW + SECOND, 0)
    assert (batch.time.tolist(), batch.quality.tolist()) == ([NOW + SECOND], [GOOD])
    batch = one.batch(changes((0, DOUBLE, 1.0, 0, -3600)), NOW + 2 * SECOND, 0)
    assert batch.quality.tolist() == [GOOD | Reason.CLOCK]
