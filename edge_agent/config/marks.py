"""Where keys and values stand in a site file's text: the marks of the YAML nodes, and the lines an entry takes."""

from __future__ import annotations

from typing import NamedTuple

import yaml

from edge_agent.config.yaml_lines import Key, dotted


class CannotEdit(ValueError):
    """The place can only be changed by hand; says which and why."""


class Entry(NamedTuple):
    """A key and its value in the text, and the mapping that has them."""

    key: yaml.ScalarNode
    value: yaml.Node
    holder: yaml.MappingNode


def walk(root: yaml.Node, key: Key) -> tuple[list[Entry], Key]:
    """The entries on the way, as far as it leads, and the rest of it."""
    found: list[Entry] = []
    node = root
    for at, part in enumerate(key):
        if not isinstance(node, yaml.MappingNode):
            return found, key[at:]
        for key_node, value in node.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.value == part:
                if value.start_mark.index < key_node.end_mark.index:
                    raise CannotEdit(f"{dotted(key[: at + 1])}: is an alias; change it by hand")
                found.append(Entry(key_node, value, node))
                node = value
                break
        else:
            return found, key[at:]
    return found, ()


def is_block(node: yaml.Node) -> bool:
    """Whether it stands in lines of its own, or is a text in lines; else it is a value in a line, or in braces."""
    if isinstance(node, yaml.ScalarNode):
        return node.style in ("|", ">")
    return not getattr(node, "flow_style", False)


def is_empty(node: yaml.Node) -> bool:
    """Nothing stands behind the key."""
    return isinstance(node, yaml.ScalarNode) and node.start_mark.index == node.end_mark.index


def last_line(entry: Entry) -> int:
    """The line (from 0) in which the entry ends; what comes between it and the next does not count."""
    node = entry.value
    if is_empty(node):
        return int(entry.key.end_mark.line)
    if not is_block(node) or isinstance(node, yaml.ScalarNode):
        mark = node.end_mark
        return int(mark.line - 1 if mark.column == 0 and mark.line > node.start_mark.line else mark.line)
    if isinstance(node, yaml.MappingNode):
        return max(last_line(Entry(key, value, node)) for key, value in node.value)
    return max(last_line(Entry(entry.key, one, entry.holder)) for one in node.value)


def after(rows: list[str], last: int, indent: int) -> int:
    """The line behind `last` and behind the comments that stand below it, no further to the left than `indent`."""
    at = last + 1
    while at < len(rows):
        bare = rows[at].lstrip(" ")
        if not bare.startswith("#") or len(rows[at]) - len(bare) < indent:
            break
        at += 1
    return at
