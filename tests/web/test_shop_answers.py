"""What the API tells of the whole shop, of tags and connections, and what it sends by itself."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from edge_agent.health import Count
from edge_agent.web import live
from tests.web.conftest import TOKEN, Running, until
from tests.web.test_machine_answers import SITE, told

ROOT = Path(__file__).parents[2]
MORE = """
publish:
  copies: {type: stdout, profile: json}
"""


@pytest.fixture
async def agent(run_site: Callable[..., Any]) -> AsyncIterator[Running]:
    async with run_site(SITE.replace("TOKEN", TOKEN)) as held:
        await told(held, "/api/v1/overview", lambda said: all(one["oee"] for one in said["machines"]))
        yield held


async def test_the_overview_is_a_tile_a_machine_and_a_roll_up_of_line_and_site(agent: Running) -> None:
    said = await told(agent, "/api/v1/overview", lambda said: all(one["oee"] is not None for one in said["groups"]))
    press, locked = said["machines"]
    assert (press["id"], press["line"], press["window"], press["product"]) == ("press", "a", "day", None)
    assert press["state"] in {"RUN", "FAULT", "IDLE"}
    assert press["oee"] == pytest.approx(press["availability"] * press["performance"] * press["quality"])
    assert 0 < press["good"] <= press["total"]
    assert (press["scrap"], press["rework"]) == (press["total"] - press["good"], 0)
    assert press["target_end"] == pytest.approx(86_400 / 0.1)
    assert 0 < press["target"] <= press["target_end"]
    site, line = said["groups"]
    assert (site["scope"], line["scope"], line["id"]) == ("site", "line", "a")
    assert line["machines"] == ["press", "locked"]
    assert sum(line["states"].values()) == 2
    assert line["total"] >= locked["total"]
    assert (said["agent"], said["timezone"], said["place"]) == ("gw-1", "Asia/Shanghai", ["demo"])


async def test_tags_are_found_by_words_and_quality_and_have_sparklines(agent: Running) -> None:
    async def names(query: str) -> list[str]:
        return [tag["tag"] for tag in (await told(agent, f"/api/v1/tags?{query}"))["tags"]]

    assert await names("search=STA") == ["io.state"]
    assert await names("search=io%20tot") == ["io.total"]
    assert await names("search=nothing") == []
    assert await names("quality=bad") == []
    assert await names("quality=good&quality=bad&limit=2") == ["io.state", "io.total"]
    assert (await agent.get("/api/v1/tags?quality=fine")).status == 422
    plain = await told(agent, "/api/v1/tags?search=total")
    assert (plain["tags"][0]["spark"], plain["tags"][0]["why"]) == (None, None)
    said = await told(agent, "/api/v1/tags?search=total&spark=60", lambda said: said["tags"][0]["spark"][-1][1])
    [tag] = said["tags"]
    assert len(tag["spark"]) == 60
    assert tag["why"] == []
    assert tag["spark"][0][1] is None       # ten minutes ago there was no agent


async def test_the_history_of_a_tag_is_thinned_and_keeps_its_peaks(agent: Running) -> None:
    said = await told(agent, "/api/v1/tags/io.state/history", lambda said: said["samples"] > 60)
    assert said["source"] == "journal"      # it was asked for an hour, and the agent is younger
    assert (said["complete"], said["reduced"], len(said["points"])) == (True, False, said["samples"])
    assert {point[1] for point in said["points"]} == {0, 1, 2}
    assert [point[0] for point in said["points"]] == sorted(point[0] for point in said["points"])
    thin = await told(agent, "/api/v1/tags/io.total/history?max_points=10")
    assert thin["reduced"] is True
    assert len(thin["points"]) < thin["samples"]
    assert (await agent.get("/api/v1/tags/io.stat/history")).json()["near"] == ["io.state"]
    for wrong in ("max_points=9", "start=never", "start=2026-01-02T00:00Z&end=2026-01-01T00:00Z"):
        assert (await agent.get(f"/api/v1/tags/io.state/history?{wrong}")).status == 422


async def test_the_history_goes_back_into_the_journal_where_memory_ends(run_site: Any, tmp_path: Path) -> None:
    text = SITE.replace("TOKEN", TOKEN)
    async with run_site(text) as first:
        before = await told(first, "/api/v1/tags/io.total/history", lambda said: said["samples"] > 20)
    async with run_site(text) as second:
        after = await told(second, "/api/v1/tags/io.total/history", lambda said: said["samples"] > before["samples"])
        # The journal has what has changed, memory every sample.
        assert {point[1] for point in before["points"]} <= {point[1] for point in after["points"]}
        ring = f"start={after['points'][-1][0] // 1000}"
        assert (await second.get(f"/api/v1/tags/io.total/history?{ring}")).status == 422    # no ISO 8601


async def test_devices_and_destinations_tell_how_they_are_asked_and_what_waits(
    run_site: Any, tmp_path: Path
) -> None:
    async with run_site(SITE.replace("TOKEN", TOKEN) + MORE) as agent:
        said = await told(agent, "/api/v1/devices", lambda said: said["devices"][0]["polled"])
        [io] = said["devices"]
        assert (io["id"], io["driver"], io["state"]) == ("io", "simulated", "connected")
        assert io["machines"] == ["press", "locked"]
        assert io["scans"] == [{"period_s": 0.02, "tags": 4}]
        assert io["samples_s"] == pytest.approx(200)
        assert isinstance(io["scans_skipped"], int), "a busy computer may skip some"
        assert io["asked"]
        said = await told(agent, "/api/v1/destinations", lambda said: said["destinations"][0]["acknowledged"])
        [copies] = said["destinations"]
        assert (copies["id"], copies["type"], copies["profile"]) == ("copies", "stdout", "json")
        assert copies["state"] == "connected"
        assert set(copies["lanes"]) == set(copies["evicted"]) == {"events", "samples"}
        assert (copies["rejected"], copies["dead_letters"]) == (0, 0)
        assert said["journal"]["ok"] is True
        dead = tmp_path / "data" / "dead"
        dead.mkdir()
        line = {"time": "2026-11-23T00:00:00+00:00", "topic": "t", "reason": "too large", "payload": "{}"}
        (dead / "copies.jsonl").write_text(f"{json.dumps(line)}\nnot a line\n")
        said = await told(agent, "/api/v1/destinations/copies/dead-letters")
        assert said["letters"] == [line]
        assert (await agent.get("/api/v1/destinations/copy/dead-letters")).status == 404
        journal = await told(agent, "/api/v1/journal")
        assert (journal["ok"], journal["reports"]) == (True, [])
        assert set(journal["backlog"]) == {"copies"}


async def test_metrics_are_in_the_text_format_and_name_everything_that_is_counted(agent: Running) -> None:
    reply = await agent.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = reply.body.decode().splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r'[a-z_]+(\{([a-z]+="[^"]*",?)+\})? [0-9.e+-]+|.* NaN', line) for line in samples)
    names = {line.split("{")[0].split(" ")[0] for line in samples}
    assert {f"edge_agent_{count}_total" for count in Count} <= names
    assert 'edge_agent_device_up{device="io"} 1' in samples
    assert len([line for line in samples if line.startswith("edge_agent_machine_state{machine=\"press\"")]) == 7
    typed = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(typed) == len(set(typed))
    assert names <= set(typed)


async def test_every_metric_is_documented_and_every_alert_is_about_one_that_there_is(agent: Running) -> None:
    lines = (await agent.get("/metrics")).body.decode().splitlines()
    there = {line.split()[2] for line in lines if line.startswith("# TYPE")}
    page = (ROOT / "README.md").read_text().partition("\n### Metrics\n")[2].partition("\n#")[0]
    cells = " ".join(re.findall(r"^\| ([^|]+)\|", page, re.MULTILINE))
    named = re.findall(r"`([a-z_]+)`", cells)
    process = set(re.findall(r"`(process_[a-z_]+)`", page))
    assert there == {f"edge_agent_{name}" for name in (*named, *(f"{count}_total" for count in Count))} | process
    alerts = (ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text()
    assert set(re.findall(r"\bedge_agent_\w+", alerts)) <= there


async def events(agent: Running, path: str, enough: Callable[[list[tuple[str, Any]]], bool]) -> list[tuple[str, Any]]:
    """Server-sent events, until they are enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", agent.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    found: list[tuple[str, Any]] = []
    name = ""
    async with asyncio.timeout(60):
        while not enough(found):
            line = (await reader.readline()).decode().strip()
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
    writer.close()
    return found


async def test_what_changes_is_told_by_itself_and_nothing_twice(agent: Running) -> None:
    found = await events(agent, "/api/v1/live?tags=io.state,io.nothing", lambda found: len(found) > 12)
    first: dict[str, Any] = {}
    for name, news in found:
        first.setdefault(name, news)
    assert set(first) == {"machines", "groups", "devices", "tags"}
    assert set(first["machines"]) == {"press", "locked"}
    assert set(first["tags"]) == {"io.state"}
    assert [name for name, _ in found].count("devices") == 1
    said = [news["io.state"]["time"] for name, news in found if name == "tags"]
    assert len(set(said)) == len(said)


async def test_streams_are_few_and_a_place_is_free_again_once_one_ends(
    agent: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "STREAMS", 1)
    reader, writer = await asyncio.open_connection("127.0.0.1", agent.port)
    writer.write(b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(60):
        await reader.readuntil(b"event: ")
        assert (await agent.get("/api/v1/live")).status == 503
        writer.close()
        assert await events(agent, "/api/v1/live", bool)
    await until(lambda: agent.parts.readers[0].line.state == "connected", "it still reads")
