"""Whether a peer's certificate is to be trusted, and if not, what to do about it (Part 4, 6.1.3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, Literal

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge_agent_opcua.security import chain
from edge_agent_opcua.security.certificate import (
    LEAST_BITS,
    CertificateTrouble,
    application_uris,
    certificates_in,
    day,
    extension,
    fingerprint,
    hosts,
    is_self_issued,
    printable,
    rsa_key,
    subject,
    thumbprint,
)
from edge_agent_opcua.security.own import command
from edge_agent_opcua.security.store import Place, Store

Peer = Literal["server", "client"]

# A peer may send those who vouch for it along; so many are looked at, for every chain of them is tried.
SENT_MOST: Final = 4

# So much of a fingerprint is put into the command to copy: a certificate that shares 16 digits with
# another takes 2^64 tries to make, one that shares 8 an afternoon.
PREFIX: Final = 16

_PURPOSE: Final = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


class Untrusted(CertificateTrouble):
    """The peer's certificate is refused. `status` names the StatusCode of Part 4 for it."""

    def __init__(self, status: str, told: str) -> None:
        super().__init__(told)
        self.status = status


def judge(
    store: Store, sent: bytes, host: str, application_uri: str, now: datetime, peer: Peer = "server"
) -> list[str]:
    """Whether the certificate a peer has sent (DER, alone or with who vouches for it) is to be trusted.

    host             how the peer was reached; '' asks no such question
    application_uri  what the peer calls itself (ApplicationDescription.ApplicationUri)

    Returns what is worth a warning. Raises `Untrusted`; an unknown certificate then lies in `rejected`.
    """
    try:
        leaf, *others = certificates_in(sent)
    except ValueError:
        raise Untrusted("BadCertificateInvalid", f"the {peer} sends no certificate that can be read; "
                        f"it needs an application certificate (X.509, RSA)") from None  # fmt: skip
    try:
        notes = [*_of_itself(leaf, host, application_uri, now, peer)]
        return notes + _of_others(store, leaf, others[:SENT_MOST], now, peer)
    except Untrusted:
        raise
    except CertificateTrouble as error:
        raise Untrusted("BadCertificateInvalid", f"the {peer}'s certificate is refused: {error}") from None


def _of_itself(leaf: x509.Certificate, host: str, uri: str, now: datetime, peer: Peer) -> Iterator[str]:
    """What can be said of the certificate without knowing anybody else's; yields remarks."""
    who, anew = f"the {peer}'s certificate {subject(leaf)}", f"make a new one on the {peer}"
    key = rsa_key(leaf)
    if key is None:
        raise Untrusted("BadCertificatePolicyCheckFailed", f"{who} has no usable RSA key, which the security "
                        f"policies need; {anew}")  # fmt: skip
    if key.key_size < LEAST_BITS:
        raise Untrusted("BadCertificatePolicyCheckFailed", f"{who} has a key of {key.key_size} bits, which can be "
                        f"broken; {anew} with {LEAST_BITS} bits or more")  # fmt: skip
    if weak := chain.weak_signature(leaf):
        raise Untrusted("BadCertificatePolicyCheckFailed", f"{who} is signed with {weak}, which can be forged; "
                        f"{anew} signed with SHA-256")  # fmt: skip
    _check_time(leaf, who, now, peer)
    uris = application_uris(leaf)
    if uri not in uris:
        says = f"is that of {printable(', '.join(uris))}" if uris else "names no application URI"
        raise Untrusted("BadCertificateUriInvalid", f"{who} {says}, but the {peer} calls itself "
                        f"{printable(uri) or 'nothing'}; {anew}, or give it the right name")  # fmt: skip
    yield from _check_use(leaf, who, peer)
    if host and host.lower() not in (name.lower() for name in hosts(leaf)):
        yield f"{who} does not speak for {host}, but for {printable(', '.join(hosts(leaf))) or 'no host'}"


def _check_time(leaf: x509.Certificate, who: str, now: datetime, peer: Peer) -> None:
    clock = f"the clock of this computer says {now:%Y-%m-%d %H:%M} UTC"
    if now > leaf.not_valid_after_utc:
        raise Untrusted("BadCertificateTimeInvalid", f"{who} has ended on {day(leaf.not_valid_after_utc)} ({clock}); "
                        f"make a new one on the {peer}, then approve that here")  # fmt: skip
    if now < leaf.not_valid_before_utc:
        raise Untrusted("BadCertificateTimeInvalid", f"{who} begins only on {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} "
                        f"UTC, and {clock}; set the clock that is wrong, here or on the {peer}")  # fmt: skip


