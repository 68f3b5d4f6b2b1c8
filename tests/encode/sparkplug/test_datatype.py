"""Values of every datatype on the wire and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.encode.sparkplug.datatype import FIELD, DataType, from_wire, limits, to_wire
from edge_agent.encode.sparkplug.metric import DataSet, Metric, Property, Template, read, write
from edge_agent.encode.sparkplug.payload import body_of, death_of, stamped, varint
from edge_agent.encode.sparkplug.wire import IS_SLOW, Payload, parsed

_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
_floats = st.floats(allow_nan=False, width=32)
_SCALARS: dict[int, st.SearchStrategy[Any]] = {
    **{kind: st.integers(*limits(kind)) for kind in (1, 2, 3, 4, 5, 6, 7, 8, 13)},
    9: _floats, 10: st.floats(allow_nan=False), 11: st.booleans(), 12: _texts, 14: _texts, 15: _texts,
    17: st.binary(), 18: st.binary(),
}  # fmt: skip
_ARRAYS = {
    **{22 + n: st.lists(_SCALARS[1 + n]) for n in range(8)},
    30: st.lists(_floats), 31: st.lists(_SCALARS[10]), 32: st.lists(st.booleans()), 33: st.lists(_texts),
    34: st.lists(_SCALARS[13]),
}  # fmt: skip


def there_and_back(metric: Metric, *, birth: bool = True) -> Metric:
    [wire] = parsed(stamped(body_of((metric,), birth=birth), 5, 0)).metrics
    return read(wire, metric.datatype)


@pytest.mark.parametrize("datatype", sorted(_SCALARS | _ARRAYS))
def test_payloads_metric_datatype_value_every_value_of_every_type_comes_back(datatype: int) -> None:
    @given(value=(_SCALARS | _ARRAYS)[datatype])
    def comes_back(value: Any) -> None:
        assert there_and_back(Metric("m", datatype, value, 7)).value == value

    comes_back()


def test_the_types_are_the_34_of_the_specification_and_each_has_its_field() -> None:
    assert [int(one) for one in DataType] == list(range(35))
    assert {kind for kind in range(1, 35) if kind not in FIELD} == {DataType.PROPERTY_SET, DataType.PROPERTY_SET_LIST}


@pytest.mark.parametrize(("datatype", "wire"), [(1, 0xFF), (2, 0xFFFF), (3, 0xFFFFFFFF), (4, (1 << 64) - 1)])
def test_minus_one_is_unsigned_on_the_wire_in_its_own_width(datatype: int, wire: int) -> None:
    assert to_wire(datatype, -1) == wire
    assert from_wire(datatype, wire) == -1


@pytest.mark.parametrize(("datatype", "wire", "value"), [(1, 0xFFFFFFFE, -2), (2, 0xFFFF8000, -32768), (1, 0x7F, 127)])
def test_a_sign_extended_integer_of_others_is_understood(datatype: int, wire: int, value: int) -> None:
    assert from_wire(datatype, wire) == value


@pytest.mark.parametrize(
    ("datatype", "value"), [(1, 128), (5, -1), (8, 1 << 64), (3, 1.0), (3, True), (33, ["a\0b"]), (22, [300])]
)
def test_what_is_no_value_of_a_type_is_refused(datatype: int, value: Any) -> None:
    with pytest.raises(ValueError):
        to_wire(datatype, value)


@pytest.mark.parametrize(
    ("datatype", "value", "wire"),
    [
        (22, [-23, 123], "e97b"),
        (23, [-30000, 30000], "d08a3075"),
        (24, [-1, 315338746], "ffffffff faafcb12"),
        (30, [1.23, 89.341], "a4709d3f 98aeb242"),
        (32, [False, False, True, True, False, True, False, False, True, True, False, True], "0c000000 34d0"),
        (33, ["ABC", "hello"], "41424300 68656c6c6f00"),
        (34, [1256102875335, 1656107875000], "c7d0907524010000 b8bab89781010000"),
    ],
)
def test_arrays_are_packed_little_endian(datatype: int, value: Any, wire: str) -> None:
    assert to_wire(datatype, value) == bytes.fromhex(wire)
    assert from_wire(datatype, bytes.fromhex(wire)) == pytest.approx(value)


@pytest.mark.parametrize(("datatype", "wire"), [(23, b"\1"), (32, b""), (32, b"\x09\0\0\0\xff")])
def test_an_array_cut_short_is_refused(datatype: int, wire: bytes) -> None:
    with pytest.raises(ValueError):
        from_wire(datatype, wire)


def test_presence_what_is_0_or_false_is_on_the_wire() -> None:
    whole = parsed(stamped(body_of((Metric("", 11, False, 0, alias=0),), birth=False), 0, 0))
    assert whole.HasField("seq")
    assert whole.HasField("timestamp")
    [metric] = whole.metrics
    assert metric.HasField("alias")
    assert metric.HasField("timestamp")
    assert metric.WhichOneof("value") == "boolean_value"
    assert not metric.HasField("name")
    assert not metric.HasField("datatype")
    definition = parsed(body_of((Metric("t", 19, Template((), "d")),), birth=True)).metrics[0].template_value
    assert definition.HasField("is_definition")
    assert not definition.is_definition


@given(value=st.integers(0, (1 << 64) - 1), seq=st.one_of(st.none(), st.integers(0, 255)))
def test_a_stamped_body_is_byte_for_byte_what_the_runtime_writes_at_once(value: int, seq: int | None) -> None:
    metrics = (Metric("a", 8, value, 3), Metric("b", 11, False, 4))
    whole = Payload.FromString(body_of(metrics, birth=True))
    whole.timestamp = value
    if seq is not None:
        whole.seq = seq
    assert stamped(body_of(metrics, birth=True), value, seq) == whole.SerializeToString()


def test_a_negative_number_has_no_varint() -> None:
    with pytest.raises(ValueError):
        varint(-1)


def test_payloads_ndeath_seq_a_death_has_one_metric_and_no_number() -> None:
    for death in (death_of(0), death_of(255, 1000)):
        said = parsed(death)
        assert not said.HasField("seq")
        assert [(one.name, one.datatype) for one in said.metrics] == [("bdSeq", DataType.INT64)]
    assert parsed(death_of(0)).metrics[0].HasField("long_value")


def test_a_null_has_no_value() -> None:
    for datatype in _SCALARS | _ARRAYS | {16: None, 19: None}:
        [wire] = parsed(body_of((Metric("m", datatype),), birth=True)).metrics
        assert wire.is_null
        assert wire.WhichOneof("value") is None


def test_a_data_set_comes_back() -> None:
    types = (DataType.INT8, DataType.UINT64, DataType.FLOAT, DataType.DOUBLE, DataType.BOOLEAN, DataType.STRING)
    rows = ((-1, 1 << 63, 0.5, 0.1, False, "a"), (0, 0, -0.5, -0.1, True, ""))
    data = DataSet(tuple("abcdef"), types, rows)
    assert there_and_back(Metric("m", DataType.DATASET, data)).value == data
    [wire] = parsed(body_of((Metric("m", DataType.DATASET, data),), birth=True)).metrics
    assert wire.dataset_value.num_of_columns == 6


def test_a_property_set_comes_back_with_sets_within_sets() -> None:
    inner = {"x": Property(DataType.INT8, -3), "none": Property(DataType.STRING, None)}
    properties = {
        "engUnit": Property(DataType.STRING, "°C"),
        "set": Property(DataType.PROPERTY_SET, inner),
        "sets": Property(DataType.PROPERTY_SET_LIST, [inner, {}]),
    }
    assert there_and_back(Metric("m", 10, 1.0, properties=properties)).properties == properties


def test_a_template_comes_back_as_definition_and_as_instance() -> None:
    members = (Metric("a", 4, -1, 1), Metric("b", 12, "x", 2))
    parameters = {"size": Property(DataType.INT32, -7)}
    for ref in (None, "_types_/Machine"):
        template = Template(members, ref, "1", parameters)
        assert there_and_back(Metric("m", DataType.TEMPLATE, template)).value == template


def test_a_value_in_the_wrong_field_is_refused() -> None:
    payload = Payload()
    payload.metrics.add(name="m", datatype=4, string_value="7")
    with pytest.raises(ValueError, match="no value of datatype 4"):
        read(payload.metrics[0])
    with pytest.raises(ValueError, match="no Sparkplug payload"):
        parsed(b"{}")


@pytest.mark.parametrize("datatype", [DataType.INT64, DataType.INT32, DataType.DOUBLE_ARRAY, DataType.BOOLEAN_ARRAY])
def test_a_property_or_a_cell_in_the_wrong_field_is_refused(datatype: DataType) -> None:
    payload = Payload()
    metric = payload.metrics.add(name="m", datatype=DataType.DOUBLE, double_value=1.0)
    metric.properties.keys.append("unit")
    metric.properties.values.add(type=datatype, string_value="7")
    with pytest.raises(ValueError, match=rf"'7' is no {datatype.name}"):
        read(metric)


def test_half_a_character_becomes_a_question_mark() -> None:
    assert there_and_back(Metric("m", 12, "a\ud800")).value == "a?"


def test_the_runtime_of_this_machine_is_compiled() -> None:
    assert not IS_SLOW, "protobuf without upb: install a wheel made for this machine"


def test_write_leaves_out_the_name_only_where_an_alias_stands() -> None:
    payload = Payload()
    write(payload.metrics.add(), Metric("m", 4, 1), birth=False)
    assert payload.metrics[0].name == "m"
