"""Certificates as bytes and as people see them: reading, fingerprints, names, kind and length of the key."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from edge_agent.api import AccessDenied

E = TypeVar("E", bound=x509.ExtensionType)

# What all three security policies ask for (Part 7, MinAsymmetricKeyLength).
LEAST_BITS: Final = 2048

_SEQUENCE: Final = 0x30
_LONGEST: Final = 200


class CertificateTrouble(AccessDenied):
    """What is wrong with a certificate or a key, and what to do: a sentence for people. Retrying does not help."""


def certificates_in(data: bytes) -> list[x509.Certificate]:
    """Every certificate of PEM text, or of DER, alone or one behind the other as a chain travels (Part 6,
    6.2.6). At least one; ValueError if there is none or what there is cannot be read."""
    if b"-----BEGIN" in data:
        return x509.load_pem_x509_certificates(data)
    found = []
    while data:
        size = _der_size(data)
        found.append(x509.load_der_x509_certificate(data[:size]))
        data = data[size:]
    if not found:
        raise ValueError("is empty")
    return found


def _der_size(data: bytes) -> int:
    """Bytes of the ASN.1 sequence `data` begins with, its head included."""
    if len(data) < 2 or data[0] != _SEQUENCE:
        raise ValueError("is no certificate")
    if data[1] < 0x80:
        return 2 + data[1]
    digits = data[1] & 0x7F
    size = 2 + digits + int.from_bytes(data[2 : 2 + digits], "big")
    if not 0 < digits <= 3 or size > len(data):
        raise ValueError("is no certificate, or part of one")
    return size


def der(certificate: x509.Certificate) -> bytes:
    """The certificate as it travels."""
    return certificate.public_bytes(Encoding.DER)


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the certificate, 64 hex digits: what people compare."""
    return hashlib.sha256(der(certificate)).hexdigest()


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 of the certificate, 40 hex digits: what OPC UA and many servers show; nothing is decided by it."""
    return hashlib.sha1(der(certificate), usedforsecurity=False).hexdigest()


def printable(text: str) -> str:
    """Text out of a certificate of unknown origin, fit for a log and a terminal."""
    clean = "".join(letter if letter.isprintable() else "?" for letter in text)
    return clean if len(clean) <= _LONGEST else clean[: _LONGEST - 1] + "…"


def named(name: x509.Name) -> str:
    """`CN=press-1,O=acme`."""
    return printable(name.rfc4514_string()) or "(nameless)"


def subject(certificate: x509.Certificate) -> str:
    """Whose certificate it is."""
    return named(certificate.subject)


def common_name(certificate: x509.Certificate) -> str:
    """The subject's common name; '' if it has none."""
    return next((str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)), "")


def extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    """One extension, None if there is none of the kind; CertificateTrouble where they cannot be read."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise CertificateTrouble(
            f"the extensions of certificate {subject(certificate)} cannot be read ({printable(str(error))}); "
            "it has to be made anew"
        ) from None


def application_uris(certificate: x509.Certificate) -> list[str]:
    """The application URIs it speaks for (Part 6, 6.2.2: exactly one); empty if it names none."""
    names = extension(certificate, x509.SubjectAlternativeName)
    return [] if names is None else names.get_values_for_type(x509.UniformResourceIdentifier)


def hosts(certificate: x509.Certificate) -> list[str]:
    """The host names and addresses it speaks for."""
    names = extension(certificate, x509.SubjectAlternativeName)
    if names is None:
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]


def is_self_issued(certificate: x509.Certificate) -> bool:
    """Nobody else vouches for it."""
    return certificate.issuer == certificate.subject


def rsa_key(certificate: x509.Certificate) -> rsa.RSAPublicKey | None:
    """Its public key; None if it is none of RSA, or none that can be used."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, rsa.RSAPublicKey) else None


def day(moment: datetime) -> str:
    """`2031-07-01`."""
    return f"{moment:%Y-%m-%d}"
