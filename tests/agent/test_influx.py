"""From a device through the journal into InfluxDB, over outages of the server and restarts of the agent.

What counts is what can be read back: every sample once, with its value, whatever was sent how often.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent import agent, registry
from edge_agent.api import AlarmChange
from edge_agent.config import load
from edge_agent.parts import Parts
from tests.encode.line_protocol_reader import read
from tests.peers.alarm_driver import Teller
from tests.peers.fake_influx import FakeInflux
from tests.peers.influx_v1 import INFLUXD, InfluxV1
from tests.peers.no_api import without_api
from tests.peers.victoria_metrics import VICTORIA, VictoriaMetrics
from tests.peers.waiting import wait_for

SITE = """
agent: {{id: gw-1, timezone: UTC, data_dir: data, place: {{site: suzhou}}}}
devices:
  cnc-7: {{driver: told, tags: {{state: {{}}, total: {{}}, scrap: {{}}}}}}
machines:
  cnc-7:
    state: {{tag: cnc-7.state, map: {{0: IDLE, 1: RUN}}}}
    counts: {{total: cnc-7.total, scrap: cnc-7.scrap}}
    ideal_cycle: 1s
    alarms: {{device: cnc-7}}
publish:
  history: {{type: influxdb, url: "{url}", org: acme, bucket: plant, token: secret, timeout: 2s{more}}}
journal: {{flush: 50ms}}
kpi: {{windows: [day], every: 1s}}
"""

Run = Callable[..., contextlib.AbstractAsyncContextManager[Parts]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`async with run(teller, url)`: an agent whose device is the teller, until left; a second one goes on with it."""

    @contextlib.asynccontextmanager
    async def running(teller: Teller, url: str, more: str = "") -> AsyncIterator[Parts]:
        path = tmp_path / "site.yaml"
        path.write_text(without_api(SITE.format(url=url, more=more)))
        drivers = {"told": teller.plugin()}
        monkeypatch.setattr(registry, "drivers", lambda: drivers)
        site = load(path, drivers, registry.publishers(), profiles=registry.profiles())
        parts = await agent.build(site, drivers, registry.publishers())
        stop = asyncio.Event()
        task = asyncio.create_task(agent.run(parts, stop))
        try:
            yield parts
        finally:
            stop.set()
            await task

    return running


class Source:
    """Emits one scan after the other; the number in `total` is the scan's."""

    def __init__(self, teller: Teller) -> None:
        self.said: dict[int, int] = {}      # by time, ns
        self._teller = teller

    async def emit(self, scans: int) -> None:
        for _ in range(scans):
            at, n = time.time_ns() // 1_000_000 * 1_000_000, len(self.said)
            if at in self.said:
                at += 1_000_000
            self.said[at] = n
            self._teller.sample(at, state=n % 2, total=n, scrap=n)
            await asyncio.sleep(0.004)


async def found(what: Callable[[], Any], seconds: float, why: str) -> Any:
    return await asyncio.to_thread(wait_for, what, seconds, why)


async def a_day_of_outages(
    run: Run, url: str, down: Callable[[], None], up: Callable[[], None], stored: Callable[[], int], more: str = ""
) -> Source:
    """Scans all the while; the server goes down three times, the agent once, in the middle of an outage."""
    teller = Teller()
    source = Source(teller)
    async with run(teller, url, more):
        await source.emit(100)
        await found(lambda: stored() >= 50, 20, "the first scans")
        for _ in range(2):
            await asyncio.to_thread(down)
            await source.emit(100)
            await asyncio.to_thread(up)
            await source.emit(50)
        await found(lambda: stored() >= len(source.said) - 20, 40, "what came during the outage")
        await asyncio.to_thread(down)
        await source.emit(100)
        await asyncio.sleep(0.3)
    async with run(teller, url, more):
        await source.emit(50)
        await asyncio.to_thread(up)
        await source.emit(50)
        await found(lambda: stored() >= len(source.said), 40, "everything")
    return source


@pytest.fixture
def influx(tmp_path: Path) -> Iterator[InfluxV1]:
    with InfluxV1(tmp_path) as running:
        yield running


@pytest.fixture
def victoria(tmp_path: Path) -> Iterator[VictoriaMetrics]:
    with VictoriaMetrics(tmp_path) as running:
        yield running


@pytest.mark.peer
@pytest.mark.skipif(INFLUXD is None, reason="influxd is not installed")
async def test_every_sample_is_in_influxdb_once_over_power_cuts_of_the_server(
    run: Run, influx: InfluxV1
) -> None:
    def rows() -> list[dict[str, Any]]:
        return influx.rows('SELECT total, state, scrap FROM "cnc-7"')

    def stored() -> int:
        try:
            return len(rows())
        except OSError:
            return 0

    source = await a_day_of_outages(run, influx.url, influx.kill, influx.start, stored)
    assert {row["time"]: row["total"] for row in rows()} == source.said
    assert all(row["state"] == row["total"] % 2 and row["scrap"] == row["total"] for row in rows())