def _check_use(leaf: x509.Certificate, who: str, peer: Peer) -> Iterator[str]:
    """Key usage as the protocol needs it: signatures and the encryption of secrets (Part 6, table 43)."""
    usage = extension(leaf, x509.KeyUsage)
    if usage is None:
        yield f"{who} does not say what its key may be used for"
    elif not usage.digital_signature or not (usage.key_encipherment or usage.data_encipherment):
        raise Untrusted("BadCertificateUseNotAllowed", f"{who} may not be used to sign and to encrypt, as OPC UA does; "
                        f"make a new one on the {peer}")  # fmt: skip
    purposes = extension(leaf, x509.ExtendedKeyUsage)
    allowed = (_PURPOSE[peer], ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    if purposes is not None and not any(one in purposes for one in allowed):
        raise Untrusted("BadCertificateUseNotAllowed", f"{who} is not made for a {peer} (extended key usage); "
                        f"make a new one on the {peer}")  # fmt: skip


def _of_others(
    store: Store, leaf: x509.Certificate, sent: Sequence[x509.Certificate], now: datetime, peer: Peer
) -> list[str]:
    """Who vouches for the certificate; returns remarks."""
    trusted = [one.certificate for one in store.held(Place.TRUSTED)]
    known = [*trusted, *(one.certificate for one in store.held(Place.ISSUERS)), *sent]
    if is_self_issued(leaf) and not chain.has_signed(leaf, leaf):
        raise Untrusted("BadCertificateInvalid", f"the {peer}'s certificate {subject(leaf)} is not signed by itself, "
                        f"as it says; make a new one on the {peer}")  # fmt: skip
    complete = list(chain.chains(leaf, known))
    vouched = [one for one in complete if any(certificate in trusted for certificate in one)]
    if not vouched:
        if leaf not in trusted:
            raise _unknown(store, leaf, known, peer)
        raise Untrusted("BadCertificateChainIncomplete", f"the {peer}'s certificate {subject(leaf)} is trusted, but "
                        f"{_unknown_authority(store, chain.missing(leaf, known))}")  # fmt: skip
    first: Untrusted | None = None
    for one in vouched:
        try:
            return _of_chain(store, one, now, peer)
        except Untrusted as error:
            first = first or error
    assert first is not None
    raise first


def _of_chain(store: Store, one: chain.Chain, now: datetime, peer: Peer) -> list[str]:
    who = f"the {peer}'s certificate {subject(one[0])}"
    status, why = chain.unfit_issuer(one, now)
    if status:
        raise Untrusted(status, f"{who} is refused: {why}; ask whoever runs that authority")
    taken_back, notes = chain.revoked(one, store.lists() if len(one) > 1 else (), now)
    if taken_back:
        raise Untrusted("BadCertificateRevoked", f"{who} is refused: {taken_back}; the {peer} needs a new certificate")
    return notes


def _unknown(store: Store, leaf: x509.Certificate, known: Sequence[x509.Certificate], peer: Peer) -> Untrusted:
    """The certificate in quarantine, and the error that says how to approve it."""
    told = [f"the {peer}'s certificate is not trusted yet: {subject(leaf)}, until {day(leaf.not_valid_after_utc)}, "
            f"SHA-256 fingerprint {fingerprint(leaf)} (SHA-1 thumbprint {thumbprint(leaf)})"]  # fmt: skip
    told += _changed(store, leaf, peer)
    if not is_self_issued(leaf) and not list(chain.chains(leaf, known)):
        told.append(_unknown_authority(store, chain.missing(leaf, known)))
    try:
        store.quarantine(leaf)
        approve = command("trust", store, fingerprint(leaf)[:PREFIX])
        told.append(f"compare one of the two with what the {peer} itself shows, then approve it: {approve}")
    except CertificateTrouble as error:
        told.append(f"it could not be kept for approval: {error}")
    return Untrusted("BadCertificateUntrusted", "; ".join(told))


def _unknown_authority(store: Store, name: str) -> str:
    add = command("trust", store, "--issuer", "FILE")
    return f"it is signed by {name}, whose certificate is not here: get that from whoever runs it, then {add}"


def _changed(store: Store, leaf: x509.Certificate, peer: Peer) -> Iterator[str]:
    """A remark if another certificate of the same application is trusted."""
    uris = set(application_uris(leaf))
    for one in store.held(Place.TRUSTED):
        if uris.intersection(application_uris(one.certificate)):
            until = day(one.certificate.not_valid_after_utc)
            yield (
                f"another certificate of this application is trusted ({fingerprint(one.certificate)[:PREFIX]}, until "
                f"{until}) and this is not it: the {peer} was given a new one, or something poses as it"
            )
            return
