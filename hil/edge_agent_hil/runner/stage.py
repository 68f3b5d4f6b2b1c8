"""The stage of a scenario: plant, wires, broker, ears and agent, each as real as in a factory but for the machines."""

from __future__ import annotations

import asyncio
import getpass
import json
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edge_agent_hil.broker import MOSQUITTO, Broker, InnerBroker, Mosquitto
from edge_agent_hil.gateway import Gateway
from edge_agent_hil.part import Part, Parts
from edge_agent_hil.ports import free_port
from edge_agent_hil.runner import site as sites
from edge_agent_hil.runner.heard import Heard
from edge_agent_hil.runner.load import Loaded
from edge_agent_hil.runner.scenario_file import BROKER
from edge_agent_hil.truth_client import TruthClient
from edge_agent_hil.wire import Wire

# TCP, with the ports it has where none is said. With TLS the name in the certificate would not be that of the wire.
WIRED = {"modbus+tcp": 502, "modbus+rtuovertcp": 502, "modbus+asciiovertcp": 502, "opc.tcp": 4840}
# All that the demo's broker speaks.
MQTT_3 = {"version": "3.1.1"}


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    seed: int | None = None
    targets: Mapping[str, str] = field(default_factory=dict)
    """machine → url of real equipment that stands for it"""
    agent: str = "edge_agent.cli"
    """the Python module that is the agent: it takes `run SITE.yaml`"""


class Stage:
    """Everything that takes part; `async with` sets it up but for the agent, and takes it away again."""

    def __init__(self, loaded: Loaded, options: Options, folder: Path, parts: Parts) -> None:
        self.loaded, self.options, self.folder = loaded, options, folder
        self.heard = Heard(sites.ROOT)
        self.broker = _broker(folder)
        self.wires: dict[str, Wire] = {}
        """by device, and `broker`; devices behind one address share one"""
        self.urls: dict[str, str] = {}
        self.ready: dict[str, Any] = {}
        self.api_port = free_port()
        self.gateway: Gateway
        self._truth: TruthClient
        self._asking = asyncio.Lock()
        self._parts = parts
        self._plant: Part
        self._stack = AsyncExitStack()
        self._truth_file = folder / "truth.json"

    async def __aenter__(self) -> Stage:
        try:
            await self._set_up()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _set_up(self) -> None:
        self._stack.callback(self.broker.kill)
        await asyncio.to_thread(self.broker.start)
        await self._lay_wire(BROKER, "127.0.0.1", self.broker.port)
        self._stack.callback(self.heard.close)
        await asyncio.to_thread(self.heard.open, self.broker.port)
        await self._start_plant()
        self._truth = TruthClient(self.ready["truth"]["host"], self.ready["truth"]["port"])
        self._stack.callback(self._truth.close)
        for name, said in self.ready["machines"].items():
            await self._reach(name, self.options.targets.get(name, said["url"]))

    async def _start_plant(self) -> None:
        ready = self.folder / "ready.json"
        file = self.loaded.write_plant(self.folder)
        seed = self.loaded.file.seed if self.options.seed is None else self.options.seed
        more = () if seed is None else ("--seed", str(seed))
        self._plant = self._parts.start(
            "the plant", "-m", "edge_agent_hil.cli", "serve", str(file), "--ready-file", str(ready),
            "--truth", str(self._truth_file), *more,
        )  # fmt: skip
        await asyncio.to_thread(self._parts.wait_for, self._plant, ready.exists)
        self.ready = json.loads(ready.read_text())

    async def _reach(self, name: str, url: str) -> None:
        """The url of a device, through a wire where there can be one."""
        split = urlsplit(url)
        if not split.hostname or split.scheme not in WIRED:
            self.urls[name] = url
            return
        target = split.hostname, split.port or WIRED[split.scheme]
        wire = next((one for one in self.wires.values() if one.target == target), None)
        if wire:
            self.wires[name] = wire
        else:
            wire = await self._lay_wire(name, *target)
        self.urls[name] = split._replace(netloc=f"127.0.0.1:{wire.port}").geturl()

    async def _lay_wire(self, name: str, host: str, port: int) -> Wire:
        wire = self.wires[name] = Wire(host, port)
        self._stack.push_async_callback(wire.close)
        await wire.start()
        return wire

    def check(self) -> None:
        """PartError if the plant has ended by itself."""
        self._parts.check()

    def behind(self, place: str) -> frozenset[str]:
        """The devices whose data pass a wire."""
        if place == BROKER or place not in self.wires:
            return frozenset(self.urls)
        return frozenset(name for name in self.urls if self.wires.get(name) is self.wires[place])

    async def start_agent(self, wait: float) -> int:
        """An agent that knows nothing yet, with a shift that begins `wait` seconds from now; the beginning, ns UTC."""
        begin = (time.time_ns() // 10**9 + round(wait)) * 10**9
        gateway = self.gateway = Gateway(self.folder / f"agent-{begin // 10**9}", agent=self.options.agent)
        self._stack.callback(gateway.close)
        broker = {"url": f"mqtt://127.0.0.1:{self.wires[BROKER].port}", **({} if MOSQUITTO else MQTT_3)}
        base = sites.site(self.ready, self.urls, gateway.data_dir, broker, begin, self.api_port)
        over = sites.for_each(base, self._placed(self.loaded.file.site))
        sites.write(gateway.site, sites.laid_over(base, over))
        self.heard.forget()
        await asyncio.to_thread(gateway.start)
        return begin

    def _placed(self, value: Any) -> Any:
        """`<press-1>` in a text of the scenario becomes host:port of the wire before it."""
        if isinstance(value, dict):
            return {key: self._placed(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._placed(inner) for inner in value]
        if isinstance(value, str):
            for name, wire in self.wires.items():
                value = value.replace(f"<{name}>", f"127.0.0.1:{wire.port}")
        return value

    async def ask(self, question: object) -> dict[str, Any]:
        """The answer of the truth service. ValueError says what is wrong with the question."""
        async with self._asking:
            return await asyncio.to_thread(self._truth.ask, question)

    async def stop_plant(self) -> dict[str, Any]:
        """Its truth file."""
        await asyncio.to_thread(self._parts.stop, self._plant)
        truth: dict[str, Any] = json.loads(self._truth_file.read_text())
        return truth


def _broker(folder: Path) -> Broker:
    """One that keeps everything for the subscriber: it is the agent that is tested."""
    if not MOSQUITTO:
        return InnerBroker()
    place = folder / "broker"
    place.mkdir()
    keeps = ("persistence true", f"persistence_location {place}/", "max_inflight_messages 0")
    return Mosquitto(place, "allow_anonymous true", f"user {getpass.getuser()}", *keeps)
