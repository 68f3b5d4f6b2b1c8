"""Whether the system's clock can be believed: what the kernel and the board say."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Final

STA_UNSYNC: Final = 0x40        # of <sys/timex.h>: no time source has set the clock, or it is lost
_TIMEX_BYTES: Final = 256       # struct timex has 208 bytes on 64-bit Linux; modes first, status after five longs
_STATUS_AT: Final = 5 * ctypes.sizeof(ctypes.c_long)

# What a board with a device tree and no clock that runs on a battery looks like: a Raspberry Pi, for one.
_DEVICE_TREE: Final = Path("/proc/device-tree")
_RTC: Final = Path("/sys/class/rtc/rtc0")


def has_no_battery_clock(device_tree: Path = _DEVICE_TREE, rtc: Path = _RTC) -> bool:
    """Whether this is a board whose clock starts anywhere, until the network tells it the time."""
    return device_tree.exists() and not rtc.exists()


def is_synchronised() -> bool:
    """Whether the kernel believes its clock; True where it cannot be asked."""
    if sys.platform != "linux":
        return True
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)      # modes = 0: only read
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    except (OSError, AttributeError):
        return True
    status = ctypes.c_int.from_buffer(buffer, _STATUS_AT).value
    return state < 0 or not status & STA_UNSYNC
