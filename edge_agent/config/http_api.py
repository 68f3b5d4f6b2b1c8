"""`api:`: where the agent's own HTTP API listens, and who may change something through it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema, field_validator, model_validator

from edge_agent.api import StrictModel
from edge_agent.config.finding import Finding, report
from edge_agent.config.names import id_finding, is_id

# 16 characters of a random generator cannot be guessed at any rate a network allows.
TOKEN_LEAST: Final = 16
# What an Authorization header carries without quoting: visible ASCII, no blanks.
_TOKEN: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Listen:
    """An address of this machine to listen at; port 0 takes any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """True where only this machine itself can come in."""
        return self.host == "localhost" or ip_address(self.host).is_loopback


def listen_at(value: object, port_there: int) -> object:
    """`127.0.0.1:8080` → Listen, `off` → None; `port_there` for the hints."""
    if value == "off":
        return None
    right = f"write 127.0.0.1:{port_there}, [::1]:{port_there}, or off"
    if not isinstance(value, str):
        raise ValueError(f"is not an address; {right}")  # noqa: TRY004 (pydantic wants it)
    host, _, port = value.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError(f"names no port; {right}")
    try:
        known = host == "localhost" or bool(ip_address(host))
    except ValueError:
        known = False
    if not known:
        raise ValueError(f"is not an address of this machine; {right}, or 0.0.0.0:8443 for every interface")
    return Listen(host, int(port))


def agree(listen: Listen | None, cert: Path | None, key: Path | None, port_there: int) -> None:
    """Beyond this machine only with a certificate, which has a key; ValueError if not."""
    if (cert is None) != (key is None):
        missing = "key" if key is None else "cert"
        raise ValueError(f"needs {missing} too; a certificate and its private key come together")
    if listen is not None and not listen.is_loopback and cert is None:
        raise ValueError(
            f"listens at {listen}, beyond this machine, unencrypted; add cert: and key:, "
            f"or listen at 127.0.0.1:{port_there}"
        )


_PORT: Final = 8080
LISTEN_SCHEMA: Final = WithJsonSchema({"type": "string", "pattern": r"^(off|.+:\d{1,5})$"})
ListenAt = Annotated[Listen | None, BeforeValidator(partial(listen_at, port_there=_PORT)), LISTEN_SCHEMA]


class ApiModel(StrictModel):
    """The HTTP API: anybody who reaches it may look, nobody may change anything without a token."""

    listen: ListenAt = Listen("127.0.0.1", _PORT)
    """address and port, or off; beyond this machine only with cert and key; default 127.0.0.1:8080"""
    tokens: Mapping[str, SecretStr] = Field(default_factory=dict)
    """name → token of who may write to equipment, at least 16 characters; write `${NAME}` or `${file:…}`"""
    read_tokens: Mapping[str, SecretStr] = Field(default_factory=dict)
    """name → token of who may look and no more, as above: Prometheus, scripts"""
    cert: Path | None = None
    """its certificate (PEM), with the chain; makes it HTTPS"""
    key: Path | None = None
    """the private key of the certificate (PEM, without a passphrase)"""

    @field_validator("tokens", "read_tokens")
    @classmethod
    def _tokens_are_secrets(cls, tokens: Mapping[str, SecretStr]) -> Mapping[str, SecretStr]:
        findings = []
        owners: dict[str, str] = {}
        for name, held in tokens.items():
            token = held.get_secret_value()
            if not is_id(name):
                finding = id_finding(name)
                findings.append(Finding(finding.message, finding.hint, (name,)))
            elif len(token) < TOKEN_LEAST:
                hint = "make one with: openssl rand -hex 16"
                findings.append(Finding(f"must have at least {TOKEN_LEAST} characters", hint, (name,)))
            elif not _TOKEN.fullmatch(token):
                hint = "letters, digits and signs, no blanks"
                findings.append(Finding("holds what an HTTP header cannot carry", hint, (name,)))
            elif token in owners:
                hint = "else nobody can tell who it was"
                findings.append(Finding(f"is the token of '{owners[token]}'", hint, (name,)))
            owners[token] = name
        report(findings)
        return tokens

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        agree(self.listen, self.cert, self.key, _PORT)
        held = {token.get_secret_value() for token in self.tokens.values()}
        for name, token in self.read_tokens.items():
            if name in self.tokens or token.get_secret_value() in held:
                raise ValueError(f"read_tokens: '{name}' or its token is in tokens, too; give it both of its own")
        return self
