"""What a server means that refuses a channel, a session or a login, and what to do about it; in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from asyncua import ua

# What stands for our certificate in the sentences below; `explained` adds its thumbprint.
_OURS: Final = "{ours}"

# On most servers the way in: they keep the certificates of clients they do not know, to be approved.
_APPROVE: Final = (
    f"in the server's configuration move {_OURS} from the rejected certificates to the trusted ones "
    "(or copy the file own/certs/*.der of the pki folder there), then it works at the next attempt"
)
_RENEW_OURS: Final = "make a new one (edge-agent cert new) and have the server trust it"
_ASK_SERVER: Final = "ask whoever runs the server's certificates"

# Name of the StatusCode (Part 4, 7.39; Part 6, 7.1.5) → what it means, what to do.
TABLE: Final[Mapping[str, tuple[str, str]]] = {
    "BadSecurityChecksFailed": (
        "the server refuses the secured channel and does not say why; nearly always it does not trust "
        "our certificate yet", _APPROVE,
    ),
    "BadCertificateUntrusted": ("the server does not trust our certificate yet", _APPROVE),
    "BadCertificateInvalid": (
        "the server cannot use our certificate",
        f"check with edge-agent cert list that {_OURS} is right, or {_RENEW_OURS}",
    ),
    "BadCertificateTimeInvalid": (
        "to the server our certificate has ended or has not begun",
        "compare the clocks of server and gateway; if both are right, " + _RENEW_OURS,
    ),
    "BadCertificateIssuerTimeInvalid": (
        "to the server the authority that signed our certificate has ended or has not begun",
        "compare the clocks; if both are right, ask the authority for a new certificate",
    ),
    "BadCertificateHostNameInvalid": (
        "the server does not find the host name it expects in a certificate",
        "connect by a name that the server's certificate has, or make ours anew with "
        "edge-agent cert new --name HOST",
    ),
    "BadCertificateUriInvalid": (
        "our certificate names another application than we say we are",
        "the agent takes its name from its certificate: the file in own/certs was changed while it was "
        "running, connect again; else " + _RENEW_OURS,
    ),
    "BadCertificateUseNotAllowed": (
        "to the server our certificate is not made for clients of OPC UA",
        f"its key usage is wrong (certificates of another authority?); {_RENEW_OURS}",
    ),
    "BadCertificateIssuerUseNotAllowed": (
        "to the server whoever signed our certificate is no certificate authority",
        "have it signed by the right one (edge-agent cert new --csr), or " + _RENEW_OURS,
    ),
    "BadCertificateRevocationUnknown": (
        "the server wants to know whether our certificate was revoked, and has no revocation list",
        f"give the server the list of our authority, or let it do without; {_ASK_SERVER}",
    ),
    "BadCertificateIssuerRevocationUnknown": (
        "the server wants to know whether the authority of our certificate was revoked, and has no list",
        f"give the server the lists of the authorities above it, or let it do without; {_ASK_SERVER}",
    ),
    "BadCertificateRevoked": (
        "our certificate was revoked", "have the authority sign a new one (edge-agent cert new --csr)",
    ),
    "BadCertificateIssuerRevoked": (
        "the authority that signed our certificate was revoked",
        "have another one sign it (edge-agent cert new --csr), or " + _RENEW_OURS,
    ),
    "BadCertificateChainIncomplete": (
        "the server does not know who signed our certificate",
        "add the certificate of our authority to the server's issuers",
    ),
    "BadCertificatePolicyCheckFailed": (
        "our certificate is not strong enough for this security policy, or too strong for the server",
        "make one with another key (edge-agent cert new --bits 2048), or choose another policy",
    ),
    "BadNoValidCertificates": (
        "the server has no certificate it could use itself", "make one on the server",
    ),
    "BadSecurityPolicyRejected": (
        "the server does not take this security policy here",
        "write security: auto, or see with edge-agent discover which it offers; if it should, switch the "
        "policy on in the server",
    ),
    "BadSecurityModeRejected": (
        "the server does not take this security mode here",
        "write security: auto, or see with edge-agent discover which it offers",
    ),
    "BadSecurityModeInsufficient": (
        "the server wants this done over an encrypted channel only",
        "write security: auto, or security: {{mode: SignAndEncrypt}}",
    ),
    "BadIdentityTokenInvalid": (
        "the server cannot read our login, or wants one where we have none",
        "check login: user and password or cert; some servers want a login that others do without",
    ),
    "BadIdentityTokenRejected": (
        "the server does not take this kind of login, or not this user",
        "check login: it may want user and password instead of a certificate or of nobody; a certificate "
        "of a user has to be trusted on the server, apart from that of the agent",
    ),
    "BadUserAccessDenied": (
        "wrong user or password, or the user may not do this",
        "check login, and what the server lets this user do; tried again rarely, not to lock the account",
    ),
    "BadUserSignatureInvalid": (
        "the server cannot verify the signature of the user's certificate",
        "check that login.key belongs to login.cert, and that the server was not given a new certificate",
    ),
    "BadApplicationSignatureInvalid": (
        "the server cannot verify our signature",
        "our certificate was changed while connecting, or something stands between us and the server; "
        "if it lasts, " + _RENEW_OURS,
    ),
    "BadIdentityChangeNotSupported": (
        "the server does not let a session change its user", "connect again",
    ),
    "BadNonceInvalid": (
        "the server refuses our random number: too short for it, or used before",
        "restart the server; if it lasts, choose another security policy",
    ),
    "BadInvalidTimestamp": (
        "to the server our request comes from another time", "set the clocks of server and gateway (NTP)",
    ),
    "BadTooManySessions": (
        "others hold all sessions of the server",
        "close other clients; those that vanished go after their session timeout; or allow more sessions "
        "on the server",
    ),
    "BadMaxConnectionsReached": (
        "others hold all connections of the server", "close other clients, or allow more on the server",
    ),
    "BadTcpServerTooBusy": (
        "the server is busy", "wait; if it lasts, close other clients",
    ),
    "BadTcpNotEnoughResources": (
        "the server has no room for another connection",
        "close other clients; those that vanished go after their session timeout",
    ),
    "BadTcpSecureChannelUnknown": (
        "the server does not know our channel any more, for example because it was restarted", "connect again",
    ),
    "BadSecureChannelIdInvalid": ("the server does not know our channel any more", "connect again"),
    "BadSecureChannelClosed": (
        "the server has closed the channel; during a connect often because it does not trust our certificate yet",
        _APPROVE,
    ),
    "BadSecureChannelTokenUnknown": (
        "the key of the channel has expired, for example because a computer stood still", "connect again",
    ),
    "BadTcpEndpointUrlInvalid": (
        "the server does not go by the URL we use",
        "compare path and host with what edge-agent discover shows; some servers want exactly the URL they announce",
    ),
    "BadServerUriInvalid": (
        "another server answers there than the one meant",
        "a gateway or proxy in between leads to the wrong server: check url",
    ),
    "BadDiscoveryUrlMissing": (
        "a discovery server answers there, and misses a URL", "write the URL of the server itself",
    ),
    "BadProtocolVersionUnsupported": (
        "the server speaks another version of the protocol",
        "check that opc.tcp is served at this port; update the server",
    ),
    "BadLicenseExpired": ("the licence of the server has expired", "renew it on the server"),
    "BadLicenseLimitsExceeded": (
        "the licence of the server allows no more clients or tags", "close others, or extend it",
    ),
    "BadLicenseNotAvailable": ("the server has no licence for this", "install it on the server"),
    "GoodPasswordChangeRequired": (
        "the server wants the password to be changed", "log in with its own tool, change it, write the new one",
    ),
}  # fmt: skip

_BY_CODE: Final = {int(getattr(ua.StatusCodes, name)): told for name, told in TABLE.items()}


def explained(code: int, thumbprint: str = "") -> str:
    """What a StatusCode says about certificates, security or identity, and what to do; '' for any other code.

    `thumbprint` (SHA-1) of our certificate: servers show it, and often call the rejected file by it.
    """
    if code not in _BY_CODE:
        return ""
    return _filled("; ".join(_BY_CODE[code]), thumbprint)


def dropped(thumbprint: str = "") -> str:
    """What it means if a server hangs up instead of opening a secured channel, as many do; asyncua then raises
    ConnectionError or a bare AssertionError."""
    return _filled(
        "the server hung up instead of opening a secured channel; nearly always it does not trust our certificate "
        f"yet: {_APPROVE}", thumbprint,
    )  # fmt: skip


def _filled(told: str, thumbprint: str) -> str:
    ours = "edge-agent's certificate"
    return told.format(ours=f"{ours} (thumbprint {thumbprint})" if thumbprint else ours)


DROPPED: Final = dropped()
