"""What the library raises → what the caller should do: try again soon, or rarely; in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from asyncua import ua

from edge_agent.api import AccessDenied, NotConnected, Refused
from edge_agent_opcua.codes import codes
from edge_agent_opcua.security.certificate import CertificateTrouble
from edge_agent_opcua.security.explain import dropped, explained

Failure = NotConnected | AccessDenied

# Asking again does not help: somebody has to do something first.
_DENIED: Final = codes(
    "BadUserAccessDenied", "BadIdentityTokenInvalid", "BadIdentityTokenRejected",
    "BadUserSignatureInvalid", "BadSecurityPolicyRejected", "BadSecurityModeRejected",
    "BadSecurityModeInsufficient", "BadLicenseExpired", "BadLicenseLimitsExceeded",
    "BadLicenseNotAvailable",
)  # fmt: skip
# Somebody has to approve a certificate, and then wants to see that it works; asking locks nobody out.
_APPROVAL_S: Final = 5.0
_CERTIFICATE: Final = frozenset(
    code for name, code in vars(ua.StatusCodes).items() if name.startswith("BadCertificate")
) | {ua.StatusCodes.BadSecurityChecksFailed}


def failure(url: str, error: Exception, thumbprint: str = "") -> Failure:
    """`error` of a connection to `url`, sorted by what the caller should do; `thumbprint` of our certificate."""
    if isinstance(error, CertificateTrouble):
        return NotConnected(f"{url}: {error}", retry_after_s=_APPROVAL_S)
    if isinstance(error, AccessDenied):
        return error if str(error).startswith(url) else AccessDenied(f"{url}: {error}")
    if isinstance(error, NotConnected):
        return error
    if isinstance(error, ua.UaStatusCodeError):
        status = ua.StatusCode(error.code)
        text = f"{url}: {status.name}: {explained(error.code, thumbprint) or status.doc}"
        if error.code in _CERTIFICATE:
            return NotConnected(text, retry_after_s=_APPROVAL_S)
        return AccessDenied(text) if error.code in _DENIED else NotConnected(text)
    if isinstance(error, TimeoutError):
        return NotConnected(f"{url}: no answer in time")
    if isinstance(error, ConnectionRefusedError):
        return NotConnected(f"{url}: connection refused; nothing listens on this port")
    if isinstance(error, OSError):
        return NotConnected(f"{url}: {error.strerror or error}")
    if isinstance(error, AssertionError):       # what asyncua makes of a channel that is closed instead of opened
        return NotConnected(f"{url}: {dropped(thumbprint)}", retry_after_s=_APPROVAL_S)
    return NotConnected(f"{url}: {type(error).__name__}: {error}")


def is_full(failure: Failure) -> bool:
    """Whether the server has no session left for anybody."""
    cause = failure.__cause__
    return isinstance(cause, ua.UaStatusCodeError) and cause.code == ua.StatusCodes.BadTooManySessions


def translator(url: str, thumbprint: str = "") -> Callable[[], AbstractContextManager[None]]:
    """For `with translated():`: inside it the library may raise what it wants."""

    @contextmanager
    def translated() -> Iterator[None]:
        try:
            yield
        except Refused:
            raise
        except Exception as error:
            told = failure(url, error, thumbprint)
            if told is error:
                raise
            raise told from error

    return translated


def name_of(code: int) -> str:
    """`BadNodeIdUnknown`, or the number in hex."""
    return str(ua.StatusCode(code).name)
