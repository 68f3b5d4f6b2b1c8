"""A Modbus server inside TLS (MBAP frames, as Modbus/TCP Security says), in a process of its own.

    python tls_server.py PORT CERTIFICATE KEY [--ca FILE]

On pymodbus. Prints "ready". With --ca it asks every client for a certificate and verifies it (CERT_REQUIRED).
Unit 1: holding n is n, input n is 10000 + n, n in 0..299. `socat_tls` is the other one: socat ends the TLS
in front of any Modbus TCP server, so that nothing is shared with pymodbus.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import ssl

from pymodbus import FramerType
from pymodbus.server import ModbusTlsServer
from pymodbus.simulator import DataType, SimData, SimDevice

SIZE = 300


def socat_tls(port: int, target: int, certificate: str, key: str, ca: str | None = None) -> list[str]:
    """The command of a TLS server on `port` in front of the plain one on `target`; with `ca` clients are verified."""
    said = f"OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,cert={certificate},key={key}"
    return ["socat", f"{said},verify=1,cafile={ca}" if ca else f"{said},verify=0", f"TCP:127.0.0.1:{target},nodelay"]


def context(certificate: str, key: str, ca: str | None) -> ssl.SSLContext:
    """TLS 1.2 or later."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(certificate, key)
    if ca:
        made.load_verify_locations(ca)
        made.verify_mode = ssl.CERT_REQUIRED
    return made


async def main(port: int, sslctx: ssl.SSLContext) -> None:
    """Serve until killed."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    off = SimData(0, values=[False] * 16, datatype=DataType.BITS)
    holding = SimData(0, values=list(range(SIZE)), datatype=DataType.REGISTERS)
    inputs = SimData(0, values=[10_000 + n for n in range(SIZE)], datatype=DataType.REGISTERS)
    unit = SimDevice(1, simdata=([off], [off], [holding], [inputs]))
    server = ModbusTlsServer(unit, framer=FramerType.SOCKET, address=("127.0.0.1", port), sslctx=sslctx)
    await server.serve_forever(background=True)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("certificate")
    parser.add_argument("key")
    parser.add_argument("--ca")
    given = parser.parse_args()
    asyncio.run(main(given.port, context(given.certificate, given.key, given.ca)))
