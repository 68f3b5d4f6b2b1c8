"""Changes a site file's text and leaves all else as people wrote it: comments, order, blank lines.

Where something is changed, the marks of the YAML nodes say; a change is believed only if reading the new text gives
exactly what was wanted. What cannot be changed so (anchors, merge keys) is left to a person: `CannotEdit`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, Final

import yaml

from edge_agent.config.marks import CannotEdit as CannotEdit
from edge_agent.config.marks import Entry, after, is_block, is_empty, last_line, walk
from edge_agent.config.written import in_line, lines, name, stands_alone
from edge_agent.config.yaml_lines import Key, dotted, parse

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def put(text: str, key: Key, value: Any) -> str:
    """`text` with `value` at `key`; what is above it is made where it is not there."""
    wanted = _data(text)
    inner: Any = wanted
    for part in key[:-1]:
        if inner.get(part) is None:
            inner[part] = {}
        inner = inner[part]
        if not isinstance(inner, dict):
            raise CannotEdit(f"{dotted(key)}: what stands above it is no mapping")
    inner[key[-1]] = value
    return _proven(text, lambda one: _put(one, key, value), wanted, key)


def take(text: str, key: Key) -> str:
    """`text` without the entry at `key`; as it is where there is none."""
    wanted = _data(text)
    inner: Any = wanted
    for part in key[:-1]:
        inner = inner.get(part) if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or key[-1] not in inner:
        return text
    del inner[key[-1]]
    return _proven(text, lambda one: _take(one, key), wanted, key)


def become(text: str, key: Key, value: Mapping[str, Any]) -> str:
    """`text` whose mapping at `key` is `value`, changed only where it differs, so that comments stay."""
    now: Any = _data(text)
    for part in key:
        now = now.get(part) if isinstance(now, dict) else None
    if not isinstance(now, dict) or not now:
        return put(text, key, dict(value))
    for gone in [one for one in now if one not in value]:
        text = take(text, (*key, gone))
    for one, new in value.items():
        old = now.get(one)
        if isinstance(new, Mapping) and isinstance(old, dict) and new and old:
            text = become(text, (*key, one), new)
        elif one not in now or not _alike(old, new):
            text = put(text, (*key, one), new)
    return text


def _data(text: str) -> dict[str, Any]:
    document = parse(text)
    if document.mistakes:
        raise CannotEdit(f"line {document.mistakes[0].line}: {document.mistakes[0].message}; put that right first")
    data = copy.deepcopy(document.data) if document.data is not None else {}
    if not isinstance(data, dict):
        raise CannotEdit("the file is no mapping")
    return data


def _proven(text: str, change: Any, wanted: Any, key: Key) -> str:
    ends = "\r\n" if "\r\n" in text else "\n"
    try:
        changed: str = change(text.replace("\r\n", "\n"))
    except RecursionError:
        raise CannotEdit(f"{dotted(key)}: is nested too deeply; change it by hand") from None
    read = parse(changed)
    if read.mistakes or not _alike(read.data or {}, wanted):
        raise CannotEdit(f"{dotted(key)}: is written in a way that only a person can change; do it in the file")
    return changed.replace("\n", ends)


def _alike(one: Any, other: Any) -> bool:
    """Equal as a site file has it: keys are texts; true is not 1, 1 is not 1.0."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        right = {str(key): value for key, value in other.items()}
        return len(one) == len(right) and all(
            str(key) in right and _alike(value, right[str(key)]) for key, value in one.items()
        )
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    return type(one) is type(other) and bool(one == other)


def _put(text: str, key: Key, value: Any) -> str:
    root = yaml.compose(text, Loader=_LOADER)
    if root is None or is_empty(root):
        rows = [*([text.rstrip("\n"), ""] if text.strip() else []), *lines(key[:1], _nest(key[1:], value), 0)]
        return "\n".join([*rows, ""])
    found, rest = walk(root, key)
    if not rest:
        return _replaced(text, found[-1], key, value)
    holder = found[-1].value if found else root
    way = (*key[: len(key) - len(rest)], rest[0])
    inner = _nest(rest[1:], value)
    if isinstance(holder, yaml.MappingNode) and is_block(holder):
        return _added(text, holder, way, inner, is_top=not found)
    if isinstance(holder, yaml.MappingNode) and holder.value:
        end = _end_of(holder.value[-1])
        return f"{text[:end]}, {name(rest[0])}: {in_line(inner)}{text[end:]}"
    return _replaced(text, found[-1], way[:-1], {rest[0]: inner})


