"""Who we are to a server, and how a client that is not connected yet is made to connect safely."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edge_agent_opcua.config import OpcUaDevice
from edge_agent_opcua.library import LibraryClient
from edge_agent_opcua.security import glue
from edge_agent_opcua.security.choose import Endpoint, LoginKind, choose, confirm
from edge_agent_opcua.security.pki import Own, Pki, application_uri

DEFAULT_PKI: Final = Path("data") / "pki"


@dataclass(frozen=True, slots=True)
class Identity:
    """What the site file says about security and login; devices that say the same share a session."""

    policy: str = "None"
    mode: str = "None"
    user: str = ""
    password: str = field(default="", repr=False)
    insecure: bool = False
    cert: Path | None = None
    key: Path | None = None
    key_password: str = field(default="", repr=False)
    pki: Path = DEFAULT_PKI
    agent: str = ""

    @property
    def login(self) -> LoginKind:
        """Which kind."""
        if self.cert is not None:
            return "cert"
        return "user" if self.user else "anonymous"


def identity_of(config: OpcUaDevice) -> Identity:
    """That of a device."""
    security, login, pki = config.security, config.login, config.pki or DEFAULT_PKI
    if login is None:
        return Identity(security.policy, security.mode, pki=pki, agent=config.agent)
    return Identity(
        security.policy, security.mode, login.user or "", login.password, login.insecure,
        login.cert, login.key, login.key_password, pki, config.agent,
    )  # fmt: skip


async def secure(client: LibraryClient, url: str, identity: Identity) -> Own | None:
    """Have `client` connect as `identity` says: choose the endpoint, judge the server's certificate, show ours.

    Returns our certificate where it is used. Raises what the library raises, NoEndpoint and CertificateTrouble.
    """
    if identity.login == "user":
        client.set_user(identity.user)
        client.set_password(identity.password)
        client.insecure = identity.insecure
    if identity.policy == "None" and identity.login != "cert":
        return None
    chosen = await _chosen(client, url, identity)
    own = await asyncio.to_thread(_judged, identity, chosen, urlsplit(url).hostname or "")
    if identity.cert is not None and identity.key is not None:
        user = await asyncio.to_thread(glue.user_certificate, identity.cert, identity.key, identity.key_password)
        glue.log_in(client, user)
    glue.secure(client, chosen, own)
    return own


async def _chosen(client: LibraryClient, url: str, identity: Identity) -> Endpoint:
    """The endpoint to use, of those the server announces."""
    asker = LibraryClient(url, client.uaclient._timeout, client.session_timeout)
    endpoints = await asker.connect_and_get_server_endpoints()
    chosen = choose(endpoints, identity.policy, identity.mode, identity.login)
    client.confirm = lambda again: confirm(chosen, again, identity.policy, identity.mode, identity.login)
    return chosen


def _judged(identity: Identity, chosen: Endpoint, host: str) -> Own | None:
    """Our certificate, once the server's is known to be right. In a thread: it reads files and checks signatures."""
    if not chosen.is_secure and not chosen.certificate:
        return None
    now = datetime.now(UTC)
    pki = Pki(identity.pki)
    own = None
    if chosen.is_secure:
        name = socket.gethostname()
        own = pki.own(application_uri(name, identity.agent), [name], now)
    pki.judge(chosen.certificate, host, chosen.application_uri, now)
    return own
