"""Quality of a sample: a class (good, uncertain, bad) and the reason, in one byte.

The upper two bits are the class, the lower six the reason, so that a whole column is
classified with one shift: `quality >> 6`. A reason may accompany GOOD: the value is to be
trusted, but something about it is worth knowing (a replaced time stamp, for instance).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray


class QualityClass(IntEnum):
    """The class of a sample, as published."""

    GOOD = 0
    UNCERTAIN = 1
    BAD = 2


class Reason(IntEnum):
    """Why a sample is not (plainly) good. The numbers are stored in journals: never renumber."""

    NONE = 0
    COMM_LOST = 1         # the session to the device is gone
    OUT_OF_RANGE = 2      # outside the tag's configured range
    STUCK = 3
    SPIKE = 4
    STALE = 5             # no sample for longer than the tag allows
    CLOCK = 6             # the device's clock was implausible; the time is ours
    NOT_A_NUMBER = 7
    REFUSED = 8           # the device answered "no such address" or similar
    DEVICE = 9            # the device itself marks the value (OPC UA StatusCode, sensor fault)
    AGENT_DOWN = 10       # the agent was not running
    UNMAPPED = 11         # a value that the tag's map or vocabulary does not know
    NO_ANSWER = 12        # the line stands, but the device does not answer
    GATEWAY = 13          # a gateway answers in the name of a device it cannot reach
    BUSY = 14             # the device says that it is busy, also when asked again
    GARBLED = 15          # what arrives is no intact answer: checksums, cut or foreign frames


GOOD: Final = 0
UNCERTAIN: Final = 1 << 6
BAD: Final = 2 << 6
REASON: Final = 63      # mask of the bits that are the reason

CLASS_NAMES: Final = ("good", "uncertain", "bad")


def bad(reason: Reason) -> int:
    """The quality byte of a bad sample."""
    return BAD | reason


def uncertain(reason: Reason) -> int:
    """The quality byte of an uncertain sample."""
    return UNCERTAIN | reason


def is_good(quality: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Boolean mask, shape (n,): the samples of class GOOD (whatever their reason)."""
    return quality < UNCERTAIN


def class_name(quality: int) -> str:
    """`good`, `uncertain` or `bad`."""
    return CLASS_NAMES[min(quality >> 6, 2)]


def reason_name(quality: int) -> str:
    """The reason in lower case, '' for none."""
    try:
        reason = Reason(quality & REASON)
    except ValueError:
        return f"reason_{quality & REASON}"
    return "" if reason is Reason.NONE else reason.name.lower()
