"""Alarms and the spans of a machine, asked for over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jsonschema
import pytest

from edge_agent import agent, registry
from edge_agent.api import AlarmChange, AlarmMark
from edge_agent.config import load
from edge_agent.web import alarms as room
from tests.peers.alarm_driver import Teller
from tests.peers.http_client import Reply, ask

S = 1_000_000_000
SITE = """
agent: {id: gw-1, timezone: Asia/Shanghai, data_dir: data}
devices:
  cnc-7: {driver: told, tags: {state: {}, total: {}, scrap: {}}}
  other: {driver: simulated, url: "simulated://",
          tags: {state: {signal: counter}, total: {signal: counter}, scrap: {signal: counter}}}
machines:
  cnc-7:
    state: {tag: cnc-7.state, map: {0: IDLE, 1: RUN, 2: FAULT}}
    counts: {total: cnc-7.total, scrap: cnc-7.scrap}
    ideal_cycle: 1s
    alarms: {device: cnc-7, source: "Spindle*"}
  other:
    state: {tag: other.state, map: {0: IDLE, 1: RUN}}
    counts: {total: other.total, scrap: other.scrap}
    ideal_cycle: 1s
journal: {flush: 50ms}
kpi: {windows: [day]}
api: {listen: "127.0.0.1:0"}
"""


def told(active: bool | None, at_s: float, key: str = "s=hot", **more: Any) -> AlarmChange:
    at = round(at_s * 1e9)
    what = {"severity": 700, "reason": "too hot", "source": "Spindle1", "type": "LimitAlarmType", **more}
    return AlarmChange(key, at, at, active, **what)


class Running:
    """An agent whose only device is the test, and its API."""

    def __init__(self, parts: agent.Parts, teller: Teller) -> None:
        self.parts, self.teller = parts, teller

    async def get(self, path: str, **query: Any) -> Reply:
        asked = "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
        assert self.parts.api
        return await ask(self.parts.api.port, "GET", f"/api/v1/{path}" + (f"?{asked}" if asked else ""))

    async def alarms(self, n: int, **query: Any) -> list[dict[str, Any]]:
        """Once there are `n` that match."""
        end = time.monotonic() + 30
        while len(found := (await self.get("alarms", **query)).json()["alarms"]) != n:
            assert time.monotonic() < end, found
            await asyncio.sleep(0.02)
        return list(found)


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    teller, path = Teller(), tmp_path / "site.yaml"
    path.write_text(SITE)
    drivers = {**registry.drivers(), "told": teller.plugin()}
    monkeypatch.setattr(registry, "drivers", lambda: drivers)
    site = load(path, drivers, registry.publishers())
    parts = await agent.build(site, drivers, registry.publishers())
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(parts, stop))
    try:
        end = time.monotonic() + 30
        while not (parts.api and parts.api.port):
            assert time.monotonic() < end
            await asyncio.sleep(0.01)
        yield Running(parts, teller)
    finally:
        stop.set()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def iso(seconds: float, offset: int = 8) -> str:
    moment = datetime.fromtimestamp(seconds, UTC) + timedelta(hours=offset)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f"+{offset:02}:00"


def shown(seconds: float) -> str:
    """As the API writes it."""
    return iso(seconds).replace("+", ".000+")


NOW = float(int(time.time()))


async def test_alarms_are_shown_the_newest_first_in_the_agents_time_zone(running: Running) -> None:
    teller = running.teller
    teller.tell(
        told(True, NOW - 60, acknowledged=False), told(False, NOW - 30, acknowledged=False),
        told(True, NOW - 20, "s=jam", severity=900), told(None, NOW - 10, "e1", source="Door", reason="opened"),
    )  # fmt: skip
    event, jam, hot = await running.alarms(3)
    assert (hot["id"], hot["device"], hot["rev"]) == ("s=hot", "cnc-7", 2)
    assert (hot["active"], hot["acknowledged"]) == (False, False)
    assert (hot["start"], hot["end"]) == (shown(NOW - 60), shown(NOW - 30))
    assert (jam["active"], jam["end"], jam["severity"], jam["known"]) == (True, None, 900, True)
    assert (event["active"], event["start"] == event["end"], event["reason"]) == (None, True, "opened")
    reply = await running.get("alarms", limit=1)
    assert (reply.json()["total"], reply.json()["limit"], len(reply.json()["alarms"])) == (3, 1, 1)
    await running.alarms(0, device="other")


async def test_alarms_are_chosen_by_activity_and_time(running: Running) -> None:
    running.teller.tell(
        told(True, NOW - 60), told(False, NOW - 30), told(True, NOW - 20, "s=jam"), told(None, NOW - 10, "e1")
    )
    await running.alarms(3)
    for query, expected in (
        ({"active": "true"}, ["s=jam"]),
        ({"active": "false"}, ["e1", "s=hot"]),
        ({"start": iso(NOW - 30)}, ["e1", "s=jam"]),
        ({"end": iso(NOW - 20)}, ["s=hot"]),
        ({"start": iso(NOW - 31, 0), "end": iso(NOW - 10, 0)}, ["s=jam", "s=hot"]),
        ({"start": iso(NOW - 30).partition("+")[0]}, ["e1", "s=jam"]),
        ({"device": "cnc-7", "start": iso(NOW - 30).replace("+", " ")}, ["e1", "s=jam"]),
    ):
        assert [one["id"] for one in await running.alarms(len(expected), **query)] == expected, query


async def test_a_lost_device_leaves_its_alarms_unknown(running: Running) -> None:
    running.teller.tell(told(True, NOW - 60))
    await running.alarms(1)
    running.teller.break_line()
    end = time.monotonic() + 30
    while (alarm := (await running.alarms(1))[0])["known"]:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    assert (alarm["active"], alarm["end"], alarm["unknown_since"] is not None) == (True, None, True)
    running.teller.tell(AlarmMark.BEGIN, AlarmMark.END)
    assert (await running.alarms(1, active="false"))[0]["end_uncertain"] is True


@pytest.mark.parametrize(
    ("path", "query", "status", "says"),
    [
        ("alarms", {"device": "nowhere"}, 404, "there is no device nowhere"),
        ("alarms", {"start": "yesterday"}, 422, "start: 'yesterday' is no time; write ISO 8601, such as 2026-11-23T06"),
        ("alarms", {"start": "2026-11-23T06:00:00Z", "end": "2026-11-23T06:00:00Z"}, 422, "end: must be after start"),
        ("alarms", {"limit": "0"}, 422, "limit"),
        ("alarms", {"active": "perhaps"}, 422, "active"),
        ("machines/cnc-8/spans", {}, 404, "there is no machine cnc-8"),
        ("machines/cnc-7/spans", {"end": "9999-99-99"}, 422, "end: '9999-99-99' is no time"),
        ("machines/cnc-7/spans", {"start": "2026-11-24T00:00", "end": "2026-11-23T00:00"}, 422, "end: must be after"),
    ],
)
async def test_what_cannot_be_asked_is_said_in_words(
    running: Running, path: str, query: dict[str, str], status: int, says: str
) -> None:
    reply = await running.get(path, **query)
    assert reply.status == status
    assert reply.json()["error"].startswith(says)
    if path.startswith("machines/cnc-8"):
        assert reply.json()["near"] == ["cnc-7"]


@pytest.mark.parametrize("bound", ["0001-01-01", "9999-12-31T23:59:59", "1969-01-01T00:00:00+14:00"])
async def test_times_at_the_end_of_the_world_do_no_harm(running: Running, bound: str) -> None:
    for path in ("alarms", "machines/cnc-7/spans"):
        for name in ("start", "end"):
            assert (await running.get(path, **{name: bound})).status in (200, 422)


async def spans_of(running: Running, n: int, **query: Any) -> dict[str, Any]:
    """Once the machine has `n` spans."""
    end = time.monotonic() + 30
    while len((found := (await running.get("machines/cnc-7/spans", **query)).json())["spans"]) != n:
        assert time.monotonic() < end, found
        await asyncio.sleep(0.02)
    return dict(found)


async def test_spans_of_a_machine_follow_each_other_and_its_alarms_lie_beside_them(running: Running) -> None:
    teller, start = running.teller, round((NOW - 100) * S)
    for at, state in ((0, 1), (40, 2), (70, 1)):
        teller.sample(start + at * S, state=state, total=0, scrap=0)
    teller.tell(told(True, NOW - 61), told(False, NOW - 31), told(True, NOW - 61, "s=door", source="Door"))
    found = await spans_of(running, 3, start=iso(NOW - 100))
    assert (found["machine"], found["complete"], found["start"]) == ("cnc-7", True, shown(NOW - 100))
    spans = found["spans"]
    assert [span["state"] for span in spans] == ["RUN", "FAULT", "RUN"]
    assert [a["end"] for a in spans[:-1]] == [b["start"] for b in spans[1:]]
    assert spans[-1]["end"] is None, "it still runs"
    assert [alarm["id"] for alarm in found["alarms"]] == ["s=hot"], "the door is no part of the spindle"
    part = (await running.get("machines/cnc-7/spans", start=iso(NOW - 90), end=iso(NOW - 50))).json()
    assert [(span["state"], span["end"] is None) for span in part["spans"]] == [("RUN", False), ("FAULT", False)]
    assert part["end"] == shown(NOW - 50)
    day = (await running.get("machines/cnc-7/spans")).json()
    assert [span["state"] for span in day["spans"]] == ["UNKNOWN", "RUN", "FAULT", "RUN"]
    assert (await running.get("machines/other/spans")).json()["alarms"] == []


async def test_a_future_stretch_has_no_spans_and_too_many_come_in_parts(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    future = await running.get("machines/cnc-7/spans", start=iso(NOW + 7000), end=iso(NOW + 8000))
    assert (future.status, future.json()["spans"]) == (200, [])
    for at in range(6):
        running.teller.sample(round((NOW - 100 + at) * S), state=at % 2, total=0, scrap=0)
    await spans_of(running, 6, start=iso(NOW - 100))
    monkeypatch.setattr(room, "MOST", 4)
    first = await spans_of(running, 4, start=iso(NOW - 100))
    assert (first["complete"], first["end"]) == (False, first["spans"][-1]["end"])
    rest = await spans_of(running, 2, start=first["end"])
    assert (rest["complete"], rest["spans"][0]["start"]) == (True, first["end"])


async def test_answers_are_as_the_openapi_document_says(running: Running) -> None:
    running.teller.tell(told(True, NOW - 60, acknowledged=False), told(None, NOW, "e1"))
    await running.alarms(2)
    assert running.parts.api
    document = (await ask(running.parts.api.port, "GET", "/api/openapi.json")).json()
    for path, template in (("alarms", "/api/v1/alarms"), ("machines/cnc-7/spans", "/api/v1/machines/{id}/spans")):
        said = document["paths"][template]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.validate((await running.get(path)).json(), {**said, "components": document["components"]})
