"""The document as one HTML file: styles and pictures inside, no script, nothing from the network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edge_agent.core import kpi
from edge_agent.core.cell import Cell
from edge_agent.core.losses import Step
from edge_agent.core.report import OPEN
from edge_agent.core.rollup import Rollup
from edge_agent.core.slices import Slice
from edge_agent.report import plant, sections
from edge_agent.report.draw import bar, curve, timeline
from edge_agent.report.draw.timeline import Block
from edge_agent.report.model import MachinePage, OeeDocument
from edge_agent.report.plant import PlantDocument
from edge_agent.report.words import Language, Words, clock_of, digital, shared_out, window_name

# So many rows are read by people; the workbook has all.
STOPS_SHOWN: Final = 25
JOBS_SHOWN: Final = 50
HOURS_SHOWN: Final = 48
STRETCHES_SHOWN: Final = 200

# Of a tag that a class of equipment requires.
MARKS: Final = {"fresh": "●", "mapped": "○", "missing": "×"}


def oee_page(document: OeeDocument, language: Language) -> str:
    """The shift report."""
    return _render("oee.html.j2", Words(language, document.head.zone), doc=document, head=document.head)


def digital_page(document: PlantDocument, language: Language) -> str:
    """How digital the plant is."""
    words = Words(language, document.head.zone)
    return _render(
        "digital.html.j2", words, doc=document, head=document.head, INDICES=digital.INDICES,
        INDICATORS=digital.INDICATORS, ITEMS=digital.ITEMS, marks=MARKS, status_of=plant.status_of,
    )  # fmt: skip


def sme_page(document: PlantDocument, language: Language) -> str:
    """What the evidence supports of the SME questionnaire."""
    return _render("sme.html.j2", Words(language, document.head.zone), doc=document, head=document.head)


def _render(template: str, words: Words, **values: Any) -> str:
    style = Markup(files("edge_agent.report").joinpath("templates/style.css").read_text("utf-8"))  # noqa: S704  ours
    return _environment().get_template(template).render(w=words, style=style, **values)


@lru_cache(1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("edge_agent.report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.globals.update(
        kpi=kpi, sections=sections, bar=bar, curve=curve, timeline=timeline,
        OPEN=OPEN, window_name=window_name, clock_of=clock_of, digits=digits,
        states=states, bucket_parts=bucket_parts, shared_rows=shared_rows, shared_steps=shared_steps,
        span_of=span_of, total_of=total_of, greatest=greatest, behind=behind, longest=longest, v_over=is_over,
        raised_in=raised_in,
        HOURS_SHOWN=HOURS_SHOWN, STOPS_SHOWN=STOPS_SHOWN, JOBS_SHOWN=JOBS_SHOWN, STRETCHES_SHOWN=STRETCHES_SHOWN,
    )  # fmt: skip
    return environment


def digits(page: MachinePage) -> int:
    """Whole seconds tell enough of a shift, but not of a minute."""
    return 0 if page.cell.ct >= 3600 * kpi.SECOND else 1


def states(drawn: Sequence[Block]) -> list[str]:
    """The states in a timeline, each once."""
    return list(dict.fromkeys(block.state.name for block in drawn))


def bucket_parts(cell: Cell, words: Words) -> list[tuple[int, str, str, str]]:
    """The bar of all calendar time."""
    return [
        (ns, f"b-{name}", "", f"{words(f'bucket.{name}')} {words.length(ns)}") for name, ns in sections.buckets(cell)
    ]


def shared_rows(rows: Sequence[tuple[str, int]], digits: int) -> Iterable[tuple[tuple[str, int], int]]:
    """Each row with its time as it is shown: what is shown adds up, too."""
    return zip(rows, shared_out([sections.seconds(ns) for _, ns in rows], digits), strict=True)


def shared_steps(steps: Sequence[Step]) -> Iterable[tuple[Step, int]]:
    """The same for the waterfall, in tenths of a second."""
    return zip(steps, shared_out([step.value for step in steps], 1), strict=True)


def span_of(steps: Sequence[Step]) -> tuple[Fraction, Fraction]:
    """The scale of the waterfall: with performance above 1 it reaches below nothing."""
    ends = [end for step in steps for end in (step.before, step.after)]
    return min(Fraction(0), *ends), max(ends)


def total_of(steps: Sequence[Step]) -> Fraction:
    """Seconds."""
    return sum((step.value for step in steps), Fraction(0))


def greatest(rows: Sequence[tuple[str, Fraction]]) -> Fraction:
    """The end of a scale; never 0."""
    return max(*(value for _, value in rows), Fraction(1))


def is_over(cell: Cell) -> bool:
    """Whether performance is above 1."""
    performance = kpi.kpis(cell)["performance_classic"]
    return performance is not None and performance > 1


def behind(page: MachinePage) -> list[tuple[str, int, list[Slice]]]:
    """Each bucket with its time, ns, and the stretches that add up to it."""
    found = {name: [one for one in page.slices if one.bucket == name] for name in sections.BUCKETS}
    return [(name, sum(one.length for one in ones), ones) for name, ones in found.items() if ones]


def raised_in(groups: Sequence[Rollup]) -> list[str]:
    """The flags of roll-ups, each once."""
    return list(dict.fromkeys(flag for one in groups for flag in one.flags))


def longest(found: Sequence[Slice]) -> list[Slice]:
    """The longest stretches, in order of time."""
    chosen = sorted(found, key=lambda one: -one.length)[:STRETCHES_SHOWN]
    return sorted(chosen)
