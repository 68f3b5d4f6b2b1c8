"""The agent as an OPC UA server: machines, KPIs and tags for SCADA and MES, read-only.

asyncua is the server. It runs in a thread (see `thread`); here, in the agent's event loop, is what hands it the
new values every so often: comparing all with what they were takes a thousandth of a second for 5,000 tags.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from edge_agent.api import ServerPlugin, Source, listen_place, port_trouble
from edge_agent_opcua.library import silence_library
from edge_agent_opcua.security.certificate import CertificateTrouble, application_uris, certificates_in
from edge_agent_opcua.security.pki import Own, Pki, application_uri
from edge_agent_opcua.serving import ports
from edge_agent_opcua.serving.server_config import OpcuaServe, warnings
from edge_agent_opcua.serving.setting import Setting
from edge_agent_opcua.serving.shown import Change, Watch, outline
from edge_agent_opcua.serving.thread import Showing, Thread

log = logging.getLogger(__name__)

# A refused client is said again after so long; so many are remembered.
_SAID_AGAIN_S: Final = 3600.0
_SAID_MOST: Final = 100


class OpcuaServer:
    """Knows one server's configuration; opens its port."""

    def __init__(self, server: str, config: OpcuaServe, source: Source) -> None:
        self.name, self.config, self.source = server, config, source
        self.outline = outline(server, source, config.show.tags, config.show.machines, config.show.kpis)
        self._guard = Guard(server, config.pki or Path("pki"))

    async def listen(self) -> OpenServer:
        """See `Server.listen`. `AccessDenied` also where the agent's own certificate cannot be used."""
        host, port = listen_place(self.config.listen)
        sockets = await ports.bind(host, port)
        opened = OpenServer(self.name, Watch(self.source, self.outline), self.config.every / 1e9)
        try:
            await opened.start(await self._setting(host, port), sockets)
        except BaseException as error:
            await opened.close()
            for one in sockets:
                one.close()
            if isinstance(error, OSError):
                raise port_trouble(error, host, port) from error
            raise
        return opened

    async def _setting(self, host: str, port: int) -> Setting:
        config, secured = self.config, self.config.security == "auto"
        users = {name: password.get_secret_value() for name, password in config.users.items()}
        own = None
        if secured or users:        # without security, passwords are encrypted for it
            own = await asyncio.to_thread(self._guard.own, config.agent, host)
        judge = None if config.anonymous or not secured else self._guard.judge
        namespace = config.namespace or "urn:edge-agent"
        return Setting(self.name, host, port, namespace, self.outline, own, secured, users, judge, config.sessions)


class Guard:
    """Certificates: our own, and those of clients. Blocks on the disk; used in threads."""

    def __init__(self, server: str, folder: Path) -> None:
        self._server = server
        self._pki = Pki(folder)
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}

    def own(self, agent: str, host: str) -> Own:
        """The agent's certificate, made if there is none; CertificateTrouble if it cannot be used."""
        here = socket.gethostname()
        names = [here, host] if host not in ("0.0.0.0", "::", here) else [here]  # noqa: S104 (compared)
        return self._pki.own(application_uri(here, agent), names, datetime.now(UTC))

    def judge(self, certificate: bytes, application: str | None) -> None:
        """See `Setting.judge`. Whoever is refused is logged, each once an hour: the client is told nothing of how to
        be let in, the people at the agent are."""
        try:
            uri = next(iter(self._uris(certificate)), "") if application is None else application
            self._pki.judge(certificate, "", uri, datetime.now(UTC), "client")
        except CertificateTrouble as error:
            self._say(str(error))
            raise

    @staticmethod
    def _uris(certificate: bytes) -> Sequence[str]:
        try:
            return application_uris(certificates_in(certificate)[0])
        except ValueError:
            return ()

    def _say(self, told: str) -> None:
        now = time.monotonic()
        with self._lock:
            known = self._said.get(told, -_SAID_AGAIN_S)
            if now - known < _SAID_AGAIN_S:
                return
            if len(self._said) >= _SAID_MOST:
                self._said.pop(next(iter(self._said)))
            self._said[told] = now
        log.warning("%s: a client was refused: %s", self._server, told)


class OpenServer:
    """The open port; hands what has changed to the server's thread. See `api.Listening`."""

    def __init__(self, name: str, watch: Watch, every_s: float) -> None:
        self._name, self._watch, self._every_s = name, watch, every_s
        self._loop = asyncio.get_running_loop()
        self._thread: Thread | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._fault: asyncio.Future[None] = self._loop.create_future()

    async def start(self, setting: Setting, sockets: Sequence[socket.socket]) -> None:
        """Return once the port is open."""
        silence_library()

        async def open_there(stop: threading.Event, first: Sequence[Change]) -> Showing:
            # Imported in the thread: the library takes half a second.
            from edge_agent_opcua.serving.opened import open_server

            return await open_server(setting, sockets, stop, first)

        self._thread = Thread(self._name, open_there)
        await self._thread.start(self._watch.changes())
        self._look()

    def _look(self) -> None:
        """Hand over what has changed; again after a while."""
        assert self._thread is not None
        try:
            self._thread.show(self._watch.changes(), datetime.now(UTC))
        except Exception as fault:      # a bug: the port is given up, and the agent opens it again
            if not self._fault.done():
                self._fault.set_exception(fault)
            return
        self._timer = self._loop.call_later(self._every_s, self._look)

    async def closed(self) -> None:
        """See `Listening.closed`."""
        assert self._thread is not None
        ended = asyncio.ensure_future(self._thread.ended())
        try:
            await asyncio.wait((ended, self._fault), return_when=asyncio.FIRST_COMPLETED)
            if self._fault.done():
                self._fault.result()
            raise ended.result()
        finally:
            ended.cancel()

    async def close(self) -> None:
        """See `Listening.close`."""
        if self._timer is not None:
            self._timer.cancel()
        if not self._fault.done():
            self._fault.cancel()
        elif not self._fault.cancelled():
            self._fault.exception()     # it was said, or nobody waited for it
        if self._thread is not None:
            await self._thread.stop()


def _build(server: str, config: Any, source: Source) -> OpcuaServer:
    return OpcuaServer(server, config, source)


plugin = ServerPlugin(
    name="opcua",
    summary="OPC UA: machines (after OPC 40001-1), KPIs and tags, secured, read-only",
    config=OpcuaServe,
    build=_build,
    warnings=warnings,
)
