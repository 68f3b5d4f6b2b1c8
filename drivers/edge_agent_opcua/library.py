"""asyncua's client as we use it: no reconnecting of its own, no publish loop, no password in the clear.

asyncua 2.1 is the protocol stack. Its reconnecting is not used (`supervise` does that, with a fresh object), nor are
its handlers (a task per change) and iterators (drop when full): publish requests are ours, see `publish`. Its log is
silenced unless someone has set the level of the logger `asyncua`: what it would say is raised here, and its INFO
formats every response (4 µs a change).

Touched beyond its documented face, all checked against 2.1.0: `_try_resume_persisted_session` is where a session that
outlives its connection is taken up again (its own way writes the session's secret to a file); `_server_nonce`,
`_policy_ids`; and the tasks it leaves behind are ended by name.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asyncua import Client, ua
from asyncua.crypto import security_policies

from edge_agent.api import AccessDenied

# The library's own look at the server's state: a slow second of the server's or of ours must not end
# the session.
PROBE_S: Final = 5.0
CLOSE_S: Final = 2.0

# Policies under which the library can encrypt a password for the server's certificate.
_ENCRYPTING: Final = frozenset(
    policy.URI
    for policy in (
        security_policies.SecurityPolicyAes256Sha256RsaPss,
        security_policies.SecurityPolicyAes128Sha256RsaOaep,
        security_policies.SecurityPolicyBasic256Sha256,
    )
)


def silence_library() -> None:
    """Let asyncua's log say nothing, unless someone has set its level."""
    log = logging.getLogger("asyncua")
    if log.level == logging.NOTSET:
        log.setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Ticket:
    """With which a session may be taken up again over another connection (Part 4, 6.7); a secret."""

    token: Any
    nonce: bytes | None
    tokens: Sequence[Any]
    certificate: bytes | None
    policies: Sequence[Any]

    def __repr__(self) -> str:
        return "Ticket(…)"


class LibraryClient(Client):  # type: ignore[misc]  # asyncua is one third annotated: mypy does not follow it
    """asyncua's client, which asks before a password would go out readable, and may go on with a former session."""

    def __init__(self, url: str, timeout_s: float, session_timeout_ms: int) -> None:
        super().__init__(url, timeout=timeout_s, watchdog_intervall=PROBE_S)
        self.name = self.description = "edge-agent"
        self.application_uri = "urn:edge-agent"
        self.session_timeout = session_timeout_ms
        self.insecure = False
        self.ticket: Ticket | None = None
        self.resumed = False
        self.tokens: Sequence[Any] = ()
        self.certificate: bytes | None = None
        self.confirm: Callable[[Sequence[Any]], None] | None = None
        """looks at the endpoints the server names over the channel that was chosen among them"""

    async def create_session(self) -> Any:
        result = await super().create_session()
        policy = self.security_policy
        endpoint = Client.find_endpoint(result.ServerEndpoints, policy.Mode, policy.URI)
        self.tokens = endpoint.UserIdentityTokens or ()
        self.certificate = result.ServerCertificate
        if self.confirm is not None:
            self.confirm(result.ServerEndpoints)
        return result

    async def _try_resume_persisted_session(self) -> bool:
        if self.ticket is None:
            return False
        self.tokens, self.certificate = self.ticket.tokens, self.ticket.certificate
        self._server_nonce, self._policy_ids = self.ticket.nonce, list(self.ticket.policies)
        self.uaclient.session.restore_authentication_token(self.ticket.token)
        try:
            await self._activate_with_credentials()
        except ua.UaStatusCodeError:
            # The server has forgotten it, or will not have it over this channel: a fresh one, then.
            self.uaclient.session.reset_authentication_token()
            self._server_nonce = None
            return False
        self.resumed = True
        self._start_renew_loop()
        return True

    def leave_ticket(self) -> Ticket | None:
        """For the connection after this one; None if there is no session."""
        session = self.uaclient.session
        if session.authentication_token.is_null():
            return None
        return Ticket(
            session.authentication_token, self._server_nonce, self.tokens, self.certificate, self._policy_ids
        )

    def server_policy(self, token_type: Any) -> Any:
        """The server's first policy for this kind of login, but one with encryption if there is any."""
        for policy in self.tokens if self.certificate else ():
            if policy.TokenType == token_type and policy.SecurityPolicyUri in _ENCRYPTING:
                return policy
        return super().server_policy(token_type)

    async def activate_session(
        self, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> Any:
        if username:
            self._check_login(bool(password))
        return await super().activate_session(username, password, certificate)

    def _check_login(self, has_password: bool) -> None:
        kind = ua.UserTokenType.UserName
        if not any(policy.TokenType == kind for policy in self.tokens):
            raise AccessDenied("the server takes no user and password here; leave `login` out")
        if self.security_policy.Mode == ua.MessageSecurityMode.SignAndEncrypt:
            return
        encrypted = self.certificate and self.server_policy(kind).SecurityPolicyUri in _ENCRYPTING
        if has_password and not encrypted and not self.insecure:
            raise AccessDenied(
                "the server offers no encryption for the password, which would cross the network readable; "
                "give the server a certificate, or allow it with login: {insecure: true}"
            )

    async def leave(self, keep_session: bool) -> None:
        """Close session and channel, or the channel only; within `CLOSE_S` even if the server is silent."""
        protocol = self.uaclient.protocol
        tasks = [
            task
            for task in (self._supervisor_task, self._stale_watchdog_task, self._renew_channel_task)
            if task is not None
        ]
        try:
            async with asyncio.timeout(CLOSE_S):
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                if not keep_session:
                    await self.disconnect()
        except Exception:  # noqa: S110 — whatever the library stumbles over, the line is let go below
            pass
        finally:
            self.uaclient.request_disconnect()
            if protocol is not None and protocol.transport is not None:
                protocol.transport.abort()
            await asyncio.sleep(0)   # the loop closes an aborted transport in its next round
