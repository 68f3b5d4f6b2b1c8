"""A Modbus TCP server on pymodbus's simulator that holds what it is told, in a process of its own.

    python pymodbus_registers.py AREA:ADDRESS:HEX …

Prints its port once it is ready. Unit 7 only. AREA is holding or input, ADDRESS the first register
on the wire, HEX its bytes and those of the registers after it. Other registers do not exist: reading
any of them is exception 2.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import sys
from collections.abc import Iterable

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


def _registers(area: str, told: Iterable[str]) -> list[SimData]:
    held: list[SimData] = []
    for one in told:
        where, at, data = one.split(":")
        if where == area:
            values = list(struct.unpack(f">{len(data) // 4}H", bytes.fromhex(data)))
            held.append(SimData(int(at), values=values, datatype=DataType.REGISTERS))
    return sorted(held, key=lambda data: data.address) or [SimData(65_535, values=[0], datatype=DataType.REGISTERS)]


async def main(told: list[str]) -> None:
    """Serve until killed."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    bits = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
    device = SimDevice(7, simdata=(bits, bits, _registers("holding", told), _registers("input", told)))
    server = ModbusTcpServer(device, address=("127.0.0.1", 0))
    await server.serve_forever(background=True)
    assert server.transport is not None
    print(server.transport.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
