"""Our own certificate and its key: the pair that is there, or one freshly made."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from edge_agent_opcua.security import make
from edge_agent_opcua.security.certificate import (
    LEAST_BITS,
    CertificateTrouble,
    application_uris,
    day,
    der,
    fingerprint,
    is_self_issued,
    rsa_key,
    subject,
    thumbprint,
)
from edge_agent_opcua.security.store import Held, Place, Store, Unreadable, read, reason

NAME: Final = "edge-agent"


@dataclass(frozen=True, slots=True)
class Own:
    """Who we are. `uri` is the application URI of the certificate itself, which servers compare with what we
    call ourselves."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey
    uri: str
    file: Path
    key_file: Path

    @property
    def cert_der(self) -> bytes:
        """The certificate as it travels."""
        return der(self.certificate)

    @property
    def expires(self) -> datetime:
        """Its last moment."""
        return self.certificate.not_valid_after_utc

    @property
    def fingerprint(self) -> str:
        """SHA-256, 64 hex digits."""
        return fingerprint(self.certificate)

    @property
    def thumbprint(self) -> str:
        """SHA-1, 40 hex digits: what it is found by on a server."""
        return thumbprint(self.certificate)

    def __repr__(self) -> str:
        """Without the key."""
        return f"Own({self.uri!r}, until {day(self.expires)}, {self.fingerprint[:16]})"


def command(action: str, store: Store, *words: str) -> str:
    """`edge-agent cert trust 3f2a9c0112345678 --pki /var/lib/edge-agent/pki`, to be copied as it stands."""
    return shlex.join(["edge-agent", "cert", action, *words, "--pki", str(store.folder)])


def own(store: Store, wish: make.Wish, now: datetime) -> Own:
    """The pair that is there, else a fresh one as wished. CertificateTrouble says what is wrong with what is there."""
    found = find(store, now)
    if found is None:
        with store.alone():
            found = find(store, now) or make_pair(store, wish, now)
    return _usable(found, store, now)


def find(store: Store, now: datetime) -> Own | None:
    """The best pair there is, even if it has ended; None if a certificate may be made. CertificateTrouble if there is
    something, but no pair."""
    there = store.look(Place.OWN)
    certificates = [one for one in there if isinstance(one, Held)]
    keys, unread = _keys(store)
    unread += [one for one in there if isinstance(one, Unreadable)]
    pairs = [
        Own(held.certificate, key, next(iter(application_uris(held.certificate)), ""), held.file, file)
        for held in certificates
        for file, key in keys
        if (public := rsa_key(held.certificate)) and public.public_numbers() == key.public_key().public_numbers()
    ]
    if pairs:
        # What an authority has signed is worth more to servers than what we have signed ourselves.
        return max(pairs, key=lambda one: (one.expires > now, not is_self_issued(one.certificate), one.expires))
    again = f"or make a new pair: {command('new', store, '--force')}"
    for one in unread:
        raise CertificateTrouble(f"{one.file} cannot be used ({one.why}); put it right, {again}")
    if certificates:
        file = certificates[0].file
        if keys:
            raise CertificateTrouble(f"the key {keys[0][0]} does not belong to the certificate {file}; "
                                     f"put the right one there, {again}")  # fmt: skip
        raise CertificateTrouble(f"the certificate {file} has no private key; put it into {store.private}, {again}")
    if keys and store.requests:
        raise CertificateTrouble(
            f"the request {store.requests[0]} waits for the certificate of your authority; put that into "
            f"{store.certificates(Place.OWN)}, {again}"
        )
    return None


def make_pair(store: Store, wish: make.Wish, now: datetime) -> Own:
    """Make a certificate for the key that is there (a power cut may have come between the two), or for a new one."""
    file, key = first_key(store) or new_key(store, wish, now)
    certificate = make.self_signed(key, wish, now)
    path = store.certificates(Place.OWN) / f"{NAME}.der"
    store.write(path, der(certificate))
    return Own(certificate, key, wish.uri, path, file)


def first_key(store: Store) -> tuple[Path, rsa.RSAPrivateKey] | None:
    """The key that is there, if it can be read."""
    keys, _ = _keys(store)
    return keys[0] if keys else None


def new_key(store: Store, wish: make.Wish, now: datetime) -> tuple[Path, rsa.RSAPrivateKey]:
    """Make a key and keep it."""
    make.check_clock(now)
    key = make.new_key(wish.bits)
    file = store.private / f"{NAME}.pem"
    store.write(file, make.key_pem(key), 0o600)
    return file, key


def retire(store: Store, now: datetime) -> list[Path]:
    """Put aside every certificate, key and request of ours; they are kept under a name that says until when they
    were good."""
    ends = [one.certificate.not_valid_after_utc for one in store.held(Place.OWN)]
    until = day(max(ends, default=now))
    files = [*{one.file for one in store.look(Place.OWN)}, *store.key_files(), *store.requests]
    return [store.retire(file, until) for file in sorted(files)]


def load_key(data: bytes, password: str = "") -> rsa.RSAPrivateKey:
    """A private key of PEM or DER. ValueError says in words why it is none."""
    secret = password.encode() or None
    load = load_pem_private_key if b"-----BEGIN" in data else load_der_private_key
    try:
        key = load(data, secret)
    except TypeError:
        why = "encrypted: its password is needed" if secret is None else "not encrypted: leave the password out"
        raise ValueError(f"it is {why}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("it holds no private key, or the password is wrong" if secret else
                         "it holds no private key") from None  # fmt: skip
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("it is no RSA key, which the security policies of OPC UA need")  # noqa: TRY004 (of a file)
    return key


def _keys(store: Store) -> tuple[list[tuple[Path, rsa.RSAPrivateKey]], list[Unreadable]]:
    keys, unread = [], []
    for file in store.key_files():
        try:
            keys.append((file, load_key(read(file))))
        except OSError as error:
            unread.append(Unreadable(Place.OWN, file, reason(error)))
        except ValueError as error:
            unread.append(Unreadable(Place.OWN, file, str(error)))
    return keys, unread


def _usable(found: Own, store: Store, now: datetime) -> Own:
    again = f"make a new one ({command('new', store)}) and have every server trust it"
    if found.expires <= now:
        raise CertificateTrouble(
            f"the agent's certificate {subject(found.certificate)} has ended on {day(found.expires)}; {again}. "
            f"If that day has not come yet, the clock of this computer ({now:%Y-%m-%d %H:%M} UTC) is wrong"
        )
    again = f"make a new one ({command('new', store, '--force')}) and have every server trust it"
    if not found.uri:
        raise CertificateTrouble(f"the agent's certificate {found.file} names no application URI, without which "
                                 f"servers refuse it; {again}")  # fmt: skip
    if found.key.key_size < LEAST_BITS:
        raise CertificateTrouble(f"the agent's key {found.key_file} has {found.key.key_size} bits, which servers "
                                 f"refuse; {again}")  # fmt: skip
    return found


def host_names(found: Sequence[str]) -> list[str]:
    """What of the names of this computer a certificate can say; at least localhost."""
    fit = []
    for name in found:
        try:
            make.Wish("urn:x:y", [name])
        except ValueError:
            continue
        fit.append(name)
    return fit or ["localhost"]
