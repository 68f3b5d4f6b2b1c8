"""`machines.<id>.alarms`: whose alarms are those of a machine."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import AfterValidator, Field, GetJsonSchemaHandler, ValidationInfo, WithJsonSchema, model_validator
from pydantic_core import CoreSchema

from edge_agent.api import StrictModel
from edge_agent.config.names import ID_PATTERN, names_of


def _check_device(text: str, info: ValidationInfo) -> str:
    names = names_of(info)
    if names is not None:
        names.check_device(text)
    return text


DeviceRef = Annotated[
    str, AfterValidator(_check_device), WithJsonSchema({"type": "string", "pattern": f"^{ID_PATTERN}$"})
]
"""A key of `devices`."""


class MachineAlarms(StrictModel):
    """Which alarms concern the machine; written as the id of a device where all of that device's do."""

    device: DeviceRef
    """id of the device that tells them"""
    source: str = Field("*", min_length=1)
    """only of sources with such a name; * and ? stand for any, capitals matter; default all"""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """A mapping of keys, or the id of a device."""
        return {"anyOf": [handler(schema), {"type": "string", "pattern": f"^{ID_PATTERN}$"}]}

    @model_validator(mode="before")
    @classmethod
    def _from_a_device(cls, data: object) -> object:
        return {"device": data} if isinstance(data, str) else data

    def concern(self, device: str, source: str) -> bool:
        """Whether an alarm of this device and source is one of the machine's."""
        return device == self.device and fnmatchcase(source, self.source)
