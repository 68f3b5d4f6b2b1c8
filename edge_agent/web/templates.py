"""`/api/v1/templates`: the register maps that drivers bring, for whoever sets up a device of such a model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated

from fastapi import FastAPI, Query

from edge_agent.api import DriverPlugin
from edge_agent.config.template import read_template
from edge_agent.web.answers import Answer, Shown
from edge_agent.web.config_routes import Engineer
from edge_agent.web.refusals import CHANGES


class ParameterAnswer(Answer):
    """What differs from one device of the model to another."""

    name: str
    about: str
    default: Shown | None
    """null: the site file must give it"""


class TemplateAnswer(Answer):
    """A model whose registers are known."""

    name: str
    """for `template:` of a device"""
    about: str
    parameters: list[ParameterAnswer]
    """for `parameters:` beside it"""
    tags: list[str]


class TemplatesAnswer(Answer):
    """Those of one driver, by name; a file of one's own is another way."""

    driver: str
    templates: list[TemplateAnswer]


def add_templates(app: FastAPI, drivers: Mapping[str, DriverPlugin]) -> None:
    """Add the route."""

    @app.get("/api/v1/templates", responses=CHANGES)
    async def templates(
        _: Engineer, driver: Annotated[str, Query(description="whose; one without templates has none", max_length=63)]
    ) -> TemplatesAnswer:
        """The templates that a driver brings (engineers)."""
        shipped = drivers[driver].templates if driver in drivers else {}
        found = await asyncio.to_thread(lambda: [_template(name, shipped[name]) for name in sorted(shipped)])
        return TemplatesAnswer(driver=driver, templates=found)


def _template(name: str, text: str) -> TemplateAnswer:
    template = read_template(text, name)
    return TemplateAnswer(
        name=name,
        about=" ".join(template.about.split()),
        parameters=[
            ParameterAnswer(name=one, about=template.abouts.get(one, ""), default=default)
            for one, default in template.defaults.items()
        ],
        tags=list(template.tags),
    )
