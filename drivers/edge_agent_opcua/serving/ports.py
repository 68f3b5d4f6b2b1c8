"""Sockets that are bound before anything else is done: a port that is taken costs no seconds of computing."""

from __future__ import annotations

import asyncio
import os
import socket

from edge_agent.api import port_trouble


async def bind(host: str, port: int) -> list[socket.socket]:
    """A bound socket, not listening yet, for every address that `host` stands for.

    `NotConnected` while another program has the port or this computer has no such address; `AccessDenied` for
    a port that must not be opened.
    """
    loop = asyncio.get_running_loop()
    bound: list[socket.socket] = []
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            bound.append(_bound(family, kind, protocol, address))
    except OSError as error:
        for one in bound:
            one.close()
        raise port_trouble(error, host, port) from error
    return bound


def _bound(family: int, kind: int, protocol: int, address: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, kind, protocol)
    try:
        made.setblocking(False)
        if os.name == "posix":      # else the port is taken for a minute after the last connection
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made
