"""What the API answers: the models from which its OpenAPI document is made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Shown = bool | int | float | str
"""A value of a tag: whole numbers stay whole."""
QualityName = Literal["good", "uncertain", "bad"]
StateName = Literal["UNKNOWN", "OFF", "IDLE", "SETUP", "RUN", "FAULT", "MAINT"]
Instant = Annotated[int, Field(strict=True, ge=0)] | Annotated[str, Field(max_length=40)]


class Answer(BaseModel):
    """Times are ISO 8601 with the offset of the agent's time zone; null: there is none."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Failure(Answer):
    """Why a request was not carried out."""

    error: str
    """what is wrong, and what would be right"""
    near: list[str] = []
    """names that may have been meant"""


class Health(Answer):
    """Whether every device and every destination is connected, and the journal takes what comes."""

    ok: bool
    problems: list[str]
    """what is wrong, a sentence each"""


class Connection(Answer):
    """A connection to a device or a destination."""

    state: Literal["connecting", "connected", "lost"]
    address: str
    since: str
    error: str | None
    failures: int
    """attempts in a row that failed"""
    next_attempt: str | None


class Qualities(Answer):
    """How many tags there are, and of which quality they are now."""

    good: int
    uncertain: int
    bad: int
    """tags without a value are bad"""


class Device(Connection):
    """A device."""

    tags: Qualities


class Draining(Answer):
    """A backlog that goes out beside what is new."""

    records: int
    """of before that are still to be sent"""
    records_s: float
    """how fast that goes"""
    left_s: float | None
    """until it is done; null while nobody knows"""


class Destination(Connection):
    """A destination."""

    backlog: int
    """journal records that wait for it"""
    draining: Draining | None
    """null if nothing of before waits, or there is no link"""


class JournalState(Answer):
    """The durable log."""

    ok: bool
    error: str | None
    pending: int
    """records in memory that are not on disk yet"""
    bytes: int
    """on disk"""
    written_bytes: int
    """to the medium, since the agent started; whole pages, as flash counts them"""
    written_a_day: float
    """bytes a day, at the rate since then"""


class Figures(Answer):
    """The figures of the open shift; where none is open, of the longest other window."""

    scope: Literal["machine", "line", "area", "site"]
    id: str
    window: str | None
    """its kind; null while no window is open, or nothing has been published yet"""
    name: str | None
    """of the shift"""
    start: str | None
    as_of: str | None
    oee: float | None
    """of a serial line its `line_oee`"""
    data_coverage: float | None
    flags: list[str]


class MachineAnswer(Answer):
    """A machine's state now."""

    state: StateName
    reason: str | None
    since: str
    source: Literal["operator"] | None
    """who says so, where it is not the machine itself"""


class StatusAnswer(Answer):
    """The agent's status now."""

    agent: str
    version: str
    time: str
    started: str
    ok: bool
    problems: list[str]
    """what is wrong, a sentence each; of what is connected, too, which health does not look at"""
    devices: dict[str, Device]
    destinations: dict[str, Destination]
    kpis: list[Figures]
    """the site, areas, lines and the first 100 machines"""
    machines: dict[str, MachineAnswer]
    """the first 100"""
    backlog: dict[str, int]
    counts: dict[str, int]
    """what the agent counts about itself, as in the status message"""
    journal: JournalState


class TagAnswer(Answer):
    """A tag's last value."""

    tag: str
    value: Shown | None
    unit: str
    kind: Literal["float", "int", "bool", "text"]
    quality: QualityName
    reason: str | None
    """why it is not plainly good, in one word"""
    time: str | None
    """of the last sample, by the device's clock where it has one"""
    age_s: float | None
    """how long ago the value was last known to hold"""


class TagRow(TagAnswer):
    """A tag in a list."""

    spark: list[tuple[int, float | None]] | None = None
    """its last ten minutes in equal parts, where asked for: ms UTC and the last good value of the part, or null"""
    why: list[str] | None = None
    """where asked for, of a tag that is not good: a sentence each, the outermost first"""


class TagPage(Answer):
    """Some of the tags, in the order of the site file."""

    total: int
    """tags that match"""
    offset: int
    limit: int
    tags: list[TagRow]


class Limits(Answer):
    """What may be written to a tag, in its unit."""

    min: float | None
    max: float | None
    values: list[Shown] | None
    every_s: float
    """at most one write in this time"""
    settle_s: float
    """how long after the write it is read back"""


class TagDetail(TagAnswer):
    """A tag's last value, and the chain of reasons behind it."""

    why: list[str]
    """a sentence each, the outermost first"""
    writable: bool
    limits: Limits | None


Text = Annotated[str, Field(strict=True, max_length=4096)]
Whole = Annotated[int, Field(strict=True, ge=-(2**63), lt=2**64)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Truth = Annotated[bool, Field(strict=True)]


class WriteRequest(Answer):
    """A value to write, in the tag's unit."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    value: Truth | Whole | Number | Text
    id: Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    """the same id is carried out once; made up where there is none"""


class Statement(Answer):
    """What an operator says of a machine: a state, the reason of one, or both; or what was said is taken back."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    id: Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    """the same id is taken once; made up where there is none"""
    from_: Instant | None = Field(None, alias="from")
    """begin, ISO 8601 or ms UTC; without it now, and of a reason alone where the present state began"""
    until: Instant | None = None
    """its end; without it, until the machine next begins to run"""
    state: StateName | None = None
    """the machine was in this state; without it only the reason of its own state is said"""
    reason: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    clear: Annotated[bool, Field(strict=True)] = False
    """take back what was said of this stretch: the machine's own states count again"""
    who: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """who says so; without it the token's name"""


class ReasonRequest(Answer):
    """Why a machine stood."""

    model_config = ConfigDict(use_attribute_docstrings=True, extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=64)]
    id: Annotated[str, Field(strict=True, pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    """the same id is taken once; made up where there is none"""
    who: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """who says so; without it whoever has logged in, or the token's name"""


class StatementAnswer(Answer):
    """What became of it."""

    id: str
    ok: bool
    """it counts from now on, and a restart keeps it"""
    error: str | None


class WriteAnswer(Answer):
    """What became of it."""

    id: str
    ok: bool
    """it was written, and what was read back is what was asked for"""
    error: str | None
    read_back: Shown | None
