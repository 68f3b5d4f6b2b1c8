"""The smaller sections of an OPC UA device in the site file: security, login, limits, alarms."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema, PydanticCustomError

from edge_agent.api import StrictModel
from edge_agent_opcua import nodeid

Policy = Literal["None", "auto", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"]
Mode = Literal["None", "auto", "Sign", "SignAndEncrypt"]

_BROKEN: Final = ("Basic128Rsa15", "Basic256")
_RIGHT: Final = (
    "write security: auto (the strongest the server offers), security: none, or for example "
    "security: {policy: Basic256Sha256, mode: SignAndEncrypt}"
)


class Security(StrictModel):
    """How the channel is protected."""

    policy: Policy = "auto"
    """None, auto, Basic256Sha256, Aes128_Sha256_RsaOaep or Aes256_Sha256_RsaPss; auto: the strongest offered"""
    mode: Mode = "auto"
    """None, auto, Sign or SignAndEncrypt; auto: encrypted where the server offers it, signed at least"""

    @property
    def is_none(self) -> bool:
        """Neither signed nor encrypted."""
        return self.policy == "None"

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A mapping of keys, or one word."""
        return {"anyOf": [handler(schema), {"enum": ["auto", "none"]}]}

    @model_validator(mode="before")
    @classmethod
    def _from_one_word(cls, data: object) -> object:
        if isinstance(data, str):
            if data.lower() not in ("auto", "none"):
                raise ValueError(f"{data!r} is no security; {_RIGHT}")
            return {"policy": "None", "mode": "None"} if data.lower() == "none" else {}
        if not isinstance(data, dict):
            return data
        data = {key: "None" if value is None else value for key, value in data.items()}
        if data.get("policy") in _BROKEN:
            raise ValueError(f"policy {data['policy']} has been broken for years and is not used; {_RIGHT}")
        if data.get("policy") == "None":
            data.setdefault("mode", "None")
        if data.get("mode") == "None":
            data.setdefault("policy", "None")
        return data

    @model_validator(mode="after")
    def _policy_and_mode_agree(self) -> Self:
        if (self.policy == "None") != (self.mode == "None"):
            raise ValueError(f"policy {self.policy} and mode {self.mode} exclude each other; {_RIGHT}")
        return self


NO_SECURITY: Final = Security(policy="None", mode="None")


class Login(StrictModel):
    """Who we are to the server: a user with a password, or with a certificate."""

    user: str | None = Field(None, min_length=1)
    password: str = Field("", repr=False)
    insecure: bool = False
    """send the password readable for anyone on the network if the server offers no encryption for it"""
    cert: Path | None = None
    """X.509 certificate of the user (DER or PEM), instead of user and password"""
    key: Path | None = None
    """its private key (PEM or DER)"""
    key_password: str = Field("", repr=False)
    """where the key file is encrypted"""

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if self.cert is None and self.user is None:
            raise ValueError("needs user (and password), or cert and key")
        if self.cert is not None and self.user is not None:
            raise ValueError("has a user and a cert; the server takes one of them")
        if (self.cert is None) != (self.key is None):
            raise ValueError("needs both cert and key")
        if self.cert is None and self.key_password:
            raise ValueError("has a key_password but no key")
        if self.cert is not None and (self.password or self.insecure):
            raise ValueError("password and insecure belong to user; a key has key_password")
        return self


class LimitsModel(StrictModel):
    """What the server takes, where it does not say so itself or says too much."""

    items_per_call: int | None = Field(None, ge=1, le=10_000, strict=True)
    """most monitored items created in one call"""
    reads_per_call: int | None = Field(None, ge=1, le=10_000, strict=True)
    """most nodes read in one call"""
    items_per_subscription: int | None = Field(None, ge=1, strict=True)
    """most monitored items of one subscription; what is over goes into another"""
    publish_requests: int | None = Field(None, ge=1, le=100, strict=True)
    """most publish requests waiting at the server at once"""


NO_LIMITS: Final = LimitsModel.model_validate({})


class AlarmsModel(StrictModel):
    """Which events and alarms of the server are wanted."""

    node: str = "i=2253"
    """node id of the object whose events are wanted; default the Server object, which tells those of all"""
    severity: int = Field(1, ge=1, le=1000, strict=True)
    """only from this severity on"""
    source: str | None = Field(None, min_length=1)
    """only of sources with such a name; * and ? stand for any"""
    types: tuple[str, ...] = ()
    """node ids of event types; only these and their subtypes"""

    @model_validator(mode="after")
    def _nodes_are_readable(self) -> Self:
        for text in (self.node, *self.types):
            try:
                nodeid.parse(text)
            except ValueError as wrong:
                raise PydanticCustomError("opcua_alarms", "{told}", {"told": f"{text!r} {wrong}"}) from None
        return self
