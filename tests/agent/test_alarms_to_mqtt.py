"""Alarms on their way: from a session through the journal to a real broker, over outages and restarts."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from edge_agent import agent, registry
from edge_agent.api import AlarmChange, AlarmMark, ConfigError
from edge_agent.config import load
from edge_agent.core.alarms import Alarms
from edge_agent.encode import json_alarms, records
from edge_agent.encode.json_profile import JsonProfile
from edge_agent.journal import RecordKind
from edge_agent.parts import Parts
from tests.agent.conftest import Listener
from tests.peers.alarm_driver import Teller
from tests.peers.no_api import without_api
from tests.peers.process import proxy_command
from tests.peers.waiting import free_port, wait_for

BEGIN, END = AlarmMark.BEGIN, AlarmMark.END
SITE = """
agent: {{id: gw-1, timezone: UTC, data_dir: data}}
devices:
  cnc-7: {{driver: told, tags: {{state: {{}}, total: {{}}, scrap: {{}}}}}}
machines:
  cnc-7:
    state: {{tag: cnc-7.state, map: {{0: IDLE, 1: RUN}}}}
    counts: {{total: cnc-7.total, scrap: cnc-7.scrap}}
    ideal_cycle: 1s
    alarms: {{device: cnc-7, source: "Spindle*"}}
publish:
  platform: {{type: mqtt, url: "mqtt://127.0.0.1:{port}"}}
journal: {{flush: 50ms}}
kpi: {{windows: [day]}}
"""


def told(active: bool | None, at_s: float, key: str = "s=hot", **more: Any) -> AlarmChange:
    at = round(at_s * 1e9)
    what = {"severity": 700, "reason": "too hot", "source": "Spindle1", "type": "LimitAlarmType", **more}
    return AlarmChange(key, at, at, active, **what)


def load_site(folder: Path, text: str, teller: Teller) -> Any:
    path = folder / "site.yaml"
    path.write_text(without_api(text))
    drivers = {"told": teller.plugin()}
    return load(path, drivers, registry.publishers(), profiles=registry.profiles()), drivers


Run = Callable[..., contextlib.AbstractAsyncContextManager[Parts]]


@pytest.fixture
def run(tmp_path: Path, broker: Any, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`async with run(teller)`: an agent whose device is the teller, until left; its broker is at `port`."""

    @contextlib.asynccontextmanager
    async def running(teller: Teller, port: int = 0) -> AsyncIterator[Parts]:
        site, drivers = load_site(tmp_path, SITE.format(port=port or broker.port), teller)
        monkeypatch.setattr(registry, "drivers", lambda: drivers)
        parts = await agent.build(site, drivers, registry.publishers())
        stop = asyncio.Event()
        task = asyncio.create_task(agent.run(parts, stop))
        try:
            yield parts
        finally:
            stop.set()
            await task

    return running


async def arrived(listener: Any, n: int, seconds: float = 15) -> list[dict[str, Any]]:
    """The first `n` alarms that were published, in order."""

    def found() -> list[dict[str, Any]]:
        return [alarm for payload in listener.on("/cnc-7/alarms") for alarm in payload["alarms"]]

    return await asyncio.to_thread(wait_for, lambda: len(found()) >= n and found(), seconds, f"{n} alarms")


async def test_an_alarm_is_published_when_it_comes_and_when_it_goes(run: Run, listener: Any) -> None:
    teller = Teller()
    now = time.time()
    async with run(teller):
        teller.tell(BEGIN, told(True, now - 60, acknowledged=False, since_ns=round((now - 65) * 1e9)), END)
        [came] = await arrived(listener, 1)
        teller.tell(told(True, now - 1, acknowledged=True, comment="seen"), told(False, now, acknowledged=True))
        came, gone = await arrived(listener, 2)
    start = round((now - 65) * 1000)
    assert came == {
        "id": "s=hot", "rev": 1, "source": "Spindle1", "type": "LimitAlarmType", "active": True, "known": True,
        "severity": 700, "reason": "too hot", "start": pytest.approx(start, abs=1), "end": None,
        "end_uncertain": False, "acknowledged": False, "acknowledged_at": None, "confirmed": None, "comment": None,
    }  # fmt: skip
    assert gone == {
        **came, "rev": 3, "active": False, "end": pytest.approx(now * 1000, abs=1), "acknowledged": True,
        "acknowledged_at": pytest.approx((now - 1) * 1000, abs=1), "comment": "seen",
    }  # fmt: skip
    first, second = listener.on("/cnc-7/alarms")
    assert (first["v"], first["device"], set(first)) == (1, "cnc-7", {"v", "seq", "device", "alarms"})
    assert second["seq"] > first["seq"]


async def test_nothing_is_retained_and_what_came_during_an_outage_follows(
    run: Run, listener: Any, broker: Any, start_process: Callable[..., Any]
) -> None:
    port = free_port()
    wire = start_process("wire", *proxy_command(port, broker.port))
    teller = Teller()
    now = time.time()
    async with run(teller, port):
        teller.tell(told(True, now))
        await arrived(listener, 1)
        wire.stop(signal.SIGKILL)
        teller.tell(told(False, now + 1), told(None, now + 2, "event-1", reason="door opened", source="Door"))
        await asyncio.sleep(0.3)
        wire.start()
        _, gone, event = await arrived(listener, 3, 30)
    assert (gone["active"], gone["rev"]) == (False, 2)
    assert (event["active"], event["start"], event["reason"]) == (None, event["end"], "door opened")
    listener.close()
    later = Listener(broker.port)
    await asyncio.to_thread(wait_for, lambda: later.on("/status"), 5, "what is retained")
    later.close()
    assert later.on("/alarms") == []


