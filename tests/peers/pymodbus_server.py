"""A Modbus TCP server on pymodbus's simulator, in a process of its own.

    python pymodbus_server.py PORT

Prints "ready". Unit 1 only. Holding registers 0..49 and 60..99 exist (n holds n), 50..59 do not:
reading any of them is exception 2. Input registers 0..99 hold 10000 + n, of coils 0..31 every
third is on, of discrete inputs 0..31 every fifth. Holding 200..209 is busy: exception 6.
"""

from __future__ import annotations

import asyncio
import logging
import sys

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


async def _busy(
    function: int, _start: int, address: int, _count: int, _registers: object, _values: object
) -> ExcCodes | None:
    return ExcCodes.DEVICE_BUSY if function == 3 and 200 <= address < 210 else None


def _registers(first: int, values: list[int]) -> SimData:
    return SimData(first, values=values, datatype=DataType.REGISTERS)


async def main(port: int) -> None:
    """Serve until killed."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    device = SimDevice(
        1,
        simdata=(
            [SimData(0, values=[n % 3 == 0 for n in range(32)], datatype=DataType.BITS)],
            [SimData(0, values=[n % 5 == 0 for n in range(32)], datatype=DataType.BITS)],
            [
                _registers(0, list(range(50))),
                _registers(60, list(range(60, 100))),
                _registers(200, [0] * 10),
            ],
            [_registers(0, [10_000 + n for n in range(100)])],
        ),
        action=_busy,
    )
    server = ModbusTcpServer(device, address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
