"""What is wrong with one face of a machine although every single value is well formed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edge_agent_hil.events import State
from edge_agent_hil.face_file import BYTES, COUNTERS, ORDERS, ModbusFace, ModbusTag, OpcuaFace, OpcuaTag
from edge_agent_hil.plant_file import MachineFile
from edge_agent_hil.tags import counter_bits, fits
from edge_agent_hil.yaml_file import Found, Key


def face_checks(machine: MachineFile, face: ModbusFace | OpcuaFace) -> Iterator[Found]:
    """Everything wrong with it."""
    missing = [state.value for state in State if state not in face.states]
    if missing:
        yield ("states",), f"lack a code for {', '.join(missing)}", "", ""
    if len(set(face.states.values())) < len(face.states):
        yield ("states",), "have the same code twice", "", "a code names one state"
    if not all(0 <= code <= 32767 for code in face.states.values()):
        yield ("states",), "have a code that is not within 0 and 32767", "", ""
    if isinstance(face, OpcuaFace) and not (face.tags or face.models):
        yield (), "needs tags:, models:, or both", "", ""
    for signal, tag in face.tags.items():
        yield from _under(("tags", signal), _tag(signal, tag, machine))
    if isinstance(face, ModbusFace):
        yield from _registers(face)
        yield from _room(machine, face)


def _under(above: Key, found: Iterable[Found]) -> Iterator[Found]:
    for key, message, value, hint in found:
        yield (*above, *key), message, value, hint


def _tag(signal: str, tag: ModbusTag | OpcuaTag, machine: MachineFile) -> Iterator[Found]:
    if isinstance(tag, ModbusTag):
        yield from _address(tag)
        if tag.place() is None:
            return
    if signal.startswith("recipe-"):
        yield from _recipe(signal.removeprefix("recipe-"), machine)
    kind = tag.kind(signal)
    if not fits(signal, kind):
        yield ("type",), f"cannot carry {signal}", kind, ""
    elif tag.start and signal not in (*COUNTERS, "energy"):
        yield ("start",), "is for counters only", str(tag.start), ""
    elif tag.start and signal in COUNTERS and tag.start >> counter_bits(kind):
        yield ("start",), "does not fit the type", str(tag.start), ""


def _recipe(name: str, machine: MachineFile) -> Iterator[Found]:
    lacking = [product for product, item in machine.products.items() if name not in item.recipe]
    if lacking:
        yield (), f"is not in the recipe of {', '.join(lacking)}", name, "every product of the machine needs it"


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
            yield ("tags", signal, "length"), f"has no room for {longest}", str(tag.length), ""


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
                yield ("tags", signal, "address"), f"overlaps {min(taken)}", tag.address, ""
                break
            owners[table, position, bit] = signal
