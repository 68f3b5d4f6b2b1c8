"""What a site file may say about one variable of an OPC UA server, and what is wrong when it is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from edge_agent.api import Duration, TagConfig, WriteConfig
from edge_agent_opcua import address

MS: Final = 1_000_000
SECOND: Final = 1_000_000_000
LONGEST_NAME: Final = 63     # of a tag, as of every id
THE_VALUE: Final = "value"
"""In `arguments` of a method: what the command brings."""

_PERCENT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*%")
Percent = Annotated[str, Field(pattern=r"^\d+(\.\d+)?\s*%$")]


def _deadband(value: object) -> object:
    if isinstance(value, str):
        match = _PERCENT.fullmatch(value.strip())
        if match is None or not 0 < float(match[1]) <= 100:
            raise ValueError(f'{value!r} is no deadband; write 0.5 (in the server\'s unit) or "2%" (of its range)')
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0 or not math.isfinite(value):
        raise ValueError(f'{value!r} is no deadband; write 0.5 (in the server\'s unit) or "2%" (of its range)')
    return value


def _sensible(value: int | None) -> int | None:
    if value is not None and not MS <= value <= 86_400 * SECOND:
        raise ValueError("must lie between 1ms and 1d")
    return value


class OpcUaTag(TagConfig):
    """A variable of the server, one of several alike, or a method."""

    node: str
    """node id: ns=2;i=1002, ns=2;s=State or, safest, nsu=http://acme.example/cnc/;s=State; or a browse path
    /Objects/2:Line/2:Press; with #Field at its end: a field of a structure"""
    path: str = ""
    """browse path from `node` on: Status/CurMachSpeed"""
    index: int | str | None = None
    """of an array: 3, of a matrix "1,2"; "0-7" makes tags name-0 to name-7"""
    each: tuple[str, ...] | None = None
    """words for the one * in node or path: a tag name-word for each"""
    names: bool = False
    """an enumeration as its names instead of its numbers"""
    sample: Annotated[Duration | None, AfterValidator(_sensible)] = None
    """how often the server looks at the variable; default the publish interval"""
    queue: int | None = Field(None, ge=1, le=100_000)
    """changes the server keeps between two publishes; default publish ÷ sample and two more"""
    discard: Literal["oldest", "newest"] = "oldest"
    """what goes when the queue is full"""
    trigger: Literal["status", "value", "timestamp"] = "value"
    """what the server reports: changes of status only, of status and value, or of the time stamp, too"""
    server_deadband: Annotated[float | Percent | None, BeforeValidator(_deadband)] = None
    """smallest change the server reports: 0.5 in its own unit, or "2%" of the variable's range"""
    optional: bool = False
    """the server need not have it"""
    write: WriteConfig | None = None
    """what may be written to it; without it nothing may"""
    method: str | None = None
    """`node` is an object, and a command calls this method of it: node id, or browse path from `node` on"""
    arguments: tuple[float | int | bool | str, ...] | None = None
    """of the method; the word value stands for what the command brings"""

    @property
    def where(self) -> address.Address:
        """`node` and `path`, parsed."""
        return address.parse(self.node, self.path)

    @property
    def is_method(self) -> bool:
        """Whether it is called instead of read."""
        return self.method is not None

    def writing(self) -> WriteConfig | None:
        """See `TagConfig.writing`."""
        return self.write

    def shape(self) -> str:
        """Whether names stand for numbers, and which element it is."""
        return "" if not self.names and self.index is None else repr((self.names, self.index))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        wrong = [_at(key, told) for key, told in self._mistakes()]
        if wrong:
            raise ValidationError.from_exception_data(type(self).__name__, wrong)
        return self

    def _mistakes(self) -> Iterator[tuple[tuple[str, ...], str]]:
        try:
            where = self.where
        except ValueError as told:
            yield ("path" if self.path and _readable(self.node) else "node",), str(told)
            return
        if self.index is not None:
            try:
                address.index_range(self.index)
            except ValueError as told:
                yield ("index",), str(told)
        if self.each is not None:
            yield from self._wrong_words(where)
        if self.names and (self.scale != 1 or self.offset != 0 or self.deadband or self.range is not None):
            yield ("names",), "names are no numbers; leave out scale, offset, deadband and range"
        if self.is_method:
            yield from self._wrong_method(where)
        elif self.arguments is not None:
            yield ("arguments",), "belong to a method; leave them out"
        yield from self._wrong_writing(where)

    def _wrong_words(self, where: address.Address) -> Iterator[tuple[tuple[str, ...], str]]:
        if self.index is not None and len(address.index_range(self.index)) > 1:
            yield ("each",), "and an index with several elements exclude each other; write the tags out"
        if not self.each:
            yield ("each",), "lists nothing; name what the * stands for, such as each: [X, Y, Z]"
        if where.field and "*" in "".join(map(str, where.field)):
            yield ("each",), "puts words for a * in the path of the node, not in a field"
        try:
            for word in self.each or ():
                address.with_word(self.path if "*" in self.path else self.node, word)
        except ValueError as told:
            yield ("each",), str(told)

    def _wrong_method(self, where: address.Address) -> Iterator[tuple[tuple[str, ...], str]]:
        for key in ("names", "index", "each", "sample", "queue", "server_deadband"):
            if getattr(self, key):
                yield (key,), "has no meaning for a method, which is called and not read; leave it out"
        if where.field:
            yield ("node",), "names a field of a structure; a method belongs to an object"
        if self.write is None:
            yield ("method",), "is never called without write:, which says with which values it may be"
        try:
            address.method_of(where, self.method or "")
        except ValueError as told:
            yield ("method",), str(told)
        if self.arguments is not None and self.arguments.count(THE_VALUE) > 1:
            yield ("arguments",), "hold the command's value twice; write the word value once at most"

    def _wrong_writing(self, where: address.Address) -> Iterator[tuple[tuple[str, ...], str]]:
        write = self.write
        if write is None:
            return
        if where.field:
            yield ("write",), "a field of a structure cannot be written by itself; let the PLC offer it as a variable"
        if write.values is not None and (write.min is not None or write.max is not None):
            yield ("write", "min" if write.min is not None else "max"), "values already says which; leave it out"
        if write.values == ():
            yield ("write", "values"), "lists nothing; name at least one value, or leave write out"
        if write.values is None and (write.min is None) != (write.max is None):
            yield ("write",), "needs both min and max, or values; for example write: {min: 0, max: 100}"
        if write.min is not None and write.max is not None and write.min > write.max:
            yield ("write", "max"), f"{write.max:g} is less than min: {write.min:g}; write the lowest value as min"
        if self.names and write.values is None:
            yield ("write",), "a tag with names needs values: the names that may be written"


