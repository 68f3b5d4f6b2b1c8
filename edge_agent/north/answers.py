"""Platforms that acknowledge with a message of their own: what they were sent counts when that has come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from edge_agent.api import Answer, Busy, Link, ListeningLink, Message, NotConnected, Profile, Received, Rejected
from edge_agent.north.pace import slower_s

# Platforms answer within a second or two; one that does not has lost the message, or us.
PATIENCE_S: Final = 30.0


class Answers:
    """Of one destination; one sending at a time."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._expected: dict[str, Answer | None] = {}
        self._came = asyncio.Event()

    async def listen(self, link: Link) -> None:
        """Over a fresh link; nothing where the platform does not answer. `NotConnected` if it cannot be heard."""
        self._expected.clear()
        await self._listen(link, self._profile.answer_topics())

    async def listen_on(self, link: Link) -> None:
        """Once what is said first is taken, to what can be heard only then."""
        await self._listen(link, self._profile.later_answer_topics())

    async def _listen(self, link: Link, topics: Sequence[str]) -> None:
        if not topics:
            return
        if not isinstance(link, ListeningLink):
            raise NotConnected("its links bring nothing, and this profile waits for answers")
        try:
            await link.listen(topics, self.hear)
        except Rejected as refusal:
            why = next(iter(refusal.reasons.values()), "no reason given")
            raise NotConnected(f"the broker does not let us hear the platform's answers: {why}") from refusal

    def hear(self, received: Received) -> None:
        """Take one message; never waits."""
        answer = self._profile.answered(received)
        if answer is not None and answer.key in self._expected:
            self._expected[answer.key] = answer
            self._came.set()

    def expect(self, messages: Sequence[Message]) -> None:
        """These are about to be sent."""
        self._expected = {message.answer: None for message in messages if message.answer}

    async def refused(self, messages: Sequence[Message], already: Mapping[int, str]) -> dict[int, str]:
        """Wait for all answers; position → why of messages the platform refuses for good.

        `already`: what the link did not get through, and so has no answer. `Busy` if an answer says later,
        `NotConnected` if one does not come, or wants a fresh link.
        """
        wanted = {one.answer: at for at, one in enumerate(messages) if one.answer and at not in already}
        try:
            async with asyncio.timeout(PATIENCE_S):
                while any(self._expected[key] is None for key in wanted):
                    self._came.clear()
                    await self._came.wait()
        except TimeoutError:
            raise NotConnected(f"no answer of the platform for {PATIENCE_S:g} s") from None
        answers = {at: answer for key, at in wanted.items() if (answer := self._expected[key]) is not None}
        self._expected = {}
        if anew := next((one for one in answers.values() if one.later and one.anew), None):
            raise NotConnected(f"the platform wants us to begin anew: {anew.refusal}")
        refused = {at: one.refusal for at, one in answers.items() if one.refusal and not one.later}
        if later := [at for at, one in answers.items() if one.later]:
            start = min(later)
            before = {at: why for at, why in refused.items() if at < start}
            raise Busy(answers[start].refusal, start, slower_s(), before)
        return refused
