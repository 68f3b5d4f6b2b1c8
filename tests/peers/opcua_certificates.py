"""Application certificates as plants have them, right and wrong: self-signed, by an authority, old, weak, revoked."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
URI = "urn:press-1:server"
HOST = "10.0.0.7"
DAY = timedelta(days=1)
Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@cache
def key_of(bits: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    """One of the keys of that length; made once, for making takes time."""
    return rsa.generate_private_key(65537, bits)


class Pair(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """NAME.der and NAME.pem, certificate and key."""
        cert, key = folder / f"{name}.der", folder / f"{name}.pem"
        cert.write_bytes(self.der)
        key.write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return cert, key


def usage(sign: bool = True, encrypt: bool = True, authority: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign, content_commitment=sign, key_encipherment=encrypt, data_encipherment=encrypt,
        key_cert_sign=authority, crl_sign=authority, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def certificate(
    name: str = "press-1",
    *,
    uri: str = URI,
    hosts: Sequence[str] = (HOST,),
    key: Key | None = None,
    by: Pair | None = None,
    begins: datetime = NOW - DAY,
    ends: datetime = NOW + 365 * DAY,
    key_usage: x509.KeyUsage | None = None,
    purpose: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.SERVER_AUTH,
    serial: int = 0,
) -> Pair:
    """An application certificate; right unless something else is said."""
    key = key or key_of()
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)] if uri else []
    names += [x509.IPAddress(ip_address(one)) if one[0].isdigit() else x509.DNSName(one) for one in hosts]
    more: list[x509.ExtensionType] = [x509.SubjectAlternativeName(names)] if names else []
    more.append(key_usage or usage())
    if purpose is not None:
        more.append(x509.ExtendedKeyUsage([purpose]))
    return _signed(name, key, by, begins, ends, more, serial)


def authority(
    name: str = "plant-ca",
    *,
    by: Pair | None = None,
    key: Key | None = None,
    ends: datetime = NOW + 365 * DAY,
    ca: bool = True,
    path: int | None = None,
) -> Pair:
    """Who signs certificates."""
    more = [x509.BasicConstraints(ca=ca, path_length=path if ca else None), usage(authority=ca)]
    return _signed(name, key or key_of(2048, 1), by, NOW - 10 * DAY, ends, more)


def _signed(
    name: str, key: Key, by: Pair | None, begins: datetime, ends: datetime, more: Sequence[x509.ExtensionType],
    serial: int = 0,
) -> Pair:  # fmt: skip
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )
    for one in more:
        builder = builder.add_extension(one, critical=False)
    return Pair(builder.sign(by.key if by else key, hashes.SHA256()), key)


def revocation_list(
    by: Pair, serials: Sequence[int] = (), ends: datetime = NOW + DAY, signed_with: Key | None = None
) -> bytes:
    """DER."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(by.certificate.subject)
        .last_update(NOW - 2 * DAY)
        .next_update(ends)
    )
    for serial in serials:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - DAY).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(signed_with or by.key, hashes.SHA256()).public_bytes(Encoding.DER)


def by_openssl(folder: Path, digest: str, bits: int = 2048) -> bytes:
    """A self-signed certificate (DER) as no library makes it any more."""
    command = ["openssl", "req", "-x509", "-newkey", f"rsa:{bits}", "-nodes", "-keyout", folder / "k.pem", "-out",
               folder / "c.der", "-outform", "DER", "-days", "3650", f"-{digest}", "-subj", "/CN=old",
               "-addext", f"subjectAltName=URI:{URI}"]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)
    return (folder / "c.der").read_bytes()
