"""What an InfluxDB destination may say in the site file, and every mistake it can hold."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, SecretStr, field_validator, model_validator

from edge_agent.api import Duration, PublishConfig
from edge_agent.north.given import warnings_of

SECOND: Final = 1_000_000_000
_ENCRYPT: Final = "write the url as https://, or add insecure: true if this network is trusted"


class InfluxConfig(PublishConfig):
    """One InfluxDB, version 2 or later, or another server with its way of writing."""

    type: Literal["influxdb"] = "influxdb"
    url: str
    """`http://host:8086`, or `https://…`; the certificate is always verified"""
    profile: str = "line-protocol"
    """the form of the points"""
    bucket: str = Field(min_length=1)
    """where points go"""
    org: str = ""
    """the organisation the bucket belongs to; servers other than InfluxDB 2 do without"""
    token: SecretStr | None = None
    """may write to the bucket; never shown or logged; write `${NAME}` or `${file:…}`"""
    insecure: bool = False
    """allow the token to cross the network unencrypted (http:// to another machine); to a private address, such as
    10.0.0.3, it may without this, too, with a warning"""
    ca: Path | None = None
    """certificate authorities (PEM) to trust instead of those of the operating system"""
    cert: Path | None = None
    """our client certificate (PEM), for servers that ask for one"""
    key: Path | None = None
    """its private key (PEM), where `cert` does not hold it"""
    create_bucket: bool = False
    """create the bucket where there is none; the token must be allowed to"""
    retention: Duration | None = None
    """how long a bucket that is created keeps points, from 1h; default: for ever"""
    batch_size: int = Field(default=5_000, ge=1, le=100_000)
    """lines in one request, at most"""
    gzip: bool = True
    """compress requests"""
    timeout: Duration = 10 * SECOND
    """a server that answers nothing for this long is taken for gone"""
    _on_trial: bool = PrivateAttr(default=False)

    def addresses(self) -> tuple[str, ...]:
        """See `PublishConfig.addresses`."""
        return (self.url,)

    def on_trial(self) -> Self:
        """The same, for links over which nothing is changed: a bucket that is to be created is left to the agent."""
        copy = self.model_copy()
        copy._on_trial = True
        return copy

    @property
    def is_on_trial(self) -> bool:
        """See `on_trial`."""
        return self._on_trial

    @field_validator("url")
    @classmethod
    def _url_is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            raise ValueError("is not an InfluxDB address; write http://host:8086, or https://host:8086 for TLS")
        if "@" in url:
            raise ValueError("carries a user or password; write token: (for InfluxDB 1.8 user:password)")
        if parts.query or parts.fragment:
            raise ValueError("has a query; write http://host:8086 and org:, bucket: below it")
        try:
            port = parts.port
        except ValueError:
            port = 0
        if not parts.hostname or port == 0:
            raise ValueError("names no host and port; write http://host:8086")
        return url.rstrip("/")

    @field_validator("token")
    @classmethod
    def _token_fits_a_header(cls, token: SecretStr | None) -> SecretStr | None:
        said = "-" if token is None else token.get_secret_value()
        if not said.isascii() or not said.isprintable() or said != said.strip() or not said:
            raise ValueError("is empty, or has a space, line break or special character that no token has")
        return token

    @field_validator("timeout")
    @classmethod
    def _timeout_is_long_enough(cls, timeout: int) -> int:
        if timeout < SECOND // 10:
            raise ValueError("must be 100ms at least; write for example 10s")
        return timeout

    @field_validator("retention")
    @classmethod
    def _retention_fits(cls, retention: int | None) -> int | None:
        # InfluxDB keeps points in shards of an hour at least, and refuses less.
        if retention is not None and (retention < 3600 * SECOND or retention % SECOND):
            raise ValueError("must be whole seconds and an hour at least; write for example 30d")
        return retention

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        if self.retention is not None and not self.create_bucket:
            raise ValueError("retention without create_bucket: true; buckets that exist keep theirs")
        if self.key is not None and self.cert is None:
            raise ValueError("key without cert; name the client certificate it belongs to")
        if self.url.startswith("https:"):
            return self
        for name in ("ca", "cert"):
            if getattr(self, name) is not None:
                raise ValueError(f"{name} has no use with http://; write the url as https://")
        if self._exposes_token and not self._is_private:
            raise ValueError(f"the token would cross the network unencrypted; {_ENCRYPT}")
        return self

    def warnings(self) -> Sequence[str]:
        """See `PublishConfig.warnings`. Within a plant's own addresses an unencrypted server is common, not good."""
        exposed = [f"the token crosses the network unencrypted; {_ENCRYPT}"] if self._exposes_token else []
        return [*exposed, *warnings_of(ca=self.ca, cert=self.cert, key=self.key)]

    @property
    def _exposes_token(self) -> bool:
        if self.token is None or self.insecure or self.url.startswith("https:"):
            return False
        address = self._address
        return not (address.is_loopback if address else urlsplit(self.url).hostname == "localhost")

    @property
    def _is_private(self) -> bool:
        """Whether it is an address that no router of the internet knows."""
        return self._address is not None and self._address.is_private

    @property
    def _address(self) -> IPv4Address | IPv6Address | None:
        """None where the url has a name instead."""
        try:
            return ip_address(urlsplit(self.url).hostname or "")
        except ValueError:
            return None
