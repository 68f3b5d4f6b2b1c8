"""A self-signed certificate for the plant's OPC UA server, new each time one is made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LASTS = timedelta(days=365)


class Certificate:
    """What an OPC UA application proves itself with: the application URI is in it (OPC 10000-6, 6.2.2)."""

    def __init__(self, application_uri: str) -> None:
        self._key = rsa.generate_private_key(65537, 2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "edge-hil")])
        now = datetime.now(UTC)
        usage = dict.fromkeys(("crl_sign", "encipher_only", "decipher_only", "key_agreement"), False) | dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_cert_sign"), True
        )
        names = [x509.UniformResourceIdentifier(application_uri), x509.DNSName("localhost")]
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + LASTS)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    async def give(self, server: Any) -> None:
        """Let the server use it from its next start on."""
        await server.load_certificate(self._certificate.public_bytes(serialization.Encoding.DER), "der")
        private = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        await server.load_private_key(private, format="pem")
