"""Has every command written down in the audit log, and knows when it cannot be."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any, Final

from edge_agent.api import Clock, Value
from edge_agent.core.command import Command, Outcome
from edge_agent.journal import Audit, Journal

log = logging.getLogger(__name__)

# A sync takes milliseconds, on a tired SD card a second or two.
SYNC_S: Final = 10.0
# Lines that wait for a disk that hangs; from then on nothing is written to equipment anyway.
WAITING: Final = 200
# Refusals cost nothing and may come by the thousand: so many lines a minute, then a number.
REFUSALS_A_MINUTE: Final = 30
MINUTE_S: Final = 60.0
# A line stays readable, and a file of lines small, whatever was sent.
LONGEST_TEXT: Final = 256

Entry = dict[str, Any]


class Witness:
    """The audit log, seen from the event loop."""

    def __init__(self, journal: Journal, audit: Audit, clock: Clock) -> None:
        self.failing = ""
        """why the log cannot be written at present; then nothing is written to equipment"""
        self._journal = journal
        self._audit = audit
        self._clock = clock
        self._waiting = 0
        self._told: set[tuple[str, ...]] = set()    # refusals of this minute that have a line
        self._left_out = 0

    async def asked(self, command: Command, old: Value | None) -> str:
        """Before anything is sent; '' once it is durable, else why nothing may be sent."""
        return await self._note({**self._head(command, "asked"), "old": _clipped(old)}, keep=False)

    async def ended(self, command: Command, outcome: Outcome, old: Value | None) -> None:
        """What became of a command that was asked for; written late rather than never."""
        said = {"error": _clipped(outcome.error) or None, "read_back": _clipped(outcome.read_back)}
        await self._note({**self._head(command, outcome.step), **said, "old": _clipped(old)}, keep=True)

    async def refused(self, command: Command, why: str, step: str = "refused") -> None:
        """A command that never came near the equipment; the same refusal has one line a minute."""
        kind = (str(command.id), command.who, str(command.device), str(command.tag), why)
        if kind in self._told or len(self._told) >= REFUSALS_A_MINUTE:
            self.leave_out()
            return
        self._told.add(kind)
        await self._note({**self._head(command, step), "error": _clipped(why)}, keep=False)

    async def noted(self, step: str, who: str, what: str) -> str:
        """Something that concerns no equipment, such as a change of the site file; '' once it is durable."""
        said = {"time": self._now(), "step": step, "who": _clipped(who), "through": "api", "what": _clipped(what)}
        return await self._note(said, keep=False)

    def leave_out(self) -> None:
        """A refusal that has no line of its own."""
        self._left_out += 1

    async def keep_counting(self) -> None:
        """Every minute: say how many refusals were left out."""
        while True:
            await asyncio.sleep(MINUTE_S)
            await self.sum_up()

    async def sum_up(self) -> None:
        """Say how many refusals were left out since the last time."""
        self._told.clear()
        if not self._left_out:
            return
        count, self._left_out = self._left_out, 0
        if await self._note({"time": self._now(), "step": "left_out", "times": count}, keep=False):
            self._left_out += count

    def _head(self, command: Command, step: str) -> Entry:
        said = {name: _clipped(getattr(command, name)) for name in ("id", "who", "through", "device", "tag", "value")}
        return {"time": self._now(), "step": step, **said}

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock() / 1e9, UTC).isoformat(timespec="milliseconds")

    async def _note(self, entry: Entry, *, keep: bool) -> str:
        if self._journal.closed:
            return "the agent has stopped"
        if self._waiting >= WAITING:
            return self._say("the disk does not answer")
        self._waiting += 1
        noting = self._journal.to_thread(self._audit.note, entry, keep)
        noting.add_done_callback(self._noted)
        try:
            async with asyncio.timeout(SYNC_S):
                return self._say(await asyncio.shield(noting))
        except TimeoutError:
            return self._say(f"the disk has not answered for {SYNC_S:g} s")

    def _noted(self, _noting: asyncio.Future[str]) -> None:
        self._waiting -= 1

    def _say(self, trouble: str) -> str:
        if trouble and not self.failing:
            log.error("audit log: cannot be written: %s; until it can, nothing is written to equipment", trouble)
        elif self.failing and not trouble:
            log.info("audit log: written again")
        self.failing = trouble
        return trouble


def _clipped(value: Any) -> Any:
    """A value as it may stand in a line: short, and a text that is one."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return float(value)     # no type of anybody else's that only looks like one
    if isinstance(value, int) and abs(value) < 1 << 63:
        return value
    text = value if isinstance(value, str) else f"a {type(value).__name__}"
    text = text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
    return text.encode("utf-8", "replace").decode()
