"""Why a tag of this driver has no good value, in sentences an engineer can act on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from edge_agent_modbus.dialogue import NOISE, UNFIT
from edge_agent_modbus.plan import Block, Field, block_of
from edge_agent_modbus.scan import Group

# Modbus application protocol V1.1b3, 7
_EXCEPTIONS: Final = {
    1: "illegal function: the device does not have this area, or does not let it be read",
    2: "illegal data address: the device has nothing at this address; compare with its manual, and mind "
    "whether that counts from 0 or from 1",
    3: "illegal data value: the device does not take a request of this size",
    4: "device failure: it could not carry out the request",
    5: "acknowledge: it is still busy with something long",
    6: "busy: it is working on something else",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable: the gateway is not set up for this unit",
    11: "the gateway gets no answer from the device: wrong unit, or the device is off",
}
_OTHER: Final = {
    UNFIT: "the answer does not fit the question: another length or function than asked for",
    NOISE: "only noise arrives: check baud, parity and stop bits, wiring and termination",
}


def exception(code: int) -> str:
    """What stands instead of an answer, in words: `exception 2 (illegal data address: …)`."""
    if code in _OTHER:
        return _OTHER[code]
    return f"exception {code} ({_EXCEPTIONS.get(code, 'not in the standard; see the manual of the device')})"


def sentences(position: int, groups: Sequence[Group], now_ns: int) -> list[str]:
    """What is known about the tag at `position` of the table; nothing if it is read without trouble."""
    for group in groups:
        slots = [slot for slot, tag in enumerate(group.tags) if tag == position]
        if slots:
            return _of_slot(slots[0], group, now_ns)
    return []


def _of_slot(slot: int, group: Group, now_ns: int) -> list[str]:
    memory = group.memory
    if slot in memory.holes:
        place = _place(slot, group.blocks)
        wait_s = max(0.0, (memory.again_ns - now_ns) / 1e9)
        return [
            f"the device refuses {place}: {exception(memory.holes[slot])}",
            f"the other tags are read around it; it is asked again in {wait_s:.0f} s, or when the line comes back",
        ]
    if slot in memory.troubles:
        read_with = next((block for block in memory.blocks if any(f.slot == slot for f in block.fields)), None)
        return [f"the last scan asked for {read_with or _place(slot, group.blocks)} and got "
                f"{exception(memory.troubles[slot])}"]  # fmt: skip
    return []


def _place(slot: int, blocks: Sequence[Block]) -> Block:
    fields: list[Field] = [field for block in blocks for field in block.fields if field.slot == slot]
    return block_of(fields)
