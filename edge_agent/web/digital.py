"""How digital the plant is, as the API answers it: the summary of `core.plant`, and the quality of single tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import ConfigDict, Field

from edge_agent.api import Clock
from edge_agent.core.engine import Engine
from edge_agent.core.indicators import indicators, quality_of
from edge_agent.web.answers import Answer

# A summary of a thousand assets takes a tenth of a second or two: whoever asks all the time gets the same.
FRESH_NS: Final = 2_000_000_000

Rates = dict[str, float | None]


class Quality(Answer):
    """Six indicators of data quality, GB/T 36344, 0 to 1; null: there was nothing to judge."""

    conformity: float | None
    """规范性: of the type, vocabulary and range of the tag"""
    completeness: float | None
    """完整性: time for which there was a sample"""
    accuracy: float | None
    """准确性: plausible"""
    consistency: float | None
    """一致性: checks between sources that held"""
    timeliness: float | None
    """时效性: received within 5 s"""
    accessibility: float | None
    """可访问性: reads that succeeded"""
    score: float | None
    """geometric mean of those that are not null"""


class TagQuality(Quality):
    """The quality of one tag in the last three and a half to seven days."""

    tag: str


class TagQualityPage(Answer):
    """Some of the tags."""

    total: int
    offset: int
    limit: int
    tags: list[TagQuality]


class Reason(Answer):
    """Why an asset is not one level higher."""

    code: str
    en: str
    zh: str


class Entry(Answer):
    """What the register says."""

    model_config = ConfigDict(use_attribute_docstrings=True, populate_by_name=True)

    title: str
    class_: str = Field(alias="class")
    class_en: str
    class_zh: str
    type: str
    location: str
    identifier: str
    scheme: str
    """of the identifier: handle, oid, gs1, vaa, ma, uri, other"""
    status: str
    is_production: bool
    counted: bool
    """whether it is in the denominators"""
    key_operation: str | None
    automatic: bool
    semantic_model: str | None
    data_grade: int | None
    machine: str | None
    devices: list[str]
    gaps: list[str]
    """what a full entry would say too"""


class Asset(Answer):
    """An asset and the evidence about it."""

    level: int
    name: str
    name_zh: str
    declared: list[str]
    declared_level: int
    """its level if what is declared were evidenced"""
    connected: bool
    cloud: bool
    online_ratio: float
    completeness: float
    timeliness: float
    tag_coverage: float
    oee_coverage: float | None
    """share of the planned time with data, of its machine with the least"""
    quality: Quality
    tags: dict[str, str]
    """what its class requires: fresh, mapped (but without a good sample in the window) or missing"""
    energy_metered: bool
    last_good: int | None
    """ms UTC"""
    tag: str | None
    """that brought it"""
    protocol: str | None
    missing: list[str]
    """the reasons in English"""
    reasons: list[Reason]
    entry: Entry


class Source(Answer):
    """A device the agent reads."""

    protocol: str
    connected: bool
    """in the window"""
    online_ratio: float
    quality: Quality
    age_p95_ms: float | None
    """95 % of its samples were received within this time, to the next of two steps an octave"""
    last_good: int | None


class Register(Answer):
    """The asset register: its entries, and why some do not count."""

    kept: bool
    entries: int
    counted: int
    spare: int
    scrapped: int
    not_production: int
    unlisted: list[str]
    """devices and machines that belong to no entry"""


class DigitalAnswer(Answer):
    """How digital the plant is; the same as on the topic `digital`. Times are ms UTC, ratios 0 to 1."""

    since: int
    until: int
    observed_s: int
    """for how many seconds since then the agent looked"""
    register_: Register = Field(alias="register")
    indices: Rates
    """on evidence alone"""
    declared: Rates
    """believing what the register declares, too"""
    by_value: Rates
    by_planned_time: Rates
    levels: list[int]
    """how many assets stand on levels 0 to 5"""
    quality: Quality
    """of all devices together, from their sums"""
    published: dict[str, int]
    sme: dict[str, Any]
    """points and scenes of the SME questionnaire that the evidence supports"""
    devices: dict[str, Asset]
    sources: dict[str, Source]


class DigitalView:
    """Reads the evidence."""

    def __init__(self, engine: Engine, clock: Clock, down: Callable[[], dict[str, str]]) -> None:
        self._engine = engine
        self._clock = clock
        self._down = down
        self._made: DigitalAnswer | None = None
        self._made_ns = 0

    def plant(self) -> DigitalAnswer:
        """The whole summary, at most so old as `FRESH_NS`: nothing in it changes faster."""
        now = self._clock()
        if self._made is None or not 0 <= now - self._made_ns < FRESH_NS:
            self._made = DigitalAnswer.model_validate(self._engine.evidence.summary(now, self._down()))
            self._made_ns = now
        return self._made

    def tags(self, device: str | None, limit: int, offset: int) -> TagQualityPage:
        """`limit` tags from the `offset`th on, of one device or of all."""
        table = self._engine.table
        tags = list(table) if device is None else list(table.device_tags(device))
        counts = self._engine.evidence.tags.tag_counts()
        shown = tags[offset : offset + limit]
        told = [
            TagQuality(tag=tag.id, **quality_of(indicators(counts[:, tag.position].tolist()))) for tag in shown
        ]
        return TagQualityPage(total=len(tags), offset=offset, limit=limit, tags=told)
