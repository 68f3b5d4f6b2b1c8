"""What is wrong with a plant file although every single value is well formed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

from edge_agent_hil.machine import State
from edge_agent_hil.plant_file import (
    BYTES,
    COUNTERS,
    ORDERS,
    MachineFile,
    ModbusFace,
    ModbusTag,
    OpcuaFace,
    OpcuaTag,
    PlantFile,
    overlaps,
)
from edge_agent_hil.tags import counter_bits, fits
from edge_agent_hil.yaml_file import Found, Key

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def cross_checks(plant: PlantFile) -> list[Found]:
    """Everything wrong between the parts of a plant file."""
    found = [*_zone(plant), *_shared_ports(plant), *_shared_nodes(plant)]
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


def _shared_ports(plant: PlantFile) -> Iterator[Found]:
    for port, faces in plant.modbus_ports():
        units: dict[int, str] = {}
        for name, face in faces.items():
            if face.unit in units:
                message = f"is taken on port {port} by {units[face.unit]}"
                yield ("machines", name, "modbus", "unit"), message, str(face.unit), "give each its own"
            units[face.unit] = name


def _shared_nodes(plant: PlantFile) -> Iterator[Found]:
    owners: dict[str, str] = {}
    for name, machine in plant.machines.items():
        for signal, tag in machine.opcua.tags.items() if machine.opcua else ():
            if tag.node and tag.node in owners:
                key = ("machines", name, "opcua", "tags", signal, "node")
                yield key, f"is already {owners[tag.node]}", tag.node, "node ids are unique in the plant"
            owners[tag.node] = f"{name}.{signal}"


def _machine(machine: MachineFile) -> Iterator[Found]:
    if (machine.modbus is None) == (machine.opcua is None):
        yield (), "needs exactly one of modbus: and opcua:", "", ""
    for position, job in enumerate(machine.jobs):
        if job.product not in machine.products:
            hint = f"there are: {', '.join(machine.products)}"
            yield ("jobs", position, "product"), "is no product of this machine", job.product, hint
    codes = [product.code for product in machine.products.values()]
    if len(set(codes)) < len(codes):
        yield ("products",), "have the same code twice", str(codes), "a code names one product"
    if overlaps(machine.breaks):
        yield ("breaks",), "overlap", "", "write them as one"
    for what, face in (("modbus", machine.modbus), ("opcua", machine.opcua)):
        if face is not None:
            yield from _under((what,), _face(face))
    if machine.modbus:
        yield from _registers(machine.modbus)
        yield from _room(machine, machine.modbus)


def _face(face: ModbusFace | OpcuaFace) -> Iterator[Found]:
    missing = [state.value for state in State if state not in face.states]
    if missing:
        yield ("states",), f"lack a code for {', '.join(missing)}", "", ""
    if len(set(face.states.values())) < len(face.states):
        yield ("states",), "have the same code twice", "", "a code names one state"
    if not all(0 <= code <= 32767 for code in face.states.values()):
        yield ("states",), "have a code that is not within 0 and 32767", "", ""
    for signal, tag in face.tags.items():
        yield from _under(("tags", signal), _tag(signal, tag))


def _tag(signal: str, tag: ModbusTag | OpcuaTag) -> Iterator[Found]:
    if isinstance(tag, ModbusTag):
        yield from _address(tag)
        if tag.place() is None:
            return
    kind = tag.kind(signal)
    if not fits(signal, kind):
        yield ("type",), f"cannot carry {signal}", kind, ""
    elif tag.start and signal not in COUNTERS:
        yield ("start",), "is for counters only", str(tag.start), ""
    elif tag.start and tag.start >> counter_bits(kind):
        yield ("start",), "does not fit the type", str(tag.start), ""


def _address(tag: ModbusTag) -> Iterator[Found]:
    place = tag.place()
    if place is None:
        hint = "write holding:3, input:3, coil:0, discrete:0 or, for one bit, holding:20.3"
        yield ("address",), "is no Modbus address", tag.address, hint
        return
    if place[1] + tag.registers > 65536:
        yield ("address",), "ends past 65535", tag.address, ""
    if tag.is_bit and tag.type:
        yield ("type",), "has no place: a bit is a bit", tag.type, "leave it out"
    kind = tag.kind("")
    orders = ORDERS[BYTES[kind]] if kind in BYTES else ()
    if tag.order and tag.order not in orders:
        yield ("order",), "is no order of these bytes", tag.order, f"one of: {', '.join(orders) or 'none'}"
    if kind == "string" and not tag.length:
        yield ("length",), "is missing", "", "a string says how many characters it has room for"


def _room(machine: MachineFile, face: ModbusFace) -> Iterator[Found]:
    texts = {"program": list(machine.products), "state": [state.value for state in State]}
    for signal, tag in face.tags.items():
        longest = max(texts.get(signal, [""]), key=lambda text: len(text.encode()))
        if tag.length and len(longest.encode()) > tag.length:
            yield ("modbus", "tags", signal, "length"), f"has no room for {longest}", str(tag.length), ""


def _registers(face: ModbusFace) -> Iterator[Found]:
    owners: dict[tuple[str, int, int | None], str] = {}
    for signal, tag in face.tags.items():
        place = tag.place()
        if place is None:
            continue
        table, address, bit = place
        for position in range(address, address + tag.registers):
            rivals = (None, *range(16)) if bit is None else (None, bit)
            taken = {owners[table, position, rival] for rival in rivals if (table, position, rival) in owners}
            if taken:
                yield ("modbus", "tags", signal, "address"), f"overlaps {min(taken)}", tag.address, ""
                break
            owners[table, position, bit] = signal
