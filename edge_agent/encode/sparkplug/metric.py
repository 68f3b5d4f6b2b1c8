"""One metric with everything it can have: written into a payload, and read from one.

This is the form for births, commands and what changes seldom; samples have a quicker way, see `samples`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from edge_agent.encode.sparkplug.datatype import FIELD, DataType, from_wire, proper, to_wire

QUALITY: Final = "Quality"
GOOD: Final = 192
BAD: Final = 0
STALE: Final = 500
"""values of the property `Quality` (specification, chapter 6.4.22); good is what says nothing"""

EARLIER_MS: Final = 5_000
"""A birth dates back what a device has not told yet: its first value may be on its way, and was taken before."""

_SETS: Final = {DataType.PROPERTY_SET: "propertyset_value", DataType.PROPERTY_SET_LIST: "propertysets_value"}


class Property(NamedTuple):
    """The value of one property; of a set it is a mapping of properties, of a list of sets several of these."""

    datatype: DataType
    value: Any


Properties = Mapping[str, Property]
NO_PROPERTIES: Final[Properties] = MappingProxyType({})


class DataSet(NamedTuple):
    """A table: `types` are basic types (1 to 15), each row has as many cells as there are columns."""

    columns: tuple[str, ...]
    types: tuple[DataType, ...]
    rows: tuple[tuple[Any, ...], ...]


class Template(NamedTuple):
    """A definition (`ref` is None), or an instance of the definition whose metric has the name `ref`."""

    members: tuple[Metric, ...]
    ref: str | None = None
    version: str = ""
    parameters: Properties = NO_PROPERTIES


@dataclass(frozen=True, slots=True)
class Metric:
    """`value` None is null. `time`: of capture, ms UTC; None: not said."""

    name: str
    datatype: int
    value: Any = None
    time: int | None = None
    properties: Properties = field(default_factory=dict)
    historical: bool = False
    alias: int | None = None


def write(into: Any, metric: Metric, *, birth: bool, typed: bool = False) -> None:
    """Into a fresh metric of the wire. In a birth name, alias and datatype stand side by side; in data the alias
    instead of the name, if there is one, and the datatype only if they are `typed`."""
    if birth or metric.alias is None:
        into.name = proper(metric.name)
    if metric.alias is not None:
        into.alias = metric.alias
    if metric.time is not None:
        into.timestamp = metric.time
    if birth or typed:
        into.datatype = metric.datatype
    if metric.historical:
        into.is_historical = True
    _write_properties(into, metric.properties)
    if metric.value is None:
        into.is_null = True
    elif metric.datatype == DataType.DATASET:
        _write_dataset(into.dataset_value, metric.value)
    elif metric.datatype == DataType.TEMPLATE:
        _write_template(into.template_value, metric.value)
    else:
        setattr(into, FIELD[metric.datatype], to_wire(metric.datatype, metric.value))


def read(wire: Any, datatype: int = DataType.UNKNOWN) -> Metric:
    """A metric of the wire; `datatype`: that of its birth, where it does not say one. ValueError if it is none."""
    datatype = wire.datatype if wire.HasField("datatype") else datatype
    value = None
    if not wire.is_null and (held := wire.WhichOneof("value")) is not None:
        if held != FIELD.get(datatype):
            raise ValueError(f"{wire.name!r} has {held}, which is no value of datatype {datatype}")
        value = _read_value(datatype, getattr(wire, held))
    return Metric(
        wire.name,
        datatype,
        value,
        wire.timestamp if wire.HasField("timestamp") else None,
        _read_properties(wire.properties),
        wire.is_historical,
        wire.alias if wire.HasField("alias") else None,
    )


def _read_value(datatype: int, value: Any) -> Any:
    if datatype == DataType.DATASET:
        types = tuple(map(DataType, value.types))
        rows = (
            tuple(_read_cell(cell, kind) for cell, kind in zip(row.elements, types, strict=True)) for row in value.rows
        )
        return DataSet(tuple(value.columns), types, tuple(rows))
    if datatype == DataType.TEMPLATE:
        ref = None if value.is_definition else value.template_ref
        parameters = {one.name: Property(DataType(one.type), _read_cell(one, one.type)) for one in value.parameters}
        return Template(tuple(read(one) for one in value.metrics), ref, value.version, parameters)
    return from_wire(datatype, value)


def _read_cell(cell: Any, datatype: int) -> Any:
    held = cell.WhichOneof("value")
    return None if held is None else from_wire(datatype, getattr(cell, held))


def _write_properties(into: Any, properties: Properties) -> None:
    if properties:
        _write_set(into.properties, properties)


def _write_set(into: Any, properties: Properties) -> None:
    for key, (datatype, value) in properties.items():
        into.keys.append(proper(key))
        said = into.values.add()
        said.type = datatype
        if value is None:
            said.is_null = True
        elif datatype == DataType.PROPERTY_SET:
            said.propertyset_value.SetInParent()
            _write_set(said.propertyset_value, value)
        elif datatype == DataType.PROPERTY_SET_LIST:
            said.propertysets_value.SetInParent()
            for one in value:
                _write_set(said.propertysets_value.propertyset.add(), one)
        else:
            setattr(said, FIELD[datatype], to_wire(datatype, value))


def _read_properties(said: Any) -> Properties:
    read: dict[str, Property] = {}
    for key, one in zip(said.keys, said.values, strict=False):
        datatype = DataType(one.type) if one.type in DataType.__members__.values() else DataType.UNKNOWN
        held = None if one.is_null else one.WhichOneof("value")
        if held == _SETS[DataType.PROPERTY_SET]:
            value: Any = _read_properties(one.propertyset_value)
        elif held == _SETS[DataType.PROPERTY_SET_LIST]:
            value = [_read_properties(each) for each in one.propertysets_value.propertyset]
        else:
            value = None if held is None else from_wire(datatype, getattr(one, held))
        read[key] = Property(datatype, value)
    return read


def _write_dataset(into: Any, data: DataSet) -> None:
    into.num_of_columns = len(data.columns)
    into.columns.extend(map(proper, data.columns))
    into.types.extend(data.types)
    for row in data.rows:
        elements = into.rows.add().elements
        for datatype, value in zip(data.types, row, strict=True):
            setattr(elements.add(), FIELD[datatype], to_wire(datatype, value))


def _write_template(into: Any, template: Template) -> None:
    """Members always say name and datatype: whoever reads one need not look into the definition."""
    into.is_definition = template.ref is None
    if template.ref is not None:
        into.template_ref = template.ref
    if template.version:
        into.version = template.version
    for name, (datatype, value) in template.parameters.items():
        parameter = into.parameters.add()
        parameter.name, parameter.type = proper(name), datatype
        if value is not None:
            setattr(parameter, FIELD[datatype], to_wire(datatype, value))
    for member in template.members:
        write(into.metrics.add(), member, birth=True)
