"""Connects to every device and destination at the same time, reads each tag, and lets go again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

from edge_agent import registry
from edge_agent.agent import Prepared
from edge_agent.api import Batch, Credentials, Driver, Profile, PublishConfig, Publisher, Session
from edge_agent.config import Site
from edge_agent.connect_check.naming import note_unnamed
from edge_agent.connect_check.row import DestinationRow, DeviceRow, TagRow
from edge_agent.core.clean import Cleaner
from edge_agent.core.phrase import without_password
from edge_agent.errors import EdgeAgentError
from edge_agent.lookup import Lookup
from edge_agent.north.influx_config import InfluxConfig
from edge_agent.north.mqtt_config import MqttConfig
from edge_agent.supervise import until

# So many at once: a network and a small gateway cope with that.
_AT_ONCE: Final = 16
# A first sample may be bad because the device has no better one yet; so long a better one is waited for, s.
_GRACE_S: Final = 2.0
# Plugins let go within a second or two.
_CLOSE_S: Final = 10.0


class _Closable(Protocol):
    async def close(self) -> None: ...


C = TypeVar("C", bound=_Closable)


class Trial:
    """`devices` and `destinations` are right at any time; `run` fills them. Used once."""

    def __init__(self, site: Site, ready: Prepared, seconds: float) -> None:
        table = ready.engine.table
        self.seconds = seconds
        self.devices = [
            DeviceRow(
                name, device.driver, device.addresses(),
                [TagRow.of(tag, device.tags[tag.name]) for tag in table.device_tags(name)],
            )
            for name, device in site.devices.items()
        ]  # fmt: skip
        self.destinations = [DestinationRow(name, one.type, one.addresses()) for name, one in site.publish.items()]
        self._drivers = ready.drivers
        self._publishers = {name: _publisher(site, ready, name, one) for name, one in site.publish.items()}
        self._table = table
        self._machines = [machine.spec for machine in ready.engine.machines.values()]
        self._room = asyncio.Semaphore(_AT_ONCE)

    def __str__(self) -> str:
        """`2 devices with 12 tags, 1 destination`."""
        tags = sum(len(device.tags) for device in self.devices)
        devices = f"{_plural(len(self.devices), 'device')} with {_plural(tags, 'tag')}"
        return f"{devices}, {_plural(len(self.destinations), 'destination')}" if self.destinations else devices

    async def run(self, stop: asyncio.Event) -> None:
        """Try all; return when that is done, or soon after `stop` is set."""
        parts = [(f"check-{row.id}", self._device(row, self._drivers[row.id])) for row in self.devices]
        parts += [(f"check-{row.id}", self._destination(row, self._publishers[row.id])) for row in self.destinations]
        left = len(parts)
        ended = asyncio.Event()

        async def counted(part: Awaitable[None]) -> None:
            nonlocal left
            await part
            left -= 1
            if not left:
                ended.set()

        async def watch() -> None:
            await stop.wait()
            ended.set()

        if parts:
            await until(ended, *((name, counted(part)) for name, part in parts), ("stop-asked", watch()))

    # -- one device ------------------------------------------------------------------------------

    async def _device(self, row: DeviceRow, driver: Driver) -> None:
        async with self._room:
            began = asyncio.get_running_loop().time()
            session = await self._opened(row, row.addresses, driver.connect)
            if session is None:
                return
            for tag in row.tags:
                tag.asked = True
            try:
                await self._read(row, session, began + self.seconds)
            finally:
                note_unnamed(row.tags, self._machines)
                _explain(row, driver, self.seconds)
                await _let_go(session)

    async def _read(self, row: DeviceRow, session: Session, end: float) -> None:
        """Until every tag has a good sample, or time is up."""
        cleaner = _Cleaned(Cleaner(self._table), row)
        loop = asyncio.get_running_loop()
        in_grace = False
        try:
            async with asyncio.timeout_at(end) as limit:
                while not row.is_fine():
                    row.take(cleaner.clean(await session.read()))
                    if row.is_known() and not in_grace:
                        in_grace = True
                        limit.reschedule(min(end, loop.time() + _GRACE_S))
        except TimeoutError:
            pass                # what has come by now is what there is
        except Exception as error:
            row.error = f"connected, then lost: {_told(error)}"

    # -- one destination -------------------------------------------------------------------------

    async def _destination(self, row: DestinationRow, publisher: Publisher) -> None:
        async with self._room:
            link = await self._opened(row, row.addresses, publisher.connect)
            if link is not None:
                await _let_go(link)

    async def _opened(
        self, row: DeviceRow | DestinationRow, addresses: Sequence[str], connect: Callable[[], Awaitable[C]]
    ) -> C | None:
        """The connection; None if there is none, and the row says why."""
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self.seconds):
                await Lookup(*addresses).found()
                connection = await connect()
        except TimeoutError:
            row.error = f"no connection within {self.seconds:g} s"
        except Exception as error:
            row.error = _told(error)
        else:
            row.took_s = asyncio.get_running_loop().time() - began
            return connection
        return None


class _Cleaned:
    """Samples scaled and checked as the agent does it; a driver learns what its tags are when it reads them."""

    def __init__(self, cleaner: Cleaner, row: DeviceRow) -> None:
        self._cleaner = cleaner
        self._row = row
        self._kinds = [tag.tag.kind for tag in row.tags]

    def clean(self, samples: Batch) -> Batch:
        """Final values and qualities."""
        kinds = [tag.tag.kind for tag in self._row.tags]
        if kinds != self._kinds:
            self._kinds = kinds
            self._cleaner.refresh()
        return self._cleaner.clean(samples)


def _publisher(site: Site, ready: Prepared, name: str, config: PublishConfig) -> Publisher:
    """One that is not taken for the agent: a broker ends the session of a client when another of its name comes,
    and would then publish the agent's will."""
    if isinstance(config, MqttConfig) and config.client_id:
        config = config.model_copy(update={"client_id": f"{config.client_id}-check"})
    if isinstance(config, InfluxConfig):
        config = config.on_trial()
    harmless = _Harmless(ready.profiles[name])
    return registry.publishers()[config.type].build(name, config, f"{site.agent.id}-check", harmless)


class _Harmless(Profile):
    """Who the agent is, without its will."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile

    def credentials(self, now_ns: int) -> Credentials | None:
        """As the agent's."""
        return self._profile.credentials(now_ns)


def _explain(row: DeviceRow, driver: Driver, seconds: float) -> None:
    try:
        for tag in row.tags:
            tag.explain(driver, seconds)
    except Exception as error:      # a fault of one driver keeps no other row from being shown
        row.error = row.error or f"the driver cannot say why: {_told(error)}"


async def _let_go(connection: _Closable) -> None:
    try:
        async with asyncio.timeout(_CLOSE_S):
            await connection.close()
    except Exception:  # noqa: S110 — the process ends, and the line with it
        pass


def _told(error: Exception) -> str:
    text = str(error) if isinstance(error, EdgeAgentError) else f"{type(error).__name__}: {error}"
    return without_password(text or type(error).__name__)


def _plural(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"
