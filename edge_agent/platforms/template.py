"""The profile `template`: messages as a file of the user says; every mistake in it is told with its line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from jinja2 import TemplateSyntaxError
from pydantic import BeforeValidator, Field, ValidationError

from edge_agent.api import ConfigError, Limits, Mistake, ProfileConfig, ProfilePlugin, Scene, Size, StrictModel
from edge_agent.encode.template import Rule, TemplateProfile, Unusable
from edge_agent.encode.template_data import NAMES
from edge_agent.encode.template_language import Language, Renderer
from edge_agent.encode.template_trial import trial

LARGEST: Final = 1_000_000
"""bytes of a file; what people write by hand has some thousand"""

DEEPEST: Final = 20
"""lists and groups within each other; a file of templates has three"""

KINDS: Final = tuple(dict.fromkeys(kind for kind, _ in NAMES))


class RuleModel(StrictModel):
    """One kind of message."""

    topic: str = Field(min_length=1)
    """template of the topic"""
    payload: str = Field(min_length=1)
    """template of the payload; where nothing but blanks comes out, nothing is sent"""
    each: str | None = None
    """what there is a message for: of samples `device`, `group` (source time) or `tag`; of alarms `device`, `alarm`"""
    qos: Literal[0, 1] = 1
    """as in MQTT"""
    retain: bool = False
    """the broker keeps the last one; never of history"""
    format: Literal["json", "text"] = "json"
    """json: checked, and written without blanks"""
    will: bool = False
    """of status: said by the broker, offline, when the agent is gone"""


class LimitsModel(StrictModel):
    """What the platform takes."""

    payload: Size = 200_000
    """bytes of a message; samples are split to fit"""
    messages: float = Field(default=0.0, ge=0)
    """messages a second; 0: as many as come"""


def _listed(said: object) -> object:
    return [said] if isinstance(said, dict) else said


Rules = Annotated[list[RuleModel], BeforeValidator(_listed), Field(default_factory=list)]


class TemplateFile(StrictModel):
    """A file of templates: one rule, or a list of rules, for each kind of record."""

    about: str = ""
    """for whom it is"""
    limits: LimitsModel = LimitsModel()
    samples: Rules
    state: Rules
    report: Rules
    rollup: Rules
    digital: Rules
    alarms: Rules
    status: Rules
    gap: Rules


class TemplateConfig(ProfileConfig):
    """Where the templates are."""

    template: Path
    """file of templates"""


def make(config: TemplateConfig, scene: Scene) -> TemplateProfile:
    """What the file says; ConfigError with all mistakes in it."""
    return _Reader(config.template, f"publish.{scene.destination}.template").profile(scene)


class _Reader:
    """One file, and the mistakes in it."""

    def __init__(self, path: Path, key: str) -> None:
        self._path = path
        self._key = key
        self._mistakes: list[Mistake] = []
        self._node: Any = None
        self._language = Language()

    def profile(self, scene: Scene) -> TemplateProfile:
        said = self._model()
        rules = [rule for kind in KINDS for rule in self._rules(kind, getattr(said, kind), scene)]
        if not rules and not self._mistakes:
            self._add((), f"has no rule; write one for {', '.join(KINDS)}")
        if self._mistakes:
            raise ConfigError(*self._mistakes)
        return TemplateProfile(scene, rules, Limits(said.limits.payload, said.limits.messages))

    def _model(self) -> TemplateFile:
        try:
            text = self._text()
            for event, depth in _events(text):
                wrong = "has an alias (*name)" if isinstance(event, yaml.AliasEvent) else "is nested too deeply"
                if isinstance(event, yaml.AliasEvent) or depth > DEEPEST:
                    line = event.start_mark.line + 1 if event.start_mark else 0
                    raise ConfigError(Mistake(self._key, wrong, file=str(self._path), line=line))
            self._node = yaml.compose(text, yaml.SafeLoader)
            data = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = mark.line + 1 if mark else 0
            why = f"is no YAML: {getattr(error, 'problem', None) or error}"
            raise ConfigError(Mistake(self._key, why, file=str(self._path), line=line)) from error
        for key, line in _twice(self._node):
            self._mistakes.append(Mistake(key, "is written twice", file=str(self._path), line=line))
        if self._mistakes:
            raise ConfigError(*self._mistakes)
        try:
            return TemplateFile.model_validate({} if data is None else data)
        except ValidationError as error:
            for one in error.errors():
                self._add(one["loc"], _words(one))
            raise ConfigError(*self._mistakes) from None

    def _text(self) -> str:
        try:
            with self._path.open("rb") as file:
                held = file.read(LARGEST + 1)
            if len(held) > LARGEST:
                raise ConfigError(Mistake(self._key, f"is larger than {LARGEST} bytes", file=str(self._path)))
            return held.decode("utf-8-sig")
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise ConfigError(Mistake(self._key, f"cannot be read: {why}", str(self._path))) from error

    def _rules(self, kind: str, models: Sequence[RuleModel], scene: Scene) -> Iterator[Rule]:
        for number, model in enumerate(models):
            where = (kind, number)
            forms = [each for of, each in NAMES if of == kind]
            each = forms[0] if model.each is None else model.each
            if each not in forms:
                known = f"known are {', '.join(forms)}" if forms[0] else f"{kind} has none"
                self._add((*where, "each"), f"'{each}' is no part of {kind}; {known}")
                continue
            if model.will and kind != "status":
                self._add((*where, "will"), "only a status can be said by the broker")
            topic = self._renderer((*where, "topic"), model.topic, NAMES[kind, each])
            payload = self._renderer((*where, "payload"), model.payload, NAMES[kind, each])
            if topic and payload:
                rule = Rule(
                    kind, each, topic, payload, model.qos, model.retain, model.format == "json", model.will
                )  # fmt: skip
                try:
                    trial(rule, scene)
                except Unusable as error:
                    self._add((*where, error.part), error.why)
                yield rule

    def _renderer(self, where: tuple[str | int, ...], source: str, known: Sequence[str]) -> Renderer | None:
        try:
            return self._language.renderer(source, known)
        except TemplateSyntaxError as error:
            self._add(where, error.message or "is no template", error.lineno)
            return None

    def _add(self, where: Sequence[str | int], why: str, line_within: int = 0) -> None:
        line = _line(self._node, where, line_within)
        key = ".".join(str(step) for step in where if step != 0) or self._key
        self._mistakes.append(Mistake(key, why, file=str(self._path), line=line))


def _events(text: str) -> Iterator[tuple[yaml.Event, int]]:
    """What YAML reads, one after the other, and how deep it stands."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        yield event, depth


