"""Values as the library decodes them, one object each, → columns: for what is read rather than published."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent_opcua.changes import NO_TIME, NOT_A_SCALAR, Changes

_DATE_TIME = 13
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def changes_of(handle: NDArray[np.intp], answers: Sequence[Any]) -> Changes:
    """`ua.DataValue`s, one for each handle."""
    n = len(answers)
    kind, value = np.zeros(n, np.uint8), np.full(n, np.nan)
    other: dict[int, Any] = {}
    for row, answer in enumerate(answers):
        variant = answer.Value
        if variant is None or variant.Value is None:
            continue
        raw, type_ = variant.Value, variant.VariantType
        if variant.is_array or not isinstance(type_, int):
            kind[row], other[row] = NOT_A_SCALAR, raw
            continue
        kind[row] = type_
        if isinstance(raw, bool | int | float):
            value[row] = raw
        elif type_ == _DATE_TIME:
            value[row] = raw.timestamp()
        else:
            other[row] = raw
    status = np.array([0 if one.StatusCode is None else one.StatusCode.value for one in answers], np.uint32)
    time = np.array([_time(one) for one in answers], np.int64)
    return Changes(handle.astype(np.uint32), kind, status, time, value, other)


def _time(answer: Any) -> int:
    stamp = answer.SourceTimestamp or answer.ServerTimestamp
    if stamp is None:
        return NO_TIME
    since = (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)) - _EPOCH
    return int(((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000)
