"""Several brokers of one destination: which is asked next.

In the order of the site file, and always from its beginning: a link stays where it is until it is lost, and the
next one goes to the first that is there again. A broker that failed, or took us and dropped us at once, is passed
over for a while that grows with every failure, as long as another is left to ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge_agent.errors import AccessDenied, EdgeAgentError, NotConnected
from edge_agent.lookup import Lookup
from edge_agent.north.mqtt_url import Endpoint
from edge_agent.supervise import Backoff


@dataclass(slots=True, eq=False)
class Server:
    """One broker, and how it has fared."""

    endpoint: Endpoint
    versions: tuple[str, ...]
    """of MQTT that it may speak, newest first"""
    referred: Endpoint | None = None
    """where it sent us to when the last link ended"""
    failures: int = 0
    """in a row"""
    due: float = 0.0
    """not before then, if another can be asked; seconds of the event loop"""
    problem: EdgeAgentError | None = None
    """why the last link to it was none, or ended at once"""
    _lookups: dict[str, Lookup] = field(default_factory=dict)

    def failed(self, now: float, problem: EdgeAgentError, backoff: Backoff) -> None:
        """It could not be reached, refused us, or dropped us at once."""
        self.due = now + backoff.wait(self.failures, isinstance(problem, AccessDenied))
        self.failures += 1
        self.problem = problem

    def lasted(self) -> None:
        """A link to it was a real one."""
        self.failures, self.due, self.problem = 0, 0.0, None

    async def look_up(self, endpoint: Endpoint, patience_s: float) -> None:
        """Return once the name has an address: one that has none must not hold up the pool in which links open."""
        lookup = self._lookups.get(endpoint.host)
        if lookup is None:
            self._lookups = {endpoint.host: (lookup := Lookup(str(endpoint)))}
        try:
            async with asyncio.timeout(patience_s):
                await lookup.found()
        except TimeoutError:
            raise NotConnected(f"{endpoint}: the name servers do not answer") from None
        except NotConnected as error:
            raise NotConnected(f"{endpoint}: {error}") from error


class Servers:
    """The brokers of one destination, in order; never empty."""

    def __init__(self, endpoints: Sequence[Endpoint], versions: tuple[str, ...]) -> None:
        self._servers = [Server(endpoint, versions) for endpoint in endpoints]

    def __len__(self) -> int:
        return len(self._servers)

    def to_ask(self, now: float) -> list[Server]:
        """Those whose time has come, in order; if it has come for none, the one for which it comes first."""
        due = [server for server in self._servers if server.due <= now]
        return due or [min(self._servers, key=lambda server: server.due)]

    def before(self, server: Server) -> str:
        """Why those that stand before this one are not used."""
        return _told(self._servers[: self._servers.index(server)])

    def reason(self) -> EdgeAgentError:
        """Why there is no link: denied if each of them denies us."""
        problems = [server.problem for server in self._servers]
        if len(problems) == 1 and problems[0] is not None:
            return problems[0]
        kind = AccessDenied if all(isinstance(one, AccessDenied) for one in problems) else NotConnected
        return kind(_told(self._servers))


def _told(servers: Sequence[Server]) -> str:
    problems = dict.fromkeys(str(server.problem) for server in servers if server.problem is not None)
    return "; ".join(problems)
