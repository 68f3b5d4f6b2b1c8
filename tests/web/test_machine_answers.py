"""What the API tells of one machine, asked of a running agent: each figure is the one that is published."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from edge_agent.core import catalog
from tests.web.conftest import TOKEN, Running

SITE = """
agent: {id: gw-1, timezone: Asia/Shanghai, data_dir: data, place: {site: demo}}
devices:
  io:
    driver: simulated
    url: "simulated://"
    poll: 20ms
    tags:
      state: {signal: cycle, steps: [{value: 1, for: 1200ms}, {value: 2, for: 300ms}, {value: 0, for: 200ms}]}
      total: {signal: counter, every: 100ms}
      scrap: {signal: counter, every: 900ms}
      kwh: {signal: ramp, low: 0, high: 100, period: 1h, unit: kWh}
machines:
  press:
    line: a
    state: {tag: io.state, map: {0: IDLE, 1: RUN, 2: FAULT}}
    counts: {total: io.total, scrap: io.scrap}
    ideal_cycle: 100ms
    micro_stop: 50ms
    operator: {}
    energy: {tag: io.kwh}
  locked:
    line: a
    state: {tag: io.state, map: {0: IDLE, 1: RUN, 2: FAULT}}
    counts: {total: io.total, scrap: io.scrap}
    ideal_cycle: 100ms