@pytest.mark.peer
@pytest.mark.skipif(VICTORIA is None, reason="victoria-metrics is not installed")
async def test_every_sample_is_in_victoriametrics_once_over_restarts_of_the_server(
    run: Run, victoria: VictoriaMetrics
) -> None:
    def samples() -> dict[int, float]:
        return dict(victoria.samples('{__name__="cnc-7_total"}').get("cnc-7_total", []))

    def stored() -> int:
        try:
            return len(samples())
        except OSError:
            return 0

    more = ", precision: ms"
    source = await a_day_of_outages(run, victoria.url, victoria.stop, victoria.start, stored, more)
    assert samples() == {at // 1_000_000: n for at, n in source.said.items()}
    everything = victoria.samples('{__name__=~"cnc-7_.*"}')
    assert {name: len(values) for name, values in everything.items()} == dict.fromkeys(
        ("cnc-7_state", "cnc-7_total", "cnc-7_scrap"), len(source.said)
    )


async def test_every_sample_is_stored_once_whatever_the_server_answers(run: Run) -> None:
    answers = iter((503, "stored-reset", "reset", 500, "hang", 429))

    def down() -> None:
        for _ in range(2):
            server.answer_next(next(answers))

    with FakeInflux() as server:

        def totals() -> dict[int | None, Any]:
            return {     # the server's thread may be in the middle of a row
                at: fields["total"] for (series, at), fields in list(server.stored.items())
                if series[0] == "cnc-7" and "total" in fields
            }  # fmt: skip

        source = await a_day_of_outages(run, server.url, down, lambda: None, lambda: len(totals()))
        assert totals() == source.said
        statuses = [status for _, status in server.writes]
        assert {503, 500, 429} <= set(statuses)


def test_an_agent_whose_server_hangs_ends_at_once(start_agent: Callable[[str], Any]) -> None:
    with FakeInflux() as server:
        for _ in range(20):
            server.answer_next("hang")
        running = start_agent(
            "agent: {id: gw-1, timezone: UTC, data_dir: data}\n"
            "devices: {sim: {driver: simulated, url: 'simulated://', tags: {total: {signal: counter, every: 1s}}}}\n"
            f"publish: {{history: {{type: influxdb, url: '{server.url}', org: acme, bucket: plant, token: secret, "
            "timeout: 60s}}\n"
        )
        wait_for(lambda: server.queries, 30, "a request")
        began = time.monotonic()
        assert running.stop(signal.SIGTERM) == 0
        assert time.monotonic() - began < 10
        assert "secret" not in running.log()


async def test_of_a_tag_that_has_changed_its_type_only_its_own_values_are_dead_letters(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    teller = Teller()
    source = Source(teller)

    def letters() -> list[dict[str, Any]]:
        return [json.loads(line) for file in tmp_path.rglob("history.jsonl") for line in file.read_text().splitlines()]

    def dead() -> dict[int | None, Any]:
        return {point.time: point.fields for one in letters() for point in read(one["payload"].encode())}

    with FakeInflux() as server:
        server.types["cnc-7", "scrap"] = float
        async with run(teller, server.url):
            await source.emit(100)
            await found(lambda: len(dead()) >= 100, 30, "all dead letters")
    stored = {at: fields for (series, at), fields in server.stored.items() if series[0] == "cnc-7"}
    assert {at: fields["total"] for at, fields in stored.items()} == source.said
    assert not any("scrap" in fields for fields in stored.values())
    assert dead() == {at: {"scrap": n} for at, n in source.said.items()}
    assert all("field type conflict" in one["reason"] for one in letters())


async def test_the_same_lines_come_over_mqtt(run: Run, broker: Any) -> None:
    teller = Teller()
    source = Source(teller)
    lines: list[bytes] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2)
    client.on_connect = lambda *_: client.subscribe("edge/suzhou/gw-1/lines/#", qos=1)
    client.on_message = lambda _c, _d, message: lines.extend(message.payload.split(b"\n"))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        more = f"}}\n  lines: {{type: mqtt, url: 'mqtt://127.0.0.1:{broker.port}', profile: line-protocol"
        with FakeInflux() as server:
            async with run(teller, server.url, more):
                await source.emit(100)

                def totals() -> dict[int | None, Any]:
                    found = [one for one in read(b"\n".join(lines)) if one.measurement == "cnc-7"]
                    return {one.time: one.fields["total"] for one in found}

                await found(lambda: len(totals()) == 100, 20, "all scans")
            assert totals() == source.said
    finally:
        client.disconnect()
        client.loop_stop()


async def test_states_kpis_alarms_and_the_status_are_told_besides(run: Run) -> None:
    teller = Teller()
    source = Source(teller)
    with FakeInflux() as server:

        def measurements() -> set[str]:
            return {series[0] for series, _ in list(server.stored)}

        async with run(teller, server.url):
            await source.emit(100)
            now = time.time_ns()
            teller.tell(AlarmChange("s=hot", now, now, True, 700, "too hot", "Spindle1", "LimitAlarmType"))
            wanted = {"cnc-7", "state", "kpi_open", "alarm", "agent", "connection", "digital"}
            await found(lambda: wanted <= measurements(), 30, f"{wanted} in the server")
        told = sorted((at, fields["online"]) for (series, at), fields in server.stored.items() if series[0] == "agent")
    assert [online for _, online in told][-1] is False, "the last word is a goodbye"


async def test_what_the_token_does_not_allow_waits_and_is_told(run: Run) -> None:
    teller = Teller()
    source = Source(teller)
    with FakeInflux() as server:
        server.token = "another"
        async with run(teller, server.url) as parts:
            await source.emit(50)
            line = parts.health.destinations["history"]
            await found(lambda: line.error, 20, "an error")
            assert "401" in line.error
            assert "see token:" in line.error
            assert "secret" not in line.error.replace("see token:", "")
        server.token = "secret"
        async with run(teller, server.url):
            await found(
                lambda: sum(series[0] == "cnc-7" for series, _ in list(server.stored)) >= len(source.said), 30, "all"
            )
