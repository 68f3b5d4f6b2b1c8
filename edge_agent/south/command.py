"""Writing to equipment: every command is judged, audited, carried out once, and read back.

A command goes through `execute` (judged, in the order of `_judge`), waits in the short queue of its
device, and is carried out by that device's only worker: so there is one write at a time a device, and
whoever asked may go away without cutting it in half. Nothing is sent before the audit log has it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from edge_agent.api import (
    DeviceConfig,
    NotConnected,
    Refused,
    Tag,
    TagConfig,
    Value,
    WritableSession,
    WriteConfig,
)
from edge_agent.core.command import Command, Outcome
from edge_agent.core.tags import TagTable
from edge_agent.core.writing import checked, permit, scaled, shown, unscaled
from edge_agent.errors import EdgeAgentError
from edge_agent.health import Count, Health
from edge_agent.south.reader import Reader
from edge_agent.south.seen import Known, Seen
from edge_agent.south.witness import Witness
from edge_agent.supervise import together

__all__ = ["Command", "Commander", "Outcome"]

log = logging.getLogger(__name__)

# Equipment answers in milliseconds; this is for a line with retries, as long as a person waits.
WRITE_S: Final = 10.0
# Commands that wait for a device beside the one under way; whoever sends more is to hear that at once.
WAITING: Final = 4
# A command is meant for now. One that waited longer behind slow ones is refused.
PATIENCE_S: Final = 10.0

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COUNTS: Final = {"done": Count.COMMANDS_DONE, "refused": Count.COMMANDS_REFUSED}
_STOPPING: Final = "the agent is not running, or about to stop"


@dataclass(slots=True)
class _Job:
    """A command that may be carried out. `outcome` is what it would be if the agent ended here."""

    command: Command
    tag: Tag
    raw: Value
    settle_ns: int
    due: float                  # too late after that, by the loop's time
    before: float | None        # when the tag was last written, for a write that is not to be
    ended: asyncio.Future[Outcome]
    outcome: Outcome
    asked: bool = False         # the audit log has it


class Commander:
    """The only way to equipment; made in `agent.build`, kept as `Parts.commander`."""

    def __init__(
        self,
        devices: Mapping[str, DeviceConfig],
        table: TagTable,
        readers: Mapping[str, Reader],
        last: Callable[[Tag], Value | None],
        witness: Witness,
        health: Health,
    ) -> None:
        self.witness = witness
        self._devices = devices
        self._table = table
        self._readers = readers
        self._last = last
        self._health = health
        self._seen = Seen()
        self._written: dict[str, float] = {}        # tag id → when, by the loop's time
        self._queues = {
            name: asyncio.Queue[_Job](WAITING)
            for name, device in devices.items()
            if any(tag.writing() for tag in device.tags.values())
        }
        self._working = False

    async def execute(self, command: Command) -> Outcome:
        """Carry out one command and say what became of it.

        Never raises for anything a command can do wrong. Safe to cancel: what has been accepted goes on
        and is audited all the same. A command whose id was seen before gets the outcome it had.
        """
        if not _ID.fullmatch(command.id):
            return await self.refuse(command, "the id of a command has 1 to 64 letters, digits, - or _")
        if known := self._seen.of(command.id):
            return await self._again(command, known)
        known = Known(command, asyncio.get_running_loop().create_future())
        try:
            job = self._judge(command, known.ended)
        except Refused as refusal:
            self._seen.refuse(known)
            known.ended.set_result(Outcome(False, str(refusal)))
            return await self.refuse(command, str(refusal))
        self._seen.accept(known)
        self._queues[command.device].put_nowait(job)
        self._written[job.tag.id] = asyncio.get_running_loop().time()
        return await asyncio.shield(known.ended)

    async def refuse(self, command: Command, why: str) -> Outcome:
        """Audit and count a command that is not even to be judged, or was found wanting."""
        log.debug("command %s of %s refused: %s", command.id, command.who, why)
        self._health.add(Count.COMMANDS_REFUSED)
        await self.witness.refused(command, why)
        return Outcome(False, why)

    async def keep_writing(self) -> None:
        """Carry out what was accepted, a worker a device; for ever."""
        self._working = True
        try:
            await together(
                *((f"write-{device}", self._keep_writing_to(queue)) for device, queue in self._queues.items()),
                ("audit", self.witness.keep_counting()),
            )
        finally:
            self._working = False
            for queue in self._queues.values():
                while not queue.empty():
                    await self._end(queue.get_nowait(), None)
            await self.witness.sum_up()

    async def _again(self, command: Command, known: Known) -> Outcome:
        if not known.is_like(command):
            return await self.refuse(command, f"the id {command.id} was used before, with another tag or value")
        await self.witness.refused(command, "seen before: not carried out again", "repeated")
        return await asyncio.shield(known.ended)

    # -- judging: in this order, before anything waits ------------------------------------------

    def _judge(self, command: Command, ended: asyncio.Future[Outcome]) -> _Job:
        """The job, if the command is allowed and possible now; else `Refused` says why not."""
        if not self._working:
            raise Refused(_STOPPING)
        now = asyncio.get_running_loop().time()
        tag, config = self._find(command)
        writing = self._allowed(command, tag, config)
        try:
            value = checked(command.value, tag.kind)
            permit(value, tag.kind, writing.min, writing.max, writing.values)
            self._not_too_often(tag, writing, now)
            self._session(command.device)
            raw = unscaled(value, tag, config.whole())
        except ValueError as error:
            raise Refused(f"{tag.id} {error}") from None
        if self._queues[command.device].full():
            raise Refused(f"{command.device} is busy: {WAITING} commands wait for it already")
        before = self._written.get(tag.id)
        stopped = Outcome(False, f"nothing was written: {_STOPPING}")
        return _Job(command, tag, raw, writing.settle, now + PATIENCE_S, before, ended, stopped)

    def _find(self, command: Command) -> tuple[Tag, TagConfig]:
        device = self._devices.get(command.device)
        if device is None:
            raise Refused(f"there is no device {shown(command.device)}")
        config = device.tags.get(command.tag)
        if config is None:
            raise Refused(f"{command.device} has no tag {shown(command.tag)}")
        return self._table[self._table.position(f"{command.device}.{command.tag}")], config

    def _allowed(self, command: Command, tag: Tag, config: TagConfig) -> WriteConfig:
        writing = config.writing()
        if writing is None:
            raise Refused(f"writing to {tag.id} is not allowed: its tag has no write: in the site file")
        if command.through not in writing.through:
            ways = ", ".join(writing.through) or "none"
            raise Refused(f"writing to {tag.id} through {command.through} is not allowed; allowed: {ways}")
        return writing

    def _not_too_often(self, tag: Tag, writing: WriteConfig, now: float) -> None:
        every_s = writing.every / 1e9
        wait = self._written.get(tag.id, now - every_s) + every_s - now
        if wait > 0:
            raise Refused(f"{tag.id} may be written once in {every_s:g} s; wait {max(wait, 0.1):.1f} s")

    def _session(self, device: str) -> WritableSession:
        reader = self._readers[device]
        session = reader.session
        if session is None:
            raise Refused(f"{device} is not connected: {reader.line.error or reader.line.state}")
        if not isinstance(session, WritableSession):
            raise Refused(f"{device} cannot be written: its driver only reads")
        return session

    # -- carrying out: one at a time a device ---------------------------------------------------

    async def _keep_writing_to(self, queue: asyncio.Queue[_Job]) -> None:
        while True:
            job = await queue.get()
            old = self._last(job.tag)
            try:
                await self._carry_out(job, old)
            finally:
                await self._end(job, old)

    async def _carry_out(self, job: _Job, old: Value | None) -> None:
        try:
            session = await self._cleared(job, old)
        except Refused as refusal:
            job.outcome = Outcome(False, f"nothing was written: {refusal}")
            return
        job.outcome = _unknown("the agent was stopped")
        job.outcome = await self._write(session, job)

    async def _cleared(self, job: _Job, old: Value | None) -> WritableSession:
        """The session to write with, once the audit log has the command."""
        if asyncio.get_running_loop().time() > job.due:
            raise Refused(f"{job.command.device} was busy for {PATIENCE_S:g} s")
        if trouble := await self.witness.asked(job.command, old):
            raise Refused(f"the audit log cannot be written ({trouble})")
        job.asked = True
        return self._session(job.command.device)

    async def _write(self, session: WritableSession, job: _Job) -> Outcome:
        try:
            async with asyncio.timeout(WRITE_S + job.settle_ns / 1e9):
                raw = await session.write(job.tag, job.raw, job.settle_ns)
            return Outcome(True, "", scaled(raw, job.tag), "done")
        except TimeoutError:
            return _unknown(f"no answer within {WRITE_S:g} s")
        except NotConnected as error:
            return _unknown(str(error))
        except EdgeAgentError as error:
            return Outcome(False, str(error), None, "failed")
        except Exception as error:
            # A bug in a plugin must stop neither the agent nor the commands after this one.
            log.exception("%s: unexpected error while writing", job.tag.id)
            return _unknown(f"{type(error).__name__}: {error}")

    async def _end(self, job: _Job, old: Value | None) -> None:
        """Audit, count and hand out the outcome. What was not sent does not count against `every`."""
        command, outcome = job.command, job.outcome
        self._health.add(_COUNTS.get(outcome.step, Count.COMMANDS_FAILED))
        if outcome.step == "refused":
            self._give_back(job)
        level, said = (logging.INFO, "done") if outcome.ok else (logging.WARNING, outcome.error)
        log.log(level, "command %s of %s through %s to %s: %s",
                command.id, command.who, command.through, job.tag.id, said)  # fmt: skip
        try:
            if job.asked:
                await self.witness.ended(command, outcome, old)
            else:
                await self.witness.refused(command, outcome.error)
        finally:
            job.ended.set_result(outcome)

    def _give_back(self, job: _Job) -> None:
        if job.before is None:
            self._written.pop(job.tag.id, None)
        else:
            self._written[job.tag.id] = job.before


def _unknown(why: str) -> Outcome:
    return Outcome(False, f"unknown: it may have been written ({why})", None, "unknown")
