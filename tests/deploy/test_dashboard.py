"""Every query of the Grafana dashboard finds data in a real InfluxDB to which a real agent has written."""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent import agent, registry
from edge_agent.config import load
from edge_agent.encode import records
from edge_agent.journal import RecordKind
from edge_agent.parts import Parts
from tests.peers.influx_v1 import INFLUXD, TOKEN, InfluxV1
from tests.peers.waiting import wait_for

DASHBOARD = json.loads((Path(__file__).parents[2] / "deploy" / "grafana" / "dashboard.json").read_text())
QUERIES = [(panel["title"], one["query"]) for panel in DASHBOARD["panels"] for one in panel["targets"]]
# An alarm needs a device that tells alarms, a closed shift hours: those points are told below as the agent tells them.
SITE = """
agent: {{id: gw-1, timezone: UTC, data_dir: data, place: {{site: suzhou}}}}
devices:
  toy-1:
    driver: simulated
    url: "simulated://"
    poll: 100ms
    tags:
      state: {{signal: cycle, steps: [{{value: 1, for: 1s}}, {{value: 0, for: 1s}}]}}
      total: {{signal: counter, every: 200ms}}
      scrap: {{signal: counter, every: 2s}}
machines:
  m-1: {{line: a, state: &s {{tag: toy-1.state, map: {{0: IDLE, 1: RUN}}}}, counts: {{total: toy-1.total, scrap: toy-1.scrap}}, ideal_cycle: 200ms, calendar: all-day}}
  m-2: {{line: a, state: *s, counts: {{total: toy-1.total, scrap: toy-1.scrap}}, ideal_cycle: 200ms, calendar: all-day}}
calendars:
  all-day: {{shifts: {{one: {{days: mon-sun, start: "00:00", end: "12:00"}}, two: {{days: mon-sun, start: "12:00", end: "00:00"}}}}}}
publish:
  history: {{type: influxdb, url: "{url}", org: acme, bucket: plant, token: secret}}
api: {{listen: "off"}}
journal: {{flush: 100ms}}
kpi: {{windows: [shift], every: 200ms}}
"""  # noqa: E501
ALARM = (
    "alarm,agent=gw-1,site=suzhou,device=toy-1,source=Spindle,type=LimitAlarmType,id=1 "
    'active=false,known=true,severity=700i,reason="too hot",duration_s=12.5,acknowledged=true,rev=2i'
)
STATUS = "agent,agent=gw-1,site=suzhou samples_read=1i,samples_reported=1i"
"""as tests/encode holds the profile to; a rate needs a status of minutes ago"""


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxV1]:
    if INFLUXD is None:
        pytest.skip("influxd is not installed; the dashboard's queries are not asked")
    with InfluxV1(tmp_path_factory.mktemp("influx")) as running:
        asyncio.run(a_while(running, tmp_path_factory.mktemp("agent")))
        yield running


async def a_while(influx: InfluxV1, folder: Path) -> None:
    """An agent that writes until everything that it can tell has been told."""
    path = folder / "site.yaml"
    path.write_text(SITE.format(url=influx.url))
    site = load(path, registry.drivers(), registry.publishers(), profiles=registry.profiles())
    parts = await agent.build(site, registry.drivers(), registry.publishers())
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(parts, stop))
    wanted = ("state", "kpi_open", "rollup_open", "agent", "connection", "digital")
    await asyncio.to_thread(wait_for, lambda: all(map(influx.rows, map(everything, wanted))), 30, "data")
    await close_shifts(parts)
    await asyncio.to_thread(wait_for, lambda: influx.rows(everything("kpi")), 20, "a closed shift")
    stop.set()
    await task
    where = f"{influx.url}/api/v2/write?org=acme&bucket=plant&precision=ns"
    told = f"{ALARM}\n{STATUS} {time.time_ns() - 600_000_000_000}"
    request = urllib.request.Request(where, told.encode(), {"Authorization": f"Token {TOKEN}"})
    await asyncio.to_thread(urllib.request.urlopen, request, timeout=20)


def everything(measurement: str) -> str:
    return f'SELECT * FROM "{measurement}"'


async def close_shifts(parts: Parts) -> None:
    """Keep the records of the open shift as if it were over."""
    for machine in parts.engine.machines.values():
        for report in parts.engine.reports_of(machine, parts.clock()):
            parts.journal.append(RecordKind.REPORT, records.pack_report(replace(report, final=True)))
    await parts.journal.flush()


def asked(query: str) -> str:
    """As Grafana sends it, with its variables filled in."""
    filled = query.replace("/^$machine$/", "/^.*$/").replace("$__interval", "10s")
    filled = filled.replace("$timeFilter", "time > now() - 24h")
    assert "$" not in re.sub(r"\$/", "", filled), filled
    return filled


@pytest.mark.peer
@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[f"{title}-{at}" for at, (title, _) in enumerate(QUERIES)])
def test_every_query_finds_something(influx: InfluxV1, title: str, query: str) -> None:
    found = influx.ask(asked(query))
    assert found, title
    for at, column in enumerate(found[0]["columns"]):
        values = [row[at] for series in found for row in series["values"]]
        assert any(value is not None for value in values), f"{title}: nothing in {column}"


@pytest.mark.peer
def test_the_machines_to_choose_from_are_those_that_there_are(influx: InfluxV1) -> None:
    [variable] = DASHBOARD["templating"]["list"]
    assert {row["value"] for row in influx.rows(variable["query"])} == {"m-1", "m-2"}
