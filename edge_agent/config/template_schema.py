"""What the JSON Schema says of a device that names a template: any of its keys may come from there."""

from __future__ import annotations

from typing import Any, Final

_REF: Final = "#/$defs/"
_SUFFIX: Final = "ByTemplate"
_KEYS: Final[dict[str, Any]] = {
    "template": {
        "type": "string",
        "minLength": 1,
        "description": "a file such as `./meter.yaml`, or the name of a shipped template; its keys and tags are put in",
    },
    "parameters": {
        "type": ["object", "null"],
        "additionalProperties": {"type": ["string", "number", "boolean"]},
        "description": "values for the template's parameters",
    },
}


def by_template(name: str, defs: dict[str, Any]) -> str:
    """Add to `defs` the device `name` with a template, and return how it is called there.

    No key of it is required but `driver` and `template`; a tag may be written in part, or left out.
    """
    device = _partly(name, defs)
    section = defs[device]
    section["required"] = ["driver", "template"]
    section["properties"] = {**section["properties"], **_KEYS}
    tags = section["properties"].get("tags")
    if tags is not None:
        left_out = {"enum": ["off", None], "description": "leaves out this tag of the template"}
        whole = tags.get("additionalProperties", {})
        section["properties"]["tags"] = {
            **tags,
            "type": ["object", "null"],
            "additionalProperties": {"anyOf": [*_alternatives(whole, defs), left_out]},
        }
    return device


def _alternatives(node: dict[str, Any], defs: dict[str, Any]) -> list[dict[str, Any]]:
    """The forms of a tag, each without what it requires."""
    for union in ("oneOf", "anyOf"):
        if union in node:
            return [form for member in node[union] for form in _alternatives(member, defs)]
    if "$ref" in node:
        return [{"$ref": _REF + _partly(node["$ref"].removeprefix(_REF), defs)}]
    return [node]


def _partly(name: str, defs: dict[str, Any]) -> str:
    partly = _without_required(defs[name])
    for union in ("oneOf", "anyOf"):
        if union in partly:
            members = [_without_required(member) for member in partly.pop(union)]
            if any(members):
                partly[union] = [member for member in members if member]
    defs[name + _SUFFIX] = partly
    return name + _SUFFIX


def _without_required(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != "required"}
