"""Serves the API inside the agent's loop: bound in numbers and time, and never the agent's end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from edge_agent.config.http_api import ApiModel, Listen
from edge_agent.web.access import Access
from edge_agent.web.door import Door, Lobby
from edge_agent.web.entrance import LOOPBACK
from edge_agent.web.guard import BODY_LIMIT, Guard
from edge_agent.web.people import People
from edge_agent.web.routes import Hands, make_app
from edge_agent.web.sessions import NAME as SESSIONS
from edge_agent.web.sessions import Sessions
from edge_agent.web.tls import names_of, server_context
from edge_agent.web.view import View

log = logging.getLogger(__name__)

# A port that another program holds is free again when that has ended, not sooner.
AGAIN_S: Final = 10.0
# A few people and a few programs look at an agent. Those above are told so, twice as many not even that.
CONNECTIONS: Final = 32
# To send a request in, and to take its answer; a write may have to wait for its device.
ASKING_S: Final = 10.0
ANSWERING_S: Final = 60.0
KEEP_ALIVE_S: Final = 15
# What is under way when the agent stops may end, if it is quick.
ENDING_S: Final = 1.0
LIVE: Final = "/api/v1/live"


def _ticks() -> float:
    return asyncio.get_running_loop().time()


def lobby(folder: Path) -> Lobby:
    """People and their sessions, of an agent with this data folder. Blocks."""
    people = People(folder)
    if people.trouble:
        log.error("api: %s; nobody can log in until it is put right, or away, and the agent restarted", people.trouble)
    return Lobby(people, Sessions(_ticks, folder / SESSIONS), _ticks)


class Api:
    """The HTTP API of one agent; `port` is the real one while it listens, else 0."""

    def __init__(
        self,
        config: ApiModel,
        view: View,
        hands: Hands,
        lobby: Lobby,
        listening: Callable[[int], None] = lambda _port: None,
    ) -> None:
        """Nothing is opened yet; ConfigError if the certificate is not right."""
        assert config.listen is not None
        self.listen: Listen = config.listen
        self.port = 0
        self._tls = None
        hosts = {*LOOPBACK, self.listen.host}
        if config.cert is not None and config.key is not None:
            self._tls = server_context(config.cert, config.key)
            hosts |= names_of(config.cert)
        tokens, readers = (
            {name: token.get_secret_value() for name, token in held.items()}
            for held in (config.tokens, config.read_tokens)
        )
        self.lobby = lobby
        self._listening = listening
        self._door = Door(
            Access(tokens, _ticks, readers),
            lobby,
            reading_is_open=self.listen.is_loopback,
            secure=self._tls is not None,
        )
        self._hosts = hosts
        self.show(view, hands)

    def show(self, view: View, hands: Hands) -> None:
        """From now on requests see this, and streams that show what was before end."""
        self._door.over.set()
        self._door.over = asyncio.Event()
        self._app = Guard(make_app(view, self._door, hands), self._hosts, self._door.has_session)

    @property
    def url(self) -> str:
        """Where it is to be found."""
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{Listen(self.listen.host, self.port or self.listen.port)}"

    async def keep_serving(self) -> None:
        """Serve, for ever; where that fails, say so once and try again."""
        said = ""
        while True:
            try:
                await self._serve()
            except OSError as error:
                # Reconnecting is for lines; here nobody is asked, it is only waited for.
                why = error.strerror or type(error).__name__
                if why != said:
                    log.warning("api: cannot listen at %s (%s); the agent goes on without", self.listen, why)
                said = why
            except Exception:
                log.exception("api: unexpected error; the agent goes on, the API comes back in %g s", AGAIN_S)
            await asyncio.sleep(AGAIN_S)

    async def _serve(self) -> None:
        with _bound(self.listen) as listener:
            server = _Server(self._config())
            self.port = int(listener.getsockname()[1])
            log.info("api: listening at %s", self.url)
            self._listening(self.port)
            if self.lobby.is_new:
                log.warning("api: nobody can log in yet; the code for the first visit is %s", self.lobby.code)
            try:
                await server.serve([listener])
            finally:
                self.port = 0
                await server.end()

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)

    def _config(self) -> uvicorn.Config:
        config = uvicorn.Config(
            self._answer,
            http=_Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="error",      # what clients do wrong is theirs to know
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=CONNECTIONS + 1,
            timeout_keep_alive=KEEP_ALIVE_S,
            h11_max_incomplete_event_size=BODY_LIMIT,
        )
        config.load()
        config.ssl = self._tls
        return config


@contextlib.contextmanager
def _bound(listen: Listen) -> Iterator[socket.socket]:
    """A socket that listens there; OSError if it cannot be had."""
    host = "127.0.0.1" if listen.host == "localhost" else listen.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((host, listen.port))
        listener.listen(CONNECTIONS)
        yield listener


class _Server(uvicorn.Server):
    """uvicorn's server as a part among others: the signals are the agent's, and so is the end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def end(self) -> None:
        """Let go of everything, whatever state it is in; takes ENDING_S at most."""
        for server in getattr(self, "servers", ()):
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        tasks = list(self.server_state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=ENDING_S)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        late = [task for task in tasks if not task.done()]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


class _Connection(H11Protocol):
    """A connection that ends when its client is slow: to ask, or to take the answer."""

    _alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """See asyncio.Protocol."""
        super().connection_made(transport)
        if len(self.connections) > 2 * CONNECTIONS:
            transport.abort()
            return
        self._allow(ASKING_S)

    def handle_events(self) -> None:
        """See H11Protocol; a request that has come whole has more time."""
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:
            self._allow(ANSWERING_S)
            if self.cycle is not None and self.cycle.scope["path"] == LIVE:
                self._allow_while_it_takes()

    def on_response_complete(self) -> None:
        """See H11Protocol."""
        self._allow(KEEP_ALIVE_S + ASKING_S)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        if self._alarm is not None:
            self._alarm.cancel()
        super().connection_lost(exc)

    def _allow_while_it_takes(self, stuck: bool = False) -> None:
        """A stream goes on for as long as its client takes what comes."""
        if stuck and self.flow.write_paused:
            self.transport.abort()
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self.loop.call_later(ANSWERING_S, self._allow_while_it_takes, self.flow.write_paused)

    def _allow(self, seconds: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self.loop.call_later(seconds, self.transport.abort)
