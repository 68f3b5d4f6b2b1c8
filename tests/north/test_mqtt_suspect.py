"""A message at whose sight the broker hangs up does not keep back all that come after it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge_agent.api import Message, NotConnected, Rejected
from edge_agent.north.mqtt import MqttPublisher, plugin
from edge_agent.north.mqtt_config import MqttConfig
from edge_agent.north.mqtt_suspect import CALM, CAREFUL, GUILTY, Suspects
from tests.peers.fake_broker import FakeBroker, Script
from tests.peers.will import OnlyWill

STATUS = Message("edge/status", b"online")
BATCH = [Message("edge/tags", str(n).encode()) for n in range(40)]


def publisher(port: int, version: str) -> MqttPublisher:
    config = MqttConfig.model_validate({"url": f"mqtt://127.0.0.1:{port}", "version": version})
    built = plugin.build("platform", config, "gw-01", OnlyWill(STATUS))
    assert isinstance(built, MqttPublisher)
    return built


async def until_taken(made: MqttPublisher, attempts: int) -> tuple[int, dict[int, str]]:
    """As a follower does: over fresh links until all is acknowledged or refused; how many it took, what was refused."""
    for attempt in range(1, attempts + 1):
        link = await made.connect()
        try:
            await link.send([STATUS])
            await link.send(BATCH)
        except NotConnected:
            continue
        except Rejected as refusal:
            return attempt, refusal.reasons
        finally:
            await link.close()
        return attempt, {}
    pytest.fail("sent for ever")


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_it_is_found_and_refused_and_all_others_arrive(version: str) -> None:
    async with FakeBroker(Script(hang_up_on=lambda payload: payload == b"17")) as broker:
        made = publisher(broker.port, version)
        attempts, refused = await until_taken(made, CAREFUL + GUILTY + 1)
        assert attempts == CAREFUL + GUILTY + 1
        assert refused == {17: "the broker hung up each of the 5 times it was sent alone"}
        assert {int(payload) for payload in broker.payloads if payload != b"online"} >= {*range(40)}


async def test_two_of_them_are_found_one_after_the_other() -> None:
    async with FakeBroker(Script(hang_up_on=lambda payload: payload in (b"3", b"30"))) as broker:
        made = publisher(broker.port, "5")
        _, refused = await until_taken(made, CAREFUL + 2 * GUILTY + 1)
        assert refused.keys() == {3, 30}


async def test_a_disconnect_for_a_reason_of_its_own_makes_no_message_suspect() -> None:
    script = Script(disconnect_after=(30, 0x8B))
    async with FakeBroker(script) as broker:
        made = publisher(broker.port, "5")
        for _ in range(CAREFUL + GUILTY):
            link = await made.connect()
            with pytest.raises(NotConnected):
                await link.send(BATCH)
            broker.payloads.clear()
            assert link.window == 1 or link.window == 100
            await link.close()
        script.disconnect_after = None
        link = await made.connect()
        assert link.window == 100
        await link.send(BATCH)
        await link.close()


def hang_ups(suspects: Suspects, count: int, message: Callable[[int], Message], before: int = 1) -> None:
    for n in range(count):
        suspects.opened()
        for _ in range(before):
            suspects.taken(STATUS)
        suspects.hung_up(message(n))


def test_a_network_that_breaks_again_and_again_makes_us_slow_for_a_while_and_refuses_nothing() -> None:
    suspects = Suspects()
    hang_ups(suspects, 100, lambda n: BATCH[n % 2])
    assert suspects.careful
    assert not any(suspects.refusal(message) for message in BATCH)
    suspects.opened()
    for _ in range(CALM):
        suspects.taken(STATUS)
    assert not suspects.careful


def test_a_broker_that_takes_nothing_at_all_has_nothing_against_one_message() -> None:
    suspects = Suspects()
    hang_ups(suspects, 100, lambda n: BATCH[0], before=0)
    assert not suspects.refusal(BATCH[0])


def test_a_message_that_was_taken_in_the_end_is_not_suspect_any_more() -> None:
    suspects = Suspects()
    hang_ups(suspects, CAREFUL + GUILTY - 1, lambda n: BATCH[0])
    suspects.taken(BATCH[0])
    suspects.hung_up(BATCH[0])
    assert not suspects.refusal(BATCH[0])
    hang_ups(suspects, GUILTY, lambda n: BATCH[0])
    assert not suspects.refusal(BATCH[1])
    assert suspects.refusal(BATCH[0])
    for _ in range(CALM):
        suspects.taken(STATUS)
    assert not suspects.refusal(BATCH[0])
