"""A site file's text, judged as `edge-agent check` judges a file: what is wrong, what should be known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from edge_agent import registry
from edge_agent.config import Site, load, placed
from edge_agent.errors import ConfigError, Mistake
from edge_agent.warn import device_warnings, plan_warnings


@dataclass(frozen=True, slots=True)
class Checked:
    """`site` is None where something is wrong."""

    site: Site | None = None
    mistakes: tuple[Mistake, ...] = ()
    warnings: tuple[str, ...] = ()
    text: str = field(default="", repr=False)
    anew: tuple[str, ...] = ()
    """what of the site that runs begins anew with it, such as `publish.scada`; `agent`: all of it"""


def checked(path: Path, text: str, prepare: Callable[[Site], object]) -> Checked:
    """Judge `text` as if it stood in `path`; `prepare` builds what raises ConfigError only then. May look at files,
    and takes a while for a large site: called in a thread."""
    try:
        site = load(
            path, registry.drivers(), registry.publishers(),
            profiles=registry.profiles(), servers=registry.servers(), text=text,
        )  # fmt: skip
        prepare(site)
    except ConfigError as error:
        return Checked(mistakes=placed(error, path, text).mistakes, text=text)
    warnings = [*device_warnings(site, registry.drivers()), *plan_warnings(site, datetime.now(site.zone).date())]
    for name, server in site.serve.items():
        warnings += [f"serve.{name}: {one}" for one in registry.servers()[server.type].warnings(server)]
    return Checked(site, warnings=tuple(warnings), text=text)
