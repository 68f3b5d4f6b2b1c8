"""What was seen of one tag, one device, one destination: a row each, right at any time, and its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from edge_agent.api import UNCERTAIN, Batch, Driver, Reason, Tag, TagConfig, Value
from edge_agent.core.advice import words
from edge_agent.core.phrase import without_password
from edge_agent.core.quality import BAD
from edge_agent.core.unnamed import Unnamed
from edge_agent.why import plain

# How a driver finds a tag: the keys of the contract, in the words of the site file.
_WHERE: Final = ("address", "node", "signal")


class Verdict(StrEnum):
    """What came of it."""

    OK = "ok"
    UNCERTAIN = "uncertain"
    BAD = "bad"
    SILENT = "no sample"
    FAILED = "failed"           # device, destination: no connection
    NOT_ASKED = "not asked"     # the device failed, or the check was ended before its turn
    ABSENT = "absent"           # a tag the device need not have
    CALLED = "not read"         # a method: it is called when somebody writes
    UNNAMED = "not named"       # a good value, but no state or product of a machine

    @property
    def is_fine(self) -> bool:
        """Whether it is nothing to be put right."""
        return self in (Verdict.OK, Verdict.ABSENT, Verdict.CALLED)


@dataclass(slots=True)
class TagRow:
    """One tag; `quality` is None before its first sample."""

    tag: Tag
    address: str
    optional: bool = False
    is_called: bool = False
    value: Value | None = None
    quality: int | None = None
    asked: bool = False
    why: list[str] = field(default_factory=list)
    raw: float = float("nan")
    """the value as the core has it"""
    unnamed: list[Unnamed] = field(default_factory=list)
    """of which machines it should name a state or product, and does not"""

    @classmethod
    def of(cls, tag: Tag, config: TagConfig) -> TagRow:
        """Before anything was asked."""
        optional, called = getattr(config, "optional", False) is True, getattr(config, "method", None) is not None
        return cls(tag, address_of(config), optional, called)

    @property
    def verdict(self) -> Verdict:
        """As far as it is known."""
        if not self.asked:
            return Verdict.NOT_ASKED
        if self.is_called:
            return Verdict.CALLED
        if self.quality is None:
            return Verdict.ABSENT if self.optional else Verdict.SILENT
        if self.optional and self.quality & 63 == Reason.REFUSED:
            return Verdict.ABSENT
        if self.quality >= BAD:
            return Verdict.BAD
        if self.quality >= UNCERTAIN:
            return Verdict.UNCERTAIN
        return Verdict.UNNAMED if self.unnamed else Verdict.OK

    def explain(self, driver: Driver, seconds: float) -> None:
        """Say in words what is the matter, if anything is."""
        verdict = self.verdict
        if verdict is Verdict.UNNAMED:
            self.why = [str(one) for one in self.unnamed]
            return
        if verdict in (Verdict.OK, Verdict.CALLED, Verdict.NOT_ASKED):
            if self.quality is not None and self.quality & 63:
                self.why = [words(self.quality).said]
            return
        said = f"nothing has come within {seconds:g} s" if self.quality is None else words(self.quality).said
        self.why = [without_password(text) for text in (said, *driver.why(self.tag))]


@dataclass(slots=True)
class DeviceRow:
    """One device with its tags."""

    id: str
    driver: str
    addresses: Sequence[str]
    tags: list[TagRow]
    error: str = ""
    """why there is no connection, or no longer"""
    took_s: float | None = None
    """from the first attempt to the session; None: none was opened"""

    @property
    def verdict(self) -> Verdict:
        """Of the connection."""
        if self.error:
            return Verdict.FAILED
        return Verdict.NOT_ASKED if self.took_s is None else Verdict.OK

    def take(self, samples: Batch) -> None:
        """The last sample of each tag counts."""
        first = self.tags[0].tag.position
        for position, value, quality in zip(
            samples.tag.tolist(), samples.value.tolist(), samples.quality.tolist(), strict=True
        ):
            row = self.tags[position - first]
            row.quality, row.raw = quality, value
            row.value = plain(row.tag, value)

    def is_known(self) -> bool:
        """Whether every tag has had a sample."""
        return all(row.quality is not None or row.is_called for row in self.tags)

    def is_fine(self) -> bool:
        """Whether nothing better can come."""
        return all(row.verdict.is_fine for row in self.tags) and self.is_known()


@dataclass(slots=True)
class DestinationRow:
    """One destination."""

    id: str
    type: str
    addresses: tuple[str, ...]
    error: str = ""
    took_s: float | None = None

    @property
    def verdict(self) -> Verdict:
        """Of the connection."""
        if self.error:
            return Verdict.FAILED
        return Verdict.NOT_ASKED if self.took_s is None else Verdict.OK


def address_of(config: TagConfig) -> str:
    """How the driver finds the tag, as the site file says it: `holding:10`, `/Objects/Line Status/Speed [3]`."""
    where = next((str(said) for key in _WHERE if (said := getattr(config, key, None)) is not None), "")
    path, index = getattr(config, "path", ""), getattr(config, "index", None)
    return " ".join(filter(None, (where, path, "" if index is None else f"[{index}]")))


def verdicts(rows: Iterable[TagRow | DeviceRow | DestinationRow]) -> dict[Verdict, int]:
    """How many of which, in the order of `Verdict`."""
    seen = [row.verdict for row in rows]
    return {verdict: seen.count(verdict) for verdict in Verdict if verdict in seen}
