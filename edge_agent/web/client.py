"""Asks a running agent's API, for the commands; the standard library's HTTP is enough for that."""

from __future__ import annotations

import http.client
import json
import ssl
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

DEFAULT_URL: Final = "http://127.0.0.1:8080"
_TIMEOUT_S: Final = 10.0
# Far more than an agent says.
_ANSWER_LIMIT: Final = 16_000_000


class WrongUrl(ValueError):
    """What was given as URL, CA or token is none; the text says what would be right."""


class NoAgent(Exception):
    """Nothing that speaks as an agent answers at the URL; a sentence for whoever asked."""


class Client:
    """Asks the API at `url`; for https the certificate is verified, against `ca` if it is given."""

    def __init__(self, url: str = DEFAULT_URL, ca: Path | None = None, token: Path | None = None) -> None:
        """No I/O but reading `ca` and `token`; raises WrongUrl."""
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise WrongUrl(f"{url!r} has no port that could be one; write {DEFAULT_URL}") from error
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise WrongUrl(f"{url!r} is not the address of an agent; write {DEFAULT_URL}")
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise WrongUrl(f"{url!r} has something after the port; write {DEFAULT_URL}")
        if ca is not None and parts.scheme == "http":
            raise WrongUrl("--ca has no use with http://; write the url as https://")
        self.url = url.rstrip("/")
        self._host, self._port = parts.hostname, port
        self._tls = _trusting(ca) if parts.scheme == "https" else None
        self._headers = {"Accept": "application/json", **({} if token is None else _bearer(token))}

    def status(self) -> dict[str, Any]:
        """`/api/v1/status`; raises NoAgent."""
        return self._get("/api/v1/status", {200})[1]

    def tag(self, name: str) -> tuple[bool, dict[str, Any]]:
        """True and `/api/v1/tags/NAME`, or False and what is said of a name that is no tag's; raises NoAgent."""
        status, answer = self._get(f"/api/v1/tags/{quote(name, safe='')}", {200, 404, 422})
        return status == 200, answer

    def _get(self, path: str, expected: set[int]) -> tuple[int, dict[str, Any]]:
        """Status and document; NoAgent if it is none of the `expected` or no document."""
        connection: http.client.HTTPConnection
        if self._tls is not None:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=_TIMEOUT_S, context=self._tls)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=_TIMEOUT_S)
        try:
            connection.request("GET", path, headers=self._headers)
            response = connection.getresponse()
            document = json.loads(response.read(_ANSWER_LIMIT))
        except ssl.SSLCertVerificationError as error:
            hint = "trust its authority with --ca FILE" if error.verify_code in (18, 19, 20) else "is it the right one?"
            raise NoAgent(f"{self.url} is not trusted ({error.verify_message}); {hint}") from error
        except OSError as error:
            problem = error.strerror or str(error) or type(error).__name__
            raise NoAgent(f"no agent answers at {self.url} ({problem})") from error
        except (http.client.HTTPException, ValueError, RecursionError) as error:
            raise NoAgent(f"what answers at {self.url} is no agent") from error
        finally:
            connection.close()
        if not isinstance(document, dict) or (response.status not in expected and "error" not in document):
            raise NoAgent(f"what answers at {self.url} is no agent")
        if response.status not in expected:
            raise NoAgent(f"the agent at {self.url} says: {document['error']}")
        return response.status, document


def _bearer(token: Path) -> dict[str, str]:
    try:
        held = token.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise WrongUrl(f"--token {token}: {getattr(error, 'strerror', None) or 'holds no token'}") from error
    if not held.isprintable() or not held or " " in held:
        raise WrongUrl(f"--token {token}: holds no token")
    return {"Authorization": f"Bearer {held}"}


def _trusting(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca)
    except OSError as error:    # an SSLError is one
        raise WrongUrl(f"--ca {ca}: {error.strerror or error}") from error
