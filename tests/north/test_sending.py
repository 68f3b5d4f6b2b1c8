"""One sending after the other: within the platform's pace, and what it refuses is kept with the reason."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import orjson
import pytest

from edge_agent.api import Answer, Busy, Limits, Message, NotConnected, Profile, Received, Rejected
from edge_agent.health import Count, Health
from edge_agent.north import answers, pace
from edge_agent.north.dead_letters import DeadLetters
from edge_agent.north.sending import IN_VAIN, Sending


class Link:
    """Takes everything but what `refuse` names; notes when each sending came."""

    def __init__(self, refuse: Mapping[int, str] | None = None, parts: Mapping[int, bytes] | None = None) -> None:
        self.sent: list[tuple[float, list[bytes]]] = []
        self._refuse, self._parts = refuse or {}, parts or {}
        self.hear = lambda received: None

    async def send(self, messages: Sequence[Message]) -> None:
        self.sent.append((time.monotonic(), [one.payload for one in messages]))
        if self._refuse:
            raise Rejected(tuple(self._refuse), self._refuse, self._parts)

    async def listen(self, topics: Sequence[str], hear: object) -> None:
        self.hear = hear  # type: ignore[assignment]

    async def closed(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        pass


class Measured(Profile):
    limits = Limits(messages_s=20.0)


class Answering(Profile):
    def answer_topics(self) -> Sequence[str]:
        return ("answers",)

    def answered(self, received: Received) -> Answer | None:
        said = orjson.loads(received.payload)
        return Answer(said["key"], said.get("refusal", ""), said.get("later", False), said.get("anew", False))


def sending(folder: Path, profile: Profile) -> tuple[Sending, Health]:
    health = Health()
    return Sending("p", profile, DeadLetters(folder / "dead", "p"), health, time.time_ns), health


def buried(folder: Path) -> list[tuple[str, str, str]]:
    lines = (folder / "dead/p.jsonl").read_bytes().splitlines()
    return [(said["topic"], said["payload"], said["reason"]) for said in map(orjson.loads, lines)]


async def test_a_platform_that_takes_twenty_messages_a_second_gets_no_more(tmp_path: Path) -> None:
    one, health = sending(tmp_path, Measured())
    link = Link()
    began = time.monotonic()
    await one.send(link, [Message("t", b"%d" % n) for n in range(50)])
    assert [payload for _, part in link.sent for payload in part] == [b"%d" % n for n in range(50)]
    assert time.monotonic() - began > 1.4       # a second's worth at once, then as the bucket fills
    assert max(len(part) for _, part in link.sent) <= 20
    assert health.counts[Count.MESSAGES_ACKNOWLEDGED] == 50


async def test_what_is_refused_is_kept_and_of_a_message_taken_in_part_the_rest(tmp_path: Path) -> None:
    one, health = sending(tmp_path, Profile())
    await one.send(Link({0: "bad", 2: "worse"}, {2: b"only this"}), [Message("t", b"%d" % n) for n in range(4)])
    assert buried(tmp_path) == [("t", "0", "bad"), ("t", "only this", "worse")]
    assert (health.counts[Count.MESSAGES_REJECTED], health.counts[Count.MESSAGES_ACKNOWLEDGED]) == (2, 2)


async def test_a_platform_s_own_answer_counts_and_not_that_of_the_broker(tmp_path: Path) -> None:
    one, health = sending(tmp_path, Answering())
    link = Link()
    await one.begin(link)
    task = asyncio.create_task(one.send(link, [Message("t", b"1", answer="a"), Message("t", b"2", answer="b")]))
    await asyncio.sleep(0.05)
    assert (task.done(), one.acknowledged_ns) == (False, 0)
    for said in ({"key": "x"}, {"key": "b", "refusal": "no such property"}, {"key": "a"}):
        link.hear(Received("answers", orjson.dumps(said)))      # type: ignore[no-untyped-call]
    await task
    assert buried(tmp_path) == [("t", "2", "no such property")]
    assert health.counts[Count.MESSAGES_ACKNOWLEDGED] == 1


async def sent(link: Link, count: int) -> None:
    for _ in range(2000):
        if len(link.sent) >= count:
            return
        await asyncio.sleep(0.005)
    pytest.fail("waited in vain")


async def test_a_platform_that_is_busy_gets_the_rest_again_over_the_same_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "SLOWER_S", (0.01, 0.02))
    one, health = sending(tmp_path, Answering())
    link = Link()
    await one.begin(link)
    task = asyncio.create_task(one.send(link, [Message("t", key.encode(), answer=key) for key in "abcde"]))
    rounds: list[dict[str, dict[str, object]]] = [
        {"a": {"refusal": "bad"}, "c": {"refusal": "429", "later": True}, "d": {"refusal": "worse"}},
        {"c": {"refusal": "429", "later": True}},
        {"d": {"refusal": "worse"}},
    ]
    for count, answers_ in enumerate(rounds, 1):
        await sent(link, count)
        for key in link.sent[-1][1]:
            said = {"key": key.decode(), **answers_.get(key.decode(), {})}
            link.hear(Received("answers", orjson.dumps(said)))      # type: ignore[no-untyped-call]
    await task
    assert [part for _, part in link.sent] == [[b"a", b"b", b"c", b"d", b"e"], *[[b"c", b"d", b"e"]] * 2]
    assert buried(tmp_path) == [("t", "a", "bad"), ("t", "d", "worse")]
    assert (health.counts[Count.MESSAGES_REJECTED], health.counts[Count.MESSAGES_ACKNOWLEDGED]) == (2, 3)


async def test_a_peer_that_is_busy_again_and_again_gets_a_fresh_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class BusyLink(Link):
        async def send(self, messages: Sequence[Message]) -> None:
            await super().send(messages)
            raise Busy("no time", 0, 0.001)

    one, health = sending(tmp_path, Profile())
    link = BusyLink()
    with pytest.raises(NotConnected, match="no time"):
        await one.send(link, [Message("t", b"1")])
    assert len(link.sent) == IN_VAIN
    assert health.counts[Count.MESSAGES_ACKNOWLEDGED] == 0


@pytest.mark.parametrize("said", [{"key": "a", "refusal": "no session", "later": True, "anew": True}, None])
async def test_a_platform_that_wants_a_fresh_link_or_says_nothing_gets_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: dict[str, object] | None
) -> None:
    monkeypatch.setattr(answers, "PATIENCE_S", 0.1)
    one, health = sending(tmp_path, Answering())
    link = Link()
    await one.begin(link)
    task = asyncio.create_task(one.send(link, [Message("t", b"1", answer="a")]))
    await asyncio.sleep(0.02)
    if said:
        link.hear(Received("answers", orjson.dumps(said)))      # type: ignore[no-untyped-call]
    with pytest.raises(NotConnected, match="no session" if said else "no answer of the platform"):
        await task
    assert not (tmp_path / "dead").exists()
    assert health.counts[Count.MESSAGES_REJECTED] == 0


async def test_what_cannot_be_encoded_is_counted_and_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one, health = sending(tmp_path, Profile())

    def broken(value: int) -> list[Message]:
        raise ValueError(value)

    assert [one.encoded(broken, n, what="a state") for n in range(3)] == [None, None, None]
    assert health.counts[Count.RECORDS_UNREADABLE] == 3
    [said] = caplog.records
    assert said.getMessage() == "p: cannot encode a state: 0 (counted from now on)"
    assert not said.exc_info
