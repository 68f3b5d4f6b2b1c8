"""A changed site file taken up piece by piece: what both say alike works on as if nothing had been."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from edge_agent import agent, registry
from edge_agent.config import Site, load
from edge_agent.core.ring import NEVER
from edge_agent.core.states import MachineState
from edge_agent.exchange import anew, exchange
from edge_agent.health import Count
from edge_agent.parts import Parts
from edge_agent.shown import Standing
from edge_agent.supervise import Crew
from tests.peers.fake_broker import FakeBroker, Script
from tests.peers.http_client import ask
from tests.web.conftest import until

SITE = """
agent: {id: gw-1, timezone: UTC, data_dir: data}
devices:
  first: {driver: simulated, url: "simulated://", poll: 50ms, tags: {a: {signal: sine}, b: {signal: sine}}}
  io:
    driver: simulated
    url: "simulated://"
    poll: 20ms
    tags:
      state: {signal: cycle, steps: [{value: 1, for: 1s}, {value: 2, for: 1s}]}
      total: {signal: counter, every: 50ms}
      scrap: {signal: constant, value: 0}
  last: {driver: simulated, url: "simulated://", poll: 20ms, tags: {on: {signal: constant, value: 1}}}
machines:
  press:
    state: {tag: io.state, map: {1: RUN, 2: FAULT}}
    counts: {total: io.total, scrap: io.scrap}
    counter: {max_rate: 1000}
    ideal_cycle: 50ms
publish:
  here: {type: mqtt, url: "mqtt://127.0.0.1:BROKER", profile: json}
journal: {flush: 50ms}
kpi: {every: 200ms}
ring: {memory: 4MB}
api: {listen: "127.0.0.1:0"}
pages: off
"""
LATHE = """
  lathe: {state: {tag: last.on, map: {1: RUN}}, counts: {total: io.total, scrap: io.scrap}, ideal_cycle: 50ms}