def _nest(rest: Key, value: Any) -> Any:
    for part in reversed(rest):
        value = {part: value}
    return value


def _end_of(pair: tuple[yaml.Node, yaml.Node]) -> int:
    key, value = pair
    return int(key.end_mark.index if is_empty(value) else value.end_mark.index)


def _added(text: str, holder: yaml.MappingNode, key: Key, value: Any, *, is_top: bool) -> str:
    """With another entry at the end of a mapping in lines."""
    indent = int(holder.value[0][0].start_mark.column)
    rows = text.split("\n")
    if is_top:
        while rows and not rows[-1].strip():
            rows.pop()
        return "\n".join([*rows, "", *lines(key, value, indent), ""])
    last = max(last_line(Entry(one, inner, holder)) for one, inner in holder.value)
    at = after(rows, last, indent)
    return "\n".join([*rows[:at], *lines(key, value, indent), *rows[at:]])


def _replaced(text: str, entry: Entry, key: Key, value: Any) -> str:
    """With another value behind the key."""
    node, in_braces = entry.value, bool(entry.holder.flow_style)
    indent = int(entry.key.start_mark.column)
    rows = text.split("\n")
    if in_braces or not (is_block(node) or stands_alone(key, value)):
        start, end = int(node.start_mark.index), int(node.end_mark.index)
        space = "" if text[start - 1 : start] in (" ", "") else " "
        return f"{text[:start]}{space}{in_line(value)}{text[end:]}"
    first, last = int(entry.key.end_mark.line), last_line(entry)
    behind = _comment_behind(rows, entry)
    head, *more = lines(key, value, indent)
    return "\n".join([*rows[:first], f"{head}{behind}", *more, *rows[last + 1 :]])


def _comment_behind(rows: list[str], entry: Entry) -> str:
    """The comment in the key's own line; CannotEdit where an anchor or a tag stands there."""
    node = entry.value
    if not (isinstance(node, yaml.ScalarNode) and is_block(node)):
        inside = is_block(node) or is_empty(node)
        line, column = (
            (entry.key.end_mark.line, entry.key.end_mark.column)
            if inside
            else (node.end_mark.line, node.end_mark.column)
        )
        rest = rows[line][column:].lstrip(" :")
        if rest.startswith("#"):
            return f"  {rest}"
        if rest.strip():
            raise CannotEdit(f"line {line + 1}: has an anchor or a tag; change it by hand")
    return ""


def _take(text: str, key: Key) -> str:
    root = yaml.compose(text, Loader=_LOADER)
    found, rest = walk(root, key) if root is not None else ([], key)
    if rest or not found:
        raise CannotEdit(f"{dotted(key)}: comes from a merge key; change it by hand")
    entry = found[-1]
    holder = entry.holder
    at = next(n for n, (one, _) in enumerate(holder.value) if one is entry.key)
    if not is_block(holder):
        return _cut(text, holder, at)
    if len(holder.value) == 1 and len(found) > 1:
        return _replaced(text, found[-2], key[:-1], {})
    rows = text.split("\n")
    end = after(rows, last_line(entry), int(entry.key.start_mark.column) + 1)
    return "\n".join([*rows[: entry.key.start_mark.line], *rows[end:]])


def _cut(text: str, holder: yaml.MappingNode, at: int) -> str:
    """Without the entry of a mapping in braces, and without its comma."""
    pairs = holder.value
    start, end = int(pairs[at][0].start_mark.index), _end_of(pairs[at])
    if at + 1 < len(pairs):
        end = int(pairs[at + 1][0].start_mark.index)
    elif at:
        start = _end_of(pairs[at - 1])
    return text[:start] + text[end:]
