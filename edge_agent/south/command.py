"""Writing to equipment: every command is judged, audited, carried out once, and read back.

A command goes through `execute` (its rules are in `judge`), waits in the short queue of its device, and
is carried out by that device's only worker: so there is one write at a time a device, and whoever asked
may go away without cutting it in half. Nothing is sent before the audit log has it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from edge_agent.api import DeviceConfig, NotConnected, Refused, Tag, Value, WritableSession
from edge_agent.core.command import Command, Outcome
from edge_agent.core.writing import scaled
from edge_agent.errors import EdgeAgentError
from edge_agent.health import Count, Health
from edge_agent.south.judge import Allowed, Judge
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
_STOPPED: Final = Outcome(False, f"nothing was written: {_STOPPING}")


@dataclass(slots=True)
class _Job:
    """A command that may be carried out. `outcome` is what it would be if the agent ended here."""

    command: Command
    allowed: Allowed
    ended: asyncio.Future[Outcome]
    due: float                  # too late after that, by the loop's time
    asked: bool = False         # the audit log has it
    outcome: Outcome = _STOPPED


class Commander:
    """The only way to equipment; made in `agent.build`, kept as `Parts.commander`."""

    def __init__(
        self,
        devices: Mapping[str, DeviceConfig],
        judge: Judge,
        last: Callable[[Tag], Value | None],
        witness: Witness,
        health: Health,
    ) -> None:
        self.witness = witness
        self._judge = judge
        self._last = last
        self._health = health
        self._seen = Seen()
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
        if not all(isinstance(text, str) for text in (command.id, command.device, command.tag)):
            return await self.refuse(command, "id, device and tag of a command are texts")
        if not _ID.fullmatch(command.id):
            return await self.refuse(command, "the id of a command has 1 to 64 letters, digits, - or _")
        if known := self._seen.of(command.id):
            return await self._again(command, known)
        known = Known(command, asyncio.get_running_loop().create_future())
        try:
            self._accept(known)
        except Refused as refusal:
            self._seen.refuse(known)
            known.ended.set_result(Outcome(False, str(refusal)))
            return await self.refuse(command, str(refusal))
        return await asyncio.shield(known.ended)

    async def refuse(self, command: Command, why: str) -> Outcome:
        """Audit and count a command that is not even to be judged, or was found wanting."""
        log.debug("command %s of %s refused: %s", command.id, command.who, why)
        self._health.add(Count.COMMANDS_REFUSED)
        await self.witness.refused(command, why)
        return Outcome(False, why)

    def drop(self) -> None:
        """Count a command that nobody had time to look at, here and in the audit log."""
        self._health.add(Count.COMMANDS_REFUSED)
        self.witness.leave_out()

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

    def _accept(self, known: Known) -> None:
        """Put it into its device's queue; `Refused` says why not."""
        if not self._working:
            raise Refused(_STOPPING)
        command = known.command
        allowed = self._judge.allow(command)
        queue = self._queues[command.device]
        if queue.full():
            raise Refused(f"{command.device} is busy: {WAITING} commands wait for it already")
        queue.put_nowait(_Job(command, allowed, known.ended, asyncio.get_running_loop().time() + PATIENCE_S))
        self._seen.accept(known)
        self._judge.accepted(allowed.tag)

    async def _again(self, command: Command, known: Known) -> Outcome:
        if not known.is_like(command):
            return await self.refuse(command, f"the id {command.id} was used before, with another tag or value")
        await self.witness.refused(command, "seen before: not carried out again", "repeated")
        return await asyncio.shield(known.ended)

    # -- carrying out: one at a time a device ---------------------------------------------------

    async def _keep_writing_to(self, queue: asyncio.Queue[_Job]) -> None:
        while True:
            job = await queue.get()
            old = self._last(job.allowed.tag)
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
        job.outcome = await self._write(session, job.allowed)

    async def _cleared(self, job: _Job, old: Value | None) -> WritableSession:
        """The session to write with, once the audit log has the command."""
        if asyncio.get_running_loop().time() > job.due:
            raise Refused(f"{job.command.device} was busy for {PATIENCE_S:g} s")
        if trouble := await self.witness.asked(job.command, old):
            raise Refused(f"the audit log cannot be written ({trouble})")
        job.asked = True
        session = self._judge.session(job.command.device)
        self._judge.sending(job.allowed)
        return session

    async def _write(self, session: WritableSession, allowed: Allowed) -> Outcome:
        tag, settle_ns = allowed.tag, allowed.writing.settle
        try:
            async with asyncio.timeout(WRITE_S + settle_ns / 1e9):
                raw = await session.write(tag, allowed.raw, settle_ns)
            return Outcome(True, "", scaled(raw, tag), "done")
        except TimeoutError:
            return _unknown(f"no answer within {WRITE_S:g} s")
        except NotConnected as error:
            return _unknown(str(error))
        except Refused as refusal:
            if refusal.sent:
                return Outcome(False, str(refusal), None, "failed")
            self._judge.unsent(tag)
            return Outcome(False, f"nothing was written: {refusal}")
        except EdgeAgentError as error:
            return Outcome(False, str(error), None, "failed")
        except Exception as error:
            # A bug in a plugin must stop neither the agent nor the commands after this one.
            log.exception("%s: unexpected error while writing", tag.id)
            return _unknown(f"{type(error).__name__}: {error}")

    async def _end(self, job: _Job, old: Value | None) -> None:
        """Audit, count and hand out the outcome."""
        command, outcome, tag = job.command, job.outcome, job.allowed.tag
        self._health.add(_COUNTS.get(outcome.step, Count.COMMANDS_FAILED))
        if outcome.step == "refused":
            self._judge.withdrawn(tag)
        level, said = (logging.INFO, "done") if outcome.ok else (logging.WARNING, outcome.error)
        log.log(level, "command %s of %s through %s to %s: %s", command.id, command.who, command.through, tag.id, said)
        try:
            if job.asked:
                await self.witness.ended(command, outcome, old)
            else:
                await self.witness.refused(command, outcome.error)
        finally:
            job.ended.set_result(outcome)


def _unknown(why: str) -> Outcome:
    return Outcome(False, f"unknown: it may have been written ({why})", None, "unknown")
