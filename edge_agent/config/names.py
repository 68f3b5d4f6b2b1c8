"""Names in the site file: ids, references to tags and calendars, time zones.

A reference is checked where it stands, against the `Names` of the whole file, which `load` hands
down as pydantic's validation context; without one (schema, tests) only its form is checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, WithJsonSchema

from edge_agent.api import Kind
from edge_agent.config.finding import Finding, did_you_mean, report
from edge_agent.core.cell import Cell
from edge_agent.core.kpi import figures

ID_PATTERN: Final = "[a-z0-9][a-z0-9_-]{0,62}"
_ID: Final = re.compile(ID_PATTERN)
WINDOWS: Final = ("shift", "hour", "day")
FIGURES: Final = tuple(figures(Cell()))
"""What `machine.window.name` may name: the ratios and counts of the KPI record"""
# What a level of an MQTT topic cannot hold (MQTT 3.1.1, 4.7), and what nobody can read.
_NO_LEVEL: Final = re.compile(r"[/+#\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Names:
    """What the file declares.

    `tags`: per device its tags and their kinds, None where a kind is not known; a device whose
    tags cannot be known (its section is broken) maps to None and is believed.
    """

    tags: Mapping[str, Mapping[str, Kind | None] | None] = field(default_factory=dict)
    calendars: tuple[str, ...] | None = None
    machines: tuple[str, ...] = ()
    windows: tuple[str, ...] = WINDOWS

    def kind(self, tag: str) -> Kind | None:
        """The kind of `device.tag`, None if it is not known."""
        device, _, name = tag.partition(".")
        return (self.tags.get(device) or {}).get(name)

    def check_tag(self, text: str) -> None:
        """Report what is wrong with a reference to a tag; so do the others."""
        _find_tag(text, self)

    def check_device(self, text: str) -> None:
        """A device's id."""
        if text not in self.tags:
            report([Finding("names no device", did_you_mean(text, self.tags, "devices"))])

    def check_machine(self, text: str) -> None:
        """A machine's id."""
        if text not in self.machines:
            report([Finding("names no machine", did_you_mean(text, self.machines, "machines"))])

    def check_kpi(self, text: str) -> None:
        """`machine.window.name`."""
        parts = text.split(".")
        if len(parts) != 3:
            report([Finding("is not a KPI", "write machine.window.name, such as press-1.shift.oee")])
        for part, known, one, several in zip(
            parts, (self.machines, self.windows, FIGURES), ("machine", "window", "figure"),
            ("machines", "windows of kpi.windows", "figures"), strict=True,
        ):  # fmt: skip
            if part not in known:
                hint = did_you_mean(part, known, several)
                report([Finding(f"names no KPI: there is no {one} '{part}'", hint)])


def names_of(info: ValidationInfo) -> Names | None:
    """The `Names` of this validation, if it has any."""
    return info.context if isinstance(info.context, Names) else None


def is_id(text: str) -> bool:
    """True for `[a-z0-9][a-z0-9_-]{0,62}`."""
    return _ID.fullmatch(text) is not None


def id_finding(text: str) -> Finding:
    """What is wrong with an id that is none, with one that would do."""
    near = re.sub("[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:63]
    hint = f"'{near}' would do" if near else "such as press-1"
    return Finding("is not an id (a-z, 0-9, '-' and '_', at most 63, not starting with '-' or '_')", hint)


def _check_id(text: str) -> str:
    if not is_id(text):
        report([id_finding(text)])
    return text


def _check_level(text: str) -> str:
    if not text.strip() or _NO_LEVEL.search(text):
        report([Finding("cannot be a level of a topic", "a text without / + # and not empty")])
    return text


def _check_tag(text: str, info: ValidationInfo) -> str:
    _find_tag(text, names_of(info))
    return text


def _find_tag(text: str, names: Names | None) -> None:
    device, dot, name = text.partition(".")
    if not dot or not device or not name:
        report([Finding("is not a tag reference", "write device.tag, such as press-1.state")])
    if names is None:
        return
    if device not in names.tags:
        hint = did_you_mean(device, names.tags, "devices")
        report([Finding(f"names no tag: there is no device '{device}'", hint)])
    tags = names.tags[device]
    if tags is not None and name not in tags:
        known = [f"{device}.{tag}" for tag in tags]
        report([Finding("names no tag", did_you_mean(text, known, f"tags of {device}"))])


def _check_number_tag(text: str, info: ValidationInfo) -> str:
    names = names_of(info)
    if names is not None and names.kind(text) is Kind.TEXT:
        report([Finding("is a text tag, a number is needed here")])
    return text


def _check_calendars(value: object, info: ValidationInfo) -> tuple[str, ...]:
    """One id of `calendars`, or several of which the first that holds on a date is followed."""
    written = [value] if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else []
    if not written or not all(isinstance(one, str) for one in written):
        raise ValueError("names no calendar; write an id of calendars, or a list of ids")
    names = names_of(info)
    known = None if names is None else names.calendars
    findings = [
        Finding("names no calendar", did_you_mean(one, known, "calendars"), () if isinstance(value, str) else (at,))
        for at, one in enumerate(written)
        if known is not None and one not in known
    ]
    report(findings)
    return tuple(written)


def _check_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zones = available_timezones()
        near = did_you_mean(text, zones)
        hint = near if near.startswith("did") else "use an IANA name such as Asia/Shanghai or Europe/Berlin"
        report([Finding("is not a time zone", hint)])
    return text


_TAG_SCHEMA: Final[dict[str, Any]] = {"type": "string", "pattern": rf"^{ID_PATTERN}\.{ID_PATTERN}$"}

_ID_SCHEMA: Final[dict[str, Any]] = {"type": "string", "pattern": f"^{ID_PATTERN}$"}

Id = Annotated[str, AfterValidator(_check_id), WithJsonSchema(_ID_SCHEMA)]
"""An id of the user's choosing."""

Level = Annotated[str, AfterValidator(_check_level)]
"""A level of the default topics."""

TagRef = Annotated[str, AfterValidator(_check_tag), WithJsonSchema(_TAG_SCHEMA)]
"""`device.tag`."""

NumberTagRef = Annotated[
    str, AfterValidator(_check_tag), AfterValidator(_check_number_tag), WithJsonSchema(_TAG_SCHEMA)
]
"""`device.tag` of a tag that is not a text."""

CalendarRefs = Annotated[
    tuple[str, ...],
    BeforeValidator(_check_calendars),
    WithJsonSchema({"anyOf": [_ID_SCHEMA, {"type": "array", "items": _ID_SCHEMA, "minItems": 1}]}),
]
"""One key of `calendars`, or a list of them; the model holds a tuple."""

Zone = Annotated[str, AfterValidator(_check_zone)]
"""An IANA time zone."""
