"""One sending after the other to one destination, and what became of it: taken, refused for good, or to come again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edge_agent.api import Busy, Clock, Link, Message, NotConnected, Profile, Rejected
from edge_agent.health import Count, Health
from edge_agent.north.answers import Answers
from edge_agent.north.dead_letters import DeadLetter, DeadLetters
from edge_agent.north.pace import Pace

log = logging.getLogger(__name__)

# Different troubles worth a log line each: far more than topics that a person would look at.
TROUBLES = 200
# A peer that is only busy takes something of ten attempts, over two minutes; one that does not may be in a state that
# ends with the link.
IN_VAIN = 10


class Sending:
    """Over all links of the destination `name`; a link is never used by two at once."""

    def __init__(self, name: str, profile: Profile, dead: DeadLetters, health: Health, clock: Clock) -> None:
        self.acknowledged_ns = 0
        """when the destination last took anything"""
        self.rejected = 0
        """messages it refused for good"""
        self._name = name
        self._answers = Answers(profile)
        self._dead = dead
        self._health = health
        self._clock = clock
        self._messages = Pace(profile.limits.messages_s)
        self._bytes = Pace(profile.limits.bytes_s)
        self._turn = asyncio.Lock()
        self._said: set[str] = set()        # troubles that were logged; from then on they are only counted

    async def begin(self, link: Link) -> None:
        """Over a fresh link: hear the platform's own answers, where it gives any."""
        await self._answers.listen(link)

    async def go_on(self, link: Link) -> None:
        """Over a link on which hello was said: hear also what can be heard only then."""
        await self._answers.listen_on(link)

    async def send(self, link: Link, messages: Sequence[Message], what: str = "") -> None:
        """Return once all is taken or refused; a refusal is logged once a topic, or once for all that is `what`."""
        for part in self._parts(messages):
            async with self._turn:
                await self._keep_pace(part)
                await self._send(link, part, what)

    def _parts(self, messages: Sequence[Message]) -> list[Sequence[Message]]:
        """As many at once as the platform takes in a second: a second later is early enough for the next."""
        most = max(1, int(self._messages.rate)) if self._messages.rate else max(1, len(messages))
        return [messages[start : start + most] for start in range(0, len(messages), most)]

    async def _keep_pace(self, messages: Sequence[Message]) -> None:
        size = sum([len(one.payload) for one in messages])
        now = asyncio.get_running_loop().time()
        if (wait := max(self._messages.wait(now, len(messages)), self._bytes.wait(now, size))) > 0:
            await asyncio.sleep(wait)
        now = asyncio.get_running_loop().time()
        self._messages.take(len(messages), now)
        self._bytes.take(size, now)

    async def _send(self, link: Link, messages: Sequence[Message], what: str) -> None:
        """All of it, however often the peer asks to wait; what comes behind waits, too: nothing may overtake."""
        in_vain = 0
        while True:
            busy = await self._attempt(link, messages, what)
            if busy is None:
                return
            in_vain = 0 if busy.start else in_vain + 1
            if in_vain == IN_VAIN:
                raise NotConnected(f"taken nothing {IN_VAIN} times in a row: {busy}", retry_after_s=busy.retry_after_s)
            self.say(f"cannot take more at present, so the rest waits and is sent again: {busy}")
            await asyncio.sleep(busy.retry_after_s)
            messages = messages[busy.start :]

    async def _attempt(self, link: Link, messages: Sequence[Message], what: str) -> Busy | None:
        """Send once; if not all of it could be taken at present, who says so."""
        refused: dict[int, str] = {}
        parts: Mapping[int, bytes] = {}
        busy: Busy | None = None
        self._answers.expect(messages)
        try:
            await link.send(messages)
        except Rejected as refusal:
            refused = {at: refusal.reasons.get(at, "no reason given") for at in refusal.positions}
            parts = refusal.parts
        except Busy as later:
            refused, busy = dict(later.reasons), later
        try:
            refused |= await self._answers.refused(messages[: busy.start if busy else None], refused)
        except Busy as later:
            refused = {at: why for at, why in refused.items() if at < later.start} | later.reasons
            busy = later
        done = busy.start if busy else len(messages)
        if refused:
            await self._bury(messages, refused, parts, what)
        self._health.add(Count.MESSAGES_ACKNOWLEDGED, done - len(refused))
        if len(refused) < done:
            self.acknowledged_ns = self._clock()
        return busy

    async def _bury(
        self, messages: Sequence[Message], refused: Mapping[int, str], parts: Mapping[int, bytes], what: str
    ) -> None:
        """Keep what was refused: of a message that was taken in part, the rest."""
        self._health.add(Count.MESSAGES_REJECTED, len(refused))
        self.rejected += len(refused)
        now = self._clock()
        letters = [
            DeadLetter(now, messages[at].topic, parts.get(at, messages[at].payload), why)
            for at, why in refused.items()
        ]
        if trouble := await asyncio.to_thread(self._dead.add, letters):
            self.say(f"refused messages cannot be kept: {trouble}")
        for position, reason in refused.items():
            self.say(f"refused {what or messages[position].topic} for good: {reason}")

    def encoded(self, make: Callable[..., list[Message]], *said: Any, what: str) -> list[Message] | None:
        """What `make` makes of `said`; None, counted and logged if it cannot: that ends nothing."""
        try:
            return make(*said)
        except Exception as error:
            self._health.add(Count.RECORDS_UNREADABLE)
            self.say(f"cannot encode {what}", error)
            return None

    def say(self, trouble: str, error: Exception | None = None) -> None:
        """Log what may happen to every message, once; it is also counted."""
        if trouble not in self._said and len(self._said) < TROUBLES:
            self._said.add(trouble)
            # What it is made of is wrong, a template or a damaged record; all else is a bug, told with its traceback.
            told, bug = (f"{trouble}: {error}", None) if isinstance(error, ValueError) else (trouble, error)
            log.error("%s: %s (counted from now on)", self._name, told, exc_info=bug)
