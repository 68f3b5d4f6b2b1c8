"""Between the readers and the core: what the gateway's clock does to the times of samples.

A clock that is set forward leaves time in which nothing happened: there the machines are unknown, and go on
after it as they were. A gateway without a battery clock does not know the time when it starts: what it reads is
held until the clock is right, and re-stamped by as much as it was wrong, which its quality tells.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Final

from edge_agent.clock import SteadyClock, Step
from edge_agent.core.batch import Batch
from edge_agent.core.engine import Engine
from edge_agent.core.quality import GOOD, Reason

log = logging.getLogger(__name__)

# 21 bytes each; what comes beyond is believed as it is, sooner than forgotten.
HELD_MOST: Final = 500_000

Synchronised = Callable[[], bool]


class Intake:
    """Feed it what readers bring; call `watch` every second.

    `wait_ns`: how long to wait, at most, for a clock that `synchronised` does not believe; 0: not at all.
    """

    def __init__(
        self, engine: Engine, clock: SteadyClock, wait_ns: int, synchronised: Synchronised, ticks: Callable[[], int]
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._synchronised = synchronised
        self._ticks = ticks
        self._until = ticks() + wait_ns
        self._held: list[tuple[str, Batch]] | None = None
        self._samples = 0
        self._restamped = False
        if wait_ns and not synchronised():
            self._held = []
            log.warning("the clock is not synchronised: samples are held for up to %.0f s until it is", wait_ns / 1e9)

    def work_for(self, engine: Engine, devices: Collection[str]) -> None:
        """From now on it is this engine that is fed; of what is held it understands that of these devices."""
        self._engine = engine
        if self._held is not None:
            kept = [(device, batch) for device, batch in self._held if device in devices]
            if gone := self._samples - sum(len(batch) for _, batch in kept):
                log.warning("%d samples of devices that are read anew were held for the clock, and go", gone)
                self._held, self._samples = kept, self._samples - gone

    def feed(self, device: str, raw: Batch) -> None:
        """Take one batch of one device, stamped now."""
        self._follow()
        if self._held is None:
            self._engine.feed(device, raw)
            return
        self._held.append((device, raw))
        self._samples += len(raw)
        if self._samples > HELD_MOST:
            self._release("there are too many samples to wait any longer")

    def watch(self) -> None:
        """Look at the clock."""
        self._clock()
        self._follow()
        if self._held is None:
            return
        if self._synchronised():
            self._release("the clock is synchronised")
        elif self._ticks() >= self._until:
            self._release("the clock has not been synchronised in time: its times are told as they are")

    def _follow(self) -> None:
        for step in self._clock.take_steps():
            log.warning("the clock was set forward by %.1f s", (step.after - step.before) / 1e9)
            if self._held is None:
                self._engine.stepped(step.before, step.after)
            else:
                self._restamp(step)

    def _restamp(self, step: Step) -> None:
        assert self._held is not None
        by = step.after - step.before
        self._restamped = True
        self._held = [
            (device, Batch(one.tag, one.time + by, one.value, one.quality)) for device, one in self._held
        ]
        self._engine.began(step.after)

    def _release(self, why: str) -> None:
        held, self._held = self._held or [], None
        log.info("%s; %d samples go on%s", why, self._samples, ", re-stamped" if self._restamped else "")
        sure = self._synchronised() and not self._restamped
        for device, batch in held:
            self._engine.feed(device, batch if sure else _doubted(batch))
        self._samples = 0


def _doubted(batch: Batch) -> Batch:
    """Good samples, with the reason that their time is not what it was told to be."""
    quality = batch.quality.copy()
    quality[quality == GOOD] = Reason.CLOCK
    return Batch(batch.tag, batch.time, batch.value, quality)

