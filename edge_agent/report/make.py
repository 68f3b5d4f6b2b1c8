"""A document of each kind, in each form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from edge_agent.config import Site
from edge_agent.report import html
from edge_agent.report.book.digital import digital_book, sme_book
from edge_agent.report.book.oee import oee_book
from edge_agent.report.choose import Asked
from edge_agent.report.oee import oee_document
from edge_agent.report.plant import plant_document
from edge_agent.report.words import Language

# (kind, form) → from the document of that kind to the content of a file.
_FORMS: Final[dict[tuple[str, str], Callable[[Any, Language], str | bytes]]] = {
    ("oee", ".html"): html.oee_page,
    ("oee", ".xlsx"): oee_book,
    ("digital", ".html"): html.digital_page,
    ("digital", ".xlsx"): digital_book,
    ("sme", ".html"): html.sme_page,
    ("sme", ".xlsx"): sme_book,
}


def oee(site: Site, asked: Asked, machines: Sequence[str], now: int, form: str, language: Language) -> bytes:
    """The OEE report; raises `NothingRecorded`."""
    return _bytes(_FORMS["oee", form](oee_document(site, asked, machines, now), language))


def plant(site: Site, kind: str, now: int, form: str, language: Language) -> bytes:
    """How digital the plant is (`digital`), or what that supports of the questionnaire (`sme`)."""
    return _bytes(_FORMS[kind, form](plant_document(site, now), language))


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
