"""From our certificate and the chosen endpoint to what asyncua works with; without files in between."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from asyncua.crypto import security_policies
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from edge_agent_opcua.security.certificate import CertificateTrouble, certificates_in, rsa_key
from edge_agent_opcua.security.choose import Endpoint
from edge_agent_opcua.security.own import Own, load_key
from edge_agent_opcua.security.store import read, reason

_POLICIES: Final[Mapping[str, Any]] = {
    policy.URI: policy
    for policy in (
        security_policies.SecurityPolicyAes256Sha256RsaPss,
        security_policies.SecurityPolicyAes128Sha256RsaOaep,
        security_policies.SecurityPolicyBasic256Sha256,
    )
}


@dataclass(frozen=True, slots=True)
class UserCertificate:
    """The X.509 identity of a user: his certificate, who vouches for it, and the key."""

    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    key: rsa.RSAPrivateKey

    def __repr__(self) -> str:
        """Without the key."""
        return f"UserCertificate({self.certificate.subject.rfc4514_string()!r})"


def policy_object(endpoint: Endpoint, own: Own | None) -> Any:
    """asyncua's SecurityPolicy for the endpoint; it serves one connection. Takes some ms of CPU."""
    if not endpoint.is_secure:
        return security_policies.SecurityPolicyNone()
    assert own is not None
    policy = _POLICIES[endpoint.policy_uri]
    try:
        server = certificates_in(endpoint.certificate)[0]
    except ValueError:
        raise CertificateTrouble("the server announces a certificate that cannot be read; make a new one on the "
                                 "server") from None  # fmt: skip
    if rsa_key(server) is None:
        raise CertificateTrouble("the server's certificate has no usable RSA key, which the security policies need; "
                                 "make a new one on the server")  # fmt: skip
    return policy(server, own.certificate, own.key, endpoint.mode)


def secure(client: Any, endpoint: Endpoint, own: Own | None) -> None:
    """Make an asyncua Client that is not connected yet use the endpoint, under the name of our certificate."""
    policy = policy_object(endpoint, own)
    client.security_policy = policy
    client.uaclient.set_security(policy)
    if own is not None:
        client.application_uri = own.uri


def user_certificate(cert: Path, key: Path, password: str = "") -> UserCertificate:
    """A user's certificate and key from their files, DER or PEM. CertificateTrouble says what is wrong with them."""
    try:
        leaf, *chain = certificates_in(read(cert))
    except (OSError, ValueError) as error:
        raise CertificateTrouble(f"login.cert {cert} cannot be used ({reason(error)}); it must be a certificate, "
                                 "DER or PEM") from None  # fmt: skip
    try:
        private = load_key(read(key), password)
    except OSError as error:
        raise CertificateTrouble(f"login.key {key} cannot be used ({reason(error)})") from None
    except ValueError as error:
        raise CertificateTrouble(f"login.key {key} cannot be used: {error}") from None
    public = rsa_key(leaf)
    if public is None or public.public_numbers() != private.public_key().public_numbers():
        raise CertificateTrouble(f"login.key {key} does not belong to login.cert {cert}; they come as a pair")
    return UserCertificate(leaf, tuple(chain), private)


def log_in(client: Any, user: UserCertificate) -> None:
    """Make an asyncua Client that is not connected yet log in with a user's certificate."""
    client.user_certificate = user.certificate
    client.user_certificate_chain = list(user.chain)
    client.user_private_key = user.key
