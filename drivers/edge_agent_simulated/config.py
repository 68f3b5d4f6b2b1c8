"""What a site file may say about a simulated device: a seed, a pace, and one signal a tag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from edge_agent.api import DeviceConfig, Duration, Kind, StrictModel, TagConfig

SECOND: Final = 1_000_000_000
MILLISECOND: Final = 1_000_000
EXAMPLE: Final = "simulated://?seed=1"


def parse_seed(url: str) -> int:
    """The seed in `simulated://?seed=1`, 0 if it names none; ValueError says what would be right."""
    parts = urlsplit(url)
    if parts.scheme != "simulated" or parts.netloc or parts.path or parts.fragment:
        raise ValueError(f"a simulated device has no address; write simulated:// or {EXAMPLE}")
    options = parse_qsl(parts.query, keep_blank_values=True)
    unknown = [key for key, _ in options if key != "seed"]
    if unknown:
        raise ValueError(f"option {unknown[0]!r} is unknown; the only one is seed: {EXAMPLE}")
    seed = options[-1][1] if options else "0"
    if len(options) > 1 or not seed.isdecimal():
        raise ValueError(f"the seed is one whole number: {EXAMPLE}")
    return int(seed)


def _url(value: str) -> str:
    parse_seed(value)
    return value


def _takes_time(value: int) -> int:
    if value < MILLISECOND:
        raise ValueError("is shorter than 1ms; write for example 1s or 500ms")
    return value


Span = Annotated[Duration, AfterValidator(_takes_time)]


class Signal(TagConfig):
    """What all signals have."""

    poll: Span | None = None
    """how often there is a sample; default the device's"""


class _Between(Signal):
    """A signal that moves between two values."""

    low: float = 0.0
    high: float = 1.0

    @model_validator(mode="after")
    def _low_is_below_high(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low: {self.low:g} is not below high: {self.high:g}")
        return self


class _Wave(_Between):
    """A signal that repeats itself."""

    period: Span = 60 * SECOND
    """length of one repetition; they begin at whole multiples of it since 1970"""
    phase: Duration = 0
    """how much later they begin"""


class Sine(_Wave):
    """A sine between `low` and `high`, rising through the middle where a period begins."""

    signal: Literal["sine"]


class Ramp(_Wave):
    """Straight from `low` up to `high`, then back at once."""

    signal: Literal["ramp"]


class Square(_Wave):
    """`high` for the first part of each period, `low` for the rest."""

    signal: Literal["square"]
    duty: float = Field(0.5, gt=0, lt=1)
    """the part of a period that is high"""


class Counter(Signal):
    """One more every so often, from 0; overflows like a register of so many bits."""

    signal: Literal["counter"]
    every: Span = SECOND
    """time between two increments"""
    width: Literal[16, 32] = 32
    """bits of the register"""

    def kind(self) -> Kind:
        """Whole."""
        return Kind.INT

    def bits(self) -> int:
        """Those of the register."""
        return self.width


class Walk(_Between):
    """A random walk: with each sample a random step, thrown back at `low` and `high`."""

    signal: Literal["walk"]
    step: float = Field(0.01, gt=0)
    """standard deviation of one step"""


class Constant(Signal):
    """Always the same."""

    signal: Literal["constant"]
    value: float | str

    def kind(self) -> Kind:
        """As the value is."""
        return _kind_of(self.value)


class Step(StrictModel):
    """One station of a cycle."""

    value: float | str
    span: Span = Field(alias="for")
    """how long"""


class Cycle(Signal):
    """States that follow one another, over and over, each for its time."""

    signal: Literal["cycle"]
    steps: tuple[Step, ...] = Field(min_length=1)

    @field_validator("steps")
    @classmethod
    def _all_alike(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        if len({isinstance(step.value, str) for step in steps}) > 1:
            raise ValueError("the values are partly texts and partly numbers; write all of one kind")
        return steps

    def kind(self) -> Kind:
        """As the first value is."""
        return _kind_of(self.steps[0].value)


AnySignal = Annotated[
    Sine | Ramp | Square | Counter | Walk | Constant | Cycle, Field(discriminator="signal")
]


class SimulatedDevice(DeviceConfig):
    """A device that needs no equipment."""

    url: Annotated[str, AfterValidator(_url)]
    """`simulated://`, or with a seed for the random walks: `simulated://?seed=1`"""
    tags: Mapping[str, AnySignal] = Field(default_factory=dict)
    poll: Span = SECOND
    """how often there is a sample of a tag that does not say so itself"""

    def period_ns(self, tag: TagConfig) -> int:
        """The tag's poll period, or the device's."""
        return (tag.poll if isinstance(tag, Signal) else None) or self.poll


def _kind_of(value: float | str) -> Kind:
    if isinstance(value, str):
        return Kind.TEXT
    return Kind.INT if value.is_integer() else Kind.FLOAT
