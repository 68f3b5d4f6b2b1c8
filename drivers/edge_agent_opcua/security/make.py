"""Making keys, application certificates and requests for them (Part 6, 6.2.2)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge_agent_opcua.security.certificate import CertificateTrouble

BITS: Final = (2048, 3072, 4096)
DAYS: Final = 5 * 365
# RFC 5280, 4.1.2.5: what ends in 2050 or later is written in another way, which old servers misread.
MOST_DAYS: Final = 20 * 365

# Servers' clocks are often behind: a certificate of this minute would not be valid there yet.
BACKDATED: Final = timedelta(days=1)

# A gateway without a battery wakes up in 1970: what it makes then has ended before anybody sees it.
EARLIEST: Final = datetime(2025, 1, 1, tzinfo=UTC)

# X.520, upper bound of a common name and of an organization.
_NAME_MOST: Final = 64


@dataclass(frozen=True, slots=True)
class Wish:
    """What a certificate is to say. `uri`: the application URI; `names`: host names and IP addresses.

    ValueError for what no certificate can say."""

    uri: str
    names: Sequence[str]
    organization: str = ""
    bits: int = BITS[0]
    days: int = DAYS

    def __post_init__(self) -> None:
        if not self.uri.isascii() or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", self.uri):
            raise ValueError(f"{self.uri!r} is no application URI; it is like urn:gateway:edge-agent:gw-01")
        for name in self.names:
            _general_name(name)
        if len(self.organization) > _NAME_MOST:
            raise ValueError(f"an organization has at most {_NAME_MOST} characters, {self.organization!r} has more")
        if self.bits not in BITS:
            raise ValueError(f"{self.bits} bits are none of {', '.join(map(str, BITS))}")
        if not 1 <= self.days <= MOST_DAYS:
            raise ValueError(f"{self.days} days do not lie between 1 and {MOST_DAYS}")


def application_uri(host: str, agent: str = "") -> str:
    """`urn:gateway-3:edge-agent:gw-01`: another for each agent and each computer, the same as long as both last."""
    place = re.sub("[^a-z0-9.-]", "-", host.lower()) or "localhost"
    return f"urn:{place}:edge-agent" + (f":{agent}" if agent else "")


def check_clock(now: datetime) -> None:
    """CertificateTrouble if `now` cannot be."""
    if now < EARLIEST:
        raise CertificateTrouble(
            f"no certificate can be made: the clock of this computer says {now:%Y-%m-%d}; set it (NTP), "
            "for a certificate made now would not be valid at the right time"
        )


def new_key(bits: int) -> rsa.RSAPrivateKey:
    """A fresh key. Takes 0.1 s, on small gateways seconds."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def key_pem(key: rsa.RSAPrivateKey) -> bytes:
    """The key as it is kept in its file."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def self_signed(key: rsa.RSAPrivateKey, wish: Wish, now: datetime) -> x509.Certificate:
    """An application certificate that nobody vouches for but its fingerprint."""
    check_clock(now)
    name, public = _subject(wish), key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=wish.days))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    for told, critical in _said(wish, signs_itself=True):
        builder = builder.add_extension(told, critical=critical)
    return builder.sign(key, hashes.SHA256())


def request(key: rsa.RSAPrivateKey, wish: Wish) -> bytes:
    """A signing request (PEM) for the plant's certificate authority."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(wish))
    for told, critical in _said(wish, signs_itself=False):
        builder = builder.add_extension(told, critical=critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _subject(wish: Wish) -> x509.Name:
    agent = wish.uri.rpartition(":")[2]
    common = "edge-agent" if agent == "edge-agent" else f"edge-agent {agent}"
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, common[:_NAME_MOST])]
    if wish.organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, wish.organization))
    return x509.Name(attributes)


def _said(wish: Wish, *, signs_itself: bool) -> list[tuple[x509.ExtensionType, bool]]:
    """The extensions of certificate and request alike, and whether they are critical (Part 6, table 43)."""
    names = [x509.UniformResourceIdentifier(wish.uri), *map(_general_name, dict.fromkeys(wish.names))]
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=True, data_encipherment=True,
        key_cert_sign=signs_itself, key_agreement=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
    return [(x509.SubjectAlternativeName(names), False), (usage, True), (purposes, False)]


def _general_name(name: str) -> x509.GeneralName:
    """`10.0.0.3` or `gateway-3`; ValueError for what is neither."""
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    if not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?", name):
        raise ValueError(f"{name!r} is neither a host name nor an IP address")
    return x509.DNSName(name)