journal: {flush: 50ms}
kpi: {every: 3s}
api: {listen: "127.0.0.1:0", tokens: {ops: "TOKEN"}}
"""


@pytest.fixture
async def agent(run_site: Callable[..., Any]) -> AsyncIterator[Running]:
    async with run_site(SITE.replace("TOKEN", TOKEN)) as held:
        await told(held, "/api/v1/machines/press/kpi?window=day")
        await told(held, "/api/v1/machines/press/stops", lambda said: len(said["stops"]) > 4)
        yield held


async def told(agent: Running, path: str, right: Callable[[Any], Any] = lambda _: True) -> Any:
    """What is answered once it is `right`."""
    end = asyncio.get_running_loop().time() + 60
    while True:
        reply = await agent.get(path)
        if reply.status == 200 and right(reply.json()):
            return reply.json()
        assert asyncio.get_running_loop().time() < end, reply.body
        await asyncio.sleep(0.05)


async def together(agent: Running, *paths: str) -> list[Any]:
    """The answers of one machine to all paths, of one record."""
    while True:
        found = [(await agent.get(f"/api/v1/machines/press/{path}")).json() for path in paths]
        if len({one["as_of"] for one in found}) == 1:
            return found
        await asyncio.sleep(0.1)


async def test_losses_stops_production_and_explanations_are_parts_of_the_published_record(agent: Running) -> None:
    record, losses, stops, production, why = await together(
        agent, "kpi?window=day", "losses", "stops?limit=1000", "production", "explain?kpi=availability_iso"
    )
    assert losses["window"] == {**record["window"], "order": None}
    assert losses["window"]["kind"] == "day"      # there is no shift
    assert losses["planned_s"] == pytest.approx(record["time_s"]["pbt"])
    assert sum(step["seconds"] for step in losses["steps"]) == pytest.approx(losses["planned_s"])
    assert losses["kpi"]["oee"] == record["kpi"]["oee"]
    assert {name: [one["low"], one["high"]] for name, one in losses["bounds"].items()} == record["bounds"]
    assert losses["flags"] == record["flags"]
    lost = sum(record["time_s"][name] for name in ("adet_fault", "adet_other", "micro", "aust", "maint", "adot", "unk"))
    assert sum(row["seconds"] for row in stops["pareto"]) == pytest.approx(lost)
    assert sum(stop["seconds"] for stop in stops["stops"]) == pytest.approx(lost)
    starts = [stop["id"] for stop in stops["stops"]]
    assert starts == sorted(starts, reverse=True)
    assert stops["total"] == len(stops["stops"])
    assert (production["total"], production["good"]) == (record["counts"]["pq"], record["counts"]["gq"])
    assert production["points"][-1]["total"] == production["total"]
    assert production["points"][0]["total"] == 0
    assert production["target"] == pytest.approx(losses["planned_s"] / 0.1)
    assert production["target_end"] == pytest.approx(86_400 / 0.1)
    assert why["value"] == record["kpi"]["availability_iso"]
    assert why["formula"] == "(apt + credited) / pbt"
    assert {one["name"] for one in why["inputs"]} == {"apt", "credited", "pbt"}
    inputs = {one["name"]: one["value"] for one in why["inputs"]}
    assert (inputs["apt"] + inputs["credited"]) / inputs["pbt"] == pytest.approx(why["value"])
    assert sum(span["seconds"] for span in why["stretches"]) == pytest.approx(inputs["pbt"])
    assert [(source["role"], source["tag"]) for source in why["tags"]] == [
        ("state", "io.state"), ("total", "io.total"), ("scrap", "io.scrap"), ("energy", "io.kwh"),
    ]  # fmt: skip


async def test_every_figure_of_the_catalogue_and_every_name_in_a_formula_can_be_explained(agent: Running) -> None:
    named = [one.name for one in (*catalog.ALL, *catalog.ENERGY)]
    named += [name for one in (*catalog.ALL, *catalog.ENERGY) for name in one.inputs]
    for name in dict.fromkeys(named):
        said = await told(agent, f"/api/v1/machines/press/explain?kpi={name}")
        assert said["name"] == name
    reply = await agent.get("/api/v1/machines/press/explain?kpi=oe")
    assert (reply.status, "oee" in reply.json()["near"]) == (404, True)


async def test_energy_is_told_by_state_and_over_time(agent: Running) -> None:
    said = await told(agent, "/api/v1/machines/press/energy", lambda said: said["kpi"]["total_kwh"])
    assert said["metered"] is True
    groups = ("e_run", "e_idle", "e_off", "e_other")
    assert sum(said["wh"][group] for group in groups) == pytest.approx(said["wh"]["e_total"])
    assert said["wh"]["e_total"] == pytest.approx(said["kpi"]["total_kwh"] * 1000)
    assert sum(hour["wh"]["e_total"] or 0 for hour in said["hours"]) == pytest.approx(said["wh"]["e_total"])
    without = await told(agent, "/api/v1/machines/locked/energy")
    assert (without["metered"], without["kpi"], without["hours"]) == (False, {}, [])


async def test_cycles_have_a_histogram_of_all_strokes(agent: Running) -> None:
    said = await told(agent, "/api/v1/machines/press/cycles", lambda said: said["products"])
    [product] = said["products"]
    assert sum(one["n"] for one in product["histogram"]) == product["cycles"]
    assert product["ideal_s"] == 0.1
    assert all(one["low_s"] < one["high_s"] for one in product["histogram"])


async def test_a_stop_is_given_its_reason_which_then_stands_in_the_pareto(agent: Running) -> None:
    stops = await told(agent, "/api/v1/machines/press/stops", lambda said: said["stops"][0]["state"] != "UNKNOWN")
    assert stops["may_say"] is True
    stop = next(one for one in stops["stops"] if one["state"] == "FAULT" and one["end"])
    path = f"/api/v1/machines/press/stops/{stop['id']}/reason"
    assert (await agent.post(path, {"reason": "TOOL"})).status == 401
    reply = await agent.post(path, {"reason": "TOOL"}, token=TOKEN)
    assert (reply.status, reply.json()["ok"]) == (200, True)
    said = await told(agent, "/api/v1/machines/press/stops?limit=1000", lambda said: "TOOL" in said["suggestions"])
    named = [one for one in said["stops"] if one["reason"] == "TOOL"]
    assert [(one["id"], one["seconds"], one["source"]) for one in named] == [
        (stop["id"], stop["seconds"], "operator")
    ]
    assert [(row["count"], row["state"]) for row in said["pareto"] if row["reason"] == "TOOL"] == [(1, "FAULT")]
    spans = await told(agent, "/api/v1/machines/press/spans")
    assert [span["source"] for span in spans["spans"] if span["reason"] == "TOOL"] == ["operator"]


async def test_reasons_are_refused_where_nobody_may_say_anything_or_nothing_stood(agent: Running) -> None:
    stops = await told(agent, "/api/v1/machines/locked/stops")
    assert stops["may_say"] is False
    stop = next(one for one in stops["stops"] if one["state"] == "FAULT")
    reply = await agent.post(
        f"/api/v1/machines/locked/stops/{stop['id']}/reason", {"reason": "TOOL"}, token=TOKEN
    )
    assert reply.status == 409
    assert "operator:" in reply.json()["error"]
    for at in ("1", "9" * 19):
        reply = await agent.post(f"/api/v1/machines/press/stops/{at}/reason", {"reason": "TOOL"}, token=TOKEN)
        assert reply.status == 404
    for wrong in ({}, {"reason": ""}, {"reason": "x" * 65}, {"reason": 3}, {"reason": "TOOL", "state": "RUN"}):
        path = f"/api/v1/machines/press/stops/{stop['id']}/reason"
        assert (await agent.post(path, wrong, token=TOKEN)).status == 422


async def test_windows_are_chosen_by_kind_by_how_many_ago_or_by_their_times(agent: Running) -> None:
    hour = await told(agent, "/api/v1/machines/press/losses?window=hour")
    assert hour["window"]["kind"] == "hour"
    window = f"{hour['since'].replace('+', '%2B')}/{hour['as_of'].replace('+', '%2B')}"
    same = await told(agent, f"/api/v1/machines/press/losses?window={window}")
    assert same["window"]["kind"] == "span"
    assert same["planned_s"] == pytest.approx(hour["planned_s"], abs=0.01)
    before = await told(agent, "/api/v1/machines/press/losses?window=hour&back=30")
    assert before["kpi"]["data_coverage"] == 0      # there was no agent
    for query, status in {
        "window=shift": 404, "window=day&back=100": 404, "window=year": 422, "window=2026/": 422, "back=-1": 422,
        "window=2026-01-01T00:00/2026-01-01T00:00": 422, "window=2026-01-01T00:00/2026-03-01T00:00": 422,
    }.items():  # fmt: skip
        reply = await agent.get(f"/api/v1/machines/press/losses?{query}")
        assert reply.status == status, query
        assert reply.json()["error"]
    for path in ("losses", "stops", "production", "energy", "cycles", "explain?kpi=oee", "spans"):
        reply = await agent.get(f"/api/v1/machines/pres/{path}")
        assert (reply.status, reply.json()["near"]) == (404, ["press"])


async def test_spans_come_with_what_was_planned(agent: Running) -> None:
    said = await told(agent, "/api/v1/machines/press/spans")
    assert said["plan"] == [{"start": said["start"], "end": said["end"], "kind": "busy", "label": None}]
