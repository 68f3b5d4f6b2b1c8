"""Writes a variable and reads it back, or calls a method; each sent once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from asyncua import ua

from edge_agent.api import Kind, Refused, Tag, Value
from edge_agent_opcua import address as addresses
from edge_agent_opcua.client import Connection
from edge_agent_opcua.config import OpcUaDevice, OpcUaTag
from edge_agent_opcua.nodefacts import NodeFacts
from edge_agent_opcua.nodefacts import facts as facts_of
from edge_agent_opcua.outgoing import BOOLEAN, DATE_TIME, DOUBLE, FLOAT, INTEGERS, same, variant
from edge_agent_opcua.properties import properties
from edge_agent_opcua.resolve import resolve
from edge_agent_opcua.tag import THE_VALUE
from edge_agent_opcua.targets import Targets
from edge_agent_opcua.typetree import TypeTree
from edge_agent_opcua.values import plain

_ANYTHING: Final = 24


@dataclass(frozen=True, slots=True)
class _Method:
    """How a method is called: on which object, with which types of arguments; `why` if it cannot be."""

    node: Any
    object: Any
    inputs: Sequence[int] = ()
    outputs: int = 0
    why: str = ""


class Writer:
    """Writes over one connection; learns the types of what may be written when it begins, not amid a command."""

    def __init__(self, connection: Connection, tags: Sequence[Tag], config: OpcUaDevice) -> None:
        self._connection = connection
        self._handles = {tag.name: handle for handle, tag in enumerate(tags)}
        self._tags = tags
        self._config = config
        self._facts: dict[int, NodeFacts] = {}
        self._methods: dict[int, _Method] = {}

    async def learn(self, targets: Targets) -> None:
        """Ask for the types of all that may be written."""
        handles = [n for n, tag in enumerate(self._tags) if self._config.tags[tag.name].write is not None]
        variables = [n for n in handles if not targets.of(n).is_method and n in targets.nodes]
        found = await facts_of(self._connection.requests, [targets.nodes[n] for n in variables]) if variables else []
        for handle, one in zip(variables, found, strict=True):
            self._facts[handle] = one
            if not targets.of(handle).names:
                self._tags[handle].kind = _kind(one.builtin, self._tags[handle].kind)
        methods = [n for n in handles if targets.of(n).is_method]
        if methods:
            await self._learn_methods(methods, targets)

    async def write(self, tag: Tag, raw: Value, settle_ns: int, targets: Targets) -> Value:
        """See `WritableSession.write`."""
        handle = self._handles[tag.name]
        if targets.of(handle).is_method:
            return await self._call(handle, raw, targets.of(handle))
        if handle not in targets.nodes:
            why = targets.refused[handle].why if handle in targets.refused else "it was not found"
            raise Refused(f"the server does not have {tag.id}: {why}", sent=False)
        if handle not in self._facts:
            await self.learn(targets)
        return await self._put(handle, raw, settle_ns, targets)

    async def _put(self, handle: int, raw: Value, settle_ns: int, targets: Targets) -> Value:
        config, node, facts = targets.of(handle), targets.nodes[handle], self._facts[handle]
        if config.index is not None and targets.ignores_ranges:
            raise Refused(
                "the server knows no index ranges: writing one element would overwrite the whole array", sent=False
            )
        number = _numbered(raw, facts, config)
        builtin = await self._type(facts, node)
        try:
            value = variant(number, builtin)
            if config.index is not None:
                value = ua.Variant([value.Value], ua.VariantType(builtin), is_array=True)
        except ValueError as misfit:
            raise Refused(str(misfit), sent=False) from misfit
        index = None if config.index is None else str(config.index)
        what = ua.WriteValue(
            NodeId=node, AttributeId=ua.AttributeIds.Value, IndexRange=index, Value=ua.DataValue(value)
        )
        [status] = await self._connection.requests.write([what])
        if not status.is_good():
            raise Refused(f"the server refuses to write {config.node}: {status.name}")
        if settle_ns:
            await asyncio.sleep(settle_ns / 1e9)
        return await self._read_back(raw, number, builtin, facts, config, node, index)

    async def _read_back(
        self, raw: Value, number: Value, builtin: int, facts: NodeFacts, config: OpcUaTag, node: Any, index: str | None
    ) -> Value:
        """What the server holds now; Refused if that is not what was written."""
        what = ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value, IndexRange=index)
        [answer] = await self._connection.requests.read([what])
        if answer.StatusCode is not None and answer.StatusCode.is_bad():
            raise Refused(f"written, but {config.node} cannot be read back: {answer.StatusCode.name}")
        held = None if answer.Value is None else answer.Value.Value
        for _ in str(config.index).split(",") if config.index is not None else ():
            held = held[0] if isinstance(held, list) and len(held) == 1 else held
        if not same(held, number, builtin):
            raise Refused(f"written {raw!r}, but the server holds {_shown(held)}")
        if config.names and facts.names is not None and isinstance(held, int):
            return facts.names.get(held, str(held))
        return plain(held)

    async def _type(self, facts: NodeFacts, node: Any) -> int:
        """The built-in type to write: as declared, else that of the value there is now."""
        if not facts.is_variable:
            raise Refused(f"the server does not let {node.to_string()} be written: {facts.status.name}", sent=False)
        if facts.builtin not in (0, _ANYTHING):
            return facts.builtin
        [answer] = await self._connection.requests.attributes([node])
        kind = answer.Value.VariantType if answer.Value is not None else 0
        if not isinstance(kind, int) or kind == 0:
            raise Refused(f"the server does not say of what type {node.to_string()} is", sent=False)
        return int(kind)

    # -- methods ---------------------------------------------------------------------------------

    async def _learn_methods(self, handles: Sequence[int], targets: Targets) -> None:
        requests, known = self._connection.requests, self._connection.facts.namespaces
        wheres = [targets.of(handle).where for handle in handles]
        names = [targets.of(handle).method or "" for handle in handles]
        ways = [addresses.method_of(where, name) for where, name in zip(wheres, names, strict=True)]
        objects = await resolve(requests, wheres, known)
        methods = await resolve(requests, ways, known)
        there = [one.node for one in methods if one.node is not None]
        told = dict(zip(there, await properties(requests, there, ("InputArguments", "OutputArguments")), strict=True))
        tree = TypeTree(requests)
        await tree.learn(one.DataType for found in told.values() for one in found.get("InputArguments") or ())
        for handle, owner, method in zip(handles, objects, methods, strict=True):
            why = owner.why or method.why
            found = told.get(method.node, {})
            inputs = [tree.builtin(one.DataType) for one in found.get("InputArguments") or ()]
            outputs = len(found.get("OutputArguments") or ())
            one = self._methods[handle] = _Method(method.node, owner.node, inputs, outputs, why)
            self._tags[handle].kind = _kind(_commanded(one, targets.of(handle)), Kind.BOOL)

    async def _call(self, handle: int, raw: Value, config: OpcUaTag) -> Value:
        method = self._methods.get(handle)
        if method is None or method.why:
            why = "it was not found" if method is None else method.why
            raise Refused(f"the method {config.method} cannot be called: {why}", sent=False)
        request = ua.CallMethodRequest(
            ObjectId=method.object, MethodId=method.node, InputArguments=_arguments(method, raw, config)
        )
        [result] = await self._connection.requests.call([request])
        if not result.StatusCode.is_good():
            wrong = [code.name for code in result.InputArgumentResults or () if not code.is_good()]
            told = f" ({', '.join(wrong)})" if wrong else ""
            raise Refused(f"the server refuses to call {config.method}: {result.StatusCode.name}{told}")
        if result.OutputArguments:
            try:
                return plain(result.OutputArguments[0].Value)
            except ValueError:
                return raw      # it was done; what it returned is nothing a tag can hold
        return raw


def _arguments(method: _Method, raw: Value, config: OpcUaTag) -> list[Any]:
    given = config.arguments if config.arguments is not None else ((THE_VALUE,) if method.inputs else ())
    if len(given) != len(method.inputs):
        raise Refused(
            f"the method {config.method} takes {len(method.inputs)} arguments, not {len(given)}; "
            "name all of them in arguments:, with the word value for the command's value", sent=False,
        )  # fmt: skip
    try:
        return [
            variant(raw if one == THE_VALUE else one, kind) for one, kind in zip(given, method.inputs, strict=True)
        ]
    except ValueError as misfit:
        raise Refused(str(misfit), sent=False) from misfit


def _commanded(method: _Method, config: OpcUaTag) -> int:
    """The type of the value that a command brings; that of a mere trigger is true."""
    given = config.arguments if config.arguments is not None else (THE_VALUE,) * min(1, len(method.inputs))
    if THE_VALUE in given and given.index(THE_VALUE) < len(method.inputs):
        return method.inputs[given.index(THE_VALUE)]
    return BOOLEAN


def _numbered(raw: Value, facts: NodeFacts, config: OpcUaTag) -> Value:
    """The number of a name, where the tag has names."""
    if not config.names or not isinstance(raw, str):
        return raw
    numbers = [number for number, name in (facts.names or {}).items() if name == raw]
    if len(numbers) != 1:
        known = ", ".join(sorted((facts.names or {}).values()))
        raise Refused(f"{raw!r} is no name of {config.node}; there are {known or 'none'}", sent=False)
    return numbers[0]


def _kind(builtin: int, known: Kind) -> Kind:
    if builtin == BOOLEAN:
        return Kind.BOOL
    if builtin in INTEGERS:
        return Kind.INT
    if builtin in (FLOAT, DOUBLE, DATE_TIME):
        return Kind.FLOAT
    return known if builtin in (0, _ANYTHING) else Kind.TEXT


def _shown(held: Any) -> str:
    try:
        return repr(plain(held))
    except ValueError as told:
        return f"something else ({told})"
