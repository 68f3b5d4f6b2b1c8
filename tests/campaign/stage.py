"""The stage of a run: a machine, an agent, a broker with a wire to it and a subscriber behind it; a twin in peace."""

from __future__ import annotations

import asyncio
import getpass
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent_hil.gateway import Gateway
from tests.campaign import eager_agent, source
from tests.campaign.committed import Committed
from tests.campaign.faults import NORTH, North
from tests.campaign.subscriber import Subscriber
from tests.campaign.verdict import Verdict
from tests.peers.mosquitto import Mosquitto
from tests.peers.opcua_world import Process, Wire
from tests.peers.waiting import free_port

SITE = """\
agent: {{id: {id}, timezone: "{zone}", data_dir: "{data}"}}
devices:
  m1:
    driver: modbus
    url: "modbus+tcp://127.0.0.1:{source}?unit={unit}"
    poll: 50ms
    timeout: 2s
    tags: {{{tags}}}
machines:
  m1:
    state: {{tag: m1.state, map: {map}}}
    counts: {{total: m1.total, scrap: m1.scrap}}
    counter: {{bits: 32, max_rate: 1000}}
    order: {{number: m1.order}}
    ideal_cycle: 50ms
publish:
  platform: {{type: mqtt, url: "mqtt://127.0.0.1:{broker}", profile: json, ack_timeout: 3s{publish}}}
journal: {{flush: 50ms, segment: 64KB{journal}}}
kpi: {{every: 300ms, windows: [day, job], watermark: 1s}}
api: {{listen: off}}
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What happens in a run. Spans are seconds: the shortest and the longest."""

    name: str
    kills: int = 0
    seconds: float = 0.0
    """how long the run goes on at least, before everything is mended"""
    north: tuple[str, ...] = tuple(NORTH)
    outage_s: tuple[float, float] = (0.5, 3.0)
    pause_s: tuple[float, float] = (0.5, 3.0)
    damage: float = 0.0
    """the share of kills after which the journal is damaged"""
    steps: bool = False
    """whether the clock is set"""
    disk_full_s: tuple[float, float] | None = None
    disk_mb: int = 0
    """0: whatever the folder is on"""
    twin: bool = False
    """whether an undisturbed agent reads the same machine, to compare final records with"""
    publish: str = ""
    """more keys of the destination"""
    journal: str = ""
    """more keys of the journal, which make it too small for what waits"""

    @property
    def evicts(self) -> bool:
        """Whether what waits may have to go: for the cap, or for the reserve of a file system that others fill."""
        return bool(self.journal or self.disk_mb)

    @property
    def forgets(self) -> bool:
        """Whether history may go that everybody has heard."""
        return self.evicts or self.disk_full_s is not None


@dataclass(slots=True)
class Stage:
    """Everything that takes part."""

    source: Process
    ledger: Path
    north: North
    agent: Gateway
    twin: Gateway | None
    twin_heard: Subscriber | None
    verdict: Verdict = field(default_factory=Verdict)
    committed: Committed = field(default_factory=Committed)
    whole: asyncio.Lock = field(default_factory=asyncio.Lock)
    """held while the process is another, or must stay the same"""


def _zone() -> str:
    """A zone in which midnight is far away, however the clock is set during a run."""
    east = 12 - time.gmtime().tm_hour
    return f"Etc/GMT{-east:+d}"


@contextmanager
def stage(folder: Path, plan: Plan) -> Iterator[Stage]:
    """Set it up; nothing of it stays behind."""
    port, ledger = free_port(), folder / "source.ledger"
    keeps = ("allow_anonymous true", "max_inflight_messages 0", "persistence true", f"user {getpass.getuser()}")
    with ExitStack() as stack:
        script = str(Path(source.__file__))
        machine = Process([sys.executable, script, str(port), str(ledger)])
        stack.callback(machine.kill)

        def agent(name: str, unit: int, broker: int, disk_mb: int) -> Gateway:
            made = Gateway(folder / name, disk_mb=disk_mb, agent=eager_agent.__name__)
            stack.callback(made.close)
            made.site.write_text(SITE.format(
                id=name, zone=_zone(), data=made.data_dir, source=port, unit=unit, tags=source.TAGS, map=source.MAP,
                broker=broker, publish=plan.publish, journal=plan.journal,
            ))  # fmt: skip
            return made

        def broker(name: str) -> Mosquitto:
            (folder / name).mkdir()
            return stack.enter_context(Mosquitto(folder / name, *keeps, f"persistence_location {folder / name}/"))

        def subscriber(at: Mosquitto, agent: str) -> Subscriber:
            heard = Subscriber(at.port, f"edge/{agent}")
            stack.callback(heard.close)
            return heard

        disturbed = broker("broker")
        wire = Wire(disturbed.port)
        stack.callback(wire.close)
        north = North(disturbed, wire, subscriber(disturbed, "gw-1"))
        twin = heard = None
        if plan.twin:
            quiet = broker("quiet-broker")
            heard = subscriber(quiet, "twin")
            twin = agent("twin", 2, quiet.port, 0)
        one = agent("gw-1", 1, wire.port, plan.disk_mb)
        yield Stage(machine, ledger, north, one, twin, heard)
