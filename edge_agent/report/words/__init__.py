"""Words and numbers in the language of the reader: English or Chinese, every text in both.

A text has a key; `{name}` in it is filled in. What is nobody's text (ids of machines, products, names of
shifts, reasons that a site made up) is shown as it is.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo

from edge_agent.core.wall import SECOND, local
from edge_agent.report.words import digital, kpi, page, state

if TYPE_CHECKING:
    from edge_agent.core.report import Window  # it brings NumPy, which words can do without

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")

TEXTS: Final[dict[str, tuple[str, str]]] = {**page.TEXTS, **kpi.TEXTS, **state.TEXTS, **digital.TEXTS}
"""key → English, Chinese"""

NOTHING: Final = "–"
"""What stands for a value that is not defined; never 0."""

_HOUR: Final = 3600
_MINUTE: Final = 60


class Words:
    """One language, and the time zone in which instants are shown."""

    NOTHING = NOTHING

    def __init__(self, language: Language, zone: str) -> None:
        self.language = language
        self._at = LANGUAGES.index(language)
        self._zone = ZoneInfo(zone)

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key; KeyError if there is none."""
        text = TEXTS[key][self._at]
        return text.format(**values) if values else text

    def either(self, english: str, chinese: str) -> str:
        """What comes in both languages already."""
        return (english, chinese)[self._at]

    def knows(self, key: str) -> bool:
        """Whether there is a text of this key."""
        return key in TEXTS

    def of(self, prefix: str, name: str) -> str:
        """The text of `prefix` and a name; the name itself where there is none, such as of a later version."""
        return self(prefix + name) if self.knows(prefix + name) else name

    def percent(self, value: Fraction | float | None, digits: int = 2) -> str:
        """A ratio as `75.68 %`."""
        return NOTHING if value is None else f"{percentage(value, digits)}\u202f%"

    def number(self, value: Fraction | float | None, digits: int = 0) -> str:
        """`1,234.5`."""
        return NOTHING if value is None else rounded(value, digits)

    def exact(self, value: Fraction | None, most: int = 3) -> str:
        """As many digits behind the point as it has, `most` at most."""
        if value is None:
            return NOTHING
        text = rounded(value, most)
        return text.rstrip("0").rstrip(".") if "." in text else text

    def significant(self, value: Fraction | float | None, digits: int = 6) -> str:
        """So many digits that count, whatever the size."""
        return NOTHING if value is None else f"{float(value):.{digits}g}"

    def seconds(self, value: Fraction | float | None, digits: int = 0) -> str:
        """A length of time in seconds as `7:45:00`."""
        return NOTHING if value is None else clock_of(round(Fraction(value) * 10**digits), digits)

    def length(self, ns: int, digits: int = 0) -> str:
        """A length of time in ns as `7:45:00`."""
        return self.seconds(Fraction(ns, SECOND), digits)

    def milliseconds(self, value: float | None) -> str:
        """`120 ms`."""
        return NOTHING if value is None else f"{rounded(value, 0)}\u202fms"

    def moment(self, t_ns: int, seconds: bool = False) -> str:
        """Date and wall clock."""
        return f"{local(t_ns, self._zone):{'%Y-%m-%d %H:%M:%S' if seconds else '%Y-%m-%d %H:%M'}}"

    def moment_with_offset(self, t_ns: int) -> str:
        """The same with seconds and the offset of the zone, which an auditor needs."""
        return local(t_ns, self._zone).isoformat(sep=" ")

    def local(self, t_ns: int) -> datetime:
        """The wall clock, to the microsecond, without a zone: for those that know none."""
        return local(t_ns, self._zone).replace(tzinfo=None) + timedelta(microseconds=t_ns % SECOND // 1000)

    def utc(self, t_ns: int) -> str:
        """ISO 8601 to the nanosecond."""
        return f"{local(t_ns, ZoneInfo('UTC')):%Y-%m-%dT%H:%M:%S}.{t_ns % SECOND:09d}Z"

    def hour(self, t_ns: int, seconds: bool = False) -> str:
        """The wall clock alone."""
        return f"{local(t_ns, self._zone):{'%H:%M:%S' if seconds else '%H:%M'}}"


def window_name(window: Window, words: Words) -> str:
    """`Shift night, 2026-11-23`."""
    own = [part for part in (window.name if window.name != window.kind else "", window.order) if part]
    return f"{' '.join((words.of('window.', window.kind), *own))}, {window.production_date}"


def rounded(value: Fraction | float, digits: int) -> str:
    """Half away from zero, thousands parted by commas; exact for fractions of any size."""
    scaled = abs(Fraction(value)) * 10**digits
    whole = int(scaled + Fraction(1, 2))
    head, tail = divmod(whole, 10**digits)
    text = f"{head:,}" + (f".{tail:0{digits}d}" if digits else "")
    return f"−{text}" if value < 0 and whole else text


def percentage(value: Fraction | float, digits: int) -> str:
    """A ratio in percent; what is not quite nothing or not quite all is never shown as if it were: `<0.1`, `>99.9`."""
    text = rounded(Fraction(value) * 100, digits)
    if 0 < value < 1 and text in (rounded(0, digits), rounded(100, digits)):
        least = Fraction(1, 10**digits)
        return f"<{rounded(least, digits)}" if value < 0.5 else f">{rounded(100 - least, digits)}"
    return text


def clock_of(units: int, digits: int = 0) -> str:
    """`h:mm:ss` of so many seconds, tenths of them (`digits` 1) and so on."""
    whole, rest = divmod(abs(units), 10**digits)
    text = f"{whole // _HOUR}:{whole // _MINUTE % 60:02d}:{whole % 60:02d}"
    text += f".{rest:0{digits}d}" if digits else ""
    return f"−{text}" if units < 0 else text


def shared_out(values: list[Fraction], digits: int = 0) -> list[int]:
    """`values` in units of 10^-digits, rounded so that what is shown adds up to their rounded sum.

    Each differs from its value by less than a unit: the largest remainders are rounded up.
    """
    scaled = [value * 10**digits for value in values]
    whole = [value.numerator // value.denominator for value in scaled]
    left = round(sum(scaled, Fraction(0))) - sum(whole)
    order = sorted(range(len(values)), key=lambda at: (whole[at] - scaled[at], at))
    for at in order[:left]:
        whole[at] += 1
    return whole
