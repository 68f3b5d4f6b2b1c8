"""A profile that has nothing but a will."""

from __future__ import annotations

from edge_agent.api import Message, Profile


class OnlyWill(Profile):
    """For links that are tried without a follower."""

    def __init__(self, will: Message) -> None:
        self._will = will

    def will(self) -> Message:
        """The one it was given."""
        return self._will
