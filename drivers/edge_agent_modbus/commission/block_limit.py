"""The largest block a device answers from an address on: doubled, then halved in, and told from a hole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from edge_agent_modbus.address import LAST
from edge_agent_modbus.commission.asker import told
from edge_agent_modbus.dialogue import Answer


class Asked(Protocol):
    """A place that can be read from `start` on."""

    @property
    def start(self) -> int: ...

    @property
    def least(self) -> int:
        """Addresses that it gives at least at once: 1, or 2 where it does not give half of a value."""
        ...

    @property
    def most(self) -> int:
        """What the standard, or the settings, allow in one request."""
        ...

    @property
    def what(self) -> str:
        """registers, or bits"""
        ...

    async def ask(self, count: int, ahead: int = 0, tries: int = 0) -> Answer:
        """Read `count` addresses, `ahead` of the start."""
        ...


async def block_limit(place: Asked) -> tuple[int, bool, str]:
    """Addresses in the largest block; whether that is the device's limit, or only the end of what there is;
    and what was seen."""
    most = min(place.most, LAST + 1 - place.start)
    good, refused = await _bracket(lambda count: place.ask(count), place.least, most)
    if refused is None:
        return good, True, f"{good} {place.what} in one request were answered, the most that is allowed"
    said = told(await place.ask(good + place.least))
    seen = f"{good} {place.what} were answered, {good + place.least} were not: {_short(said)}"
    behind = await place.ask(place.least, ahead=good)
    if not isinstance(behind, bytes):
        return good, False, (
            f"not known beyond {good}: {place.start + good} cannot be read at all ({_short(told(behind))}), "
            "so the block ends there whatever its size; name an address with more behind it"
        )  # fmt: skip
    shifted = await place.ask(good, ahead=place.least)
    if isinstance(shifted, bytes):
        return good, True, seen
    return good, False, (
        f"not known: {seen}, but the same number one further on is not answered either; there is a border in the "
        "map that a request may not cross"
    )  # fmt: skip


async def _bracket(ask: Callable[[int], Awaitable[Answer]], least: int, most: int) -> tuple[int, int | None]:
    """The largest count that is answered, and the smallest that is not (None: even `most` is answered)."""
    good, refused = least, None
    while good < most:
        count = min(2 * good, most)
        if not isinstance(await ask(count), bytes):
            refused = count
            break
        good = count
    if refused is None:
        return good, None
    while refused - good > least:
        middle = (good + refused) // 2 // least * least
        if middle <= good:
            break
        if isinstance(await ask(middle), bytes):
            good = middle
        else:
            refused = middle
    return good, refused


def _short(said: str) -> str:
    """`exception 2 (illegal data address)`: without the advice."""
    head, colon, _ = said.partition(":")
    return head + ")" if colon and "(" in head else head
