"""The faults that a simulated machine's equipment can be given: their names and what may be said of each. Pure.

    {"machine": "press-1", "kind": "restart", "for": "5s", "counters": "reset"}

A fault changes what the machine *shows*. What it really does is only changed by `restart`, during which it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from edge_agent.core.quantity import NS, duration_ns
from edge_agent_hil.events import NEVER
from edge_agent_hil.face_file import ANALOG, COUNTERS, RECIPE
from edge_agent_hil.fault_text import Parse, choice, meant, number, read, takes

REQUIRED: Final = object()
MODBUS, OPCUA, SECURE = "modbus", "opcua", "opcua with security: true"


def _factor(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("is no number") from None


def _shift(text: str) -> int:
    count = number(1, 1000)(text.removeprefix("-"))
    return -count if text.startswith("-") else int(count)


def _instant(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is no time; write ISO 8601, such as 2000-01-01T00:00:00Z") from None
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * NS["s"]


def _is_analog(signal: str) -> bool:
    return signal in ANALOG or RECIPE.fullmatch(signal) is not None


def _is_counter(signal: str) -> bool:
    return signal in COUNTERS


@dataclass(frozen=True, slots=True)
class Kind:
    """What may be said of one fault."""

    keys: Mapping[str, tuple[Parse, object]] = field(default_factory=dict)
    """how to read each, and what holds without it"""
    lasts: int | None = NEVER
    """ns without `for`; None: it happens at an instant and takes no `for`"""
    of: Callable[[str], bool] | None = None
    """which signals it is of; None: of the whole machine. Without `signal` it is of all of these that are shown"""
    needs: str = ""
    """a face without which it cannot be shown"""


SECOND: Final = NS["s"]
_DOWN: Final = 2 * SECOND       # a server of a small controller is back about that long after a change of its settings
KINDS: Final[dict[str, Kind]] = {
    "restart": Kind({"counters": (choice("keep", "reset"), "keep")}, lasts=5 * SECOND),
    "counter-reset": Kind(lasts=None, of=_is_counter),
    "counter-preset": Kind({"value": (number(0, 2**64 - 1), REQUIRED)}, lasts=None, of=_is_counter),
    "counter-wrap": Kind({"below": (number(1, 65_535), 5)}, lasts=None, of=_is_counter),
    "glitch": Kind({"value": (number(0, 2**64 - 1), 0), "reads": (number(1, 1000), 1)}, lasts=None, of=_is_counter),
    "stuck": Kind(of=lambda signal: True),
    "spike": Kind({"factor": (_factor, 100)}, lasts=SECOND, of=_is_analog),
    "nan": Kind(of=_is_analog),
    "register-map-shift": Kind({"by": (_shift, 1)}, needs=MODBUS),
    "namespace-reorder": Kind(lasts=_DOWN, needs=OPCUA),
    "certificate-change": Kind(lasts=_DOWN, needs=SECURE),
    "clock": Kind({"to": (_instant, _instant("2000-01-01"))}, needs=OPCUA),
    "slow": Kind({"by": (duration_ns, SECOND)}),
    "exception": Kind({"code": (number(1, 255), 4)}),
}
CLOSED: Final = ("restart", "namespace-reorder", "certificate-change")
"""while one of these lasts nothing answers"""


@dataclass(frozen=True, slots=True)
class Order:
    """One fault as it was asked for."""

    machine: str
    kind: str
    signals: tuple[str, ...]
    said: Mapping[str, Any]
    lasts: int
    """ns of simulated time; 0: at an instant; NEVER: until it is cleared"""


def parse(question: Mapping[str, Any], shown: list[str], can: Iterable[str]) -> Order:
    """The order in a question. ValueError names key, value and what would be right.

    `shown`: the signals of the machine that is asked about; `can`: what its faces are, of MODBUS, OPCUA, SECURE.
    """
    machine, name = question["machine"], question.get("kind")
    if name not in KINDS:
        right = meant(str(name), KINDS) or f"; there are {', '.join(KINDS)}"
        raise ValueError(f"kind: there is no fault {name!r}{right}")
    kind = KINDS[name]
    if kind.needs and kind.needs not in can:
        raise ValueError(f"kind: {name} needs {kind.needs}, which {machine} has not")
    known = [*kind.keys, *(["signal"] if kind.of else []), *(["for"] if kind.lasts is not None else [])]
    for key in sorted(set(question) - {*known, "machine", "kind"}):
        raise ValueError(f"{name} takes no {key!r}{meant(key, known) or takes(known)}")
    said = {key: _read(question, key, how, default) for key, (how, default) in kind.keys.items()}
    lasts = 0 if kind.lasts is None else _read(question, "for", duration_ns, kind.lasts)
    return Order(machine, str(name), _signals(question, kind, shown), said, lasts)


def _read(question: Mapping[str, Any], key: str, how: Parse, default: object) -> Any:
    if key not in question:
        if default is REQUIRED:
            raise ValueError(f"{question['kind']} needs {key}")
        return default
    return read(key, str(question[key]), how)


def _signals(question: Mapping[str, Any], kind: Kind, shown: list[str]) -> tuple[str, ...]:
    if kind.of is None:
        return ()
    fitting = [signal for signal in shown if kind.of(signal)]
    if not fitting:
        raise ValueError(f"kind: {question['machine']} shows nothing that {question['kind']} is of")
    if "signal" not in question:
        return tuple(fitting)
    if question["signal"] not in fitting:
        raise ValueError(f"signal: {question['signal']!r} is not one of {', '.join(fitting)}")
    return (question["signal"],)
