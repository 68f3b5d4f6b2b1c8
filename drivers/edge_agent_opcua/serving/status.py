"""What the quality of a sample is as an OPC UA StatusCode (Part 4, 7.39; Part 8, 6.3). Pure.

A value that is not good keeps its reason, as far as OPC UA has a code that says it. `REFUSED` is not
BadNodeIdUnknown: that would tell a client that *our* node is not there, and it would give it up.
"""

from __future__ import annotations

from typing import Final

from edge_agent.api import BAD, UNCERTAIN, Reason

STATUS_GOOD: Final = 0
NO_SAMPLE: Final = 0x8032_0000          # BadWaitingForInitialData
NO_FIGURE: Final = 0x809B_0000          # BadNoData
LAST_USABLE: Final = 0x4090_0000        # UncertainLastUsableValue

_REASON_BITS: Final = 0x3F

_UNCERTAIN: Final[dict[int, int]] = {
    Reason.NONE: 0x4000_0000,           # Uncertain
    Reason.COMM_LOST: 0x408F_0000,      # UncertainNoCommunicationLastUsableValue
    Reason.NO_ANSWER: 0x408F_0000,
    Reason.OUT_OF_RANGE: 0x4094_0000,   # UncertainEngineeringUnitsExceeded
    Reason.STUCK: 0x4093_0000,          # UncertainSensorNotAccurate
    Reason.SPIKE: 0x4093_0000,
    Reason.STALE: LAST_USABLE,
    Reason.DEVICE: 0x4095_0000,         # UncertainSubNormal
}

_BAD: Final[dict[int, int]] = {
    Reason.NONE: 0x8000_0000,           # Bad
    Reason.COMM_LOST: 0x8031_0000,      # BadNoCommunication
    Reason.OUT_OF_RANGE: 0x803C_0000,   # BadOutOfRange
    Reason.STUCK: 0x808C_0000,          # BadSensorFailure
    Reason.SPIKE: 0x808C_0000,
    Reason.STALE: LAST_USABLE,          # with the last usable value, if there has been one
    Reason.CLOCK: 0x8023_0000,          # BadInvalidTimestamp
    Reason.NOT_A_NUMBER: 0x808C_0000,
    Reason.REFUSED: 0x8089_0000,        # BadConfigurationError
    Reason.DEVICE: 0x808B_0000,         # BadDeviceFailure
    Reason.AGENT_DOWN: 0x808D_0000,     # BadOutOfService
    Reason.UNMAPPED: 0x803C_0000,
    Reason.NO_ANSWER: 0x8031_0000,
    Reason.GATEWAY: 0x8031_0000,
    Reason.BUSY: 0x8004_0000,           # BadResourceUnavailable
    Reason.GARBLED: 0x8005_0000,        # BadCommunicationError
}


def status_of(quality: int) -> int:
    """The StatusCode of a quality byte; a reason that is not known here leaves the bare class."""
    if quality < UNCERTAIN:
        return STATUS_GOOD
    table = _BAD if quality >= BAD else _UNCERTAIN
    return table.get(quality & _REASON_BITS, table[Reason.NONE])


def is_bad(status: int) -> bool:
    """Whether a value with this StatusCode is not to be used, and therefore not sent."""
    return status >= 0x8000_0000
