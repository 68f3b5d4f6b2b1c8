"""The faults of `edge-hil misbehave`: their names, what may be said of each, and when one shows. Pure.

    NAME[=VALUE][,KEY=VALUE…]     late=300ms   holes=50-59,70   exception=6,times=3   deaf,unit=7

Every fault of a request also takes `unit=N` and `fc=N` (only of these requests), `every=N` (of them,
only every Nth) and `times=N` (N times, then no more).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from edge_agent_hil.fault_text import Parse, choice, meant, number, ranges, read, seconds, takes
from edge_agent_hil.modbus_frame import GARBLED, Framing, Request

REQUIRED: Final = object()
FILTERS: Final = ("unit", "fc", "every", "times")
SERIAL, CONNECTED, STREAM = "a serial line or its bytes over TCP", "TCP connections", "a stream of bytes"


@dataclass(frozen=True, slots=True)
class Kind:
    """What may be said of one fault."""

    value: Parse | None = None
    """None: it takes none"""
    default: object = REQUIRED
    more: dict[str, tuple[Parse, object]] = field(default_factory=dict)
    """further keys: how to read them, and what holds without them"""
    needs: str = ""
    """where it can be shown only"""
    of_requests: bool = True


_unit, _count = number(0, 255), number(1, 1_000_000)
_code = number(1, 255)
KINDS: Final[dict[str, Kind]] = {
    "max_registers": Kind(number(1, 125), more={"code": (number(2, 3), 3)}),
    "holes": Kind(ranges(65535), more={"code": (_code, 2)}),
    "late": Kind(seconds),
    "wrong_unit": Kind(_unit, None),
    "half_frame": Kind(),
    "close_after_each": Kind(needs=CONNECTED),
    "garble": Kind(choice(*GARBLED), None),
    "one_connection": Kind(choice("close", "refuse", "blackhole"), "close", needs=CONNECTED, of_requests=False),
    "exception": Kind(_code),
    "silent_units": Kind(ranges(255)),
    "deaf": Kind(),
    "short": Kind(number(1, 124), 1),
    "no_fc22": Kind(),
    "no_single_write": Kind(),
    "ignores_writes": Kind(),
    "needs_pause": Kind(seconds),
    "needs_pause_after_connect": Kind(seconds, needs=CONNECTED),
    "coalesced": Kind(),
    "byte_by_byte": Kind(seconds, 0.002, needs=STREAM),
    "junk": Kind(number(1, 255), 3, needs=SERIAL),
    "duplicate": Kind(),
    "echo": Kind(needs=SERIAL),
    "slow": Kind(seconds),
}


@dataclass(slots=True)
class Fault:
    """One fault as it was asked for, and how often it has shown."""

    text: str
    name: str
    value: Any = None
    more: dict[str, Any] = field(default_factory=dict)
    only: dict[str, int] = field(default_factory=dict)
    matched: int = 0
    shown: int = 0

    def shows(self, request: Request) -> bool:
        """Whether it shows now; asked once for each request that it could spoil."""
        is_of = {"unit": request.unit, "fc": request.function}
        if any(self.only.get(key, said) != said for key, said in is_of.items()):
            return False
        self.matched += 1
        if self.matched % self.only.get("every", 1) or self.shown >= self.only.get("times", self.shown + 1):
            return False
        self.shown += 1
        return True


class Faults:
    """All that is wrong with a server now."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._faults = list(faults)

    def find(self, name: str, request: Request, could: Callable[[Fault], bool] = lambda fault: True) -> Fault | None:
        """The fault of that name that shows on this request, if one does; `could`: whether it has a chance to."""
        return next((f for f in self._faults if f.name == name and could(f) and f.shows(request)), None)

    def one_connection(self) -> str | None:
        """What happens to a second connection; None: it is as welcome as the first."""
        return next((str(fault.value) for fault in self._faults if fault.name == "one_connection"), None)

    def texts(self) -> list[str]:
        """As they were asked for."""
        return [fault.text for fault in self._faults]

    def shown(self) -> dict[str, int]:
        """How often each has shown."""
        total = Counter[str]()
        for fault in self._faults:
            total[fault.name] += fault.shown
        return dict(total)


def parse_fault(text: str) -> Fault:
    """`late=300ms,every=3` → a Fault. ValueError names the key, its value and what would be right."""
    head, *rest = text.split(",")
    name, given, value = head.partition("=")
    if name not in KINDS:
        raise ValueError(f"there is no fault {name!r}{meant(name, KINDS) or '; there are ' + ', '.join(KINDS)}")
    kind = KINDS[name]
    filters: dict[str, Parse] = {"unit": _unit, "fc": _code, "every": _count, "times": _count}
    known = {key: parse for key, (parse, _) in kind.more.items()} | (filters if kind.of_requests else {})
    fault = Fault(text, name, more={key: default for key, (_, default) in kind.more.items()})
    for piece in rest:
        key, is_key, word = piece.partition("=")
        if not is_key:
            value += f",{piece}"
            continue
        if key not in known:
            raise ValueError(f"{name} takes no {key!r}{meant(key, known) or takes(known)}")
        into = fault.only if key in FILTERS else fault.more
        into[key] = read(f"{name}, {key}", word, known[key])
    fault.value = _value(name, kind, value if given or value else None)
    return fault


def check_faults(faults: Sequence[Fault], framing: Framing, connected: bool, stream: bool) -> None:
    """ValueError if one cannot be shown on this face."""
    can = {"": True, SERIAL: framing.serial, CONNECTED: connected, STREAM: stream}
    for fault in faults:
        needs = KINDS[fault.name].needs
        if not can[needs]:
            raise ValueError(f"{fault.name} needs {needs}; choose another --face")
        if fault.name == "garble" and fault.value not in (None, *framing.spoils):
            right = f"there are {', '.join(framing.spoils)}"
            raise ValueError(f"garble: {fault.value!r} cannot be wrong on this face; {right}")


def _value(name: str, kind: Kind, text: str | None) -> Any:
    if text is None:
        if kind.default is REQUIRED and kind.value:
            raise ValueError(f"{name} needs a value: {name}=…")
        return None if kind.default is REQUIRED else kind.default
    if kind.value is None:
        raise ValueError(f"{name} takes no value, but it says {text.lstrip(',')!r}")
    return read(name, text, kind.value)
