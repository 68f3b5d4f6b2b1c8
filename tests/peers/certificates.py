"""Certificates for TLS tests: an authority of our own, and what it issues, as PEM files in a folder."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NO_PASSWORD = serialization.NoEncryption()
DAY = datetime.timedelta(days=1)


class Identity(NamedTuple):
    """A certificate and its key, each in a file."""

    certificate: Path
    key: Path


class Authority:
    """`Authority(folder)` has its own certificate in `ca`; `issue("server")` gives an Identity that it vouches for."""

    def __init__(self, folder: Path, name: str = "test-ca") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _named(name)
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        builder = self._builder(self._subject, self._key, DAY).add_extension(constraints, critical=True)
        usage = x509.KeyUsage(
            digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False,
            key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
            decipher_only=False,
        )  # fmt: skip
        self.ca = self._write(f"{name}.pem", builder.add_extension(usage, critical=True))

    def issue(
        self,
        name: str,
        address: str = "127.0.0.1",
        expired: bool = False,
        password: bytes | None = None,
        names: Sequence[str] = (),
    ) -> Identity:
        """A certificate for `name` (and `names`) at an IP address; `password` encrypts its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.IPAddress(ipaddress.ip_address(address)), *map(x509.DNSName, (name, *names))]
        builder = self._builder(_named(name), key, -DAY / 2 if expired else DAY)
        certificate = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        locked = serialization.BestAvailableEncryption(password) if password else NO_PASSWORD
        file = self._folder / f"{name}.key"
        file.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
        )
        return Identity(self._write(f"{name}.pem", certificate), file)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, valid: datetime.timedelta
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        public, issuer = key.public_key(), self._key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - DAY)
            .not_valid_after(now + valid)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False)
        )

    def _write(self, name: str, builder: x509.CertificateBuilder) -> Path:
        file = self._folder / name
        signed = builder.sign(self._key, hashes.SHA256())
        file.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        return file


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
