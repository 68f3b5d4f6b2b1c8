"""The PKI folder as the driver and the server use it. Everything blocks on the disk: call it in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from edge_agent_opcua.security import expiry, own, trust
from edge_agent_opcua.security.make import Wish, application_uri
from edge_agent_opcua.security.own import Own
from edge_agent_opcua.security.store import Store

__all__ = ["Own", "Pki", "application_uri"]


class Pki:
    """`Pki(folder)`; the folder need not be there."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder)

    @property
    def folder(self) -> Path:
        """Where it is, as an absolute path."""
        return self.store.folder

    def own(self, uri: str, names: Sequence[str], now: datetime) -> Own:
        """Our certificate and key; made, with this application URI and these host names, if there are none.

        Use `Own.uri` from then on, not `uri`: what is there may have another. CertificateTrouble says what is
        wrong with what is there, and what to do.
        """
        return own.own(self.store, Wish(uri, own.host_names(names)), now)

    def judge(
        self, sent: bytes, host: str, application_uri: str, now: datetime, peer: trust.Peer = "server"
    ) -> list[str]:
        """Whether a peer's certificate is to be trusted: returns remarks or raises `Untrusted`. See `trust.judge`."""
        return trust.judge(self.store, sent, host, application_uri, now, peer)

    def warnings(self, now: datetime) -> list[str]:
        """What ends within 60 days, has ended or cannot be read; a sentence each."""
        return expiry.warnings(self.store, now)
