"""Names first: a host's name is looked up here before anything connects to it.

Lookups block, cannot be cancelled, and take many seconds each while a name server is away. The pool
in which asyncio and uvloop do them has a handful of threads: a few devices with such names would hold
up every other device that has a name, and the end of the agent. So each name is looked up in a thread
of its own that nobody waits for at the end; only a name that was just found goes on to that pool.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from urllib.parse import urlsplit

from edge_agent.errors import NotConnected


class Lookup:
    """The lookups of the hosts in `addresses`, URLs of one peer; at most one a host is under way."""

    def __init__(self, *addresses: str) -> None:
        self._hosts = [host_of(address) for address in addresses]
        self._under_way: dict[str, asyncio.Future[str]] = {}

    async def found(self) -> None:
        """Return once one of the hosts has an address; NotConnected if none has. Safe to cancel."""
        if None in self._hosts:
            return
        hosts = {host for host in self._hosts if host is not None}
        waiting = {self._under_way.get(host) or self._begin(host) for host in hosts}
        problems = list[str]()
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            problems += [problem for one in done if (problem := one.result())]
            if len(problems) < len(hosts) - len(waiting):
                return
        raise NotConnected("; ".join(problems))

    def _begin(self, host: str) -> asyncio.Future[str]:
        loop = asyncio.get_running_loop()
        future = self._under_way[host] = loop.create_future()

        def tell(problem: str) -> None:
            del self._under_way[host]
            future.set_result(problem and f"{host}: {problem}")

        def look_up() -> None:
            problem = _problem(host)
            try:
                loop.call_soon_threadsafe(tell, problem)
            except RuntimeError:
                pass    # the agent has ended meanwhile

        threading.Thread(target=look_up, name=f"lookup-{host}", daemon=True).start()
        return future


def host_of(address: str) -> str | None:
    """The name in `scheme://host:port/…`; None where there is nothing to look up."""
    try:
        host = urlsplit(address).hostname
    except ValueError:
        return None
    if not host:
        return None
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    return None


def is_here(address: str) -> bool:
    """Whether `scheme://host:port/…` is on this computer, by name or by address; a file is."""
    if "://" not in address:
        return True
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _problem(host: str) -> str:
    try:
        socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return f"the name does not resolve ({getattr(error, 'strerror', None) or error})"
    return ""
