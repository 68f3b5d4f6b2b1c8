"""A certificate of our own for the API and the pages: self-signed, for the names people type; and its key.

Whoever opens the page approves it once; who copies `web.pem` into a list of authorities is never asked. A plant with an
authority of its own puts its files in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edge_agent.web.disk import write

DAYS: Final = 825
"""What browsers accept at most of a certificate that a person has approved."""
ALWAYS: Final = ("localhost", "127.0.0.1", "::1")
# Clocks of gateways wake up in the past.
_BEFORE: Final = timedelta(days=1)
# A renewal that comes with the last day comes too late for those who have to approve it.
_RENEW: Final = timedelta(days=30)


class Files(NamedTuple):
    """Where they are, PEM; the key is for the owner and the group to read."""

    cert: Path
    key: Path


def files_in(folder: Path) -> Files:
    """`web.pem` and `web.key`."""
    return Files(folder / "web.pem", folder / "web.key")


def is_good(files: Files, names: Sequence[str], now: datetime) -> bool:
    """Whether both are there, for these names, and for a month at least."""
    try:
        found = x509.load_pem_x509_certificate(files.cert.read_bytes())
        key = serialization.load_pem_private_key(files.key.read_bytes(), None)
        said = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, x509.ExtensionNotFound):
        return False
    lasts = found.not_valid_before_utc <= now < found.not_valid_after_utc - _RENEW
    return lasts and found.public_key() == key.public_key() and set(map(_name, names)) <= set(said)


def make(folder: Path, names: Sequence[str], now: datetime, days: int = DAYS) -> Files:
    """Write both, the key first; OSError. ValueError for a name that is none."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    public = key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName(list(map(_name, names))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = files_in(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pem = serialization.Encoding.PEM
    form, locked = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    write(files.key, key.private_bytes(pem, form, locked), 0o640)
    write(files.cert, certificate.public_bytes(pem), 0o644)
    return files


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text.encode("idna").decode() if not text.isascii() else text)
