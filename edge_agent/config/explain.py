"""pydantic's errors as mistakes a plant engineer can act on: file, line, key, value, what is right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from edge_agent.config.fields import fields_at
from edge_agent.config.finding import FINDINGS, Finding, did_you_mean
from edge_agent.config.substitute import Secrets
from edge_agent.config.words import EXPECTED, words
from edge_agent.config.yaml_lines import Document, Key, dotted
from edge_agent.errors import Mistake

_INSIDE_STATE: Final = frozenset({"mtconnect", "stacklight", "power", "euromap", "sources", "codes"})
"""What is written below a machine's `state`; written beside it, it excuses the absence of `state`."""

_OF_A_MACHINE: Final = 3        # machines, id, key

_SECRET_KEYS: Final = re.compile("password|passphrase|token(?!_life)|secret|^pin$")
_SECRET_GROUPS: Final = ("tokens", "read_tokens", "headers")
"""whose keys are names, and whose values are secret"""
_LOGIN: Final = re.compile(r"(?<=://)\S*@")


@dataclass(frozen=True, slots=True)
class Found:
    """A mistake with its way in the data; `role` is unknown (key), missing or wrong."""

    key: Key
    message: str
    hint: str = ""
    value: str = ""
    role: str = "wrong"


@dataclass(frozen=True, slots=True)
class Source:
    """The file as written: turns what was found into mistakes with file and line.

    files    where a key of `document` stands if not in `file`: in which template
    origins  what a template has where a value was computed: `holding:<base+4>, base: 100`
    """

    file: str
    document: Document
    secrets: Secrets
    files: dict[Key, str] = field(default_factory=dict)
    origins: dict[Key, str] = field(default_factory=dict)

    def mistake(self, found: Found) -> Mistake:
        """The mistake as it is shown; nothing that was put in by `${…}` is in it."""
        computed = found.key in self.origins and found.role == "wrong"
        origin = f" (from {self.origins[found.key]})" if computed else ""
        texts = (f"{found.message}{origin}", found.hint)
        message, hint = (self.secrets.hide(text, found.key) for text in texts)
        line = self.document.line(found.key)
        return Mistake(dotted(found.key) or "site", message, found.value, hint, self._file(found.key), line)

    def _file(self, key: Key) -> str:
        """The file of the line that `Document.line` gives."""
        while key and key not in self.document.key_lines:
            key = key[:-1]
        return self.files.get(key, self.file)

    def written(self, key: Key) -> str:
        """A scalar as the file has it, but for the login in a URL; "" for lists, mappings, empty values and what is
        secret."""
        value = value_at(self.document.data, key)
        if value is None or isinstance(value, dict | list) or _is_secret(key):
            return ""
        return str(value).lower() if isinstance(value, bool) else _LOGIN.sub("***@", str(value))


def _is_secret(key: Key) -> bool:
    """True for the value of a secret key, and for all of `tokens:`, `read_tokens:` and `headers:`."""
    if key[-2:-1] and key[-2] in _SECRET_GROUPS:
        return True
    return bool(key) and isinstance(key[-1], str) and _SECRET_KEYS.search(key[-1].lower()) is not None


def value_at(data: Any, key: Key) -> Any:
    """What stands at `key`; None if nothing does."""
    for part in key:
        known = range(len(data)) if isinstance(data, list) else data if isinstance(data, dict) else ()
        if part not in known:
            return None
        data = data[part]
    return data


def explain(error: ValidationError, model: type[BaseModel], at: Key, source: Source) -> list[Found]:
    """What is wrong with the section at `at`, validated by `model`; one entry per mistake."""
    found: dict[tuple[Key, str], Found] = {}
    for details in error.errors(include_url=False, include_input=False):
        for one in _explain_one(details, model, at, source):
            found.setdefault((one.key, one.message), one)
    return _join_alternatives(list(found.values()))


