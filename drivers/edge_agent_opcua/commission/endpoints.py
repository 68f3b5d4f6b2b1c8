"""How a server can be connected to, in words: policies, modes, logins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from asyncua import ua

_LOGINS: Final = {
    ua.UserTokenType.Anonymous: "anonymous",
    ua.UserTokenType.UserName: "user and password",
    ua.UserTokenType.Certificate: "certificate",
    ua.UserTokenType.IssuedToken: "token",
}


def told(endpoints: Sequence[Any]) -> list[str]:
    """A line for each kind of `ua.EndpointDescription`, the safest first: `offers Basic256Sha256 SignAndEncrypt:
    anonymous, user and password`."""
    ordered = sorted(endpoints, key=lambda one: (int(one.SecurityMode), one.SecurityLevel), reverse=True)
    return list(dict.fromkeys(_line(one) for one in ordered))


def _line(endpoint: Any) -> str:
    logins = dict.fromkeys(_LOGINS.get(token.TokenType, "another login") for token in endpoint.UserIdentityTokens or ())
    policy = str(endpoint.SecurityPolicyUri or "").rpartition("#")[2] or "an unnamed policy"
    security = "no security" if policy == "None" else f"{policy} {ua.MessageSecurityMode(endpoint.SecurityMode).name}"
    return f"offers {security}: {', '.join(logins) or 'no login'}"
