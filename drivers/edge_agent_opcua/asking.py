"""Requests over one session, in as few calls as the server's limits allow: read, browse, write, call, monitor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
from asyncua import ua
from numpy.typing import NDArray

from edge_agent_opcua.changes import Changes, joined, none
from edge_agent_opcua.codes import codes
from edge_agent_opcua.decode import read
from edge_agent_opcua.limits import Limits, Operation

A = TypeVar("A")
R = TypeVar("R")

HIERARCHICAL: Final = ua.NodeId(33)     # HierarchicalReferences and its subtypes
# In one answer, of one node: the rest is asked for with its continuation point. Decoding a thousand takes 50 ms.
REFERENCES: Final = 1_000
_TOO_MUCH: Final = codes(
    "BadTooManyOperations", "BadRequestTooLarge", "BadResponseTooLarge", "BadEncodingLimitsExceeded",
    "BadTcpMessageTooLarge",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Browsed:
    """What lies below one node: `status` is not good where the server would not say."""

    status: Any
    references: Sequence[Any]
    """ua.ReferenceDescription, all of them: continuation points are followed"""


class Requests:
    """`session` is asyncua's `UaSession`; `translated` turns its exceptions into ours (see `failure`)."""

    def __init__(
        self,
        session: Any,
        limits: Limits | None = None,
        translated: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.limits = limits if limits is not None else Limits()
        self._session = session
        self._translated = translated

    async def read(self, what: Sequence[Any]) -> list[Any]:
        """`ua.ReadValueId`s → `ua.DataValue`s, in order."""

        def ask(part: Sequence[Any]) -> Awaitable[list[Any]]:
            return self._session.read(ua.ReadParameters(NodesToRead=list(part)))  # type: ignore[no-any-return]  # asyncua is not typed

        return await self.in_parts(Operation.READ, what, ask)

    async def columns(self, handle: NDArray[np.intp], what: Sequence[Any]) -> Changes:
        """The same in columns; `handle` are those that the values shall have."""
        parts: list[Changes] = []

        async def ask(part: Sequence[Any]) -> Sequence[int]:
            request = ua.ReadRequest()
            request.Parameters = ua.ReadParameters(NodesToRead=list(part))
            parts.append(read(await self._session._send_request(request)))
            return range(len(parts[-1]))

        await self.in_parts(Operation.READ, what, ask)
        found = joined(parts) if parts else none()
        found.handle = handle.astype(np.uint32)
        return found

    async def attributes(self, nodes: Sequence[Any], attribute: Any = ua.AttributeIds.Value) -> list[Any]:
        """One attribute of each `ua.NodeId`, as `ua.DataValue`s."""
        return await self.read([ua.ReadValueId(NodeId=node, AttributeId=attribute) for node in nodes])

    async def browse(
        self,
        nodes: Sequence[Any],
        *,
        references: Any = HIERARCHICAL,
        direction: Any = ua.BrowseDirection.Forward,
        classes: int = 0,
    ) -> list[Browsed]:
        """What `references` and their subtypes lead to from each node; `classes`: mask of node classes, 0 for all."""

        def ask(part: Sequence[Any]) -> Awaitable[list[Any]]:
            params = ua.BrowseParameters()
            params.RequestedMaxReferencesPerNode = REFERENCES
            params.NodesToBrowse = [
                ua.BrowseDescription(
                    NodeId=node, BrowseDirection=direction, ReferenceTypeId=references, IncludeSubtypes=True,
                    NodeClassMask=classes, ResultMask=ua.BrowseResultMask.All,
                )
                for node in part
            ]  # fmt: skip
            return self._session.browse(params)  # type: ignore[no-any-return]  # asyncua is not typed

        results = await self.in_parts(Operation.BROWSE, nodes, ask)
        return [await self._whole(result) for result in results]

    async def _whole(self, result: Any) -> Browsed:
        references = list(result.References or ())
        point = result.ContinuationPoint
        while point:
            params = ua.BrowseNextParameters(ReleaseContinuationPoints=False, ContinuationPoints=[point])
            with self._translated():
                [following] = await self._session.browse_next(params)
            references += following.References or ()
            point = following.ContinuationPoint
        return Browsed(result.StatusCode, references)

    async def translate(self, paths: Sequence[Any]) -> list[Any]:
        """`ua.BrowsePath`s → `ua.BrowsePathResult`s."""
        return await self.in_parts(
            Operation.TRANSLATE, paths, lambda part: self._session.translate_browsepaths_to_nodeids(list(part))
        )

    async def register(self, nodes: Sequence[Any]) -> list[Any]:
        """The node ids to use instead, for faster access, as long as the session lasts."""
        return await self.in_parts(Operation.REGISTER, nodes, lambda part: self._session.register_nodes(list(part)))

    async def write(self, values: Sequence[Any]) -> list[Any]:
        """`ua.WriteValue`s → `ua.StatusCode`s."""

        def ask(part: Sequence[Any]) -> Awaitable[list[Any]]:
            return self._session.write(ua.WriteParameters(NodesToWrite=list(part)))  # type: ignore[no-any-return]  # asyncua is not typed

        return await self.in_parts(Operation.WRITE, values, ask)

    async def call(self, requests: Sequence[Any]) -> list[Any]:
        """`ua.CallMethodRequest`s → `ua.CallMethodResult`s."""
        return await self.in_parts(Operation.CALL, requests, lambda part: self._session.call(list(part)))

    async def in_parts(
        self, operation: Operation, items: Sequence[A], ask: Callable[[Sequence[A]], Awaitable[Sequence[R]]]
    ) -> list[R]:
        """`ask` for a part of `items` at a time; of a part that is too large, half."""
        answers: list[R] = []
        while len(answers) < len(items):
            part = items[len(answers) : len(answers) + self.limits.of(operation)]
            with self._translated():
                try:
                    got = await ask(part)
                    if len(got or ()) != len(part):
                        raise ua.UaError(f"the server gave {len(got or ())} answers to {len(part)} {operation}")
                    answers += got
                except ua.UaStatusCodeError as error:
                    if error.code not in _TOO_MUCH or len(part) == 1:
                        raise
                    self.limits.at_most(operation, len(part) // 2)
        return answers