def _explain_one(details: ErrorDetails, model: type[BaseModel], at: Key, source: Source) -> Iterator[Found]:
    key, missing = _locate(details, at, source.document.data)
    kind = details["type"]
    context = details.get("ctx", {})
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        key = (*key, str(context["discriminator"]).strip("'"))
        missing = Found(key, "is missing", role="missing") if kind == "union_tag_not_found" else None
    if kind == FINDINGS:
        for finding in context["findings"]:
            yield _ours(finding, key, source)
    elif kind == "extra_forbidden":
        yield _unknown(key, fields_at(model, key[len(at) : -1]))
    elif missing is not None:
        yield missing
    elif key in source.document.key_lines and value_at(source.document.data, key) is None:
        yield Found(key, "is empty", EXPECTED.get(kind, ""))
    else:
        written = source.written(key)
        message, hint = words(kind, details["msg"], context, written)
        # The value is shown before the message anyway.
        told = message.removeprefix(f"{written!r} ")
        yield Found(key, _key_in_text(details, model, at, key, written) + told, hint, written)


def _key_in_text(details: ErrorDetails, model: type[BaseModel], at: Key, key: Key, written: str) -> str:
    """The key that is wrong where a section is written as a text, which has no lines of its own: `poll: `."""
    rest = [str(part) for part in details["loc"][len(key) - len(at) :]]
    known = fields_at(model, key[len(at) :]) if rest and written else ()
    return ".".join(rest) + ": " if rest and rest[0] in known else ""


def _locate(details: ErrorDetails, at: Key, data: Any) -> tuple[Key, Found | None]:
    """The way of pydantic's `loc` in the data; union members, some named `(so)`, and `[key]` are no part of it."""
    key: Key = at
    value = value_at(data, at)
    parts = details["loc"]
    for position, part in enumerate(parts):
        if position == len(parts) - 1 and details["type"] == "missing":
            if isinstance(part, int):
                return key, Found(key, f"needs at least {part + 1} values", role="missing")
            return (*key, part), Found((*key, part), "is missing", role="missing")
        if isinstance(value, dict) and str(part) in value:
            key, value = (*key, str(part)), value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            key, value = (*key, part), value[part]
        elif details["type"] == FINDINGS and not str(part).startswith("("):
            key, value = (*key, part), None     # a field that is not written still has its own checks
    return key, None


def _ours(finding: Finding, key: Key, source: Source) -> Found:
    at = finding.at
    while at and at[0] == "..":
        key, at = key[:-1], at[1:]
    key = (*key, *at)
    role = "missing" if finding.is_missing else "wrong"
    return Found(key, finding.message, finding.hint, source.written(key), role)


def _unknown(key: Key, known: list[str]) -> Found:
    name = str(key[-1])
    if name in _INSIDE_STATE and len(key) == _OF_A_MACHINE and key[0] == "machines":
        return Found(key, "belongs below state", f"write state: {{{name}: …}}", role="unknown")
    return Found(key, "unknown key", did_you_mean(name, known, "keys here"), role="unknown")


def _join_alternatives(found: list[Found]) -> list[Found]:
    """A value that fits no member of a union is one mistake."""
    joined: dict[Key, Found] = {}
    apart: list[Found] = []
    for one in found:
        if one.role != "wrong":
            apart.append(one)
        elif one.key in joined:
            first = joined[one.key]
            joined[one.key] = replace(first, message=f"{first.message}, and {one.message}")
        else:
            joined[one.key] = one
    return [*joined.values(), *apart]


def excused(found: list[Found]) -> set[Key]:
    """What is missing only because it is misspelt, or written in another place: no second mistake."""
    keys: set[Key] = set()
    for one in found:
        if one.key[-1:] == ("codes",):
            keys.add((*one.key[:-1], "map"))        # which stands in its place
        if one.role == "unknown":
            near = re.fullmatch("did you mean '(.+)'\\?", one.hint)
            if near:
                keys.add((*one.key[:-1], near[1]))
            if one.key[-1] in _INSIDE_STATE and len(one.key) == _OF_A_MACHINE:
                keys.add((*one.key[:-1], "state"))
    return keys
