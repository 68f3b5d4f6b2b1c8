"""Payloads packed with gzip or zstd, in a thread: large ones would hold up the event loop."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import Final, Literal

from edge_agent.api import Message

Packing = Literal["gzip", "zstd"]
LEAST: Final = 512
"""bytes; of less, both save less than the property that says so costs"""
GZIP_LEVEL: Final = 4
"""measured on a thousand samples as JSON: a tenth smaller than level 1 at twice its time; level 6 gains 5 % more for
another two and a half times"""
ZSTD_LEVEL: Final = 3
"""its own default: smaller than any level of gzip, faster than gzip's level 1"""


def is_installed(packing: Packing) -> bool:
    """Whether the library for it is."""
    return packing == "gzip" or find_spec("zstandard") is not None


class Packer:
    """Packs what is worth it."""

    def __init__(self, packing: Packing) -> None:
        self._packing = packing

    async def packed(self, messages: Sequence[Message]) -> Sequence[Message]:
        """The same messages, their payloads packed where that makes them smaller."""
        if all(len(message.payload) < LEAST for message in messages):
            return messages
        return await asyncio.to_thread(self._all, messages)

    def _all(self, messages: Sequence[Message]) -> Sequence[Message]:
        pack = _zstd() if self._packing == "zstd" else _gzip    # zstd's is for one thread
        return [self._one(message, pack) for message in messages]

    def _one(self, message: Message, pack: Callable[[bytes], bytes]) -> Message:
        if len(message.payload) < LEAST:
            return message
        packed = pack(message.payload)
        if len(packed) >= len(message.payload):
            return message
        return replace(message, payload=packed, encoding=self._packing)


def _gzip(payload: bytes) -> bytes:
    return gzip.compress(payload, GZIP_LEVEL, mtime=0)      # the same payload is packed to the same bytes


def _zstd() -> Callable[[bytes], bytes]:
    from zstandard import ZstdCompressor  # an extra: imported only where it is asked for

    return ZstdCompressor(level=ZSTD_LEVEL).compress
