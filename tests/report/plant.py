"""A data folder as an agent leaves it: a day and a night of three machines, made by the agent's own parts."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from edge_agent import registry
from edge_agent.agent import _remember
from edge_agent.config import Site, load
from edge_agent.core.batch import Batch
from edge_agent.core.engine import Engine
from edge_agent.core.quality import Reason, bad
from edge_agent.core.tags import Kind
from edge_agent.core.wall import to_ns
from edge_agent.core.windows import KINDS
from edge_agent.duties import put_aside
from edge_agent.encode import records
from edge_agent.journal import Journal, RecordKind
from edge_agent.report.choose import asked
from edge_agent.report.model import OeeDocument
from edge_agent.report.oee import oee_document
from edge_agent.report.recall import blank, folder_of
from edge_agent.telling import keep_evidence

SECOND = 1_000_000_000
MINUTE = 60 * SECOND

SITE = """
agent: {id: gw-7, place: {enterprise: acme, site: suzhou}, timezone: Asia/Shanghai, data_dir: DATA}
devices:
  press-1:
    driver: simulated
    url: "simulated://"
    tags: &tags
      state: {signal: counter, every: 1s}
      total: {signal: counter, every: 1s}
      scrap: {signal: counter, every: 1s}
      energy: {signal: counter, every: 1s, unit: W.h}
      bore: {signal: sine, low: 11, high: 13, period: 1min}
      program: {signal: cycle, steps: [{value: A100, for: 1h}]}
  press-2: {driver: simulated, url: "simulated://", tags: *tags}
  cnc-7: {driver: simulated, url: "simulated://", tags: *tags}
machines:
  press-1:
    line: line-a
    state: &map {tag: press-1.state, map: {0: IDLE, 1: RUN, 2: FAULT, 3: SETUP, 4: MAINT, 5: "OFF"}}
    counts: {total: press-1.total, scrap: press-1.scrap}
    job: {tag: press-1.program, products: {A100: {ideal_cycle: 1.2s}, B200: {ideal_cycle: 2.5s}}}
    calendar: two-shift
  press-2:
    line: line-a
    state: {<<: *map, tag: press-2.state}
    counts: {total: press-2.total, scrap: press-2.scrap}
    ideal_cycle: 2s                 # slower than it runs: performance above 1
    calendar: two-shift
  cnc-7:
    state: {<<: *map, tag: cnc-7.state}
    counts: {total: cnc-7.total, scrap: cnc-7.scrap}
    ideal_cycle: 30s
    calendar: two-shift
    energy: {tag: cnc-7.energy, max_kw: 30}
    characteristics: {bore: {tag: cnc-7.bore, trigger: cnc-7.total, lsl: 11.98, usl: 12.02, subgroup: 5}}
carbon: {region: cn-east}
kpi: {restate: 1h}
assets:
  press-1: {name: 冲床 1, class: press, type: JH21, location: hall 1, machine: press-1, key_operation: stamping}
  press-2: {name: 冲床 2, class: press, machine: press-2, key_operation: stamping, automatic: true}
  cnc-7: {name: CNC 7, class: cnc, location: hall 2, machine: cnc-7}
  saw-1: {class: saw, location: hall 1}                                     # nothing is read from it
  edm-1: {name: 电火花机, class: cnc, declared: [digital, connected]}
  press-9: {class: press, status: spare}
  air-1: {class: utility, is_production: false}
calendars:
  two-shift:
    shifts:
      day:   {days: mon-fri, start: "06:00", end: "14:00", breaks: [{start: "10:00", for: 15min}]}
      night: {days: mon-fri, start: "22:00", end: "06:00"}
