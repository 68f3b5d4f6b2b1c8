"""Every text of the pages in English and Chinese; states, KPIs and reasons are those of the reports.

A text has a key; `{name}` in it is filled in. What is nobody's text (ids, products, reasons that a site made up) is
shown as it is.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from edge_agent.pages.words import andon, machine, people, setup, shell, tools
from edge_agent.pages.words.told import in_chinese
from edge_agent.report.words import LANGUAGES as LANGUAGES
from edge_agent.report.words import NOTHING as NOTHING
from edge_agent.report.words import Language as Language
from edge_agent.report.words import digital, kpi, page, percentage, rounded, state

OWN: Final = (shell.TEXTS, andon.TEXTS, machine.TEXTS, people.TEXTS, tools.TEXTS, setup.TEXTS)
"""the pages' own tables, a module each"""

TEXTS: Final[dict[str, tuple[str, str]]] = {}
"""key → English, Chinese"""
for _table in (page.TEXTS, kpi.TEXTS, state.TEXTS, digital.TEXTS, *OWN):
    TEXTS.update(_table)

THIN: Final = "\u202f"
"""A space that neither breaks nor stretches, between a number and its unit."""
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


class Words:
    """One language."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._at = LANGUAGES.index(language)

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key; KeyError if there is none."""
        text = TEXTS[key][self._at]
        return text.format(**values)

    def of(self, prefix: str, name: str) -> str:
        """The text of `prefix` and a name; the name itself where there is none."""
        known = TEXTS.get(prefix + name)
        return known[self._at] if known else name

    def told(self, sentence: object) -> str:
        """What the agent has said, in this language as far as its words are known."""
        return in_chinese(str(sentence)) if self.language == "zh" else str(sentence)

    def refused(self, refusal: object) -> str:
        """That the agent says no, and why."""
        return self("shell.refused", error=self.told(refusal))

    def reason(self, reason: str | None) -> str:
        """A reason that the agent knows, in words; any other as the site names it."""
        return self.of("reason.", reason.upper()) if reason and f"reason.{reason.upper()}" in TEXTS else reason or ""

    def percent(self, value: float | None, digits: int = 1) -> str:
        """A ratio as `75.7 %`."""
        return NOTHING if value is None else f"{percentage(value, digits)}{THIN}%"

    def whole_percent(self, value: float | None) -> str:
        """A ratio as `76`, for large type."""
        return NOTHING if value is None else percentage(value, 0)

    def number(self, value: float | None, digits: int = 0, unit: str = "") -> str:
        """`1,234.5`, with its unit behind; with more digits where so few would make 0 of it."""
        if value is None:
            return NOTHING
        text = rounded(value, digits)
        if value and not text.strip("−0."):
            text = f"{value:.2g}".replace("-", "−")
        return f"{text}{THIN if unit else ''}{unit}"

    def length(self, seconds: float | None) -> str:
        """A length of time in two units: `45 s`, `12 min`, `1 h 05 min`, `3 d 4 h`."""
        if seconds is None:
            return NOTHING
        whole = max(0, int(seconds))
        s, minute, hour, day = (self(f"unit.{unit}") for unit in ("s", "min", "h", "d"))
        if whole < _MINUTE:
            return f"{whole}{THIN}{s}"
        if whole < _HOUR:
            return f"{whole // _MINUTE}{THIN}{minute}"
        if whole < _DAY:
            return f"{whole // _HOUR}{THIN}{hour} {whole % _HOUR // _MINUTE:02d}{THIN}{minute}"
        return f"{whole // _DAY}{THIN}{day} {whole % _DAY // _HOUR}{THIN}{hour}"

    def hour(self, iso: str | None, *, seconds: bool = False) -> str:
        """The site's wall clock of an instant as the API writes it: `14:03`."""
        return NOTHING if not iso else iso[11 : 19 if seconds else 16]

    def moment(self, iso: str | None, zone: str = "") -> str:
        """Date and wall clock: `2026-11-25 14:03:07`; of the zone, or as the instant is written."""
        if iso and zone:
            iso = datetime.fromisoformat(iso).astimezone(ZoneInfo(zone)).isoformat()
        return NOTHING if not iso else iso[:19].replace("T", " ")


def milliseconds(iso: str) -> int:
    """An instant as the API writes it, ms since 1970 UTC."""
    return round(datetime.fromisoformat(iso).timestamp() * 1000)