def spread(tags: Mapping[str, OpcUaTag]) -> tuple[dict[str, OpcUaTag], list[InitErrorDetails]]:
    """The tags in their order, those that stand for several as name-0, name-1, … or name-x, name-y; and what is
    wrong with their names."""
    made: dict[str, OpcUaTag] = {}
    wrong: list[InitErrorDetails] = []
    for name, tag in tags.items():
        key, several = _several(name, tag)
        if told := _wrong_names(name, [one for one, _ in several], {*tags, *made}):
            wrong.append(_at((name, key), told))
        else:
            made.update(several)
    return made, wrong


def _wrong_names(name: str, names: Sequence[str], taken: Collection[str]) -> str:
    if len(set(names)) < len(names):
        return f"two of its words give the same name ({', '.join(names)}); write them apart"
    clash = next((one for one in names if one in taken and one != name), None)
    if clash is not None:
        return f"one would be called {clash}, and there is such a tag already; rename one"
    longest = max(names, key=len)
    if len(longest) > LONGEST_NAME:
        return f"one would be called {longest}; a name has at most {LONGEST_NAME} characters"
    return ""


def _several(name: str, tag: OpcUaTag) -> tuple[str, list[tuple[str, OpcUaTag]]]:
    """The key that makes several tags of one, and those with their names."""
    if tag.each is not None:
        key = "path" if "*" in tag.path else "node"
        written = getattr(tag, key)
        return "each", [
            (
                f"{name}-{re.sub('[^a-z0-9_-]+', '-', word.lower()).strip('-') or 'x'}",
                tag.model_copy(update={key: address.with_word(written, word), "each": None}),
            )
            for word in tag.each
        ]
    if tag.index is not None:
        ranges = address.index_range(tag.index)
        if len(ranges) > 1:
            names = [f"{name}-{one.replace(',', '-')}" for one in ranges]
            several = [tag.model_copy(update={"index": one}) for one in ranges]
            return "index", list(zip(names, several, strict=True))
    return "node", [(name, tag)]


def _readable(node: str) -> bool:
    try:
        address.parse(node)
    except ValueError:
        return False
    return True


def _at(at: tuple[str, ...], text: str) -> InitErrorDetails:
    """A mistake at a key below the model that is checked."""
    return InitErrorDetails(type=PydanticCustomError("opcua_tag", "{told}", {"told": text}), loc=at, input=None)
