"""What a device wants of its server: a node for each tag, found again at each connect; and what it does not get, yet.

A tag that the server will not serve stands aside and is tried again, after 1 s at first (after a restart many
servers listen before their nodes are there), then ever more rarely.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asyncua import ua

from edge_agent.api import Kind, NotConnected, Tag
from edge_agent_opcua import address as addresses
from edge_agent_opcua.asking import Requests
from edge_agent_opcua.codes import codes
from edge_agent_opcua.config import OpcUaDevice, OpcUaTag
from edge_agent_opcua.enumeration import names_of
from edge_agent_opcua.layout import Layout
from edge_agent_opcua.resolve import resolve
from edge_agent_opcua.structure import layouts_of, learn
from edge_agent_opcua.values import Decoder, Reading

AGAIN_FIRST_S: Final = 1.0
AGAIN_LONGEST_S: Final = 300.0

NO_ELEMENT: Final = "4294967294"
NOT_THERE: Final = codes(
    "BadNodeIdUnknown", "BadNodeIdInvalid", "BadAttributeIdInvalid", "BadIndexRangeInvalid",
    "BadMonitoredItemIdInvalid", "BadObjectDeleted",
)  # fmt: skip
"""With these a value says that its node is no more: it is looked for anew."""


@dataclass(slots=True)
class Refusal:
    """Why the server does not serve a tag, and when it is asked again, by the loop's time."""

    why: str
    wait_s: float
    due_s: float


class Targets:
    """The tags of a device by handle, their position among the device's tags."""

    def __init__(self, config: OpcUaDevice, tags: Sequence[Tag]) -> None:
        self.config = config
        self.tags = tags
        self.nodes: dict[int, Any] = {}
        """handle → ua.NodeId, of those found"""
        self.refused: dict[int, Refusal] = {}
        self.ignores_ranges = False
        """the server sends whole arrays, whatever element is asked for"""
        self._layouts: dict[int, Layout] = {}
        self._configs = [config.tags[tag.name] for tag in tags]
        self._addresses = [one.where for one in self._configs]
        self._needs_namespaces = any(
            (where.start is not None and where.start.uri is not None) or any(part.uri for part in where.segments)
            for where in self._addresses
        )

    def of(self, handle: int) -> OpcUaTag:
        """What the site file says of a tag."""
        return self._configs[handle]

    @property
    def variables(self) -> list[int]:
        """Handles of all that have a value: methods have none."""
        return [handle for handle, one in enumerate(self._configs) if not one.is_method]

    async def find(
        self, requests: Requests, namespaces: Sequence[str], handles: Sequence[int], decoder: Decoder, now_s: float
    ) -> list[int]:
        """Look for the nodes of these tags, and for what is needed to read them; the handles of those found."""
        if self._needs_namespaces and not namespaces:
            raise NotConnected("the server does not tell its namespaces (i=2255)")
        found = await resolve(requests, [self._addresses[handle] for handle in handles], namespaces)
        there = []
        for handle, one in zip(handles, found, strict=True):
            if one.node is None:
                self.refuse(handle, one.why, now_s)
            else:
                self.nodes[handle] = one.node
                there.append(handle)
        await self._learn_to_read(requests, there, decoder)
        return there

    async def _learn_to_read(self, requests: Requests, handles: Sequence[int], decoder: Decoder) -> None:
        await self._try_ranges(requests, handles)
        named = [handle for handle in handles if self.of(handle).names]
        parts = [handle for handle in handles if self._addresses[handle].field]
        names = dict(zip(named, await names_of(requests, [self.nodes[handle] for handle in named]), strict=True))
        layouts = dict(zip(parts, await layouts_of(requests, [self.nodes[handle] for handle in parts]), strict=True))
        self._layouts |= {handle: one for handle, one in layouts.items() if isinstance(one, Layout)}
        for handle in handles:
            field: _Field | None = None
            told: Mapping[int, str] | None = names.get(handle) or ({} if handle in names else None)
            if handle in layouts:
                field = _Field(layouts[handle], self._addresses[handle].field)
                told = field.names() if told is not None else None
            decoder.read_as(handle, Reading(self._element(handle), self.ignores_ranges, told, field))
            if told is not None:
                self.tags[handle].kind = Kind.TEXT

    async def learn_anew(self, requests: Requests, decoder: Decoder) -> None:
        """Over a new connection: ask there for the types of structures, from now on."""
        await self._learn_to_read(requests, sorted(self._layouts), decoder)

    def unlearned(self) -> list[int]:
        """Handles of structures that have had a part of a type nobody had met before."""
        return [handle for handle, layout in self._layouts.items() if layout.missed]

    async def learn_types(self) -> None:
        """Ask for those types."""
        await learn(self._layouts.values())

    async def _try_ranges(self, requests: Requests, handles: Sequence[int]) -> None:
        """Ask for an element that no array has: a server that sends one all the same knows no index ranges."""
        node = next((self.nodes[handle] for handle in handles if self.of(handle).index is not None), None)
        if node is not None:
            what = ua.ReadValueId(NodeId=node, AttributeId=ua.AttributeIds.Value, IndexRange=NO_ELEMENT)
            [answer] = await requests.read([what])
            good = answer.StatusCode is None or answer.StatusCode.is_good()
            self.ignores_ranges = good and answer.Value is not None and answer.Value.Value is not None

    def _element(self, handle: int) -> tuple[int, ...]:
        index = self.of(handle).index
        return () if index is None else tuple(map(int, str(index).split(",")))

    def refuse(self, handle: int, why: str, now_s: float) -> None:
        """The server does not serve it; the wait until the next attempt grows."""
        before = self.refused.get(handle)
        wait = AGAIN_FIRST_S if before is None else min(2 * before.wait_s, AGAIN_LONGEST_S)
        self.refused[handle] = Refusal(why, wait, now_s + wait)

    def accept(self, handle: int) -> None:
        """The server serves it."""
        self.refused.pop(handle, None)

    def due(self, now_s: float) -> list[int]:
        """Handles to be tried again."""
        return [handle for handle, one in self.refused.items() if one.due_s <= now_s]

    def next_s(self) -> float:
        """When the next one is due."""
        return min((one.due_s for one in self.refused.values()), default=float("inf"))

    def missing(self, handles: Iterable[int]) -> list[int]:
        """Of these, the ones whose absence is to be marked."""
        return [handle for handle in handles if not self.of(handle).optional]


class _Field:
    """Gets the value of a field out of a structure; ValueError says why it cannot."""

    def __init__(self, layout: Layout | str, field: addresses.Field) -> None:
        self._layout = layout
        self._field = field

    def names(self) -> Mapping[int, str]:
        """Of the numbers of the field, where it is an enumeration."""
        return {} if isinstance(self._layout, str) else self._layout.names(self._field) or {}

    def __call__(self, value: Any) -> Any:
        if isinstance(self._layout, str):
            raise ValueError(self._layout)  # noqa: TRY004 — it is the reason why there is no layout
        return self._layout.value(value, self._field)
