"""`edge-hil serve`: a plant on its faces until told to stop. Start order top to bottom, stop order back."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from edge_agent.core.quantity import format_ns
from edge_agent_hil.equipment_control import EquipmentControl
from edge_agent_hil.expand import expand
from edge_agent_hil.face_file import COUNTERS, ModbusFace, OpcuaFace
from edge_agent_hil.face_modbus import ModbusServer
from edge_agent_hil.json_file import write_json
from edge_agent_hil.modbus_door import HOST
from edge_agent_hil.plant import Face, Plant, pump, simulated_clock, whole_now
from edge_agent_hil.plant_file import MachineFile, PlantFile
from edge_agent_hil.tags import counter_bits
from edge_agent_hil.truth_service import TruthService

Say = Callable[[str], None]
Faces = Mapping[str, Mapping[str, Face]]
CLOSE_WITHIN = 5.0              # s; a peer that will not let go must not keep the rig alive


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says."""

    seed: int | None = None
    """None: the plant file's"""
    speed: Fraction = Fraction(1)
    """simulated time per real time"""
    start: int | None = None
    """when simulated time begins, ns UTC; None: now"""
    ready_file: Path | None = None
    truth_file: Path | None = None
    host: str = HOST
    """where the machines listen; who asks for the truth or gives faults does so on this computer"""


async def serve(file: PlantFile, options: Options, stop: asyncio.Event, say: Say) -> None:
    """Serve until `stop` is set; OSError if a port is taken or a file cannot be written."""
    file = expand(file)
    opcua = await _opcua() if any(machine.opcua for machine in file.machines.values()) else None
    began = whole_now()
    start = began if options.start is None else options.start
    seed = file.seed if options.seed is None else options.seed
    plant = Plant(file, seed, start, simulated_clock(start, options.speed, began=began))
    faces = _faces(plant, opcua, options.host)
    control = EquipmentControl(plant, {name: list(reached.values()) for name, reached in faces.items()})
    async with AsyncExitStack() as stack:
        for face in dict.fromkeys(face for reached in faces.values() for face in reached.values()):
            stack.push_async_callback(_close, face.close)
            await face.start()
        service = TruthService(plant, control)
        stack.push_async_callback(_close, service.close)
        port = await service.start()
        _announce(plant, faces, port, options, say)
        await _run(plant, faces, control, options.speed, stop, say)
        end = plant.stop()
        if options.truth_file:
            write_json(options.truth_file, plant.to_json(end))
        say(f"stopped after {(end - start) / 1e9:.3f} s of simulated time")


async def _opcua() -> Any:
    from edge_agent_hil.opcua_listener import standard_server  # here: 40 MB that a plant without OPC UA does without

    return await standard_server()


def _faces(plant: Plant, opcua: Any, host: str) -> dict[str, dict[str, Face]]:
    """The faces of each machine by name; machines behind one way in share one."""
    faces: dict[str, dict[str, Face]] = {name: {} for name in plant.file.machines}
    for gateway, behind in plant.file.doors():
        server = ModbusServer(gateway, behind, plant, host)
        for name, key in behind:
            faces[name][key] = server
    if opcua is not None:
        from edge_agent_hil.face_opcua import OpcuaServer  # here: see above

        face = OpcuaServer(opcua, plant, host)
        for name, machine in plant.file.machines.items():
            if machine.opcua:
                faces[name]["opcua"] = face
    return faces


async def _run(
    plant: Plant, faces: Faces, control: EquipmentControl, speed: Fraction, stop: asyncio.Event, say: Say
) -> None:
    """Pump until `stop`; what breaks the pump breaks the rig."""
    told = {name: [reached["opcua"]] if "opcua" in reached else [] for name, reached in faces.items()}
    pumping = asyncio.create_task(pump(plant, told, control.settle, speed, say), name="pump")
    stopping = asyncio.create_task(stop.wait(), name="wait for stop")
    try:
        await asyncio.wait({pumping, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if pumping.done():
            pumping.result()
    finally:
        pumping.cancel()
        stopping.cancel()
        await asyncio.gather(pumping, stopping, return_exceptions=True)


def _announce(plant: Plant, faces: Faces, port: int, options: Options, say: Say) -> None:
    """The ready file and the lines for people."""
    machines = {name: _described(name, plant.file.machines[name], reached) for name, reached in faces.items()}
    for name, said in machines.items():
        say(f"{name}: {', '.join(face['url'] for face in said['faces'].values())}")
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
            "lines": {name: list(line.machines) for name, line in plant.file.lines.items()},
        }
        write_json(options.ready_file, ready)


def _described(name: str, machine: MachineFile, reached: Mapping[str, Face]) -> dict[str, Any]:
    """What an agent's configuration must know: of the first face as if it were the only one, and of all."""
    described = {key: {**face.describe(name, key), **_counters(machine.faces[key])} for key, face in reached.items()}
    products = {
        product: {"code": item.code, "ideal_cycle": _seconds(item.ideal_cycle)}
        for product, item in machine.products.items()
    }
    breaks = [{"start": rest.start.isoformat(), "for": format_ns(rest.length)} for rest in machine.breaks]
    first = next(iter(described.values()))
    return {**first, "products": products, "breaks": breaks, "faces": described}


def _counters(face: ModbusFace | OpcuaFace) -> dict[str, object]:
    tags = {signal: tag for signal, tag in face.tags.items() if signal in COUNTERS}
    bits = {signal: {"bits": counter_bits(tag.kind(signal)), "start": tag.start} for signal, tag in tags.items()}
    return {"counters": bits}


def _seconds(ns: Fraction) -> str:
    """A duration as the site file writes it, every digit of it: 200 ms → `0.2s`."""
    return f"{Decimal(ns.numerator) / Decimal(ns.denominator) / 10**9:f}s"


async def _close(close: Callable[[], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(CLOSE_WITHIN):
            await close()
    except TimeoutError:
        pass                    # the process is about to end and takes the socket with it
