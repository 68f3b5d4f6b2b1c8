"""`edge-hil serve`: a plant on its faces until told to stop. Start order top to bottom, stop order back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_agent.core.quantity import format_ns
from edge_agent_hil.face_modbus import ModbusServer
from edge_agent_hil.face_opcua import OpcuaFace, standard_server
from edge_agent_hil.json_file import write_json
from edge_agent_hil.plant import Face, Plant, pump, simulated_clock, whole_now
from edge_agent_hil.plant_file import COUNTERS, MachineFile, PlantFile
from edge_agent_hil.tags import counter_bits
from edge_agent_hil.truth_service import TruthService

Say = Callable[[str], None]
CLOSE_WITHIN = 5.0              # s; a peer that will not let go must not keep the rig alive


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    seed: int | None = None
    """None: the plant file's"""
    speed: Fraction = Fraction(1)
    """simulated time per real time"""
    ready_file: Path | None = None
    truth_file: Path | None = None


async def serve(file: PlantFile, options: Options, stop: asyncio.Event, say: Say) -> None:
    """Serve until `stop` is set; OSError if a port is taken or a file cannot be written."""
    opcua = await standard_server() if any(machine.opcua for machine in file.machines.values()) else None
    start = whole_now()
    seed = file.seed if options.seed is None else options.seed
    plant = Plant(file, seed, start, simulated_clock(start, options.speed))
    faces = _faces(plant, opcua)
    async with AsyncExitStack() as stack:
        for face in dict.fromkeys(faces.values()):
            stack.push_async_callback(_close, face.close)
            await face.start()
        service = TruthService(plant)
        stack.push_async_callback(_close, service.close)
        port = await service.start()
        _announce(plant, faces, port, options, say)
        await _run(plant, faces, options.speed, stop)
        end = plant.stop()
        if options.truth_file:
            write_json(options.truth_file, plant.to_json(end))
        say(f"stopped after {(end - start) / 1e9:.3f} s of simulated time")


def _faces(plant: Plant, opcua: Any) -> dict[str, Face]:
    """The face of each machine; machines on one port share one."""
    machines = plant.file.machines
    faces: dict[str, Face] = {}
    if opcua is not None:
        face = OpcuaFace(opcua, plant.file.opcua, machines, plant.join)
        faces.update(dict.fromkeys((name for name, machine in machines.items() if machine.opcua), face))
    for port, names in plant.file.modbus_ports():
        server = ModbusServer(port, {name: machines[name] for name in names}, plant.read)
        faces.update(dict.fromkeys(names, server))
    return faces


async def _run(plant: Plant, faces: dict[str, Face], speed: Fraction, stop: asyncio.Event) -> None:
    """Pump until `stop`; what breaks the pump breaks the rig."""
    pumping = asyncio.create_task(pump(plant, faces, speed), name="pump")
    stopping = asyncio.create_task(stop.wait(), name="wait for stop")
    try:
        await asyncio.wait({pumping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if pumping.done():
            pumping.result()
    finally:
        pumping.cancel()
        stopping.cancel()
        await asyncio.gather(pumping, stopping, return_exceptions=True)


def _announce(plant: Plant, faces: dict[str, Face], port: int, options: Options, say: Say) -> None:
    """The ready file and the lines for people."""
    files = plant.file.machines
    machines = {name: {**faces[name].describe(name), **_facts(file)} for name, file in files.items()}
    for name, said in machines.items():
        say(f"{name}: {said['url']}")
    say(f"truth: 127.0.0.1:{port}")
    if options.ready_file:
        ready = {
            "plant": plant.file.plant,
            "pid": os.getpid(),
            "seed": plant.seed,
            "speed": float(options.speed),
            "start": plant.start,
            "timezone": plant.file.timezone,
            "truth": {"host": "127.0.0.1", "port": port},
            "machines": machines,
        }
        write_json(options.ready_file, ready)


def _facts(machine: MachineFile) -> dict[str, object]:
    """What an agent's configuration must know of a machine beside its tags."""
    face = machine.modbus or machine.opcua
    assert face is not None, "the plant file was checked"
    counters = {
        signal: {"bits": counter_bits(tag.kind(signal)), "start": tag.start}
        for signal, tag in face.tags.items()
        if signal in COUNTERS
    }
    products = {
        name: {"code": product.code, "ideal_cycle": _seconds(product.ideal_cycle)}
        for name, product in machine.products.items()
    }
    breaks = [{"start": rest.start.isoformat(), "for": format_ns(rest.length)} for rest in machine.breaks]
    return {"counters": counters, "products": products, "breaks": breaks}


def _seconds(ns: Fraction) -> str:
    """A duration as the site file writes it, every digit of it: 200 ms → `0.2s`."""
    return f"{Decimal(ns.numerator) / Decimal(ns.denominator) / 10**9:f}s"


async def _close(close: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(CLOSE_WITHIN):
            await close()
    except TimeoutError:
        pass                    # the process is about to end and takes the socket with it
