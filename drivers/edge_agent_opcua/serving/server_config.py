"""What a site file may say about an OPC UA server, and what is wrong when it is wrong."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from edge_agent.api import Duration, Home, Listen, MachineName, ServeConfig, StrictModel, listen_place
from edge_agent_opcua.security.pki import Pki
from edge_agent_opcua.serving.shown import ALL

SECOND: Final = 1_000_000_000
_FASTEST: Final = SECOND // 10
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 (compared, not listened on)
_URI: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:[^\s]+")
_FOREIGN: Final = ("http://opcfoundation.org/", "urn:freeopcua:")


def _all_or_some(value: object) -> object:
    if value is True:
        return (ALL,)
    if value is False or value is None:
        return ()
    if isinstance(value, str):
        raise ValueError("is one name; write true for all, or a list: [press-1]")  # noqa: TRY004 (pydantic's)
    return value


def _shown(text: str, info: ValidationInfo) -> str:
    """A device, or `device.tag`."""
    if info.context is not None and text != ALL:
        (info.context.check_tag if "." in text else info.context.check_device)(text)
    return text


def _machine(text: str, info: ValidationInfo) -> str:
    if info.context is not None and text != ALL:
        info.context.check_machine(text)
    return text


def _figure(text: str, info: ValidationInfo) -> str:
    """`window.name`: a figure that every machine has."""
    if text.count(".") != 1:
        raise ValueError("is not a figure of all machines; write window.name, such as shift.oee")
    names = info.context
    if names is not None and names.machines:
        names.check_kpi(f"{names.machines[0]}.{text}")
    return text


_AllOrSome: Final = BeforeValidator(_all_or_some, json_schema_input_type=bool | list[str])


class ShowModel(StrictModel):
    """What is seen of the agent."""

    tags: Annotated[tuple[Annotated[str, AfterValidator(_shown)], ...], _AllOrSome] = (ALL,)
    """true: all; false: none; or a list of devices and `device.tag`s"""
    machines: Annotated[tuple[Annotated[MachineName | str, AfterValidator(_machine)], ...], _AllOrSome] = (ALL,)
    """true: all; false: none; or a list of machines"""
    kpis: tuple[Annotated[str, AfterValidator(_figure)], ...] | None = None
    """figures of each machine as window.name, such as shift.oee; default the OEE, its factors, the data coverage
    and the counts of every window"""


class OpcuaServe(ServeConfig):
    """An OPC UA server that shows machines, KPIs and tags, and lets nobody write."""

    listen: Listen = "127.0.0.1:4840"
    """host:port; 127.0.0.1 is this computer only, 0.0.0.0 every network it is in"""
    security: Literal["auto", "none"] = "auto"
    """auto: channels are signed or encrypted, clients need a certificate in {pki}/trusted | none: unsecured"""
    users: Mapping[str, SecretStr] = Field(default_factory=dict)
    """user: password of those who may read; without users, and with security, the certificate alone decides"""
    anonymous: bool = False
    """let in whoever reaches the port, without user and with any certificate"""
    show: ShowModel = ShowModel()
    """what is seen"""
    every: Duration = SECOND
    """how often values are brought up to date"""
    namespace: str | None = None
    """URI of the node ids; default urn:edge-agent:{agent id}"""
    sessions: int = Field(20, ge=1, le=100, strict=True)
    """most clients at once"""
    pki: Path | None = None
    """folder of certificates; default {data_dir}/pki"""
    _agent: str = PrivateAttr("")

    @property
    def agent(self) -> str:
        """Whose server it is."""
        return self._agent

    def at_home(self, home: Home) -> Self:
        """See `ServeConfig.at_home`."""
        pki, namespace = self.pki or home.data_dir / "pki", self.namespace or f"urn:edge-agent:{home.agent}"
        mine = self.model_copy(update={"pki": pki, "namespace": namespace})
        mine._agent = home.agent
        return mine

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.every < _FASTEST:
            self._raise("every", "is shorter than 100ms; write for example 1s")
        if self.namespace is not None and (not _URI.fullmatch(self.namespace) or self.namespace.startswith(_FOREIGN)):
            self._raise("namespace", "is no URI of your own; write for example urn:acme:suzhou:gw-01")
        for user, password in self.users.items():
            if not user or not password.get_secret_value():
                self._raise("users", "has a user without name or password; write for example scada: ${SCADA_PASSWORD}")
        if self.anonymous and self.users:
            self._raise("anonymous", "lets anyone in, so users are of no use; leave out one of the two")
        if self.security == "none" and not self.users and not self.anonymous:
            self._raise("security", "lets nobody in: there are no users; add users, or anonymous: true for anyone")
        return self

    def _raise(self, key: str, text: str) -> None:
        told = PydanticCustomError("opcua_server", "{told}", {"told": text})
        raise ValidationError.from_exception_data(
            type(self).__name__, [InitErrorDetails(type=told, loc=(key,), input=None)]
        )


def warnings(config: OpcuaServe) -> Sequence[str]:
    """What is right but open, and certificates that end soon."""
    host, port = listen_place(config.listen)
    said = []
    beyond = not _is_here(host)
    where = "every network this computer is in" if host in _EVERYWHERE else host
    if config.security == "none":
        reach = f" of {where}" if beyond else ""
        said.append(f"port {port}{reach} is unsecured: what is shown crosses the network readable, and whoever is in "
                    "between can change it; leave out security: none")  # fmt: skip
    if config.anonymous and beyond:
        said.append(f"anonymous: whoever reaches port {port} of {where} can read what it shows (nobody can write)")
    if config.security == "auto" and config.pki is not None:
        said += Pki(config.pki).warnings(datetime.now(UTC))
    return tuple(said)


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
