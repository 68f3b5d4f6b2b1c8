"""A template's device keys and tags with one device's parameters in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_agent.config.explain import Found, Source
from edge_agent.config.finding import did_you_mean
from edge_agent.config.placeholder import NotANumberError, Scalar, fill, names_in
from edge_agent.config.template import Template
from edge_agent.config.yaml_lines import Key, scalar


@dataclass(slots=True)
class Parameters:
    """What a device's parameters are: `secret` maps those that `${…}` put in to how they are written."""

    values: dict[str, Scalar] = field(default_factory=dict)
    given: set[str] = field(default_factory=set)
    secret: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Filled:
    """The parts `device` and `tags`; all keys are ways in the template.

    values   with parameters put in
    shown    the same as messages may show it: with placeholders where a secret would be
    origins  what stands in the template where a value was computed
    failed   places whose value cannot be known
    secret   place → how it is written, and what must not be shown
    """

    values: dict[str, dict[str, Any]]
    shown: dict[str, dict[str, Any]]
    origins: dict[Key, str] = field(default_factory=dict)
    failed: set[Key] = field(default_factory=set)
    secret: dict[Key, tuple[str, list[str]]] = field(default_factory=dict)


def parameters_of(
    template: Template, section: Mapping[str, Any], key: Key, source: Source
) -> tuple[Parameters, list[Found]]:
    """The parameters in force for the device at `key`; one that is missing or wrong is not among them."""
    here = (*key, "parameters")
    given = section.get("parameters")
    result, found = Parameters(), list[Found]()
    if given is not None and not isinstance(given, dict):
        if here not in source.secrets.failed:
            found.append(Found(here, "needs keys and values below it, not a single value or list"))
        return result, found
    given, near = given or {}, set[str]()
    for name in given:
        if name not in template.defaults:
            hint = did_you_mean(name, template.defaults, "parameters")
            near |= {one for one in template.defaults if hint == f"did you mean '{one}'?"}
            found.append(Found((*here, name), "is no parameter of the template", hint))
    for name, default in template.defaults.items():
        if name in given:
            found += _take(result, name, given[name], (*here, name), source)
        elif default is not None:
            result.values[name] = default
        elif name not in near | template.doubtful:
            found.append(Found((*here, name), "is missing", template.abouts.get(name, ""), role="missing"))
    return result, found


def _take(result: Parameters, name: str, value: Any, key: Key, source: Source) -> list[Found]:
    result.given.add(name)
    if key in source.secrets.failed:
        return []
    if value is None or isinstance(value, dict | list):
        return [Found(key, "is empty" if value is None else "is not a single value")]
    if isinstance(value, str) and source.secrets.pieces.get(key):
        result.secret[name] = source.secrets.written[key]
        read = scalar(value)
        value = value if read is None else read
    result.values[name] = value
    return []


def filled(template: Template, parameters: Parameters, key: Key, source: Source) -> tuple[Filled, list[Found]]:
    """The template with `parameters`; and those of them that are no numbers where one is needed."""
    filling = _Filling(template, parameters, key, source)
    parts = {"device": template.device, "tags": template.tags}
    both = {part: filling.walk(value, (part,)) for part, value in parts.items()}
    filling.result.values = {part: values for part, (values, _) in both.items()}
    filling.result.shown = {part: shown for part, (_, shown) in both.items()}
    return filling.result, list(filling.found.values())


@dataclass(slots=True)
class _Filling:
    template: Template
    parameters: Parameters
    key: Key
    source: Source
    result: Filled = field(default_factory=lambda: Filled({}, {}))
    found: dict[str, Found] = field(default_factory=dict)

    def walk(self, value: Any, place: Key) -> tuple[Any, Any]:
        """`value` as it is to be used, and as it may be shown."""
        if isinstance(value, dict):
            pairs = {name: self.walk(item, (*place, name)) for name, item in value.items()}
            return {name: one for name, (one, _) in pairs.items()}, {name: two for name, (_, two) in pairs.items()}
        if isinstance(value, list):
            items = [self.walk(item, (*place, at)) for at, item in enumerate(value)]
            return [one for one, _ in items], [two for _, two in items]
        if place in self.template.failed:
            self.result.failed.add(place)
            return value, value
        names = names_in(value) if isinstance(value, str) else set()
        return self._text(value, place, names) if names else (value, value)

    def _text(self, text: str, place: Key, names: set[str]) -> tuple[Any, Any]:
        held = self.parameters
        if not names <= held.values.keys():
            self.result.failed.add(place)
            return text, text
        try:
            value = fill(text, held.values)
        except NotANumberError as error:
            self._no_number(error)
            self.result.failed.add(place)
            return text, text
        except ValueError as error:
            self.found.setdefault(str(place), Found((*self.key, "parameters"), f"do not fit the template: {error}"))
            self.result.failed.add(place)
            return text, text
        told = [f"{name}: {held.secret.get(name, held.values[name])}" for name in sorted(names)]
        self.result.origins[place] = ", ".join([text, *told])
        hidden = [str(held.values[name]) for name in sorted(names & held.secret.keys())]
        if not hidden:
            return value, value
        self.result.secret[place] = (text, [*hidden, str(value)])
        return value, text

    def _no_number(self, error: NotANumberError) -> None:
        """Said where the parameter stands: in the site file, or as the template's default."""
        name = error.parameter
        if name in self.parameters.given:
            key = (*self.key, "parameters", name)
            self.found.setdefault(name, Found(key, str(error), "", self.source.written(key)))
            return
        wrong = ("parameters", name, "default")
        lines, files = self.source.document.key_lines, self.source.files
        key = (*self.key, "template", *wrong)
        lines[key], files[key] = self.template.document.line(wrong), self.template.file
        self.found.setdefault(name, Found(key, str(error), "", str(self.parameters.values[name])))