publish:"""


@dataclass
class Shop:
    """An agent at work whose site file can be changed."""

    parts: Parts
    crew: Crew
    broker: FakeBroker
    load: Callable[[str], Site]
    text: str

    async def change(self, old: str, new: str) -> bool:
        """Exchange a piece of the file."""
        assert old in self.text
        self.text = self.text.replace(old, new)
        site = self.load(self.text)
        return await exchange(
            self.parts, self.crew, site, registry.drivers(), registry.publishers(), self.standing
        )

    standing: Standing = None  # type: ignore[assignment]

    def reader(self, name: str) -> Any:
        return next(one for one in self.parts.readers if one.device == name)

    def samples(self, tag: str) -> list[tuple[int, float]]:
        """Time and value of all that memory has of a tag."""
        engine = self.parts.engine
        time, value, _ = engine.ring.window(engine.table.position(tag), 0, 1 << 62)
        return list(zip(time.tolist(), value.tolist(), strict=True))

    def state(self, machine: str) -> MachineState:
        return self.parts.engine.machines[machine].shown(self.parts.clock()).state

    async def read_on(self, tag: str, n: int = 5) -> None:
        before = self.samples(tag)[-1][0] if self.samples(tag) else NEVER
        await until(lambda: sum(t > before for t, _ in self.samples(tag)) >= n, f"{tag} is read", 60)

    def pieces(self, machine: str) -> int:
        ledger = self.parts.engine.machines[machine].ledger
        return ledger.cell(0, self.parts.clock() + 1, self.parts.clock() + 1).pq


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    def site_of(text: str) -> Site:
        path = tmp_path / "site.yaml"
        path.write_text(text)
        return load(path, registry.drivers(), registry.publishers(), profiles=registry.profiles())

    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(FakeBroker(Script()))
        text, standing = SITE.replace("BROKER", str(broker.port)), Standing()
        parts = await agent.build(site_of(text), registry.drivers(), registry.publishers(), standing)
        crew = await stack.enter_async_context(agent.at_work(parts))
        held = Shop(parts, crew, broker, site_of, text, standing)
        await until(lambda: held.samples("io.total") and held.samples("last.on"), "samples", 60)
        await until(lambda: len(broker.connects) == 1 and parts.api and parts.api.port, "the broker and the API", 60)
        yield held


async def test_a_counter_through_five_changes_gives_the_exact_total(shop: Shop) -> None:
    sessions = {name: shop.reader(name).session for name in ("io", "last")}
    machine = shop.parts.engine.machines["press"]
    broker_topics = len(shop.broker.topics)
    changes = [
        ("\npublish:", f"{LATHE}"),                                             # another machine
        ("b: {signal: sine}", "b: {signal: sine}, c: {signal: sine}"),          # a device in front of the others grows
        ("  last:", '  new: {driver: simulated, url: "simulated://", tags: {x: {signal: sine}}}\n  last:'),
        ("memory: 4MB", "memory: 5MB"),
        ("  first: {driver: simulated, url: \"simulated://\", poll: 50ms, tags: "
         "{a: {signal: sine}, b: {signal: sine}, c: {signal: sine}}}\n", ""),    # and goes
    ]  # fmt: skip
    for old, new in changes:
        await shop.read_on("io.total")
        assert await shop.change(old, new)
    await shop.read_on("io.total")
    assert {name: shop.reader(name).session for name in sessions} == sessions
    assert shop.parts.engine.machines["press"] is machine
    assert len(shop.broker.connects) == 1
    assert len(shop.broker.topics) > broker_topics
    # Whatever was read is in memory, once, with nothing between; the counter shows what was counted.
    read = shop.samples("io.total")
    values = [value for _, value in read]
    assert values == sorted(values)
    assert len({t for t, _ in read}) == len(read)
    assert shop.pieces("press") == values[-1] - values[0]
    told = [
        sample["values"]["total"]
        for topic, payload in zip(shop.broker.topics, shop.broker.payloads, strict=True) if topic.endswith("io/tags")
        for sample in orjson.loads(payload)["samples"] if "total" in sample["values"]
    ]  # fmt: skip
    assert told == list(range(int(values[0]), int(told[-1]) + 1)) or told == sorted(set(told))
    spans = machine.ledger.spans(read[0][0], read[-1][0])
    assert MachineState.UNKNOWN not in {span.state for span in spans}


async def test_every_sample_read_is_kept_whatever_changes_around_it(shop: Shop) -> None:
    counts = shop.parts.health.counts
    for every in ("300ms", "400ms", "500ms"):
        await shop.read_on("io.total", 3)
        assert await shop.change(shop.text[shop.text.index("kpi:") :].split("\n")[0], f"kpi: {{every: {every}}}")
    await shop.read_on("io.total", 3)
    held = sum(len(shop.samples(tag.id)) for tag in shop.parts.engine.table)
    assert held == counts[Count.SAMPLES_READ]
    assert counts[Count.SESSIONS_OPENED] == 3
    assert counts[Count.SESSIONS_LOST] == 0


async def test_a_device_that_changes_is_read_anew_and_its_machine_goes_on_counting(shop: Shop) -> None:
    session, before = shop.reader("io").session, shop.pieces("press")
    other = shop.reader("last").session
    assert await shop.change("poll: 20ms\n    tags", "poll: 30ms\n    tags")
    await until(lambda: shop.reader("io").session not in (None, session), "a session", 60)
    assert shop.reader("last").session is other
    await until(lambda: shop.pieces("press") > before + 3, "it counts", 60)
    [gap] = [span for span in shop.parts.engine.machines["press"].ledger.spans(0, shop.parts.clock())
             if span.state is MachineState.UNKNOWN and span.reason == "AGENT_DOWN"]  # fmt: skip
    assert gap.end > gap.start
    assert await shop.change("signal: constant, value: 1", "signal: constant, value: 2")


async def test_what_a_state_means_may_change_and_counts_at_once(shop: Shop) -> None:
    assert await shop.change("\npublish:", LATHE)
    await until(lambda: shop.state("lathe") is MachineState.RUN, "a new machine knows its state", 60)
    session = shop.reader("last").session
    assert await shop.change("{tag: last.on, map: {1: RUN}}", "{tag: last.on, map: {1: IDLE, 2: RUN}}")
    await until(lambda: shop.state("lathe") is MachineState.IDLE, "it means something else now", 60)
    assert shop.reader("last").session is session


async def test_the_api_listens_on_and_shows_what_is_new(shop: Shop) -> None:
    port = shop.parts.api.port if shop.parts.api else 0
    assert await shop.change("\npublish:", LATHE)
    assert shop.parts.api and shop.parts.api.port == port
    reply = await ask(port, "GET", "/api/v1/machines")
    assert [one["id"] for one in reply.json()["machines"]] == ["press", "lathe"]
    assert await shop.change("b: {signal: sine}", "b: {signal: sine}, c: {signal: sine}")
    reply = await ask(port, "GET", "/api/v1/tags")
    assert [one["tag"] for one in reply.json()["tags"]] == [
        "first.a", "first.b", "first.c", "io.state", "io.total", "io.scrap", "last.on",
    ]  # fmt: skip
    reply = await ask(port, "GET", "/api/v1/devices")
    assert [one["id"] for one in reply.json()["devices"]] == ["first", "io", "last"]


async def test_a_destination_that_changes_begins_anew_and_one_that_goes_is_told_of(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    assert await shop.change("profile: json}", "profile: json, client_id: other}")
    await until(lambda: len(shop.broker.connects) == 2, "another link", 60)
    with caplog.at_level(logging.WARNING):
        assert await shop.change(shop.text[shop.text.index("publish:") : shop.text.index("journal:")], "")
    assert "here is not in the site file any more" in caplog.text
    assert not shop.parts.followers


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("\npublish:", LATHE, ()),                                       # what is new is no news
        ("a: {signal: sine}", "a: {signal: sine, poll: 1s}", ("devices.first",)),
        ("{value: 1, for: 1s}", "{value: 1, for: 2s}", ("devices.io", "machines.press")),
        ("ideal_cycle: 50ms", "ideal_cycle: 60ms", ("machines.press",)),
        ("profile: json}", "profile: sparkplug, group: acme, node: gw}", ("publish.here",)),
        ("id: gw-1", "id: gw-2", ("agent",)),
        ("flush: 50ms", "flush: 60ms", ("agent",)),
    ],
)
async def test_what_will_begin_anew_is_told_before(shop: Shop, old: str, new: str, told: tuple[str, ...]) -> None:
    site = shop.load(shop.text.replace(old, new))
    ready = agent.prepare(site, registry.drivers(), registry.publishers())
    assert anew(shop.parts.site, site, ready) == told


async def test_a_destination_that_tells_of_tags_begins_anew_with_them(shop: Shop) -> None:
    assert await shop.change("profile: json}", "profile: sparkplug, group: acme, node: gw}")
    site = shop.load(shop.text.replace("b: {signal: sine}", "b: {signal: sine}, c: {signal: sine}"))
    ready = agent.prepare(site, registry.drivers(), registry.publishers())
    assert anew(shop.parts.site, site, ready) == ("devices.first", "publish.here")


async def test_sections_of_the_agent_itself_are_not_exchanged(shop: Shop) -> None:
    session = shop.reader("io").session
    assert not await shop.change("flush: 50ms", "flush: 60ms")
    assert not await shop.change("timezone: UTC", "timezone: Asia/Shanghai")
    assert shop.reader("io").session is session
    await shop.read_on("io.total")


async def test_a_part_that_fails_after_a_change_still_ends_them_all(shop: Shop) -> None:
    assert await shop.change("every: 200ms", "every: 300ms")

    async def fail() -> None:
        raise RuntimeError("a bug")

    shop.crew.start("bug", fail)
    with pytest.raises(RuntimeError, match="a bug"):
        await shop.crew.work(asyncio.Event())
