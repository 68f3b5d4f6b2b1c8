"""The faults that a simulated machine's equipment can be given: their names and what may be said of each. Pure.

    {"machine": "press-1", "kind": "restart", "for": "5s", "counters": "reset"}

A fault changes what the machine *shows*. What it really does is only changed by `restart`, during which it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final

from edge_agent.core.quantity import NS, duration_ns
from edge_agent_hil.events import NEVER
from edge_agent_hil.face_file import ANALOG, COUNTERS, RECIPE

Parse = Callable[[object], Any]
REQUIRED: Final = object()
MODBUS, OPCUA, SECURE = "modbus", "opcua", "opcua with security: true"


def _whole(low: int, high: int) -> Parse:
    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError(f"is no whole number from {low} to {high}")
        return value

    return parse


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError("is no number")  # noqa: TRY004 (told to who asks)
    return value


def _duration(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError("is not a duration; write it as text, such as 500ms or 5s")  # noqa: TRY004 (as above)
    return duration_ns(value)


def _instant(value: object) -> int:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError("is no time; write ISO 8601, such as 2000-01-01T00:00:00Z") from None
    return round(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()) * NS["s"]


def _word(*words: str) -> Parse:
    def parse(value: object) -> str:
        if value not in words:
            raise ValueError(f"is none of {', '.join(words)}")
        return str(value)

    return parse


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
    "restart": Kind({"counters": (_word("keep", "reset"), "keep")}, lasts=5 * SECOND),
    "counter-reset": Kind(lasts=None, of=_is_counter),
    "counter-preset": Kind({"value": (_whole(0, 2**64 - 1), REQUIRED)}, lasts=None, of=_is_counter),
    "counter-wrap": Kind({"below": (_whole(1, 65_535), 5)}, lasts=None, of=_is_counter),
    "glitch": Kind({"value": (_whole(0, 2**64 - 1), 0), "reads": (_whole(1, 1000), 1)}, lasts=None, of=_is_counter),
    "stuck": Kind(of=lambda signal: True),
    "spike": Kind({"factor": (_number, 100)}, lasts=SECOND, of=_is_analog),
    "nan": Kind(of=_is_analog),
    "register-map-shift": Kind({"by": (_whole(-1000, 1000), 1)}, needs=MODBUS),
    "namespace-reorder": Kind(lasts=_DOWN, needs=OPCUA),
    "certificate-change": Kind(lasts=_DOWN, needs=SECURE),
    "clock": Kind({"to": (_instant, _instant("2000-01-01"))}, needs=OPCUA),
    "slow": Kind({"by": (_duration, SECOND)}),
    "exception": Kind({"code": (_whole(1, 255), 4)}),
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


def parse(question: Mapping[str, Any], shown: Mapping[str, Iterable[str]], can: Iterable[str]) -> Order:
    """The order in a question. ValueError names key, value and what would be right.

    `shown`: the signals each machine shows; `can`: the faces of the machine asked about, of MODBUS, OPCUA, SECURE.
    """
    machine, name = question["machine"], question.get("kind")
    kind = KINDS.get(str(name))
    if kind is None:
        near = get_close_matches(str(name), KINDS, n=1, cutoff=0.5)
        right = f"did you mean {near[0]}?" if near else f"there are {', '.join(KINDS)}"
        raise ValueError(f"kind: there is no fault {name!r}; {right}")
    if kind.needs and kind.needs not in can:
        raise ValueError(f"kind: {name} needs {kind.needs}, which {machine} has not")
    takes = {*kind.keys, *(["signal"] if kind.of else []), *(["for"] if kind.lasts is not None else [])}
    if unknown := sorted(set(question) - takes - {"machine", "kind"}):
        right = f"; it takes {', '.join(sorted(takes))}" if takes else "; it takes none"
        raise ValueError(f"{name} takes no {unknown[0]!r}{right}")
    said = {key: _read(question, key, how, default) for key, (how, default) in kind.keys.items()}
    lasts = 0 if kind.lasts is None else _read(question, "for", _duration, kind.lasts)
    return Order(machine, str(name), _signals(question, kind, list(shown[machine])), said, lasts)


def _read(question: Mapping[str, Any], key: str, how: Parse, default: object) -> Any:
    if key not in question:
        if default is REQUIRED:
            raise ValueError(f"{question['kind']} needs {key}")
        return default
    try:
        return how(question[key])
    except ValueError as error:
        raise ValueError(f"{key}: {question[key]!r} {error}") from None


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
