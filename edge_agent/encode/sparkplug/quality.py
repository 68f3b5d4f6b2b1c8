"""What the property `Quality` says of a quality byte (specification, chapter 6.4.22)."""

from __future__ import annotations

from typing import Final

import numpy as np

from edge_agent.core.quality import BAD, REASON, UNCERTAIN, Reason
from edge_agent.encode.sparkplug import metric as metrics

# The line to the device, or the agent, was gone: the value is the last one known, and old.
_OLD: Final = frozenset({Reason.COMM_LOST, Reason.STALE, Reason.AGENT_DOWN, Reason.NO_ANSWER})


def _quality(byte: int) -> int:
    """Property `Quality` of a quality byte; `GOOD` is not written. What is doubtful is shown as stale."""
    if byte < UNCERTAIN:
        return metrics.GOOD
    if byte < BAD or byte & REASON in _OLD:
        return metrics.STALE
    return metrics.BAD


QUALITIES: Final = tuple(_quality(byte) for byte in range(256))
LINE_LOST: Final = np.array([byte >= BAD and byte & REASON in _OLD for byte in range(256)])
"""Quality bytes, shape (256,), of what the death of a device says as well."""
