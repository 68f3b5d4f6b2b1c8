"""The wire format of a Sparkplug B payload, as messages of the official protobuf runtime.

The descriptor is built here, at run time, from a table of field numbers (specification, chapter 6.4): code that
`protoc` writes is refused by a runtime older than the `protoc`. The format is proto2: a field that was set is on the
wire even where it is 0 or false, and one that was not set is absent.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.internal import api_implementation
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

PACKAGE: Final = "edge_agent.sparkplug"
IS_SLOW: Final = api_implementation.Type() == "python"
"""the runtime has no compiled part on this machine, and takes some fifty times as long"""

_PLAIN: Final = {
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}
# Of each message: its fields in the order of their numbers, from 1; `*` repeated, `|` one of several.
_BASIC: Final = (
    "|uint32 int_value", "|uint64 long_value", "|float float_value", "|double double_value",
    "|bool boolean_value", "|string string_value",
)  # fmt: skip
_MESSAGES: Final = {
    "Payload": ("uint64 timestamp", "*Metric metrics", "uint64 seq", "string uuid", "bytes body"),
    "Metric": (
        "string name", "uint64 alias", "uint64 timestamp", "uint32 datatype", "bool is_historical",
        "bool is_transient", "bool is_null", "MetaData metadata", "PropertySet properties",
        *_BASIC, "|bytes bytes_value", "|DataSet dataset_value", "|Template template_value",
    ),
    "MetaData": (
        "bool is_multi_part", "string content_type", "uint64 size", "uint64 seq", "string file_name",
        "string file_type", "string md5", "string description",
    ),
    "PropertySet": ("*string keys", "*PropertyValue values"),
    "PropertyValue": (
        "uint32 type", "bool is_null", *_BASIC, "|PropertySet propertyset_value",
        "|PropertySetList propertysets_value",
    ),
    "PropertySetList": ("*PropertySet propertyset",),
    "DataSet": ("uint64 num_of_columns", "*string columns", "*uint32 types", "*Row rows"),
    "Row": ("*DataSetValue elements",),
    "DataSetValue": _BASIC,
    "Template": (
        "string version", "*Metric metrics", "*Parameter parameters", "string template_ref", "bool is_definition",
    ),
    "Parameter": ("string name", "uint32 type", *_BASIC),
}  # fmt: skip


def _described(name: str, fields: tuple[str, ...]) -> DescriptorProto:
    described = DescriptorProto(name=name)
    for number, written in enumerate(fields, 1):
        kind, field_name = written.lstrip("*|").split()
        field = described.field.add(name=field_name, number=number)
        field.label = field.LABEL_REPEATED if written[0] == "*" else field.LABEL_OPTIONAL
        if kind in _PLAIN:
            field.type = _PLAIN[kind]
        else:
            field.type, field.type_name = field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
        if written[0] == "|":
            if not described.oneof_decl:
                described.oneof_decl.add(name="value")
            field.oneof_index = 0
    return described


def _payload() -> Any:
    """The class, in a pool of its own: other libraries in the process may describe the same format."""
    file = FileDescriptorProto(name="edge_agent_sparkplug.proto", package=PACKAGE, syntax="proto2")
    file.message_type.extend(_described(name, fields) for name, fields in _MESSAGES.items())
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.Payload"))


Payload: Final = _payload()
"""A fresh payload is `Payload()`; `payload.metrics.add()` adds a metric, whose fields are set as attributes."""


def parsed(data: bytes) -> Any:
    """The payload in `data`. ValueError if it is none."""
    try:
        return Payload.FromString(data)
    except DecodeError as error:
        raise ValueError(f"no Sparkplug payload: {error}") from error


__all__ = ["IS_SLOW", "Message", "Payload", "parsed"]
