"""An agent that is wrong: it takes the two registers of a 32-bit value in the other order."""

from __future__ import annotations

import sys

from edge_agent import cli
from edge_agent_modbus import config
from edge_agent_modbus.config import ModbusDevice, ModbusTag

_right = config.ModbusDevice.order_of
SWAPPED = {"ABCD": "CDAB", "CDAB": "ABCD"}


def order_of(self: ModbusDevice, tag: ModbusTag) -> str:
    order = _right(self, tag)
    return SWAPPED.get(order, order)


if __name__ == "__main__":
    config.ModbusDevice.order_of = order_of  # type: ignore[method-assign]
    sys.exit(cli.main())
