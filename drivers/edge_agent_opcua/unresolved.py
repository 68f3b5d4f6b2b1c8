"""Why an address leads to no node, or to several: in words, with the names there are instead."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from edge_agent_opcua.address import Address
from edge_agent_opcua.found import Below, Found
from edge_agent_opcua.segment import Segment, escaped

# So many names help; more hide the one that is looked for.
NAMES_MAX: Final = 10

# Comparing takes some 10 µs a name: folders of thousands are only searched for the very name.
_COMPARED_MAX: Final = 1_000

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_ALIKE: Final = 0.6
_YAML_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def missing(segment: Segment, index: int | None, looked_at: Mapping[str, Below], is_hinting: bool) -> str:
    """None of the nodes (path → what is below) has such a child; `is_hinting`: say which name may be meant."""
    where, *more = looked_at
    said = where or "/"
    if more:
        said += f" and {len(more)} more"
    wanted = segment.name if segment.is_pattern else escaped(segment.name)
    said += f" has no {wanted if index is None else f'{index}:{wanted}'}"
    below = next((one for one in looked_at.values() if one.children), None)
    if below is None:
        return f"{said}: nothing lies below it"
    names = below.names if where else [(name, name) for _, name in below.names]
    near = _nearest(segment.name, names, "" if index is None else f"{index}:") if is_hinting else None
    meant = f"did you mean {near}? there are " if near else "there are "
    return f"{said}; {meant}{listed([as_written for as_written, _ in names])}"


def several(address: Address, found: Sequence[Found]) -> str:
    """More than one node is meant."""
    trails = {one.trail for one in found}
    if len(trails) < len(found):
        same = listed([f"{one.trail} ({one.node.to_string()})" for one in found])
        return f"means {len(found)} nodes: {same}; write the node id"
    text = f"means {len(found)} nodes: {listed([one.trail for one in found])}"
    # Only where the one wildcard is the only reason do words for it make a tag of each.
    words = [one.words[0] for one in found if len(one.words) == 1]
    stars = sum(segment.pattern.count("(.*)") for segment in address.segments)
    if stars == 1 and all(words) and len(set(words)) == len(found):
        return f"{text}; for a tag each, write each: [{', '.join(map(_word, words))}]"
    return f"{text}; write more of the path, for example {found[0].trail}"


def listed(names: Sequence[str]) -> str:
    """The first of them, and how many more."""
    text = ", ".join(names[:NAMES_MAX])
    return text if len(names) <= NAMES_MAX else f"{text} and {len(names) - NAMES_MAX} more"


def _nearest(name: str, names: Sequence[tuple[str, str]], prefix: str) -> str | None:
    """The name most like `name`, of those equally alike one in the namespace that was meant."""
    by_name: dict[str, str] = {}
    for as_written, one in sorted(names, key=lambda both: not both[0].startswith(prefix)):
        if one == name:
            return as_written
        by_name.setdefault(one.lower(), as_written)
    near = difflib.get_close_matches(name.lower(), by_name, 1, _ALIKE) if len(by_name) <= _COMPARED_MAX else []
    return by_name[near[0]] if near else None


def _word(word: str) -> str:
    """A word as YAML takes it for a text."""
    plain = _PLAIN.fullmatch(word) and word.lower() not in _YAML_WORDS
    return word if plain else json.dumps(word, ensure_ascii=False)
