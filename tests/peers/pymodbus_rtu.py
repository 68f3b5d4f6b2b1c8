"""A Modbus serial slave on pymodbus with several units, in a process of its own.

    python pymodbus_rtu.py DEVICE BAUD [UNITS [rtu|ascii]]          UNITS such as 1,2,7 (default 1)

Prints "ready". In each unit holding n is 100 × unit + n, input n is 10000 + n, n in 0..299; of coils every third
is on, of discrete inputs every fifth, 0..63. Writes are accepted; a unit that is not there stays silent.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

SIZE = 300


def device(unit: int) -> SimDevice:
    """One unit."""
    return SimDevice(
        unit,
        simdata=(
            [SimData(0, values=[n % 3 == 0 for n in range(64)], datatype=DataType.BITS)],
            [SimData(0, values=[n % 5 == 0 for n in range(64)], datatype=DataType.BITS)],
            [SimData(0, values=[100 * unit + n for n in range(SIZE)], datatype=DataType.REGISTERS)],
            [SimData(0, values=[10_000 + n for n in range(SIZE)], datatype=DataType.REGISTERS)],
        ),
    )


async def main(port: str, baud: int, units: list[int], framer: str) -> None:
    """Serve until killed."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)

    def only_for(sending: bool, pdu: Any) -> Any:
        """Nobody hears a request to a unit that is not there: pymodbus alone would answer exception 4."""
        return pdu if sending or pdu.dev_id in units else None

    server = ModbusSerialServer(
        [device(unit) for unit in units],
        framer=FramerType(framer),
        port=port,
        baudrate=baud,
        trace_pdu=only_for,
    )
    await server.serve_forever(background=True)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    device_path, speed, *rest = sys.argv[1:]
    asyncio.run(
        main(
            device_path,
            int(speed),
            [int(unit) for unit in (rest[0] if rest else "1").split(",")],
            rest[1] if len(rest) > 1 else "rtu",
        )
    )
