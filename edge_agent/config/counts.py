"""`machines.<id>.counts`: where the pieces are counted, or what is counted in their place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Final, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from edge_agent.api import Duration, StrictModel
from edge_agent.config.finding import Finding, report
from edge_agent.config.names import NumberTagRef
from edge_agent.core.pulses import DEBOUNCE_NS

RUNS: Final = "runs"
PAIR: Final = ("total", "good", "scrap")


class PulseModel(StrictModel):
    """An input that comes on with each piece, or each stroke; the agent counts how often."""

    pulse: NumberTagRef
    """device.tag that is on, true or not 0, for a moment each time"""
    debounce: Duration = DEBOUNCE_NS
    """it counts only after having been off for this long: contacts bounce; default 50ms"""


def _form(value: object) -> str:
    return "(pulse)" if isinstance(value, Mapping | PulseModel) else "(tag)"


def _form_of_total(value: object) -> str:
    return "(runs)" if value == RUNS else _form(value)


# The names of the members stand in parentheses, so that none is taken for a key.
_Register = Annotated[NumberTagRef, Tag("(tag)")]
_Pulse = Annotated[PulseModel, Tag("(pulse)")]
CountRef = Annotated[_Register | _Pulse, Discriminator(_form)]
"""`device.tag` that only grows, or `{pulse: device.tag}`."""
TotalRef = Annotated[_Register | _Pulse | Annotated[Literal["runs"], Tag("(runs)")], Discriminator(_form_of_total)]
"""The same, or `runs`."""


class CountsModel(StrictModel):
    """Piece counters; any two of total, good and scrap give the third."""

    total: TotalRef | None = None
    """every piece: device.tag that only grows, {pulse: device.tag}, or runs: inferred from when the machine runs"""
    good: CountRef | None = None
    """good pieces: device.tag that only grows, or {pulse: device.tag}"""
    scrap: CountRef | None = None
    """scrapped pieces, likewise"""
    inspected: CountRef | None = None
    """pieces inspected for the first time, likewise; with `first_pass` it gives the first pass yield"""
    first_pass: CountRef | None = None
    """pieces that were good at their first inspection, likewise"""
    rework: CountRef | None = Field(default=None, validate_default=True)
    """pieces to be reworked, likewise; neither good nor scrap"""

    # On the last field, so that it runs even while another part of the machine is wrong.
    @field_validator("rework")
    @classmethod
    def _two_tell_the_third(cls, rework: str | None, info: ValidationInfo) -> str | None:
        given = {name: made for name in PAIR if (made := info.data.get(name)) is not None}
        # A machine that has no counters has no counter of bad pieces either: all are then taken for good.
        alone = len(given) == 1 and "scrap" not in given and _is_ours(*given.values())
        if all(name in info.data for name in PAIR) and len(given) != 2 and not alone:
            hint = f"the third follows; given: {', '.join(given) or 'none'}"
            report([Finding("needs exactly two of total, good, scrap", hint, ("..",))])
        inspected, passed = (info.data.get(name, ...) for name in ("inspected", "first_pass"))
        if (inspected is None) != (passed is None):
            missing, there = ("inspected", "first_pass") if inspected is None else ("first_pass", "inspected")
            hint = "first pass yield is first_pass / inspected"
            report([Finding(f"is missing beside {there}", hint, ("..", missing), is_missing=True)])
        report(list(_taken_twice({**given, "rework": rework})))
        return rework

    def tags(self) -> dict[str, str]:
        """Source (total, good, scrap, rework, inspected, first_pass) → `device.tag`, of those that have one."""
        return {name: made.pulse if isinstance(made, PulseModel) else made for name, made in self._given().items()}

    def pulses(self) -> dict[str, PulseModel]:
        """Source → pulse, of those that the agent counts itself."""
        return {name: made for name, made in self._given().items() if isinstance(made, PulseModel)}

    @property
    def runs(self) -> bool:
        """Whether the total is inferred from when the machine runs."""
        return self.total == RUNS

    @property
    def are_ours(self) -> bool:
        """Whether pieces are lost while the agent does not see them: it counts them itself."""
        return any(_is_ours(made) for made in (self.total, self.good))

    @property
    def are_unsorted(self) -> bool:
        """Whether nothing tells bad pieces from good ones."""
        return len([name for name in PAIR if getattr(self, name) is not None]) == 1

    def _given(self) -> dict[str, str | PulseModel]:
        order = ("total", "good", "scrap", "rework", "inspected", "first_pass")
        named = {name: getattr(self, name) for name in order}
        return {name: made for name, made in named.items() if made is not None and made != RUNS}


def _taken_twice(given: Mapping[str, str | PulseModel | None]) -> Iterator[Finding]:
    taken: dict[str, str] = {}
    for name, made in given.items():
        tag = made.pulse if isinstance(made, PulseModel) else made
        if tag is not None and taken.setdefault(tag, name) != name:
            yield Finding(f"is the tag of {taken[tag]} too", "each needs a counter of its own", ("..", name))


def _is_ours(made: str | PulseModel | None) -> bool:
    return made == RUNS or isinstance(made, PulseModel)
