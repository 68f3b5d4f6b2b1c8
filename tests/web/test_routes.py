"""What the API shows of a running agent, asked over real sockets."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jsonschema
import numpy as np
import pytest

from edge_agent import __version__
from edge_agent.core.quality import BAD, GOOD
from edge_agent.core.tags import Tag, TagTable
from edge_agent.health import Count
from edge_agent.web import view
from tests.peers.http_client import ask
from tests.peers.mosquitto import free_port

PLC = Path(__file__).parents[1] / "peers" / "plc.py"


class Plc:
    """A Modbus server in a process of its own: killed, and started again."""

    def __init__(self) -> None:
        self.port = free_port()
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, *presets: str) -> None:
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, str(PLC), str(self.port), *presets, stdin=pipe, stdout=pipe
        )
        assert self.process.stdout
        assert (await self.process.stdout.readline()).strip() == b"ready"

    async def kill(self) -> None:
        if self.process and self.process.returncode is None:
            self.process.kill()
            await self.process.communicate()


@pytest.fixture
async def plc() -> AsyncIterator[Plc]:
    held = Plc()
    yield held
    await held.kill()


async def eventually(what: Callable[[], Any], right: Callable[[Any], bool], seconds: float = 60) -> Any:
    """What `what()` gives once it is `right`."""
    end = asyncio.get_running_loop().time() + seconds
    while not right(found := await what()):
        assert asyncio.get_running_loop().time() < end, found
        await asyncio.sleep(0.05)
    return found


async def test_health_is_200_while_every_line_stands_and_503_with_the_reason_once_one_is_lost(
    run_site: Any, site_text: Any, plc: Plc
) -> None:
    await plc.start("0 7")
    async with run_site(site_text(plc.port)) as agent:
        reply = await eventually(lambda: agent.get("/api/v1/health"), lambda reply: reply.status == 200)
        assert reply.json() == {"ok": True, "problems": []}
        await plc.kill()
        reply = await eventually(lambda: agent.get("/api/v1/health"), lambda reply: reply.status == 503)
        [problem] = reply.json()["problems"]
        assert problem.startswith(f"plc: the line modbus+tcp://127.0.0.1:{plc.port}?unit=1 is lost since ")
        await plc.start("0 7")
        assert await eventually(lambda: agent.get("/api/v1/health"), lambda reply: reply.status == 200)


async def test_status_tells_of_lines_tags_counts_and_the_journal(running: Any) -> None:
    tried = await eventually(lambda: running.get("/api/v1/status"), lambda r: r.json()["devices"]["plc"]["error"])
    said = tried.json()
    assert (said["agent"], said["version"], said["ok"]) == ("gw-1", __version__, False)
    assert said["devices"]["press-1"]["state"] == "connected"
    assert said["devices"]["press-1"]["next_attempt"] is None
    assert said["devices"]["press-1"]["tags"] == {"good": 2, "uncertain": 0, "bad": 0}
    lost = said["devices"]["plc"]
    assert (lost["state"], lost["address"]) == ("lost", "modbus+tcp://127.0.0.1:9?unit=1")
    assert "refused" in lost["error"]
    assert lost["failures"] >= 1
    assert lost["next_attempt"] > lost["since"]
    assert set(said["counts"]) == set(map(str, Count))
    assert said["journal"]["ok"] is True
    assert said["journal"]["written_a_day"] >= said["journal"]["written_bytes"] >= 0
    assert said["journal"]["bytes"] >= 0
    assert len(said["problems"]) == 1


async def test_a_disk_that_fails_is_a_problem(running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(running.parts.journal), "failing", "the disk is full")
    reply = await running.get("/api/v1/health")
    assert reply.status == 503
    assert "journal: the disk is full" in reply.json()["problems"]
    assert (await running.get("/api/v1/status")).json()["journal"]["error"] == "the disk is full"


async def test_tags_are_listed_in_pages_by_device_and_only_bad_ones(running: Any) -> None:
    async def names(query: str) -> tuple[int, list[str]]:
        page = (await running.get(f"/api/v1/tags{query}")).json()
        return page["total"], [tag["tag"] for tag in page["tags"]]

    await eventually(lambda: running.get("/api/v1/tags?bad=true"), lambda reply: reply.json()["total"] == 2)
    everything = ["press-1.level", "press-1.total", "plc.state", "plc.temp"]
    assert await names("") == (4, everything)
    assert await names("?limit=2") == (4, everything[:2])
    assert await names("?limit=2&offset=1") == (4, everything[1:3])
    assert await names("?offset=9") == (4, [])
    assert await names("?device=plc") == (2, everything[2:])
    assert await names("?bad=true") == (2, everything[2:])
    assert await names("?bad=true&device=press-1") == (0, [])
    assert (await running.get("/api/v1/tags?device=plx")).status == 404
    for wrong in ("limit=0", "limit=1001", "offset=-1", "bad=perhaps", "limit=x"):
        assert (await running.get(f"/api/v1/tags?{wrong}")).status == 422


async def test_a_tag_has_value_unit_kind_quality_time_age_and_why(run_site: Any, site_text: Any, plc: Plc) -> None:
    await plc.start("0 7", "5 42")
    async with run_site(site_text(plc.port)) as agent:
        said = (await eventually(lambda: agent.get("/api/v1/tags/plc.temp"), lambda r: r.json()["value"] == 42)).json()
        assert (said["tag"], said["unit"], said["kind"]) == ("plc.temp", "Cel", "int")
        assert (said["quality"], said["reason"]) == ("good", None)
        assert said["time"].endswith("+00:00")
        assert 0 <= said["age_s"] < 5
        assert (said["writable"], said["limits"]) == (False, None)
        assert said["why"][0].startswith("plc.temp is good: 42 Cel, ")
        assert said["why"][1].startswith(f"it comes from holding:5 of modbus+tcp://127.0.0.1:{plc.port}")
        level = (await agent.get("/api/v1/tags/press-1.level")).json()
        assert (level["unit"], level["kind"]) == ("bar", "float")


async def test_a_killed_device_is_told_outermost_first_with_the_last_good_value(
    run_site: Any, site_text: Any, plc: Plc
) -> None:
    await plc.start("0 7", "5 42")
    async with run_site(site_text(plc.port)) as agent:
        await eventually(lambda: agent.get("/api/v1/tags/plc.temp"), lambda r: r.json()["value"] == 42)
        await plc.kill()
        said = (
            await eventually(
                lambda: agent.get("/api/v1/tags/plc.temp"), lambda r: "attempts failed" in str(r.json()["why"])
            )
        ).json()
        assert (said["value"], said["quality"], said["reason"]) == (None, "bad", "comm_lost")
        chain = said["why"]
        assert chain[0].startswith("plc.temp is bad since ")
        assert chain[0].endswith("the connection to the device is lost")
        assert chain[1].startswith(f"the line modbus+tcp://127.0.0.1:{plc.port}?unit=1 is lost since ")
        assert "attempts failed; the next is " in chain[2]
        assert chain[-2].startswith("the last good value was 42 Cel at ")
        assert chain[-1].startswith("what to do: check power, cable")


async def test_a_value_out_of_range_is_told_with_the_range(run_site: Any, site_text: Any, plc: Plc) -> None:
    await plc.start("0 7", "5 412")
    async with run_site(site_text(plc.port)) as agent:
        said = (
            await eventually(lambda: agent.get("/api/v1/tags/plc.temp"), lambda r: r.json()["reason"] is not None)
        ).json()
        assert (said["value"], said["reason"]) == (412, "out_of_range")
        assert said["why"][1] == "the value is 412 Cel, its range 0 to 100 Cel"
        assert said["why"][-2] == "no good value is in memory"
        problems = (await agent.get("/api/v1/status")).json()["problems"]
        assert any("1 of 2 tags without a good value (temp); edge-agent why" in problem for problem in problems)


def test_of_many_bad_tags_the_first_are_named_and_the_others_counted() -> None:
    table = TagTable([Tag(n, "plc", name) for n, name in enumerate(("fine", "t0", "t1", "t2", "t3", "t4"))])
    ring = SimpleNamespace(latest=SimpleNamespace(quality=np.array([GOOD] + [BAD] * 5, dtype=np.uint8)))
    shown: Any = SimpleNamespace(state="connected", tags=SimpleNamespace(good=1, uncertain=0, bad=5))
    (said,) = view._of_tags({"plc": shown}, cast(Any, SimpleNamespace(table=table, ring=ring)))
    assert said == "plc: 5 of 6 tags without a good value (t0, t1, t2 and 2 more); edge-agent why TAG tells why"


async def test_a_tag_that_never_came_says_since_when_and_what_stands_in_the_way(running: Any) -> None:
    said = (
        await eventually(lambda: running.get("/api/v1/tags/plc.state"), lambda r: "refused" in str(r.json()["why"]))
    ).json()
    assert (said["value"], said["time"], said["age_s"], said["quality"]) == (None, None, None, "bad")
    assert said["why"][0].startswith("plc.state has had no value yet: nothing has arrived since the agent started at ")
    assert "is lost since" in said["why"][1]


async def test_an_unknown_tag_is_404_with_the_nearest_names(running: Any) -> None:
    asked = [
        ("plc.stat", "plc.state"), ("plx.state", "plc.state"), ("state", "plc.state"), ("plc", "plc.state"),
        ("plc.zzz", "plc.state"), ("PLC.state", None), ("..", None), ("%00", None), ("a" * 200, None),
    ]  # fmt: skip
    for name, near in asked:
        reply = await running.get(f"/api/v1/tags/{name}")
        assert reply.status == 404
        if near:
            assert near in reply.json()["near"]


async def test_the_openapi_document_describes_every_route_and_what_they_answer(running: Any) -> None:
    document = (await running.get("/api/openapi.json")).json()
    assert set(document["paths"]) >= {
        "/api/v1/health", "/api/v1/status", "/api/v1/tags", "/api/v1/tags/{tag}", "/api/v1/alarms",
        "/api/v1/machines/{id}/spans", "/api/v1/machines", "/api/v1/lines", "/api/v1/areas",
        *(f"/api/v1/{scope}/kpi" for scope in ("machines/{id}", "lines/{id}", "areas/{id}", "site")),
        "/api/v1/digital", "/api/v1/digital/tags", "/api/v1/live", "/metrics",
        "/api/v1/machines/{id}/states", "/api/v1/machines/{id}/cycles",
    }  # fmt: skip
    for path, model in (
        ("/api/v1/status", "StatusAnswer"), ("/api/v1/tags/plc.state", "TagDetail"),
        ("/api/v1/digital", "DigitalAnswer"), ("/api/v1/digital/tags", "TagQualityPage"),
    ):  # fmt: skip
        schema = {"$ref": f"#/components/schemas/{model}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate((await running.get(path)).json())


async def test_what_is_not_there_is_said_as_json(running: Any) -> None:
    asked = [("GET", "/pages", 404), ("GET", "/docs", 404), ("GET", "/api/v1", 404), ("DELETE", "/api/v1/status", 405),
        ("POST", "/api/v1/health", 405), ("OPTIONS", "/api/v1/status", 405)]  # fmt: skip
    for method, path, status in asked:
        reply = await ask(running.port, method, path)
        assert reply.status == status
        assert reply.json()["error"]


async def test_looking_costs_the_answer_no_word_about_the_server_and_no_cache(running: Any) -> None:
    reply = await running.get("/api/v1/status", headers={"Origin": "http://evil.example"})
    assert "server" not in reply.headers
    assert "access-control-allow-origin" not in reply.headers
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"


async def test_passwords_in_addresses_are_shown_nowhere(running: Any) -> None:
    secret = "pw-" + os.urandom(4).hex()
    line = running.parts.health.devices["plc"]
    line.address = f"opc.tcp://user:{secret}@10.0.0.7:4840"
    await eventually(lambda: running.get("/api/v1/tags/plc.state"), lambda r: "refused" in str(r.json()["why"]))
    line.error = f"{line.address} says no"
    for path in ("/api/v1/status", "/api/v1/health", "/api/v1/tags/plc.state"):
        reply = await running.get(path)
        assert secret not in reply.body.decode()
        assert "opc.tcp://user:***@10.0.0.7:4840" in reply.body.decode()


async def test_a_state_the_map_misses_is_logged_once_counted_and_shown(
    run_site: Any, site_text: Any, plc: Plc, caplog: pytest.LogCaptureFixture
) -> None:
    await plc.start("0 7")
    machine = (
        "machines: {m: {state: {tag: plc.state, map: {1: RUN}}, ideal_cycle: 1s, "
        "counts: {total: press-1.total, scrap: plc.temp}}}\n"
    )
    async with run_site(site_text(plc.port) + machine) as agent:
        said = "m: plc.state is 7, which its state does not name: the machine is UNKNOWN meanwhile"
        status = await eventually(
            lambda: agent.get("/api/v1/status"), lambda reply: said in reply.json()["problems"]
        )
        assert status.json()["counts"]["values_unnamed"] == 1
        await asyncio.sleep(1.2)
        assert [record.getMessage() for record in caplog.records].count(said) == 1
        assert (await agent.get("/api/v1/health")).status == 200, "a restart would not help"
