"""The site file: its models, and `load` with every mistake named by file, line and key."""

from __future__ import annotations

from edge_agent.config.load import load
from edge_agent.config.placed import placed
from edge_agent.config.plant import plant, unlisted
from edge_agent.config.sample import message_sample, messages, sample, samples
from edge_agent.config.scene import scene
from edge_agent.config.schema import schema
from edge_agent.config.scopes import scopes
from edge_agent.config.site import Site
from edge_agent.config.specs import machine_specs
from edge_agent.config.template import about

__all__ = [
    "Site", "about", "load", "machine_specs", "message_sample", "messages", "placed", "plant",
    "sample", "samples", "scene", "schema", "scopes", "unlisted",
]  # fmt: skip
