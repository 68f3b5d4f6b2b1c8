"""All that the server's thread has to know, put together before it begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edge_agent_opcua.security.pki import Own
from edge_agent_opcua.serving.shown import Outline


@dataclass(frozen=True, slots=True)
class Setting:
    """One server.

    own      its certificate and key; None where none is needed
    secured  channels are signed or encrypted
    users    user -> password; empty: nobody has to say who it is
    judge    `judge(certificate, application uri)` raises CertificateTrouble for a client that is not trusted; the
             uri is None where a client goes on with its session over another channel. None: any certificate
             will do. Called in threads
    """

    name: str
    host: str
    port: int
    namespace: str
    outline: Outline
    own: Own | None
    secured: bool
    users: Mapping[str, str] = field(repr=False)
    judge: Callable[[bytes, str | None], None] | None
    sessions: int
