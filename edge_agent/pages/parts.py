"""What pages are made of beside the library's own elements: markup, notes, our files."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final, TypeVar

from markupsafe import Markup, escape
from nicegui import ui

STATIC: Final = Path(__file__).parent / "static"

E = TypeVar("E", bound=ui.element)


def html(markup: str) -> ui.html:
    """`Markup` as it is, any other text escaped."""
    return ui.html(str(escape(markup)), sanitize=False)


def attributes(element: E, **values: object) -> E:
    """Give it these, `data_node` as `data-node`. Not by `props`, which reads names and values out of one text: what
    equipment calls itself could be any of both."""
    element.props.update({name.replace("_", "-"): str(value) for name, value in values.items()})
    return element


def note(text: str) -> ui.html:
    """A sentence where else the content would be."""
    return html(Markup('<p class="note">{}</p>').format(text))


def put(element: ui.html, markup: Markup) -> None:
    """Give it this content; nothing is sent to the browser where it has it already."""
    if element.content != str(markup):
        element.set_content(str(markup))


def card(title: str, more: Markup | str = "") -> ui.element:
    """A box with a title and what stands beside it; to be filled as a context manager."""
    box = ui.element("section").classes("card")
    with box:
        html(Markup("<h2>{}</h2>{}").format(title, more)).classes("card-head")
    return box


def script(name: str) -> None:
    """Load one of our scripts into this page."""
    ui.add_head_html(Markup('<script defer src="{}"></script>').format(asset(name)))


@cache
def asset(name: str) -> str:
    """The address of a file in `static/`; another one as soon as the file is another."""
    return f"/assets/{name}?{hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]}"
