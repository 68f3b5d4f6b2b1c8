"""From a certificate to whoever vouches for it: chains, the right to sign, and revocation (Part 4, 6.1.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from edge_agent_opcua.security.certificate import day, extension, is_self_issued, named, rsa_key, subject
from edge_agent_opcua.security.store import Unreadable

# A root and two below it are common; more than this is a loop.
LONGEST: Final = 8

# SHA-1 and MD5 can be forged (Part 7: all three policies ask for SHA-2).
WEAK: Final = frozenset(("sha1", "md5"))

_NEVER: Final = datetime.max.replace(tzinfo=UTC)

Chain = tuple[x509.Certificate, ...]
"""A certificate and who vouches for it, up to one that vouches for itself."""


def weak_signature(certificate: x509.Certificate) -> str:
    """The name of its signature's hash, if that is one which can be forged; else ''."""
    try:
        algorithm = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "unknown"
    return algorithm.name.upper() if algorithm is not None and algorithm.name in WEAK else ""


def has_signed(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether the name of `issuer` is the one given, and the signature is by its key."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def chains(certificate: x509.Certificate, known: Sequence[x509.Certificate]) -> Iterator[Chain]:
    """Every complete chain that `known` certificates make."""
    return _chains((certificate,), known)


def _chains(so_far: Chain, known: Sequence[x509.Certificate]) -> Iterator[Chain]:
    last = so_far[-1]
    if is_self_issued(last):
        yield so_far
    elif len(so_far) < LONGEST:
        for issuer in known:
            if issuer not in so_far and issuer.subject == last.issuer and has_signed(issuer, last):
                yield from _chains((*so_far, issuer), known)


def missing(certificate: x509.Certificate, known: Sequence[x509.Certificate]) -> str:
    """The name of the authority at which every chain of `certificate` breaks off."""
    last, seen = certificate, [certificate]
    while not is_self_issued(last):
        above = [one for one in known if one not in seen and one.subject == last.issuer and has_signed(one, last)]
        if not above:
            return named(last.issuer)
        last = above[0]
        seen.append(last)
    return subject(last)


def unfit_issuer(chain: Chain, now: datetime) -> tuple[str, str]:
    """Why an authority of the chain may not vouch: (status name of Part 4, reason in words); two '' if all may."""
    for below, issuer in enumerate(chain[1:]):
        name = subject(issuer)
        constraints = extension(issuer, x509.BasicConstraints)
        usage = extension(issuer, x509.KeyUsage)
        if constraints is None or not constraints.ca or not (usage is None or usage.key_cert_sign):
            return "BadCertificateIssuerUseNotAllowed", f"{name}, which has signed it, is no certificate authority"
        if constraints.path_length is not None and below > constraints.path_length:
            return "BadCertificateIssuerUseNotAllowed", f"{name} may not have so many authorities below it"
        if not issuer.not_valid_before_utc <= now <= issuer.not_valid_after_utc:
            ends = f"{day(issuer.not_valid_before_utc)} to {day(issuer.not_valid_after_utc)}"
            return "BadCertificateIssuerTimeInvalid", f"the authority {name} is valid from {ends} only"
        if not is_self_issued(issuer) and (weak := weak_signature(issuer)):
            return "BadCertificatePolicyCheckFailed", f"the authority {name} is signed with {weak}, which can be forged"
        if (key := rsa_key(issuer)) is not None and key.key_size < 2048:
            return "BadCertificatePolicyCheckFailed", f"the key of the authority {name} has only {key.key_size} bits"
    return "", ""


def revoked(
    chain: Chain, lists: Sequence[x509.CertificateRevocationList | Unreadable], now: datetime
) -> tuple[str, list[str]]:
    """(what was revoked and when, '' if nothing; remarks on what is not known)."""
    broken = [one for one in lists if isinstance(one, Unreadable)]
    notes = [f"the revocation list {one.file} cannot be read ({one.why})" for one in broken]
    for certificate, issuer in pairwise(chain):
        own = [one for one in lists if not isinstance(one, Unreadable) and _is_by(one, issuer)]
        for one in own:
            entry = one.get_revoked_certificate_by_serial_number(certificate.serial_number)
            if entry is not None:
                when = day(entry.revocation_date_utc)
                return f"{subject(certificate)} was revoked by {subject(issuer)} on {when}", notes
        if not own:
            notes.append(f"there is no revocation list of {subject(issuer)}: whether it has revoked "
                         f"{subject(certificate)} is not known")  # fmt: skip
        elif (newest := max(one.next_update_utc or _NEVER for one in own)) < now:
            notes.append(f"the revocation list of {subject(issuer)} should have been renewed on {day(newest)}")
    return "", notes


def _is_by(revoked: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    if revoked.issuer != issuer.subject:
        return False
    try:
        return revoked.is_signature_valid(issuer.public_key())   # type: ignore[arg-type]  # TypeError: see below
    except (TypeError, ValueError, UnsupportedAlgorithm):        # a key that cannot sign lists
        return False
