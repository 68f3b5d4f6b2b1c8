"""The commands that come from one destination: heard, handed on, answered.

What was heard is carried out even if the link is lost meanwhile, and answered over the next one.
What is sent while there is no link is never heard: a command is meant for now.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from edge_agent.api import Asked, Clock, Link, ListeningLink, Message, Profile, Received, Rejected
from edge_agent.core.command import Command, Outcome
from edge_agent.supervise import together

log = logging.getLogger(__name__)

# Commands heard and not yet handed on; more are answered busy, and at twice as many only counted.
WAITING: Final = 50
# More than one slow device's queue holds, so that it keeps no other device's commands waiting.
WORKERS: Final = 16
# Answers that wait for a link; then the oldest go, and the audit log is the only one to tell.
REPLIES: Final = 200
# A command that says when it was sent is refused when that is longer ago; clocks differ by seconds.
OLDEST_MS: Final = 60_000
# Some brokers hang up when asked for a topic they do not allow. What the agent has to say goes first.
HANG_UPS: Final = 3

Execute = Callable[[Command], Awaitable[Outcome]]
Refuse = Callable[[Command, str], Awaitable[Outcome]]
Operate = Callable[[str, str, Mapping[str, Any], str], Awaitable[Outcome]]
"""`operate(id, machine, said, who)`: takes what an operator says; never raises for what can be wrong with it."""
Send = Callable[[list[Message], str], Awaitable[None]]


class Commands:
    """One destination's commands, over all its links."""

    def __init__(
        self,
        name: str,
        profile: Profile,
        execute: Execute,
        refuse: Refuse,
        drop: Callable[[], None],
        clock: Clock,
        operate: Operate,
    ) -> None:
        """`drop` is told of each command that came when too many waited already, and is not looked at."""
        self.state = "not connected"
        """`listening`, or why not"""
        self._name = name
        self._profile = profile
        self._execute = execute
        self._refuse = refuse
        self._drop = drop
        self._clock = clock
        self._operate = operate
        self._heard = asyncio.Queue[tuple[Received, bool]](2 * WAITING)
        self._replies: deque[Message] = deque(maxlen=REPLIES)
        self._news = asyncio.Event()
        self._hung_up = 0
        self._said = ""

    async def keep_working(self) -> None:
        """Hand on what was heard, for ever."""
        await together(*((f"{self._name}-command-{n}", self._work()) for n in range(WORKERS)))

    async def keep_listening(self, link: Link, send: Send) -> None:
        """Over one link: hear commands, send answers."""
        try:
            await self._listen(link)
            await self._keep_replying(send)
        finally:
            self.state = "not connected"

    def hear(self, received: Received) -> None:
        """Take one message; never waits."""
        try:
            self._heard.put_nowait((received, self._heard.qsize() >= WAITING))
        except asyncio.QueueFull:
            self._drop()

    async def _listen(self, link: Link) -> None:
        if not isinstance(link, ListeningLink):
            return self._deaf("its links bring nothing")
        if self._hung_up >= HANG_UPS:
            self._hung_up -= 1      # the next link is asked again
            return self._deaf("the broker hangs up when asked for the command topics")
        self._hung_up += 1
        topics = self._profile.command_topics()
        try:
            await link.listen(topics, self.hear)
        except Rejected as refusal:
            self._deaf(next(iter(refusal.reasons.values()), "refused without a reason"))
        else:
            self.state, self._said = "listening", ""
            log.info("%s: listens for commands on %s", self._name, " ".join(topics))
        self._hung_up = 0
        return None

    def _deaf(self, why: str) -> None:
        self.state = f"no commands: {why}"
        if self._said != why:
            self._said = why
            log.error("%s: no commands can come: %s", self._name, why)

    async def _keep_replying(self, send: Send) -> None:
        self._news.set()
        while True:
            await self._news.wait()
            self._news.clear()
            replies = list(self._replies)
            self._replies.clear()
            try:
                if replies:
                    await send(replies, "a reply")
            except BaseException:
                self._put_back(replies)
                raise

    def _put_back(self, replies: Sequence[Message]) -> None:
        newer = list(self._replies)
        self._replies.clear()
        self._replies.extend([*replies, *newer])

    async def _work(self) -> None:
        while True:
            received, busy = await self._heard.get()
            if reply := await self._answer(received, busy):
                self._replies.append(reply)
                self._news.set()

    async def _answer(self, received: Received, busy: bool) -> Message | None:
        asked = self._profile.command(received)
        if asked is None:
            return None
        command = Command(asked.id, asked.device, asked.tag, asked.value, "mqtt", self._name)
        if trouble := asked.error or self._untimely(asked, received, busy):
            outcome = await self._refuse(command, trouble)
        elif asked.said is not None:
            outcome = await self._operate(asked.id, asked.device, asked.said, self._name)
        else:
            outcome = await self._execute(command)
        return self._profile.reply(asked, outcome, received)

    def _untimely(self, asked: Asked, received: Received, busy: bool) -> str:
        if received.retained:
            return "the message is retained: a command is meant for now; send it without retain"
        if asked.time_ms is not None:
            age_ms = self._clock() // 1_000_000 - asked.time_ms
            if abs(age_ms) > OLDEST_MS:
                when = "ago" if age_ms > 0 else "from now, by the clock here"
                return f"it was sent {abs(age_ms) / 1000:.0f} s {when}; at most {OLDEST_MS // 1000} s are allowed"
        return f"busy: {WAITING} commands wait already" if busy else ""