def _line(node: Any, where: Sequence[str | int], within: int) -> int:
    """The line of what is at `where`, as far as it is there; `within`: of that text, the line in it."""
    line = 1
    for step in where:
        if isinstance(node, yaml.MappingNode):
            if step == 0:
                continue        # one rule stands for a list of one
            found = [(key, value) for key, value in node.value if key.value == step]
            if not found:
                return line
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
    if within and isinstance(node, yaml.ScalarNode):
        begins = node.start_mark.line + (2 if node.style in ("|", ">") else 1)
        return int(begins) + within - 1
    return int(line)


def _twice(node: Any) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield str(key.value), key.start_mark.line + 1
            seen.add(key.value)
            yield from _twice(value)
    elif isinstance(node, yaml.SequenceNode):
        for one in node.value:
            yield from _twice(one)


def _words(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        known = TemplateFile.model_fields if len(error["loc"]) == 1 else RuleModel.model_fields
        return f"is no key here; known are {', '.join(known)}"
    if error["type"] == "missing":
        return "is missing"
    if error["type"] in ("model_type", "model_attributes_type", "list_type"):
        return "needs keys below it, such as topic: and payload:"
    return str(error["msg"]).removeprefix("Value error, ")


plugin = ProfilePlugin(
    "template", "your own topics and payloads, by a file of templates", TemplateConfig, make, ("mqtt", "stdout")
)  # fmt: skip
