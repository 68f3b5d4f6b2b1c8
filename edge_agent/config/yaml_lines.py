"""YAML into plain data, with the line of every key and value, and every duplicate key as a mistake.

The scalars are those of the YAML 1.2 core schema, not of YAML 1.1, because 1.1 turns what people
write in a site file into something else: `off` and `no` into false, `14:00` into 840, `2026-10-01`
into a date, `010` into 8. Keys of mappings are always the text as written (`0: IDLE` has the key
"0"); whoever wants a number parses it. Anchors, aliases and merge keys (`<<`) work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from edge_agent.errors import Mistake

Key = tuple[str | int, ...]
"""The way to a value: mapping keys and list positions from the top."""

# A site file has some thousand values; a few nested aliases can stand for more than memory holds.
VALUES_LIMIT: Final = 500_000

_PLAIN_TAGS: Final = {f"tag:yaml.org,2002:{name}" for name in ("str", "map", "seq")}
_NULL: Final = re.compile(r"~|null|Null|NULL|")
_BOOL: Final = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT: Final = re.compile(r"[-+]?[0-9]{1,40}|0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]{1,40}(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(slots=True)
class Document:
    """A parsed file: its data, and where each value stands (1-based lines)."""

    data: Any = None
    key_lines: dict[Key, int] = field(default_factory=dict)
    value_lines: dict[Key, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def line(self, key: Key) -> int:
        """The line of the key, or of what holds it if it is not in the file."""
        while key:
            if key in self.key_lines:
                return self.key_lines[key]
            key = key[:-1]
        return 1


_Resolvers = dict[str, list[tuple[str, re.Pattern[str]]]]


class _Loader(yaml.SafeLoader):
    """Composes nodes only; scalars are read below. Tells best what is wrong."""

    yaml_implicit_resolvers: _Resolvers = {}  # noqa: RUF012 (as in yaml)


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same by libyaml, where PyYAML was built with it: ten times as fast."""

    yaml_implicit_resolvers: _Resolvers = {}  # noqa: RUF012 (as in yaml)


def parse(text: str) -> Document:
    """Parse one YAML document; mistakes carry lines but no file."""
    document = Document()
    try:
        root = _compose(text)
    except yaml.YAMLError as error:
        document.mistakes.append(_syntax_mistake(error, text))
        return document
    except RecursionError:
        document.mistakes.append(Mistake("YAML", "is nested too deeply"))
        return document
    if root is not None:
        try:
            document.data = _Reader(document).read(root, (), ())
        except _Refused as refused:
            document.mistakes.append(refused.mistake)
    return document


def dotted(key: Key) -> str:
    """`devices.press-1.tags`; list positions as `breaks[0]`."""
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def scalar(text: str) -> Any:
    """A plain scalar's value by the core schema."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    return text


class _Refused(Exception):
    def __init__(self, mistake: Mistake) -> None:
        self.mistake = mistake


def _compose(text: str) -> yaml.Node | None:
    try:
        return _compose_with(_FastLoader, text)
    except yaml.YAMLError:
        return _compose_with(_Loader, text)


def _compose_with(kind: type[yaml.SafeLoader], text: str) -> yaml.Node | None:
    loader = kind(text)
    try:
        root: yaml.Node | None = loader.get_single_node()
        return root
    finally:
        loader.dispose()


class _Reader:
    """Turns nodes into data, writing lines and duplicate keys into the document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.seen = 0

    def read(self, node: yaml.Node, key: Key, above: tuple[int, ...]) -> Any:
        line = node.start_mark.line + 1
        self.document.key_lines.setdefault(key, line)
        self.document.value_lines[key] = line
        self.seen += 1
        if self.seen > VALUES_LIMIT:
            hint = "aliases of aliases multiply"
            raise _Refused(Mistake("YAML", "holds too many values", hint=hint, line=line))
        if id(node) in above:
            raise _Refused(Mistake(dotted(key), "is an alias of something that contains it", line=line))
        if node.tag not in _PLAIN_TAGS:
            self._mistake(key, f"the YAML tag {node.tag} is not used in a site file; remove it", line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, key, (*above, id(node)))
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*key, at), (*above, id(node))) for at, item in enumerate(node.value)]
        plain = isinstance(node, yaml.ScalarNode) and not node.style
        return scalar(node.value) if plain else str(node.value)

    def _mapping(self, node: yaml.MappingNode, key: Key, above: tuple[int, ...]) -> dict[str, Any]:
        merged, explicit = self._merged(node, key, above)
        found: dict[str, Any] = {}
        for name_node, value_node in explicit:
            line = name_node.start_mark.line + 1
            if not isinstance(name_node, yaml.ScalarNode):
                self._mistake(key, "a key must be a text, not a list or a mapping", line)
                continue
            name = str(name_node.value)
            if name in found:
                first = self.document.key_lines[(*key, name)]
                self._mistake((*key, name), f"is written twice; the first is in line {first}", line)
                continue
            self.document.key_lines[(*key, name)] = line
            found[name] = self.read(value_node, (*key, name), above)
        return {name: value for name, value in merged.items() if name not in found} | found

    def _merged(
        self, node: yaml.MappingNode, key: Key, above: tuple[int, ...]
    ) -> tuple[dict[str, Any], list[tuple[yaml.Node, yaml.Node]]]:
        """What `<<` brings in (read first: the lines of explicit keys win), and the explicit pairs."""
        merged: dict[str, Any] = {}
        explicit: list[tuple[yaml.Node, yaml.Node]] = []
        line = self.document.value_lines[key]
        for name_node, value_node in node.value:
            plain = isinstance(name_node, yaml.ScalarNode) and not name_node.style
            if not plain or name_node.value != "<<":
                explicit.append((name_node, value_node))
                continue
            sources = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
            for source in sources:
                if isinstance(source, yaml.MappingNode):
                    merged = self.read(source, key, above) | merged
                else:
                    self._mistake((*key, "<<"), "needs an alias of a mapping", source.start_mark.line + 1)
        self.document.value_lines[key] = line
        return merged, explicit

    def _mistake(self, key: Key, message: str, line: int) -> None:
        message, _, hint = message.partition("; ")
        self.document.mistakes.append(Mistake(dotted(key) or "YAML", message, hint=hint, line=line))


def _syntax_mistake(error: yaml.YAMLError, text: str) -> Mistake:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        hint = _syntax_hint(error, text.splitlines()[line - 1 : line])
        return Mistake("YAML", error.problem or "is not YAML", hint=hint, line=line)
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Mistake("YAML", "holds a control character", hint="remove it", line=line)
    return Mistake("YAML", "is not YAML", line=1)


def _syntax_hint(error: yaml.MarkedYAMLError, line: list[str]) -> str:
    problem = error.problem or ""
    if "'{'" in problem and "${" in "".join(line):
        return 'inside { } write "${NAME}" in quotes'
    if "\\t" in problem:
        return "indent with spaces, not with tabs"
    if "mapping values are not allowed" in problem:
        return "a text that contains ': ' needs quotes, and keys of one level need the same indent"
    if "another document" in problem or "but found another" in problem:
        return "a site file is one document: remove the line ---"
    if error.context:
        at = f" in line {error.context_mark.line + 1}" if error.context_mark else ""
        return f"{error.context}{at}"
    return ""