async def test_a_lost_line_leaves_alarms_unknown_and_a_refresh_says_which_have_ended(
    run: Run, listener: Any
) -> None:
    teller = Teller()
    now = time.time()
    async with run(teller):
        teller.tell(BEGIN, told(True, now), told(True, now, "s=jam"), END)
        await arrived(listener, 2)
        teller.break_line()
        *_, one, other = await arrived(listener, 4)
        assert {one["id"], other["id"]} == {"s=hot", "s=jam"}
        assert (one["known"], one["active"], one["end"], one["unknown_since"] > 0) == (False, True, None, True)
        teller.tell(BEGIN, told(True, now), END)
        *_, one, other = await arrived(listener, 6)
    by_id = {alarm["id"]: alarm for alarm in (one, other)}
    assert (by_id["s=hot"]["known"], by_id["s=hot"]["end"]) == (True, None)
    assert (by_id["s=jam"]["end_uncertain"], by_id["s=jam"]["active"]) == (True, False)


async def test_open_alarms_survive_a_restart(run: Run, listener: Any) -> None:
    teller, now = Teller(), time.time()
    async with run(teller):
        teller.tell(BEGIN, told(True, now - 100), told(True, now - 100, "s=jam", acknowledged=True), END)
        await arrived(listener, 2)
    again = Teller()
    async with run(again) as parts:
        hot, jam = parts.engine.alarms.spans(0, 1 << 62)
        assert (hot.start, hot.known, jam.acknowledged) == (round((now - 100) * 1e9), False, True)
        again.tell(BEGIN, told(True, now - 100), END)
        await arrived(listener, 6)
        hot, jam = parts.engine.alarms.spans(0, 1 << 62)
        assert (hot.end, hot.known, hot.revision) == (None, True, 3)
        assert (jam.end_uncertain, jam.end is not None) == (True, True)
        await parts.journal.checkpoint_now()
    async with run(Teller()) as parts:
        hot, jam = parts.engine.alarms.spans(0, 1 << 62)
        assert (hot.end, jam.end_uncertain) == (None, True), "from the checkpoint alone"


async def test_alarms_of_a_device_that_tells_none_any_more_are_ended(
    run: Run, listener: Any, tmp_path: Path, broker: Any
) -> None:
    teller, now = Teller(), time.time()
    async with run(teller):
        teller.tell(told(True, now - 100))
        await arrived(listener, 1)
    text = SITE.format(port=broker.port).replace("driver: told,", "driver: told, quiet: true,")
    site, drivers = load_site(tmp_path, text.replace('alarms: {device: cnc-7, source: "Spindle*"}', ""), Teller())
    parts = await agent.build(site, drivers, registry.publishers())
    [span] = parts.engine.alarms.spans(0, 1 << 62)
    assert (span.end is not None, span.end_uncertain) == (True, True)
    await parts.journal.close()


async def test_a_machine_whose_device_tells_no_alarms_is_a_mistake_in_the_site_file(tmp_path: Path) -> None:
    text = SITE.format(port=1883).replace("driver: told,", "driver: told, quiet: true,")
    site, drivers = load_site(tmp_path, text, Teller())
    with pytest.raises(ConfigError, match=r"machines.cnc-7.alarms: .*tells no alarms"):
        agent.prepare(site, drivers, registry.publishers())
    with pytest.raises(ConfigError, match=r"machines.cnc-7.alarms.*names no device; did you mean 'cnc-7'"):
        load_site(tmp_path, SITE.format(port=1883).replace("alarms: {device: cnc-7, source: \"Spindle*\"}",
                                                           "alarms: cnc-77"), Teller())  # fmt: skip


# -- encoded ------------------------------------------------------------------------------------------


def many(n: int, text: str = "x") -> Alarms:
    alarms = Alarms()
    alarms.take("cnc-7", [told(True, 10 + i, f"s={i}", reason=text * 100) for i in range(n)], 0)
    return alarms


def test_what_is_too_large_for_a_message_is_several_with_the_same_number() -> None:
    spans = many(50).take_changes()["cnc-7"]
    small = JsonProfile("edge/gw-1", "gw-1", "0.1.0", max_payload=4000)
    messages = small.alarms(17, "cnc-7", spans)
    assert {(message.topic, message.qos, message.retain) for message in messages} == {
        ("edge/gw-1/cnc-7/alarms", 1, False)
    }
    assert all(len(message.payload) <= 4000 for message in messages)
    payloads = [orjson.loads(message.payload) for message in messages]
    assert {payload["seq"] for payload in payloads} == {17}
    assert [payload["part"] for payload in payloads] == list(range(1, len(messages) + 1))
    assert {payload["parts"] for payload in payloads} == {len(messages)}
    ids = [alarm["id"] for payload in payloads for alarm in payload["alarms"]]
    assert ids == [f"s={i}" for i in range(50)]
    assert len(json_alarms.payloads({}, spans, 10)) == 50, "one that is too large alone goes alone"


def test_a_record_comes_back_and_what_is_none_is_a_value_error() -> None:
    spans = many(3, "heiß ").take_changes()["cnc-7"]
    assert records.unpack_alarms(records.pack_alarms("cnc-7", spans)) == ("cnc-7", spans)
    for body in (b"{}", b'{"v":1}', b'{"v":1,"device":"d","spans":[{}]}', b'{"v":1,"device":"d","spans":3}', b"x"):
        with pytest.raises(ValueError, match=r"version|no alarms|unexpected"):
            records.unpack_alarms(body)


def test_the_kinds_of_records_keep_their_numbers() -> None:
    assert {kind.name: int(kind) for kind in RecordKind}["ALARM"] == 8
