"""Who is let in: which certificates, which users, over which channels.

asyncua looks at the certificate that a client puts into its CreateSession request, if it puts one there at
all; what is judged here is the one its channel is secured with. And asyncua opens sessions over any channel,
also the unsecured one that is there to ask for endpoints; here they are opened over channels as offered only.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.ua.ua_binary import struct_from_binary

from edge_agent_opcua.security.certificate import CertificateTrouble
from edge_agent_opcua.security.trust import Untrusted

SECURED: Final = (
    ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
    ua.SecurityPolicyType.Aes256Sha256RsaPss_Sign,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_SignAndEncrypt,
    ua.SecurityPolicyType.Aes128Sha256RsaOaep_Sign,
    ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
    ua.SecurityPolicyType.Basic256Sha256_Sign,
)
"""What `security: auto` offers"""

OPEN: Final = (ua.SecurityPolicyType.NoSecurity,)
"""What `security: none` offers"""

_NONE_URI: Final = "http://opcfoundation.org/UA/SecurityPolicy#None"
# Of a password encrypted so, an eavesdropper learns the text by asking often enough (Bleichenbacher); none
# of the policies offered here uses it.
_RSA_1_5: Final = "http://www.w3.org/2001/04/xmlenc#rsa-1_5"

_GET_IN: Final = frozenset({
    ua.ObjectIds.CreateSessionRequest_Encoding_DefaultBinary,
    ua.ObjectIds.ActivateSessionRequest_Encoding_DefaultBinary,
})


@dataclass(frozen=True, slots=True)
class Door:
    """Who may come in.

    users      user -> password; empty: there are no users, and nobody has to say who it is
    secured    sessions need a secured channel
    judge      see `Setting.judge`
    """

    users: Mapping[str, str]
    secured: bool
    judge: Callable[[bytes, str | None], None] | None

    @property
    def tokens(self) -> tuple[type, ...]:
        """How a client may say who it is."""
        return (ua.UserNameIdentityToken,) if self.users else (ua.AnonymousIdentityToken,)

    def get_user(
        self, iserver: object, username: str | None = None, password: str | None = None, certificate: object = None
    ) -> User | None:
        """See `asyncua.server.user_managers.UserManager`. Nobody is more than a user."""
        if not self.users:
            return User(role=UserRole.User)
        # An unknown user takes as long as a wrong password.
        expected = self.users.get(username or "", "")
        right = hmac.compare_digest(expected.encode(), (password or "").encode())
        return User(role=UserRole.User, name=username) if right and username in self.users else None

    async def check_certificate(self, policy: Any, application: str | None) -> None:
        """Refuse a client that is not trusted; `application` is what it calls itself."""
        if self.judge is None or not self.secured:
            return
        try:
            await asyncio.to_thread(self.judge, policy.peer_certificate, application)
        except CertificateTrouble as error:
            status = error.status if isinstance(error, Untrusted) else "BadSecurityChecksFailed"
            raise ServiceError(getattr(ua.StatusCodes, status)) from None

    @staticmethod
    def check_password(token: Any) -> None:
        """Refuse a password that is encrypted in a way that gives it away."""
        if token.EncryptionAlgorithm == _RSA_1_5:
            raise ServiceError(ua.StatusCodes.BadIdentityTokenInvalid)

    def check_channel(self, policy: Any) -> None:
        """Refuse a session over a channel that is not secured, if it has to be."""
        if self.secured and (policy.URI == _NONE_URI or not policy.peer_certificate):
            raise ServiceError(ua.StatusCodes.BadSecurityPolicyRejected)


def gets_in(typeid: Any) -> bool:
    """Whether a request of this type opens a session, or goes on with one."""
    return typeid.NamespaceIndex == 0 and typeid.Identifier in _GET_IN


def application_of(typeid: Any, body: Any) -> str | None:
    """The ApplicationUri of a client that creates a session; None for other requests. `body` is left as it was."""
    if typeid.Identifier != ua.ObjectIds.CreateSessionRequest_Encoding_DefaultBinary:
        return None
    told = struct_from_binary(ua.CreateSessionParameters, body.copy(len(body)))
    return str(told.ClientDescription.ApplicationUri or "")


def encrypt_passwords(endpoints: list[Any]) -> None:
    """Have clients encrypt their password where the channel does not: with the server's certificate."""
    for endpoint in endpoints:
        for token in endpoint.UserIdentityTokens:
            if token.TokenType == ua.UserTokenType.UserName and endpoint.SecurityMode == ua.MessageSecurityMode.None_:
                token.SecurityPolicyUri = "http://opcfoundation.org/UA/SecurityPolicy#Basic256Sha256"
