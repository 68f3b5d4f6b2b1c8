"""A redundant set of servers: the first that serves is used, and the preferred one again once it is back."""

from __future__ import annotations

import pytest

from edge_agent.api import NotConnected
from edge_agent_opcua import hub
from tests.peers.waiting import free_port

TEMP = {"temp": "nsu=http://acme.example/cnc/;s=Temp"}


async def test_the_next_server_serves_while_the_first_is_away(start, device):
    second = start()
    cnc = device("", TEMP, urls=[f"opc.tcp://127.0.0.1:{free_port()}", second.url])
    await cnc.connect()
    assert (await cnc.values())["temp"] == 20.0
    assert second.ask("sessions") == 1


async def test_where_none_answers_each_is_told(device):
    one, other = (f"opc.tcp://127.0.0.1:{free_port()}" for _ in range(2))
    with pytest.raises(NotConnected) as caught:
        await device("", TEMP, urls=[one, other]).connect()
    assert one in str(caught.value)
    assert other in str(caught.value)


async def test_the_preferred_server_gets_the_session_back_once_it_serves_for_good(start, device, monkeypatch):
    monkeypatch.setattr(hub, "BACK_EVERY_S", 0.2)
    first, second = start(), start()
    first.kill()
    cnc = device("", TEMP, urls=[first.url, second.url])
    session = await cnc.connect()
    await cnc.first()
    again = start(port=first.port)
    with pytest.raises(NotConnected, match=f"{first.url} serves again and is preferred"):
        for _ in range(100):
            await session.read()
    await cnc.connect()
    await cnc.first()
    assert (again.ask("sessions"), second.ask("sessions")) == (1, 0)


async def test_a_server_without_data_is_passed_over_but_better_than_none(start, device):
    poor, good = start(), start()
    poor.do("service-level", 1)
    cnc = device("", TEMP, urls=[poor.url, good.url])
    await cnc.connect()
    assert (poor.ask("sessions"), good.ask("sessions")) == (0, 1)
    good.kill()
    await cnc.connect()
    assert poor.ask("sessions") == 1
