"""A broker that is only busy is asked again; nothing is given up for it."""

from __future__ import annotations

import pytest

from edge_agent.api import Message, NotConnected
from edge_agent.north.mqtt import plugin
from edge_agent.north.mqtt_config import MqttConfig
from tests.peers.fake_broker import FakeBroker, Script
from tests.peers.will import OnlyWill

QUOTA_EXCEEDED, IDENTIFIER_IN_USE = 0x97, 0x91


@pytest.mark.parametrize("code", [QUOTA_EXCEEDED, IDENTIFIER_IN_USE])
@pytest.mark.parametrize("count", [1, 7])
async def test_a_temporary_refusal_ends_the_link_and_refuses_no_message(code: int, count: int) -> None:
    script = Script(ack=lambda index, payload: code if index == count - 1 else 0)
    async with FakeBroker(script) as broker:
        config = MqttConfig(url=f"mqtt://127.0.0.1:{broker.port}")
        link = await plugin.build("platform", config, "gw-01", OnlyWill(Message("edge/status", b"{}"))).connect()
        with pytest.raises(NotConnected, match="cannot take more at present"):
            await link.send([Message("edge/tags", b"%d" % n) for n in range(count)])
        assert isinstance(link.fault, NotConnected)
        assert link.fault.retry_after_s >= 5
        await link.close()
