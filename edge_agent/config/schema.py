"""The JSON Schema of the site file, for editors: completion, descriptions and red underlines."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from edge_agent.api import DriverPlugin, ProfilePlugin, PublisherPlugin, ServerPlugin
from edge_agent.config.destination import with_profile
from edge_agent.config.names import ID_PATTERN
from edge_agent.config.site import Site
from edge_agent.config.template_schema import by_template

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
TITLE: Final = "Site file of the edge agent"
_REF: Final = "#/$defs/{model}"
_IDS: Final = {"pattern": f"^{ID_PATTERN}$"}


def schema(
    drivers: Mapping[str, DriverPlugin],
    publishers: Mapping[str, PublisherPlugin],
    servers: Mapping[str, ServerPlugin] = MappingProxyType({}),
    profiles: Mapping[str, ProfilePlugin] = MappingProxyType({}),
) -> dict[str, Any]:
    """The schema of the whole file; the keys of a device depend on its `driver`, of others on their `type`."""
    devices = {name: plugin.config for name, plugin in drivers.items()}
    destinations = {
        (name, form): with_profile(plugin, profile)
        for name, plugin in publishers.items()
        for form, profile in profiles.items()
        if name in profile.publishers
    }
    listening = {name: plugin.config for name, plugin in servers.items()}
    models: list[type[BaseModel]] = [Site, *devices.values(), *destinations.values(), *listening.values()]
    refs, document = models_json_schema([(one, "validation") for one in models], ref_template=_REF)
    defs: dict[str, Any] = document["$defs"]
    site = defs.pop(_def(refs[Site, "validation"]))
    properties = site["properties"]
    choices = (("devices", "driver", devices), ("serve", "type", listening))
    for group, chooser, plugins in choices:
        named = {name: _def(refs[model, "validation"]) for name, model in plugins.items()}
        for name, ref in named.items():
            _only(defs[ref], chooser, name)
        forms: dict[str, dict[str, Any]] = {name: {"$ref": _REF.format(model=ref)} for name, ref in named.items()}
        if group == "devices":
            forms = {name: _with_or_without(form, named[name], defs) for name, form in forms.items()}
        properties[group]["additionalProperties"] = _one_of(chooser, forms)
    joined = {which: _def(refs[model, "validation"]) for which, model in destinations.items()}
    properties["publish"]["additionalProperties"] = _destinations(publishers, joined, defs)
    for group in ("devices", "machines", "lines", "areas", "calendars", "assets", "publish", "serve"):
        properties[group]["propertyNames"] = _IDS
    whole = {"$schema": DIALECT, **site, "title": TITLE}
    whole["$defs"] = {name: defs[name] for name in sorted(_needed(whole, defs))}
    _drop_counted_defaults(whole)
    return whole


def _destinations(
    publishers: Mapping[str, PublisherPlugin], named: Mapping[tuple[str, str], str], defs: dict[str, Any]
) -> dict[str, Any]:
    """The keys of a destination depend on its `type` and, within it, on its `profile`."""
    forms: dict[str, dict[str, Any]] = {}
    for (name, profile), ref in named.items():
        _only(defs[ref], "type", name)
        defs[ref]["properties"]["profile"] = {
            **defs[ref]["properties"]["profile"], "enum": [one for of, one in named if of == name],
        }  # fmt: skip
        form = forms.setdefault(name, {"allOf": []})
        usual = profile == publishers[name].config.model_fields["profile"].default
        said = {"properties": {"profile": {"const": profile}}, **({} if usual else {"required": ["profile"]})}
        form["allOf"].append({"if": said, "then": {"$ref": _REF.format(model=ref)}})
    return _one_of("type", forms)


def _needed(schema: dict[str, Any], defs: Mapping[str, Any]) -> set[str]:
    """The definitions the schema refers to, directly or through others."""
    needed: set[str] = set()
    waiting = _refs(schema)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting |= _refs(defs[name])
    return needed


def _refs(node: Any) -> set[str]:
    if isinstance(node, dict):
        here = {_def(node)} if isinstance(node.get("$ref"), str) else set()
        return here.union(*map(_refs, node.values()))
    return set[str]().union(*map(_refs, node)) if isinstance(node, list) else set()


def _def(ref: dict[str, Any]) -> str:
    return str(ref["$ref"]).rsplit("/", 1)[-1]


def _only(section: dict[str, Any], chooser: str, name: str) -> None:
    """The section must say `driver: name`, and its tags have ids."""
    described = section["properties"].get(chooser, {}).get("description")
    section["properties"][chooser] = {"const": name, **({"description": described} if described else {})}
    section["required"] = sorted({*section.get("required", ()), chooser})
    if "tags" in section["properties"]:
        section["properties"]["tags"]["propertyNames"] = _IDS


def _with_or_without(form: dict[str, Any], ref: str, defs: dict[str, Any]) -> dict[str, Any]:
    """A device section as it is written with a template, and without."""
    with_template = {"$ref": _REF.format(model=by_template(ref, defs))}
    return {"if": {"required": ["template"]}, "then": with_template, "else": form}


def _one_of(chooser: str, forms: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """By `if` and `then`, so that an editor complains about the wrong key and not about every driver."""
    return {
        "type": "object",
        "required": [chooser],
        "properties": {chooser: {"enum": list(forms)}},
        "allOf": [
            {
                "if": {"properties": {chooser: {"const": name}}, "required": [chooser]},
                "then": form,
            }
            for name, form in forms.items()
        ],
    }


def _drop_counted_defaults(node: Any, names: bool = False) -> None:
    """Take out defaults that the model holds in ns, bytes or days; their descriptions tell them.

    `names`: the keys of `node` are names of properties, not words of the schema.
    """
    if isinstance(node, dict):
        default = None if names else node.get("default")
        as_written = node.get("type") in ("integer", "number", "boolean")
        if not (default is None or isinstance(default, str) or as_written):
            del node["default"]
        for key, item in node.items():
            _drop_counted_defaults(item, key in ("properties", "$defs") and not names)
    elif isinstance(node, list):
        for item in node:
            _drop_counted_defaults(item)
