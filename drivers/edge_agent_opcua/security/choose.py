"""Which of the endpoints a server announces to use; pure. Never one weaker than asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit, urlunsplit

from asyncua import ua

from edge_agent.api import AccessDenied
from edge_agent_opcua.security.certificate import printable

LoginKind = Literal["anonymous", "user", "cert"]

PREFIX: Final = "http://opcfoundation.org/UA/SecurityPolicy#"
NONE: Final = "None"
AUTO: Final = "auto"

# Stronger is higher. PSS signatures and OAEP with SHA-256 put Aes256_Sha256_RsaPss first. The other two differ in
# nothing but the length of the AES key, 256 and 128 bits: hence Basic256Sha256 before Aes128_Sha256_RsaOaep, though
# it is the older name.
STRENGTH: Final[Mapping[str, int]] = {"Aes128_Sha256_RsaOaep": 1, "Basic256Sha256": 2, "Aes256_Sha256_RsaPss": 3}

# Deprecated since version 1.04 (Part 7): SHA-1 signatures, and for the first the padding of PKCS #1 v1.5.
BROKEN: Final = frozenset(("Basic128Rsa15", "Basic256"))

_MODES: Final = {NONE: ua.MessageSecurityMode.None_, "Sign": ua.MessageSecurityMode.Sign,
                 "SignAndEncrypt": ua.MessageSecurityMode.SignAndEncrypt}  # fmt: skip
_TOKENS: Final[Mapping[LoginKind, Any]] = {
    "anonymous": ua.UserTokenType.Anonymous, "user": ua.UserTokenType.UserName, "cert": ua.UserTokenType.Certificate,
}  # fmt: skip
_LOGINS: Final = {ua.UserTokenType.Anonymous: "anonymous", ua.UserTokenType.UserName: "user",
                  ua.UserTokenType.Certificate: "cert", ua.UserTokenType.IssuedToken: "token"}  # fmt: skip
_SCHEME: Final = "opc.tcp://"


class NoEndpoint(AccessDenied):
    """The server announces nothing that fits; says what it does announce."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The endpoint to use.

    policy         name, such as Basic256Sha256 or None     mode  ua.MessageSecurityMode
    certificate    of the server, DER, perhaps with who vouches for it; b'' if it has none
    token_id       of the user token policy for the login   token_policy  name of what protects the login; None: nothing
    level          SecurityLevel, the server's own idea of how secure it is
    """

    url: str
    policy: str
    mode: Any
    certificate: bytes
    token_id: str
    token_policy: str
    level: int
    application_uri: str
    product_uri: str

    @property
    def policy_uri(self) -> str:
        """As it travels."""
        return PREFIX + self.policy

    @property
    def token_policy_uri(self) -> str:
        """As it travels."""
        return PREFIX + self.token_policy

    @property
    def is_secure(self) -> bool:
        """Signed at least."""
        return self.policy != NONE

    @property
    def hides_password(self) -> bool:
        """Nobody on the network can read the password of a login."""
        encrypts = self.token_policy in STRENGTH and bool(self.certificate)
        return encrypts or bool(self.mode == ua.MessageSecurityMode.SignAndEncrypt)


def choose(endpoints: Sequence[Any], policy: str, mode: str, login: LoginKind) -> Endpoint:
    """The strongest of `endpoints` (ua.EndpointDescription) that is as asked for and takes the login.

    policy and mode as in the site file, each with `None` and `auto`; `auto` is never None. NoEndpoint if there is none.
    """
    if policy in BROKEN:
        raise NoEndpoint(f"security policy {policy} has been broken for years and is not used; "
                         f"{_allow(endpoints) or 'switch on Basic256Sha256 or better on the server'}")  # fmt: skip
    if (policy == NONE) != (mode == NONE):
        raise NoEndpoint(f"security policy {policy} and mode {mode} exclude each other; write security: auto or none")
    offered = [one for one in endpoints if str(one.EndpointUrl or _SCHEME).startswith(_SCHEME)]
    secured = [one for one in offered if _fits(one, policy, mode)]
    taken = [(one, token) for one in secured if (token := _token(one, login)) is not None]
    if not taken:
        raise NoEndpoint(_nothing(offered, secured, policy, mode, login))
    endpoint, token = max(taken, key=lambda pair: _rank(*pair))
    return Endpoint(
        url=str(endpoint.EndpointUrl or ""),
        policy=_policy(endpoint),
        mode=endpoint.SecurityMode,
        certificate=bytes(endpoint.ServerCertificate or b""),
        token_id=str(token.PolicyId or ""),
        token_policy=_token_policy(endpoint, token),
        level=int(endpoint.SecurityLevel or 0),
        application_uri=str(endpoint.Server.ApplicationUri or ""),
        product_uri=str(endpoint.Server.ProductUri or ""),
    )


def confirm(chosen: Endpoint, endpoints: Sequence[Any], policy: str, mode: str, login: LoginKind) -> None:
    """Choose again among what the server says over the secured channel (CreateSession, Part 4, 5.6.2).

    The first list came unprotected: whoever stands in between may have taken the stronger endpoints out. NoEndpoint
    if there is a better one now.
    """
    if not chosen.is_secure:
        return
    # Here servers may leave out certificates and logins.
    fit = [one for one in endpoints or () if _fits(one, policy, mode, certified=False)]
    fit = [one for one in fit if not one.UserIdentityTokens or _token(one, login) is not None]
    best = max(fit, key=lambda one: (int(one.SecurityMode), STRENGTH[_policy(one)]), default=None)
    if best is None:
        return
    if (int(best.SecurityMode), STRENGTH[_policy(best)]) > (int(chosen.mode), STRENGTH[chosen.policy]):
        raise NoEndpoint(
            f"the server offers {_told(_policy(best), best.SecurityMode)} over the secured channel, but the list that "
            f"came before, unprotected, knew nothing better than {_told(chosen.policy, chosen.mode)}: something in "
            "between may have changed it; write the policy and mode to be used into security:"
        )


def reachable(announced_url: str, used_url: str) -> str:
    """`opc.tcp://PLC7:4840/path` as announced, at the host that was reached; port (if it has one) and path kept."""
    announced, used = urlsplit(announced_url), urlsplit(used_url)
    if announced.scheme != "opc.tcp" or not announced.hostname:
        return used_url
    host = f"[{used.hostname}]" if ":" in (used.hostname or "") else used.hostname
    try:
        port = announced.port or used.port
    except ValueError:
        port = used.port
    place = f"{host}:{port}" if port else str(host)
    return urlunsplit(("opc.tcp", place, announced.path, announced.query, ""))


def _fits(endpoint: Any, policy: str, mode: str, certified: bool = True) -> bool:
    name, its_mode = _policy(endpoint), endpoint.SecurityMode
    if NONE in (policy, mode):
        return policy == mode == name == NONE and its_mode == _MODES[NONE]
    return (
        name in STRENGTH
        and its_mode in (_MODES["Sign"], _MODES["SignAndEncrypt"])
        and policy in (AUTO, name)
        and (mode == AUTO or its_mode == _MODES.get(mode))
        and (bool(endpoint.ServerCertificate) or not certified)
    )


def _rank(endpoint: Any, token: Any) -> tuple[int, int, int, int]:
    """Encrypted before signed, then by policy; among equals what protects the login, then what the server prefers."""
    return (
        int(endpoint.SecurityMode), STRENGTH.get(_policy(endpoint), 0),
        STRENGTH.get(_token_policy(endpoint, token), 0), int(endpoint.SecurityLevel or 0),
    )  # fmt: skip


def _token(endpoint: Any, login: LoginKind) -> Any:
    """The endpoint's strongest policy for a kind of login; None if it does not take it. A certificate proves nothing
    without a signature: for that, a policy that has none does not count. Small servers that list no logins at all
    mean anonymous."""
    if login == "anonymous" and not endpoint.UserIdentityTokens:
        return ua.UserTokenPolicy(TokenType=_TOKENS[login])
    fit = [one for one in endpoint.UserIdentityTokens or () if one.TokenType == _TOKENS[login]]
    if login == "cert":
        fit = [one for one in fit if _token_policy(endpoint, one) in STRENGTH and endpoint.ServerCertificate]
    return max(fit, key=lambda one: STRENGTH.get(_token_policy(endpoint, one), 0), default=None)


def _token_policy(endpoint: Any, token: Any) -> str:
    """What protects a login: its own policy, else that of the endpoint (Part 4, 7.41)."""
    return _short(token.SecurityPolicyUri) if token.SecurityPolicyUri else _policy(endpoint)


def _policy(endpoint: Any) -> str:
    return _short(endpoint.SecurityPolicyUri)


def _short(uri: str | None) -> str:
    return str(uri or "").removeprefix(PREFIX)


def _nothing(
    offered: Sequence[Any], secured: Sequence[Any], policy: str, mode: str, login: LoginKind
) -> str:
    """Why there is no endpoint, what there is, and what to write instead."""
    if not offered:
        return "the server announces no endpoint of opc.tcp"
    there = f"it offers {_listed(offered)}"
    if secured:
        does = {"anonymous": "a session without a login; write login:", "user": "user and password here",
                "cert": "a user's certificate here"}[login]  # fmt: skip
        return f"the server does not take {does}; {there}"
    if NONE in (policy, mode):
        return f"the server has no endpoint without channel security; write security: auto; {there}"
    if any(_fits(one, AUTO, AUTO) for one in offered):
        wanted = " ".join(word for word in (policy, mode) if word != AUTO)
        return f"the server does not offer {wanted}; {there}"
    if any(_fits(one, NONE, NONE) for one in offered):
        return f"the server offers no encryption; to connect without it, write security: none; {there}"
    return f"the server offers no security policy that may be used; {there}"


def _allow(endpoints: Sequence[Any]) -> str:
    usable = sorted({_policy(one) for one in endpoints} & STRENGTH.keys(), key=STRENGTH.__getitem__)
    return f"the server also offers {', '.join(usable)}" if usable else ""


def _listed(endpoints: Sequence[Any]) -> str:
    """`Basic256Sha256/SignAndEncrypt (user, cert), None/None (anonymous)`."""
    told = []
    for one in endpoints:
        tokens = [_LOGINS.get(token.TokenType, "other") for token in one.UserIdentityTokens or ()]
        told.append(f"{_told(_policy(one), one.SecurityMode)} ({', '.join(dict.fromkeys(tokens)) or 'no login'})")
    return ", ".join(dict.fromkeys(told))


def _told(policy: str, mode: Any) -> str:
    return f"{printable(policy)}/{str(getattr(mode, 'name', mode)).rstrip('_')}"
