"""What is wrong with a plant file although every single value is well formed: between machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

from edge_agent_hil.checks_face import face_checks
from edge_agent_hil.expand import HIGHEST_UNIT
from edge_agent_hil.face_file import LAMPS, ModbusFace
from edge_agent_hil.plant_file import MOST_MACHINES, MachineFile, PlantFile, overlaps
from edge_agent_hil.yaml_file import Found, Key

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def cross_checks(plant: PlantFile) -> list[Found]:
    """Everything wrong between the parts of a plant file."""
    found = [*_zone(plant), *_size(plant), *_ways_in(plant), *_units(plant), *_shared_nodes(plant), *_lines(plant)]
    for name, machine in plant.machines.items():
        if not _ID.fullmatch(name):
            found.append((("machines", name), "is no id", name, "use a-z, 0-9, - and _, at most 63"))
        found += _under(("machines", name), _machine(machine))
    return found


def _under(above: Key, found: Iterable[Found]) -> Iterator[Found]:
    for key, message, value, hint in found:
        yield (*above, *key), message, value, hint


def _zone(plant: PlantFile) -> Iterator[Found]:
    try:
        ZoneInfo(plant.timezone)
    except (KeyError, ValueError, OSError):
        yield ("timezone",), "is no time zone", plant.timezone, "write an IANA name such as Asia/Shanghai"


def _size(plant: PlantFile) -> Iterator[Found]:
    names = [f"{name}-{n}" for name, m in plant.machines.items() if m.count > 1 for n in range(1, m.count + 1)]
    if twice := sorted(set(names) & set(plant.machines)):
        yield ("machines", twice[0]), "is a name that a machine with count has, too", twice[0], "rename one"
    if (count := sum(machine.count for machine in plant.machines.values())) > MOST_MACHINES:
        yield ("machines",), f"are {count}", "", f"a plant has at most {MOST_MACHINES}"


def _ways_in(plant: PlantFile) -> Iterator[Found]:
    """Each Modbus face has one way in, of the right kind."""
    for name, machine in plant.machines.items():
        for key, face in machine.modbus_faces.items():
            here = ("machines", name, key, "gateway")
            gateway = plant.gateways.get(face.gateway)
            if face.gateway and gateway is None:
                right = f"there are: {', '.join(plant.gateways)}" if plant.gateways else "write it under gateways:"
                yield here, "is no gateway of this plant", face.gateway, right
            elif face.gateway and face.port:
                yield here, "and port: exclude each other", face.gateway, "remove one of the two"
            elif key == "rtu" and (gateway is None or not gateway.is_serial):
                yield here, "needs a gateway that is a serial line", face.gateway, "one with baud: under gateways:"
            elif key == "modbus" and gateway is not None and gateway.is_serial:
                yield here, "is a serial line", face.gateway, "write rtu: instead of modbus:"
    for name, gateway in plant.gateways.items():
        if gateway.is_serial and gateway.port:
            yield ("gateways", name, "port"), "and baud: exclude each other", str(gateway.port), "remove one of the two"
        if gateway.link and not gateway.is_serial:
            yield ("gateways", name, "link"), "is for serial lines only", gateway.link, "remove it, or write baud:"


def _units(plant: PlantFile) -> Iterator[Found]:
    """Behind one way in, each unit id is there once; so are ports."""
    owners: dict[tuple[str | int, int], str] = {}
    for name, machine in plant.machines.items():
        for key, face in machine.modbus_faces.items():
            if not (face.gateway or face.port):
                continue
            here = ("machines", name, key, "unit")
            for unit in range(face.unit, face.unit + machine.count):
                where = face.gateway or face.port
                if (where, unit) in owners:
                    yield here, f"is taken on {_named(face)} by {owners[where, unit]}", str(unit), "give each its own"
                    break
                owners[where, unit] = name
            if (last := face.unit + machine.count - 1) > HIGHEST_UNIT:
                right = f"unit ids end at {HIGHEST_UNIT}; use another gateway"
                yield here, f"counts up to {last}", str(face.unit), right


def _named(face: ModbusFace) -> str:
    return f"gateway {face.gateway}" if face.gateway else f"port {face.port}"


def _shared_nodes(plant: PlantFile) -> Iterator[Found]:
    owners: dict[str, str] = {}
    for name, machine in plant.machines.items():
        for signal, tag in machine.opcua.tags.items() if machine.opcua else ():
            key = ("machines", name, "opcua", "tags", signal, "node")
            if tag.node and tag.node in owners:
                yield key, f"is already {owners[tag.node]}", tag.node, "node ids are unique in the plant"
            if tag.node and machine.count > 1:
                yield key, "would be the same for all of count", tag.node, "leave it out"
            owners[tag.node] = f"{name}.{signal}"


def _lines(plant: PlantFile) -> Iterator[Found]:
    owners: dict[str, str] = {}
    for name, line in plant.lines.items():
        for position, machine in enumerate(line.machines):
            key = ("lines", name, "machines", position)
            if machine not in plant.machines:
                yield key, "is no machine of this plant", machine, f"there are: {', '.join(plant.machines)}"
            elif machine in owners:
                yield key, f"is in line {owners[machine]} already", machine, "a machine stands in one line, once"
            elif plant.machines[machine].count != line.count:
                count = str(plant.machines[machine].count)
                yield key, f"has count: {count}", machine, "a line and its machines have the same count"
            owners[machine] = name
        if line.buffers and len(line.buffers) != len(line.machines) - 1:
            right = f"write {len(line.machines) - 1}, one between each machine and the next"
            yield ("lines", name, "buffers"), f"are {len(line.buffers)}", "", right


def _machine(machine: MachineFile) -> Iterator[Found]:
    if not machine.faces:
        yield (), "needs a face: modbus:, rtu:, meter: or opcua:", "", "one of them, or several"
    for position, job in enumerate(machine.jobs):
        if job.product not in machine.products:
            hint = f"there are: {', '.join(machine.products)}"
            yield ("jobs", position, "product"), "is no product of this machine", job.product, hint
    codes = [product.code for product in machine.products.values()]
    if len(set(codes)) < len(codes):
        yield ("products",), "have the same code twice", str(codes), "a code names one product"
    if overlaps(machine.breaks):
        yield ("breaks",), "overlap", "", "write them as one"
    for key, chances in (("rework", machine), ("startup", machine.startup)):
        if chances is not None and chances.scrap + chances.rework > 1:
            yield (key,), "and scrap are more than all pieces together", str(chances.rework), ""
    if machine.opcua:
        yield from _blinking(machine)
    for what, face in machine.faces.items():
        yield from _under((what,), face_checks(machine, face))


def _blinking(machine: MachineFile) -> Iterator[Found]:
    """OPC UA says what has changed, and a lamp that blinks changes without any event."""
    assert machine.opcua is not None
    blinking = {colour for lamps in machine.stack_light.values() for colour, blinks in lamps if blinks}
    for lamp in LAMPS:
        if lamp in blinking and lamp in machine.opcua.tags:
            right = "let it be lit, or show it by modbus:"
            yield ("opcua", "tags", lamp), "blinks, and only Modbus shows that", lamp, right


