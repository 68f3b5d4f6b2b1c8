"""The seven states a machine can be in, whatever protocol says so (domain 3.1)."""

from __future__ import annotations

from enum import IntEnum


class MachineState(IntEnum):
    """Canonical machine state; the numbers are stored in journals: never renumber."""

    UNKNOWN = 0     # no trustworthy data
    OFF = 1         # de-energised or deliberately off
    IDLE = 2        # energised, able, not executing
    SETUP = 3       # preparation, warm-up, changeover, trial
    RUN = 4         # executing the value-adding cycle
    FAULT = 5       # cannot execute because of a malfunction
    MAINT = 6       # set to maintenance or service
