"""TLS towards a destination: its name and certificate are always verified; there is no option not to."""

from __future__ import annotations

import ssl
from pathlib import Path

from edge_agent.api import AccessDenied


def client_context(ca: Path | None, cert: Path | None, key: Path | None) -> ssl.SSLContext:
    """`ca`: None for the computer's own list. Blocks on the disk; AccessDenied where a file cannot be used."""
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise AccessDenied(f"ca: {ca}: {error}") from error
    if cert is None:
        return context
    try:
        # an empty password keeps OpenSSL from asking for one on the terminal
        context.load_cert_chain(cert, key, password="")
    except OSError as error:
        raise AccessDenied(f"cert: {cert}, key: {key}: {error}") from error
    return context
