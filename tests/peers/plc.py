"""A small PLC for tests: `plc.py PORT`, Modbus TCP on loopback; stdin lines `ADDRESS VALUE…` set holding registers."""

from __future__ import annotations

import asyncio
import sys

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


async def main(port: int, presets: list[str]) -> None:
    registers = [0] * 200
    for preset in presets:
        address, *values = map(int, preset.split())
        registers[address : address + len(values)] = values
    device = SimDevice(0, simdata=[SimData(0, values=registers, datatype=DataType.REGISTERS)])
    server = ModbusTcpServer(device, address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        address, *values = map(int, line.split())
        await server.async_setValues(1, 16, address, values)
    await server.shutdown()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2:]))
