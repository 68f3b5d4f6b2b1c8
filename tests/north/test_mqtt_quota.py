"""A broker that is only busy is asked again over the same link; nothing is given up for it, and nothing overtakes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent.api import Busy, Message, Profile
from edge_agent.health import Count, Health
from edge_agent.north import pace
from edge_agent.north.dead_letters import DeadLetters
from edge_agent.north.mqtt import plugin
from edge_agent.north.mqtt_config import MqttConfig
from edge_agent.north.mqtt_link import MqttLink
from edge_agent.north.sending import Sending
from tests.peers.fake_broker import FakeBroker, Script
from tests.peers.will import OnlyWill

QUOTA_EXCEEDED, IDENTIFIER_IN_USE, NOT_AUTHORISED = 0x97, 0x91, 0x87

Ack = Callable[[int, bytes], int | None]


def numbered(count: int) -> list[Message]:
    return [Message("edge/tags", b"%d" % n) for n in range(count)]


async def link_to(broker: FakeBroker) -> MqttLink:
    config = MqttConfig(url=f"mqtt://127.0.0.1:{broker.port}", window=5)
    return await plugin.build("platform", config, "gw-01", OnlyWill(Message("edge/status", b"{}"))).connect()


@pytest.mark.parametrize("code", [QUOTA_EXCEEDED, IDENTIFIER_IN_USE])
async def test_a_temporary_refusal_says_from_where_to_send_again_and_leaves_the_link_open(code: int) -> None:
    codes = {1: NOT_AUTHORISED, 3: code, 4: NOT_AUTHORISED}
    async with FakeBroker(Script(ack=lambda index, _: codes.get(index, 0))) as broker:
        link = await link_to(broker)
        with pytest.raises(Busy, match="cannot take more at present") as caught:
            await link.send(numbered(20))
        assert (caught.value.start, list(caught.value.reasons)) == (3, [1])
        assert caught.value.retry_after_s >= 5
        assert len(broker.payloads) < 20        # what was not on its way stays where it is
        before = len(broker.payloads)
        await link.send(numbered(20)[3:])
        assert broker.payloads[before:] == [one.payload for one in numbered(20)[3:]]
        await link.close()


async def test_the_rest_comes_again_until_it_is_taken_and_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pace, "SLOWER_S", (0.01, 0.02))
    taken: list[bytes] = []

    def five_at_a_time(index: int, payload: bytes) -> int:
        if index % 7 >= 5:
            return QUOTA_EXCEEDED
        taken.append(payload)
        return 0

    health = Health()
    async with FakeBroker(Script(ack=five_at_a_time)) as broker:
        link = await link_to(broker)
        one = Sending("p", Profile(), DeadLetters(tmp_path / "dead", "p"), health, time.time_ns)
        await one.send(link, numbered(40))
        assert len(broker.connects) == 1
        await link.close()
    newest = {payload: at for at, payload in enumerate(taken)}
    # What was on its way already may have gone ahead; the last word on a topic is the newest all the same.
    assert sorted(newest, key=newest.__getitem__) == [message.payload for message in numbered(40)]
    assert health.counts[Count.MESSAGES_ACKNOWLEDGED] == 40
    assert not (tmp_path / "dead").exists()
    said = [record.getMessage() for record in caplog.records if "at present" in record.getMessage()]
    assert len(said) == 1
