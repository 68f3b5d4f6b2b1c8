"""A certificate as `edge-agent cert` shows it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography import x509

from edge_agent.api import Certificate
from edge_agent_opcua.security.certificate import (
    LEAST_BITS,
    CertificateTrouble,
    application_uris,
    fingerprint,
    hosts,
    is_self_issued,
    named,
    printable,
    rsa_key,
    subject,
    thumbprint,
)
from edge_agent_opcua.security.chain import weak_signature
from edge_agent_opcua.security.expiry import EARLY, ends
from edge_agent_opcua.security.store import Held, Unreadable


def entry(one: Held | Unreadable, now: datetime) -> Certificate:
    """One file of the PKI folder, or one certificate of it."""
    if isinstance(one, Unreadable):
        return Certificate(one.place, one.file, remarks=[f"cannot be read ({one.why})"])
    return shown(one.certificate, one.place, one.file, now)


def shown(certificate: x509.Certificate, place: str, file: Path, now: datetime) -> Certificate:
    """A certificate with what is to be remarked of it."""
    try:
        uris, names, wrong = application_uris(certificate), hosts(certificate), []
    except CertificateTrouble as error:
        uris, names, wrong = [], [], [str(error)]
    return Certificate(
        place,
        file,
        subject(certificate),
        printable(", ".join(uris)),
        tuple(map(printable, names)),
        fingerprint(certificate),
        thumbprint(certificate),
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        tuple(wrong + _remarks(certificate, now)),
    )


def _remarks(certificate: x509.Certificate, now: datetime) -> list[str]:
    told = []
    if certificate.not_valid_after_utc - now < EARLY:
        told.append(ends(certificate.not_valid_after_utc, now))
    if certificate.not_valid_before_utc > now:
        told.append("is not valid yet")
    if not is_self_issued(certificate):
        told.append(f"signed by {named(certificate.issuer)}")
    if weak := weak_signature(certificate):
        told.append(f"signed with {weak}, which can be forged")
    if (key := rsa_key(certificate)) is not None and key.key_size < LEAST_BITS:
        told.append(f"its key has only {key.key_size} bits")
    return told
