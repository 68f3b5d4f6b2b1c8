"""The pages' process: one web server on one loop, until it is told to stop."""

from __future__ import annotations

import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# Read when the library is imported: nothing is written to disk, nothing is asked of the network.
os.environ.setdefault("NICEGUI_STORAGE_PATH", os.devnull)

import uvicorn
from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from nicegui import ui
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from edge_agent.api import port_trouble
from edge_agent.pages.client import Agent, Away, Refused
from edge_agent.pages.forward import add_forwards
from edge_agent.pages.guard import Guard
from edge_agent.pages.login import add_login
from edge_agent.pages.parts import STATIC
from edge_agent.pages.shell import add_pages
from edge_agent.pages.tools.files import add_files
from edge_agent.web.tls import names_of, server_context

log = logging.getLogger(__name__)

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
# Each browser holds one open, and a few more while a page loads.
CONNECTIONS: Final = 200
_WAITING: Final = 128
# Their address changes with their content.
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Settings:
    """Which agent is asked, and where the pages are to be found."""

    url: str
    host: str
    port: int
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine itself can come in."""
        return self.host in _LOOPBACK


class NotListening(Exception):
    """Their address cannot be had; a sentence."""


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. NotListening; ConfigError if certificate and key are none."""
    tls = _tls(settings)
    place = _opened(settings)
    agent = Agent(settings.url, settings.ca, open_reading=settings.is_loopback)
    config = uvicorn.Config(
        Guard(make_app(agent), _hosts(settings)),
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws_max_size=1_000_000,  # what a browser says is clicks and short texts
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=2,
    )
    config.load()
    config.ssl = tls
    log.info("pages: at %s://%s:%d", "https" if tls else "http", settings.host, settings.port)
    uvicorn.Server(config).run([place])


def _opened(settings: Settings) -> socket.socket:
    """Before anything is said of it: a port may be taken."""
    host, port = settings.host, settings.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_WAITING)
    except OSError as error:
        told = f"{port_trouble(error, host, port)}; pages.listen (--listen) says where they listen"
        raise NotListening(told) from error


def _is_for_the_log(record: logging.LogRecord) -> bool:
    """An agent that is away or says no is told on the page; what is wrong with a page is in the log."""
    return not (record.exc_info and isinstance(record.exc_info[1], Away | Refused))


def make_app(agent: Agent) -> FastAPI:
    """Everything but the server."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await agent.close()

    logging.getLogger("nicegui").addFilter(_is_for_the_log)
    app = FastAPI(lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.mount("/assets", _Assets(directory=STATIC))
    add_login(app, agent)
    add_forwards(app, agent)
    add_files(app, agent)
    add_pages(agent)
    ui.run_with(
        app,
        title="Edge Agent",
        favicon=STATIC / "icon.svg",
        tailwind=False,  # its compiler in the browser costs half a second a page
        binding_refresh_interval=None,  # nothing here is bound
        message_history_length=100,
        reconnect_timeout=10.0,
        show_welcome_message=False,
        # Half the time of the highest, and hardly longer: a page of a hundred machines is a quarter of a megabyte.
        gzip_middleware_factory=lambda app: GZipMiddleware(app, compresslevel=5),
    )
    return app


class _Assets(StaticFiles):
    """Files that may be kept for ever."""

    def file_response(self, *args: Any, **more: Any) -> Response:
        """See StaticFiles."""
        answer = super().file_response(*args, **more)
        answer.headers["Cache-Control"] = _FOR_EVER
        return answer


def _hosts(settings: Settings) -> frozenset[str]:
    """The names in the certificate; without one, this machine's own."""
    return _LOOPBACK | {settings.host} | (names_of(settings.cert) if settings.cert else frozenset())


def _tls(settings: Settings) -> ssl.SSLContext | None:
    return server_context(settings.cert, settings.key, "pages") if settings.cert and settings.key else None
