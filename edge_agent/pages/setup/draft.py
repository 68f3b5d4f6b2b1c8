"""The site file as somebody is changing it: a text that only they see until they apply it.

A draft outlives a page that is loaded again, and the pages' process it does not: what is to last is applied.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from edge_agent.config.edit import become, put, take
from edge_agent.config.yaml_lines import Key, parse
from edge_agent.pages.visit import Visit

# So many people change the site file at the same time; the oldest draft goes.
_HELD: Final = 20
_drafts: OrderedDict[tuple[str, str], Draft] = OrderedDict()


class Draft:
    """A text, and the file's text and etag it was made from."""

    def __init__(self, answer: Mapping[str, Any]) -> None:
        """`answer`: what `/config` says."""
        self.file: str = answer["file"]
        self.verdict: dict[str, Any] | None = None
        """what `/config/check` says of the text; None: not asked yet"""
        self.take_up(answer)

    def take_up(self, answer: Mapping[str, Any]) -> None:
        """Begin anew with what is in the file."""
        self.base: str = answer["text"]
        self.etag: str = answer["etag"]
        self.text = self.base

    @property
    def text(self) -> str:
        """As it is now."""
        return self._text

    @text.setter
    def text(self, text: str) -> None:
        self._text = text
        self._data: dict[str, Any] | None = None
        self.verdict = None

    @property
    def data(self) -> dict[str, Any]:
        """What the text says; nothing where it says nothing that can be read."""
        if self._data is None:
            found = parse(self._text).data
            self._data = found if isinstance(found, dict) else {}
        return self._data

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to apply."""
        return self.text != self.base

    def group(self, name: str) -> dict[str, Any]:
        """The entries of a group, such as `devices`; empty where there are none."""
        found = self.data.get(name)
        return found if isinstance(found, dict) else {}

    def entry(self, group: str, name: str) -> dict[str, Any]:
        """One of them; empty where there is none."""
        found = self.group(group).get(name)
        return found if isinstance(found, dict) else {}

    def become(self, key: Key, value: Mapping[str, Any]) -> None:
        """Let the mapping at `key` be this. CannotEdit."""
        self.text = become(self.text, key, value)

    def put(self, key: Key, value: Any) -> None:
        """Let this stand at `key`. CannotEdit."""
        self.text = put(self.text, key, value)

    def take(self, key: Key) -> None:
        """Remove what is at `key`. CannotEdit."""
        self.text = take(self.text, key)


async def draft_of(visit: Visit) -> Draft:
    """The visitor's draft; one without changes is always of the file as it is now. Raises Away, Refused."""
    key = visit.agent.url, str(visit.me.get("user"))
    draft = _drafts.get(key)
    answer = await visit.get("/config")
    if draft is None:
        draft = _drafts[key] = Draft(answer)
        while len(_drafts) > _HELD:
            _drafts.popitem(last=False)
    elif not draft.is_changed:
        draft.take_up(answer)
    _drafts.move_to_end(key)
    return draft
