"""`pages:`: whether people are shown pages, and where they listen; a process of its own, which the agent starts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, GetJsonSchemaHandler, model_validator
from pydantic_core import CoreSchema

from edge_agent.api import StrictModel
from edge_agent.config.http_api import LISTEN_SCHEMA, ApiModel, Listen, agree, listen_at

_PORT: Final = 8081
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (where what listens everywhere is to be asked)


class PagesModel(StrictModel):
    """The pages people look at; `pages: off` for none. They show what the API lets whoever looks see."""

    listen: Annotated[Listen | None, BeforeValidator(partial(listen_at, port_there=_PORT)), LISTEN_SCHEMA] = Listen(
        "127.0.0.1", _PORT
    )
    """address and port, or off; beyond this machine only with cert and key; default 127.0.0.1:8081"""
    cert: Path | None = None
    """their certificate (PEM), with the chain; makes them HTTPS"""
    key: Path | None = None
    """the private key of the certificate (PEM, without a passphrase)"""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        made = handler.resolve_ref_schema(handler(core))
        made["type"] = ["object", "string"]
        return made

    @model_validator(mode="before")
    @classmethod
    def _off_is_off(cls, section: Any) -> Any:
        return {"listen": "off"} if section == "off" else section

    @model_validator(mode="after")
    def _keys_agree(self) -> Self:
        agree(self.listen, self.cert, self.key, _PORT)
        if self.listen is not None and not self.listen.port:
            raise ValueError("listens at port 0, where nobody would find them; write 127.0.0.1:8081")
        return self

    def options(self, api: ApiModel) -> list[str]:
        """What `python -m edge_agent.pages` is to be told; the API must listen, and the pages, too."""
        assert api.listen is not None
        assert self.listen is not None
        asked = Listen(_EVERYWHERE.get(api.listen.host, api.listen.host), api.listen.port)
        told = ["--url", f"{'https' if api.cert else 'http'}://{asked}", "--listen", str(self.listen)]
        told += ["--ca", str(api.cert)] if api.cert else []
        return told + (["--cert", str(self.cert), "--key", str(self.key)] if self.cert else [])
