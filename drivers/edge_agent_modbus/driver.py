"""What the agent sees of this driver: build it from the configuration, describe it, connect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_agent.api import AccessDenied, Clock, Int32s, Kind, NotConnected, Tag, scan_group
from edge_agent_modbus.config import SECOND, ModbusDevice
from edge_agent_modbus.line import Line
from edge_agent_modbus.lines import loads
from edge_agent_modbus.plan import Caps, Field, plan
from edge_agent_modbus.scan import Group, Memory
from edge_agent_modbus.schedule import phase_of
from edge_agent_modbus.session import ModbusSession
from edge_agent_modbus.tag import ModbusTag
from edge_agent_modbus.why import sentences


class ModbusDriver:
    """Knows one device; opens sessions to it."""

    def __init__(self, device: str, config: ModbusDevice, tags: Sequence[Tag], clock: Clock) -> None:
        self._settings = config.settings()
        self._plan = groups_of(config, tags)
        self._fields = {
            int(group.tags[field.slot]): field
            for group in self._plan for block in group.blocks for field in block.fields
        }  # fmt: skip
        self._clock = clock
        self._phase = phase_of(device)
        self._session: ModbusSession | None = None
        self.groups: Sequence[Int32s] = [group.tags for group in self._plan]

    async def connect(self) -> ModbusSession:
        """A fresh session, to a device that has just answered: at the first of its addresses that does."""
        failures: list[NotConnected | AccessDenied] = []
        for line in self._settings.lines:
            try:
                return await self._connected(line)
            except (NotConnected, AccessDenied) as failure:
                failures.append(failure)
        if len(failures) == 1:
            raise failures[0]
        raise _none_answers(failures)

    async def _connected(self, line: Line) -> ModbusSession:
        session = ModbusSession(line, self._settings, self._plan, self._fields, self._clock, self._phase)
        try:
            await session.open()
        except BaseException:
            await session.close()
            raise
        self._session = session
        return session

    def why(self, tag: Tag) -> Sequence[str]:
        """See `Driver.why`."""
        return sentences(tag.position, self._plan, self._clock())


def _none_answers(failures: Sequence[NotConnected | AccessDenied]) -> NotConnected | AccessDenied:
    """One failure for all addresses; the line is tried again as soon as any of them allows."""
    told = "; ".join(map(str, failures))
    lost = [failure for failure in failures if isinstance(failure, NotConnected)]
    if not lost:
        return AccessDenied(told)
    return NotConnected(told, reason=lost[0].reason, retry_after_s=min(one.retry_after_s for one in lost))


def groups_of(config: ModbusDevice, tags: Sequence[Tag]) -> list[Group]:
    """The tags by period, shortest first, each with the blocks that read them."""
    settings = config.settings()
    caps = Caps(settings.max_registers, settings.max_bits, settings.gap)
    by_period: dict[int, list[Tag]] = {}
    for tag in tags:
        by_period.setdefault(config.period_ns(config.tags[tag.name]), []).append(tag)
    groups = []
    for period, members in sorted(by_period.items()):
        fields = (_field(n, config, config.tags[tag.name]) for n, tag in enumerate(members))
        blocks = tuple(plan(fields, caps))
        texts = {n: tag.vocabulary for n, tag in enumerate(members) if tag.kind is Kind.TEXT}
        groups.append(Group(period, scan_group(members), blocks, texts, Memory(blocks)))
    return groups


def describe(device: str, config: ModbusDevice, tags: Sequence[Tag]) -> list[str]:
    """A line for each request: `every 1s: read holding 0..61 (62 registers) for 31 tags`."""
    return [
        f"every {group.period_ns / SECOND:g}s: read {block} ({_amount(block.count, block.area.is_bits)}) "
        f"for {_plural(len(block.fields), 'tag')}"
        for group in groups_of(config, tags)
        for block in group.blocks
    ]


def overview(devices: Mapping[str, ModbusDevice], tags: Sequence[Tag]) -> list[str]:
    """How busy each serial line will be."""
    blocks = {
        device: [
            (group.period_ns, block)
            for group in groups_of(config, [tag for tag in tags if tag.device == device])
            for block in group.blocks
        ]
        for device, config in devices.items()
    }
    return loads(devices, blocks)


def _field(slot: int, config: ModbusDevice, tag: ModbusTag) -> Field:
    return tag.field(slot, tag.place.wire(config.base), config.order_of(tag))


def _amount(count: int, bits: bool) -> str:
    return _plural(count, "bit" if bits else "register")


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
