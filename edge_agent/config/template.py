"""A register-map template: a YAML file with parameters, device keys and tags, and what is wrong in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from edge_agent.config.finding import did_you_mean
from edge_agent.config.placeholder import NAME, Scalar, unknown_in
from edge_agent.config.yaml_lines import Document, Key, dotted, parse
from edge_agent.errors import Mistake

_KEYS: Final = ("about", "parameters", "device", "tags")
_PARAMETER_KEYS: Final = ("default", "about")
_NEEDS_KEYS: Final = "needs keys and values below it, not a single value or list"
_FROM_OUTSIDE: Final = "${…} is not replaced in a template; make it a parameter and write ${…} in the site file"
# Said by whoever uses the template: which driver it is for, and what it is made of.
_NOT_OF_THE_DEVICE: Final = {
    "driver": "the site file says it",
    "template": "a template is not made of others",
    "parameters": "they stand beside device:, not in it",
    "tags": "they stand beside device:, not in it",
}


@dataclass(slots=True)
class Template:
    """A template as written.

    defaults  parameter → default, None where the site file must give one
    abouts    parameter → what it is
    device    device keys, tags as in a site file; both with placeholders
    doubtful  parameters whose own section is wrong
    failed    places in `device` and `tags` with placeholders that are none
    usable    False: nothing in it can be believed
    """

    file: str
    document: Document
    about: str = ""
    defaults: dict[str, Scalar | None] = field(default_factory=dict)
    abouts: dict[str, str] = field(default_factory=dict)
    doubtful: set[str] = field(default_factory=set)
    device: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, Any] = field(default_factory=dict)
    failed: set[Key] = field(default_factory=set)
    mistakes: list[Mistake] = field(default_factory=list)
    usable: bool = True

    def wrong(self, key: Key, message: str, hint: str = "", value: str = "") -> None:
        """Note a mistake at `key`."""
        line = self.document.line(key)
        self.mistakes.append(Mistake(dotted(key) or "template", message, value, hint, self.file, line))


def read_template(text: str, file: str) -> Template:
    """The template of a text; what is wrong in it is in `mistakes`, each with `file` and line."""
    document = parse(text)
    template = Template(file, document)
    for one in document.mistakes:
        template.mistakes.append(Mistake(one.key, one.message, one.value, one.hint, file, one.line))
    data = document.data
    if not isinstance(data, dict):
        if not document.mistakes:
            what = "is empty" if data is None else "is no template: its top level has no keys"
            template.wrong((), what, f"keys: {', '.join(_KEYS)}")
        template.usable = False
        return template
    for name in data:
        if name not in _KEYS:
            template.wrong((name,), "unknown key", did_you_mean(name, _KEYS, "keys here"))
    template.about = _text(template, ("about",), data.get("about"))
    _read_parameters(template, _mapping(template, "parameters", data))
    template.device = _mapping(template, "device", data)
    for name in template.device.keys() & _NOT_OF_THE_DEVICE.keys():
        template.wrong(("device", name), "does not belong into a template's device:", _NOT_OF_THE_DEVICE[name])
        del template.device[name]
    template.tags = _mapping(template, "tags", data)
    if template.usable:
        _check_placeholders(template)
    return template


def about(text: str) -> str:
    """What a template is for, on one line."""
    return " ".join(read_template(text, "").about.split())


def texts(value: Any, key: Key = ()) -> Iterator[tuple[Key, str]]:
    """Every text in `value`, with its way from the top."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from texts(item, (*key, name))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from texts(item, (*key, at))


def _mapping(template: Template, name: str, data: dict[str, Any]) -> dict[str, Any]:
    value = data.get(name)
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    template.wrong((name,), _NEEDS_KEYS)
    template.usable = False
    return {}


def _text(template: Template, key: Key, value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    template.wrong(key, "is not a text", "put it in quotes")
    return ""


def _read_parameters(template: Template, parameters: dict[str, Any]) -> None:
    for name, said in parameters.items():
        key = ("parameters", name)
        template.defaults[name] = None
        if not re.fullmatch(NAME, name):
            hint = "a-z, 0-9 and '_', starting with a letter, such as ct_ratio"
            template.wrong(key, "is no name of a parameter", hint)
        if not isinstance(said, dict):
            template.doubtful.add(name)
            template.wrong(key, "needs keys below it", f"write {name}: {{default: 1, about: what it is}}")
            continue
        for word in said:
            if word not in _PARAMETER_KEYS:
                template.wrong((*key, word), "unknown key", did_you_mean(word, _PARAMETER_KEYS, "keys here"))
        template.abouts[name] = _text(template, (*key, "about"), said.get("about"))
        default = said.get("default")
        if "default" in said and (default is None or isinstance(default, dict | list)):
            template.doubtful.add(name)
            what = "is empty" if default is None else "is not a single value"
            template.wrong((*key, "default"), what, "without the key default the site file must give a value")
            continue
        template.defaults[name] = default


def _check_placeholders(template: Template) -> None:
    for part in ("device", "tags"):
        for key, text in texts(getattr(template, part), (part,)):
            wrong = _FROM_OUTSIDE if "${" in text else unknown_in(text, template.defaults)
            if wrong:
                message, _, hint = wrong.partition("; ")
                template.wrong(key, message, hint, text)
                template.failed.add(key)
