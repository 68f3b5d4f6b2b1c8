"""A certificate that something is served with, and the names it speaks for."""

from __future__ import annotations

import ssl
from pathlib import Path

from edge_agent.errors import ConfigError, Mistake


def server_context(cert: Path, key: Path, section: str = "api") -> ssl.SSLContext:
    """The server's side of TLS 1.2 and up; ConfigError if the files, which `section` names, do not go together."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    for name, path in (("cert", cert), ("key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise ConfigError(Mistake(f"{section}.{name}", f"cannot be read ({why})", str(path))) from error
    try:
        # An empty password keeps OpenSSL from asking for one on the terminal.
        context.load_cert_chain(cert, key, password="")
    except (ssl.SSLError, ValueError) as error:
        hint = "both in PEM, the key without a passphrase"
        why = getattr(error, "reason", None) or str(error)
        wrong = f"does not go with {section}.key ({why})"
        raise ConfigError(Mistake(f"{section}.cert", wrong, str(cert), hint)) from error
    return context


def names_of(cert: Path) -> frozenset[str]:
    """Host names and addresses that the certificate (the first of the file) speaks for."""
    # Imported here: 8 MB that only an API beyond this machine needs.
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(cert.read_bytes())
        said = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return frozenset()
    names = said.get_values_for_type(x509.DNSName)
    return frozenset([*names, *map(str, said.get_values_for_type(x509.IPAddress))])
