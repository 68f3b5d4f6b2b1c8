"""What the agent sees of this driver: build it from the configuration, describe it, connect."""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.api import Clock, Int32s, Kind, Tag, scan_group
from edge_agent_modbus.config import SECOND, ModbusDevice
from edge_agent_modbus.plan import Caps, Field, plan
from edge_agent_modbus.scan import Group
from edge_agent_modbus.session import ModbusSession
from edge_agent_modbus.tag import ModbusTag


class ModbusDriver:
    """Knows one device; opens sessions to it."""

    def __init__(self, device: str, config: ModbusDevice, tags: Sequence[Tag], clock: Clock) -> None:
        self._device = device
        self._settings = config.settings()
        self._plan = groups_of(config, tags)
        self._clock = clock
        self.groups: Sequence[Int32s] = [group.tags for group in self._plan]

    async def connect(self) -> ModbusSession:
        """A fresh session, to a device that has just answered."""
        session = ModbusSession(self._settings, self._plan, self._clock)
        try:
            await session.open()
        except BaseException:
            await session.close()
            raise
        return session

    def why(self, _tag: Tag) -> Sequence[str]:
        """See `Driver.why`."""
        return ()


def groups_of(config: ModbusDevice, tags: Sequence[Tag]) -> list[Group]:
    """The tags by period, shortest first, each with the blocks that read them."""
    settings = config.settings()
    caps = Caps(settings.max_registers, settings.max_bits, settings.gap)
    by_period: dict[int, list[Tag]] = {}
    for tag in tags:
        by_period.setdefault(config.period_ns(config.tags[tag.name]), []).append(tag)
    return [
        Group(
            period,
            scan_group(members),
            tuple(plan((_field(n, config, config.tags[tag.name]) for n, tag in enumerate(members)), caps)),
            {n: tag.vocabulary for n, tag in enumerate(members) if tag.kind is Kind.TEXT},
        )
        for period, members in sorted(by_period.items())
    ]


def describe(device: str, config: ModbusDevice, tags: Sequence[Tag]) -> list[str]:
    """A line for each request: `every 1s: read holding 0..61 (62 registers) for 31 tags`."""
    return [
        f"every {group.period_ns / SECOND:g}s: read {block} ({_amount(block.count, block.area.is_bits)}) "
        f"for {_plural(len(block.fields), 'tag')}"
        for group in groups_of(config, tags)
        for block in group.blocks
    ]


def _field(slot: int, config: ModbusDevice, tag: ModbusTag) -> Field:
    return tag.field(slot, tag.place.wire(config.base), config.order_of(tag))


def _amount(count: int, bits: bool) -> str:
    return _plural(count, "bit" if bits else "register")


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
