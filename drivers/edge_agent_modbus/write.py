"""Writes one value and reads it back: functions 5, 6, 15, 16 and 22, each sent once.

A value that shares its register with others (a bit, a byte, a mask) is written with function 22, which
leaves the other bits to the device. A device that does not have it is read, and the register written
back with only those bits changed: what it changes itself in between, some milliseconds, is lost.
A device that lacks a function says so (exception 1) before it does anything; then the other function for
the same thing is used.
"""

from __future__ import annotations

import asyncio

from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import WriteMultipleCoilsRequest, WriteSingleCoilRequest
from pymodbus.pdu.register_message import (
    MaskWriteRegisterRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from edge_agent.api import NotConnected, Reason, Refused, Value
from edge_agent_modbus.dialogue import Dialogue, pdu_of
from edge_agent_modbus.encode import decode_one, encode, masks, merged
from edge_agent_modbus.frame import EXCEPTION
from edge_agent_modbus.plan import Field, block_of
from edge_agent_modbus.why import exception
from edge_agent_modbus.wire import NoAnswer

# Modbus application protocol V1.1b3, 7
_ILLEGAL_FUNCTION = 1
_ACKNOWLEDGED = 5       # accepted, and still at it: whether it was done shows when it is read back


class Writer:
    """Writes over one dialogue; remembers which functions the device does not have."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._lacks: set[int] = set()

    async def write(self, field: Field, raw: Value, settle_ns: int) -> Value:
        """See `WritableSession.write`."""
        try:
            data = encode(field, raw)
        except ValueError as misfit:
            raise Refused(str(misfit), sent=False) from misfit
        await self._send(field, raw, data)
        if settle_ns:
            await asyncio.sleep(settle_ns / 1e9)
        return await self._checked(field, raw, data)

    async def _send(self, field: Field, raw: Value, data: bytes) -> None:
        if field.is_partial and field.count == 1:
            [(and_mask, or_mask)] = masks(field, raw)
            mask = MaskWriteRegisterRequest(address=field.start, and_mask=and_mask, or_mask=or_mask)
            if await self._done(field, mask):
                return
        if field.is_partial:
            data = merged(field, raw, await self._registers(field))
        for message in _ways(field, data):
            if await self._done(field, message):
                return
        lacking = ", ".join(map(str, sorted(self._lacks)))
        told = f"the device has no function to write {block_of([field])} with (it lacks {lacking})"
        raise Refused(told, sent=False)

    async def _done(self, field: Field, message: ModbusPDU) -> bool:
        """Whether the device has carried out `message`; False if it does not have the function."""
        pdu = pdu_of(message)
        function, told = pdu[0], block_of([field])
        if function in self._lacks:
            return False
        # Functions 15 and 16 are answered with address and count, the others with the request itself.
        echo = pdu[:5] if function in (15, 16) else pdu
        try:
            answer = await self._dialogue.ask(self._dialogue.request(pdu, len(echo)), told, tries=1)
        except NoAnswer as silence:
            line = self._dialogue.line
            told_s = f"{line}: no answer to writing {told}; it may have been written"
            raise NotConnected(told_s, reason=Reason.NO_ANSWER) from silence
        if answer == echo:
            return True
        if answer[0] != function | EXCEPTION or len(answer) < 2:
            raise Refused(f"the device's answer to writing {told} does not fit; it may have been written")
        if answer[1] == _ACKNOWLEDGED:
            return True
        if answer[1] == _ILLEGAL_FUNCTION:
            self._lacks.add(function)
            return False
        raise Refused(f"the device refuses to write {told}: {exception(answer[1])}")

    async def _registers(self, field: Field) -> bytes:
        answer = await self._dialogue.read(block_of([field]))
        if isinstance(answer, int):
            told = f"{block_of([field])} cannot be read, so nothing was written: {exception(answer)}"
            raise Refused(told, sent=False)
        return answer

    async def _checked(self, field: Field, raw: Value, data: bytes) -> Value:
        """What the device holds now; Refused if that is not what was written."""
        answer = await self._dialogue.read(block_of([field]))
        if isinstance(answer, int):
            raise Refused(f"written, but {block_of([field])} cannot be read back: {exception(answer)}")
        held = decode_one(field, answer)
        try:
            same = encode(field, held) == data
        except ValueError:
            same = False
        if not same:
            raise Refused(f"written {raw!r}, but the device holds {held!r}")
        return held


def _ways(field: Field, data: bytes) -> list[ModbusPDU]:
    """The requests that write `data`, the wanted one first."""
    if field.area.is_bits:
        single: ModbusPDU = WriteSingleCoilRequest(address=field.start, bits=[bool(data[0])])
        many: ModbusPDU = WriteMultipleCoilsRequest(address=field.start, bits=[bool(data[0])])
    else:
        words = _words(data)
        many = WriteMultipleRegistersRequest(address=field.start, registers=words)
        if len(words) > 1:
            return [many]
        single = WriteSingleRegisterRequest(address=field.start, registers=words)
    return [many, single] if field.multiple else [single, many]

def _words(data: bytes) -> list[int]:
    return [int.from_bytes(data[n : n + 2], "big") for n in range(0, len(data), 2)]
