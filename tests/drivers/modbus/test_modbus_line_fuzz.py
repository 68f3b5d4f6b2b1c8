"""Whatever stands in a url or beside it: it is right, or a ValueError tells what would be."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge_agent_modbus.config import ModbusDevice
from edge_agent_modbus.line import parse_line


@given(st.text(max_size=60))
@example("modbus+tcp://[")
@example("modbus+tcp://[::1")
@example("modbus+tcp://h:\u0661")
@example("modbus+rtu:///dev/x?baud=\u0661")
@example("modbus+tcp://h?unit=\u00b2")
@example("modbus+tcp://\ud800")
@example("modbus+rtu:///%00")
def test_any_text_as_a_url_is_right_or_told_what_would_be(text: str) -> None:
    tails = (f"tcp://{text}", f"rtu:///{text}", f"tcp://h?{text}", f"tls://h:{text}", f"rtu:///dev/x?{text}")
    for url in (text, *(f"modbus+{tail}" for tail in tails)):
        try:
            line = parse_line(url)
        except ValueError as told:
            assert str(told)  # noqa: PT017 — every text must come through one of the two ways
        else:
            assert 0 <= line.unit <= 255
            assert line.endpoint.place


@given(st.fixed_dictionaries({}, optional={
    "url": st.sampled_from(["modbus+tcp://h", "modbus+rtu:///dev/x", "modbus+tls://h?unit=3", "modbus+udp://h", ""]),
    "urls": st.lists(st.sampled_from(["modbus+tcp://h", "modbus+rtu:///dev/x?baud=9600", "modbus+tcp://i", 5]),
                     max_size=3),
    "serial": st.one_of(st.none(), st.dictionaries(st.sampled_from(["baud", "parity", "stop", "bits", "rs485"]),
                                                   st.one_of(st.integers(), st.text(max_size=3)))),
    "in_flight": st.integers(-1, 20), "connections": st.integers(-1, 40), "timeout": st.text(max_size=5),
    "retries": st.one_of(st.integers(-2, 12), st.text(max_size=2)), "gap": st.one_of(st.none(), st.integers(-1, 130)),
    "key": st.just("k.pem"), "cert": st.just("c.pem"), "pause_between_requests": st.sampled_from(["0s", "5ms", "x"]),
}))  # fmt: skip
def test_any_keys_of_a_line_are_right_or_told_what_would_be(keys: dict[str, Any]) -> None:
    try:
        made = ModbusDevice.model_validate({"driver": "modbus", **keys})
    except ValidationError as told:
        assert told.error_count()  # noqa: PT017
    else:
        assert made.settings().lines
        assert made.url == made.addresses()[0]
