"""What devices on one line say together: contradictions, and how busy a serial line will be."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.api import Tag
from edge_agent_modbus import plugin

RTU = "modbus+rtu:///dev/ttyUSB0"


def together(**devices: dict[str, Any]) -> list[tuple[str, str, str]]:
    configs = {
        name: plugin.config.model_validate({"driver": "modbus", **keys}) for name, keys in devices.items()
    }
    return [(clash.device, clash.key, clash.message) for clash in plugin.together(configs)]


def test_devices_that_agree_share_a_line() -> None:
    assert together(a={"url": f"{RTU}?unit=1&baud=9600"}, b={"url": f"{RTU}?unit=2&baud=9600"}) == []
    assert together(a={"url": "modbus+tcp://gw?unit=1"}, b={"url": "modbus+tcp://gw?unit=2"}) == []
    assert together(a={"url": "modbus+tcp://gw?unit=1"}, b={"url": "modbus+udp://gw?unit=1"}) == []


@pytest.mark.parametrize(
    ("one", "two", "key", "message"),
    [
        ({"url": f"{RTU}?unit=1&baud=9600"}, {"url": f"{RTU}?unit=2"}, "url",
         "one runs /dev/ttyUSB0 at 9600 8N1, this device at 19200 8N1"),
        ({"url": f"{RTU}?unit=1"}, {"url": "modbus+ascii:///dev/ttyUSB0?unit=2"}, "url", "in another way"),
        ({"url": "modbus+tcp://gw"}, {"url": "modbus+rtuovertcp://gw?unit=2"}, "url", "in another way"),
        ({"url": f"{RTU}?unit=1"}, {"url": f"{RTU}?unit=1"}, "url", "unit 1 on /dev/ttyUSB0 is one already"),
        ({"url": "modbus+tcp://gw", "connections": 2}, {"url": "modbus+tcp://gw?unit=2"}, "url",
         "connections differs from that of one, with which it shares gw:502"),
        ({"url": "modbus+tcp://gw"}, {"url": "modbus+tcp://gw?unit=2", "in_flight": 4}, "in_flight",
         "in_flight differs"),
        ({"url": "modbus+tcp://gw"}, {"urls": ["modbus+tcp://other", "modbus+rtuovertcp://gw"]}, "urls", "another way"),
    ],
)  # fmt: skip
def test_what_contradicts_is_said_of_the_second_device(
    one: dict[str, Any], two: dict[str, Any], key: str, message: str
) -> None:
    [(device, at, told)] = together(one=one, two=two)
    assert (device, at) == ("two", key)
    assert message in told


def test_the_plan_says_how_busy_a_serial_line_will_be() -> None:
    tags = {f"t{n}": f"holding:{n}" for n in range(100)}
    table = [Tag(n, "m", name) for n, name in enumerate(tags)]
    for poll, expected, warned in (("1s", 12.5, False), ("150ms", 83, True)):
        keys = {"driver": "modbus", "url": f"{RTU}?unit=1", "poll": poll, "tags": tags}
        [told] = plugin.overview({"m": plugin.config.model_validate(keys)}, table)
        assert told.startswith("/dev/ttyUSB0 at 19200 8N1: 1 unit")
        # 8 and 205 characters of 10 bits, twice 1.8 ms of silence, 10 ms for the slave: 125 ms
        share = int(told.split("busy ")[1].split("%")[0])
        assert share == pytest.approx(expected, abs=2)
        assert ("TOO MUCH" in told) is warned
