"""What discovery has found, written down: a device section, machines, and the same as a tag list. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from edge_agent.api import Discovery
from edge_agent_opcua.commission.companion import Machine, machines_of
from edge_agent_opcua.commission.naming import ids_of, slug
from edge_agent_opcua.commission.spelling import in_site_file
from edge_agent_opcua.commission.target import Target
from edge_agent_opcua.commission.tree import Node, Tree
from edge_agent_opcua.commission.variable import Variable
from edge_agent_opcua.commission.words import access_of, plain, shown_names

# An array of more elements becomes a comment: that many tags are not wanted unasked.
_ELEMENTS: Final = 64
_FIELDS: Final = 30
_REFUSED: Final = 10
# Where the comment behind a tag begins, if the tag is not longer.
_COMMENT: Final = 72


@dataclass(frozen=True, slots=True)
class Said:
    """What the server says about itself, in words: who it is, in short and in full, and how it can be connected
    to, a line each."""

    name: str
    product: str
    endpoints: Sequence[str]


def listed(target: Target, said: Said, tree: Tree, ended: str) -> Discovery:
    """The section and its rows; `ended`: why not everything was looked at, '' if it was."""
    found = list(tree.variables())
    device = slug(said.name)[:40].strip("-") or "opcua"
    names = ids_of([tree.path(node) for node, _ in found])
    lines = ["devices:", f"  {device}:"]
    lines += [f"    # {plain(text, 200)}" for text in (said.product, *said.endpoints) if text]
    lines += ["    driver: opcua", f"    url: {scalar(target.url)}"]
    lines += [f"    {key}: {scalar(_unsecret(value))}" for key, value in target.keys.items()]
    lines += _tags(tree, found, names)
    lines += [f"# {line}" for line in _remarks(tree, ended)]
    lines += [f"# {line}" for line in _machines(device, tree)]
    rows = [
        _row(target, device, tree, name, node, variable)
        for name, (node, variable) in zip(names, found, strict=True)
        if is_tag(variable)
    ]
    return Discovery("\n".join(lines) + "\n", rows)


# -- tags ----------------------------------------------------------------------------------------


def _tags(tree: Tree, found: Sequence[tuple[Node, Variable]], names: Sequence[str]) -> Iterator[str]:
    if any(is_tag(variable) for _, variable in found):
        yield "    tags:"
    else:
        yield "    tags: {}"
    above = None
    for name, (node, variable) in zip(names, found, strict=True):
        path = tree.path(node)[:-1]
        if path != above:
            above = path
            yield f"      # /{'/'.join(plain(one, 60) for one in (tree.root.name, *path))}"
        yield from (f"      {line}" for line in _lines(name, node, variable))


def _lines(name: str, node: Node, variable: Variable) -> Iterator[str]:
    if variable.is_structure:
        yield from _structure(name, node, variable)
        return
    line = f"{name}: {tag_of(node.id, variable)}"
    if not is_tag(variable):
        line = f"# {line}"
    yield f"{line.ljust(_COMMENT)}  # {about(node, variable)}"


def tag_of(id_: str, variable: Variable, field: str = "", **more: Any) -> str:
    """A tag as the site file has it behind its name, in one line; with `more` keys."""
    return scalar(keys_of(id_, variable, field, **more))


def keys_of(id_: str, variable: Variable, field: str = "", **more: Any) -> dict[str, Any]:
    """The keys of a tag; with `more` of them."""
    tag: dict[str, Any] = {"node": in_site_file(id_) + (f"#{field}" if field else "")}
    if variable.is_array and not field:
        tag["index"] = _index(variable)
    if variable.unit:
        tag["unit"] = variable.unit
    if variable.is_number and variable.low is not None and variable.high is not None and not variable.names:
        tag["range"] = [int(one) if one.is_integer() else one for one in (variable.low, variable.high)]
    return {**tag, **more}


def about(node: Node, variable: Variable) -> str:
    """`Double, 12.5 °C, writable; Spindle temperature`: what else is to be known of a variable."""
    said = [variable.kind, variable.status or plain(variable.value, 40)]
    if variable.said_unit and not variable.unit:
        said.append(f"in {plain(variable.said_unit, 20)}")
    said += access_of(variable)
    if variable.names:
        said.append(f"names: true gives {shown_names(variable.names)}")
    text = ", ".join(filter(None, said))
    return text + (f"; {plain(node.display, 60)}" if node.display not in ("", node.name) else "")


def _index(variable: Variable) -> str:
    sizes = variable.sizes or [1]
    return ",".join(f"0-{size - 1}" if size > 1 else "0" for size in sizes)


def is_tag(variable: Variable) -> bool:
    """Whether it makes a tag, or a few, as it stands."""
    if variable.is_structure or not variable.is_readable:
        return False
    if not variable.is_array:
        return True
    count = 1
    for size in variable.sizes:
        count *= size
    return bool(variable.sizes) and 1 <= count <= _ELEMENTS


def _structure(name: str, node: Node, variable: Variable) -> Iterator[str]:
    what = f"# {name}: {variable.kind} is a structure"
    if not variable.fields:
        yield f"{what}, whose fields the server does not tell: {tag_of(node.id, variable, 'Field')}"
        return
    yield f"{what}; each field can be a tag:"
    element = "[0]." if variable.is_array else ""
    for field, type_ in variable.fields[:_FIELDS]:
        one = tag_of(node.id, Variable(), element + field_in_site_file(field))
        line = f"#   {name}-{slug(field) or 'field'}: {one}"
        yield f"{line.ljust(_COMMENT)}  # {plain(type_, 40)}" if type_ else line
    if (more := len(variable.fields) - _FIELDS) > 0:
        yield f"#   and {more} fields more"


def field_in_site_file(field: str) -> str:
    """The name of a field behind the `#` of a node."""
    return "".join(f"&{char}" if char in "&.[]#" else char for char in field)


# -- the rest ------------------------------------------------------------------------------------


def _machines(device: str, tree: Tree) -> Iterator[str]:
    machines = machines_of(tree)
    if not machines:
        return
    yield "machines that follow a companion specification; give each what is missing and take the # away:"
    yield "machines:"
    for name, machine in zip(ids_of([tree.path(one.node) for one in machines]), machines, strict=True):
        yield from (f"  {line}" for line in _machine(name, device, machine))


def _machine(name: str, device: str, machine: Machine) -> Iterator[str]:
    yield f"{name}:"
    where = scalar({"device": device, "node": in_site_file(machine.node.id)})
    if not machine.key:
        yield "  state: {tag: …, map: {…}}    # of one of the tags: it has no MachineryItemState"
        return
    yield f"  {machine.key}: {where}"
    yield "  ideal_cycle: 1s    # how long one piece should take"
    if machine.key != "packml":
        yield f"  counts: {{total: {device}.…, scrap: {device}.…}}    # two of total, good, scrap"


def _remarks(tree: Tree, ended: str) -> Iterator[str]:
    if ended:
        yield f"not everything was looked at: {ended}"
    for id_, why in list(tree.refused.items())[:_REFUSED]:
        node = tree.nodes.get(id_)
        path = "/".join(plain(one, 60) for one in tree.path(node)) if node else id_
        yield f"not looked into: /{path}: {why}"
    if (more := len(tree.refused) - _REFUSED) > 0:
        yield f"not looked into: {more} nodes more"


def _row(target: Target, device: str, tree: Tree, name: str, node: Node, variable: Variable) -> Mapping[str, str]:
    number = variable.is_number and not variable.names
    return {
        "device": device,
        "tag": name,
        "address": in_site_file(node.id),
        "type": variable.type,
        "order": "",
        "scale": "1",
        "offset": "0",
        "unit": variable.unit,
        "index": _index(variable) if variable.is_array else "",
        "low": "" if variable.low is None or not number else f"{variable.low:.15g}",
        "high": "" if variable.high is None or not number else f"{variable.high:.15g}",
        "access": "read, write" if variable.is_writable else "read",
        "value": plain(variable.value, 200),
        "status": variable.status or "Good",
        "names": "; ".join(f"{number}={text}" for number, text in variable.names.items()),
        "display": plain(node.display, 200),
        "path": "/" + "/".join((tree.root.name, *tree.path(node))),
        "url": target.url,
    }


_SECRET: Final = ("password", "key_password")


def _unsecret(value: Any) -> Any:
    """The value with a placeholder in place of each password: a section is shown to others."""
    if isinstance(value, dict):
        return {key: "${OPCUA_PASSWORD}" if key in _SECRET and one else _unsecret(one) for key, one in value.items()}
    return value


def scalar(value: Any) -> str:
    """A value as it stands behind a key, in one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=1_000_000, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")
