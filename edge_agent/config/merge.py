"""A device section over a template: whose word counts, key by key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from edge_agent.config.explain import Found
from edge_agent.config.finding import did_you_mean
from edge_agent.config.yaml_lines import Key

Parts = Mapping[str, dict[str, Any]]
"""A template's parts `device` and `tags`."""

# What leaves out a tag of the template: in YAML 1.2 `off` is a text.
_LEFT_OUT: Final = (None, "off")


def merged(template: Parts, section: dict[str, Any]) -> dict[str, Any]:
    """The section with what the template adds: its own keys win, and those of a tag within it."""
    own = section.get("tags")
    if not isinstance(own, dict) and own is not None:
        return {**template["device"], **section}
    own = own or {}
    tags = {name: _merged_tag(tag, own[name]) if name in own else tag for name, tag in template["tags"].items()}
    tags |= {name: tag for name, tag in own.items() if name not in tags}
    tags = {name: tag for name, tag in tags.items() if name not in own or own[name] not in _LEFT_OUT}
    return {**template["device"], **section, "tags": tags}


def _merged_tag(tag: Any, own: Any) -> Any:
    if not isinstance(own, dict):
        return own
    # A text stays: to change it key by key is a mistake, and one is enough.
    return {**tag, **own} if isinstance(tag, dict) else tag if isinstance(tag, str) else own


def overrides(template: Parts, section: dict[str, Any], key: Key) -> list[Found]:
    """What the section at `key` says about tags of the template that cannot be meant."""
    tags, found = section.get("tags"), list[Found]()
    for name, own in tags.items() if isinstance(tags, dict) else ():
        here = (*key, "tags", name)
        if name not in template["tags"]:
            if own in _LEFT_OUT:
                hint = did_you_mean(name, template["tags"], "tags of the template")
                found.append(Found(here, "is left out, but the template has no such tag", hint))
        elif isinstance(own, dict) and isinstance(text := template["tags"][name], str):
            what = "is one line of text in the template, so it cannot be changed key by key"
            found.append(Found(here, what, f'write the whole tag; the template has "{text}"'))
    return found


def places(template: Parts, section: dict[str, Any], key: Key) -> dict[Key, Key]:
    """What is taken from the template: its way there → its way in the site; `key` is the section's."""
    placed: dict[Key, Key] = {("device", name): (*key, name) for name in template["device"] if name not in section}
    own = section.get("tags")
    if own is None:
        own = {}
        placed["tags",] = (*key, "tags")
    if not isinstance(own, dict):
        return placed
    for name, tag in template["tags"].items():
        if name not in own:
            placed["tags", name] = (*key, "tags", name)
        elif isinstance(tag, dict) and isinstance(own[name], dict):
            parts = [part for part in tag if part not in own[name]]
            placed |= {("tags", name, part): (*key, "tags", name, part) for part in parts}
    return placed