journal: {segment: 500KB}
"""

# Per machine: how long each state lasts in minutes, in a circle, and seconds a piece.
LIVES: dict[str, tuple[list[tuple[int, float]], float]] = {
    "press-1": ([(1, 55), (0, 2), (1, 40), (3, 12), (1, 70), (2, 18), (1, 30), (0, 9)], 1.35),
    "press-2": ([(1, 90), (0, 3)], 1.9),
    "cnc-7": ([(1, 120), (4, 20), (1, 60), (5, 30)], 33.0),
}
GAP = ("press-1", "2026-11-23T08:30", "2026-11-23T09:30")
BREAK = ("2026-11-23T10:00", "2026-11-23T10:15")


def ns(wall: str) -> int:
    """Of the wall clock in Shanghai."""
    return to_ns(datetime.fromisoformat(wall + ":00+08:00"))


def site_file(folder: Path) -> Path:
    path = folder / "site.yaml"
    path.write_text(SITE.replace("DATA", str(folder / "data")))
    return path


def read_site(path: Path) -> Site:
    return load(path, registry.drivers(), registry.publishers(), profiles=registry.profiles(),
                servers=registry.servers())  # fmt: skip


async def live(site: Site, start: int, end: int, every: int = 60 * SECOND) -> None:
    """The plant works from `start` to `end` and the agent's parts write their journal, as `edge-agent run` has them."""
    now = start
    engine: Engine = blank(site)
    journal = await Journal.open(
        folder_of(site), max_bytes=2_000_000_000, max_age_ns=30 * 86_400 * SECOND, clock=lambda: now,
        checkpoint=engine.checkpoint, segment_bytes=site.journal.segment,
    )  # fmt: skip
    for record in await journal.tail():
        _remember(engine, record)
    engine.begin(now)
    parts: Any = SimpleNamespace(engine=engine, journal=journal, clock=lambda: now, keys={}, kinds={})
    for device in engine.table.devices():
        for tag in engine.table.device_tags(device):
            if tag.name == "program":
                tag.kind = Kind.TEXT
    engine.refresh()
    made = dict.fromkeys(LIVES, 0.0)
    scrap = dict.fromkeys(LIVES, 0)
    chance = random.Random(7)
    n = 0
    while now < end:
        now += every
        n += 1
        for device, (_, cycle) in LIVES.items():
            state = _state(device, now - start)
            if ns(BREAK[0]) <= now < ns(BREAK[1]):
                state = 0
            if state == 1:
                before, made[device] = int(made[device]), made[device] + every / SECOND / cycle
                scrap[device] += sum(chance.random() < 0.02 for _ in range(int(made[device]) - before))
            if device == GAP[0] and ns(GAP[1]) <= now < ns(GAP[2]):
                if now - every < ns(GAP[1]):
                    _lose(engine, device, now)
                continue
            _feed(engine, device, now, state, int(made[device]), scrap[device])
        put_aside(parts, alive=n % 10 == 0)
        for machine in engine.machines.values():
            if machine.facts.is_due:
                machine.facts.pack()
        if n % 10 == 0:
            for report in engine.reports(now):
                if report.final:
                    journal.append(RecordKind.REPORT, records.pack_report(report))
            await journal.flush()
    put_aside(parts, alive=True)
    await journal.close()


async def watch(site: Site, start: int, seconds: int) -> None:
    """The agent looks every second; press-1 and press-2 are connected, cnc-7 is not. Then it is stopped."""
    now = start
    engine = blank(site)
    journal = await Journal.open(
        folder_of(site), max_bytes=2_000_000_000, max_age_ns=30 * 86_400 * SECOND, clock=lambda: now,
        checkpoint=engine.checkpoint, segment_bytes=site.journal.segment,
    )  # fmt: skip
    connected = {"press-1": True, "press-2": True, "cnc-7": False}
    for device in connected:
        engine.evidence.tags.reads(device, polled=True)
    for n in range(seconds):
        now += SECOND
        for device in ("press-1", "press-2"):
            _feed(engine, device, now, 1, n, 0)
        engine.observe(now, connected, True)
        if n % 60 == 0:
            engine.reports(now)
    parts: Any = SimpleNamespace(engine=engine, journal=journal, keys={}, kinds={}, clock=lambda: now)
    put_aside(parts, alive=True)
    keep_evidence(parts)
    await journal.close()


def _state(device: str, age: int) -> int:
    steps, _ = LIVES[device]
    place = age % (sum(length for _, length in steps) * MINUTE)
    for state, length in steps:
        place -= round(length * MINUTE)
        if place < 0:
            return state
    raise AssertionError(place)


def _watt_hours(now: int, total: int) -> int:
    """1 kW all the time, and 100 Wh a piece."""
    return now // (3600 * SECOND) % 10**6 * 1000 + now // SECOND % 3600 * 1000 // 3600 + 100 * total


def _feed(engine: Engine, device: str, now: int, state: int, total: int, scrap: int) -> None:
    product = "A100" if now < ns("2026-11-23T11:00") else "B200"
    values = {"state": state, "total": total, "scrap": scrap, "energy": _watt_hours(now, total)}
    values["bore"] = 12 + 0.003 * ((total * 7) % 5 - 2)
    tags = engine.table.device_tags(device)
    told = np.array([
        tag.vocabulary.code(product) if tag.kind is Kind.TEXT else float(values[tag.name]) for tag in tags
    ])  # fmt: skip
    positions = np.array([tag.position for tag in tags], np.int32)
    engine.feed(device, Batch(positions, np.full(len(tags), now), told, np.zeros(len(tags), np.uint8)))
    engine.seen[positions] = now


def _lose(engine: Engine, device: str, now: int) -> None:
    tags = engine.table.device_tags(device)
    positions = np.array([tag.position for tag in tags], np.int32)
    quality = np.full(len(tags), bad(Reason.COMM_LOST), np.uint8)
    engine.feed(device, Batch(positions, np.full(len(tags), now), np.full(len(tags), np.nan), quality))


def document(path: Path, window: str = "shift", date: str | None = "2026-11-23", *machines: str) -> OeeDocument:
    """The OEE report of a data folder, made on Tuesday morning."""
    wanted = asked(window, date, "Asia/Shanghai", KINDS)
    return oee_document(read_site(path), wanted, machines, ns("2026-11-24T08:00"))
