"""A sentence of the agent in the reader's language, by the table in `agent.py`; as it came where that has none."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from edge_agent.pages.words.agent import SENTENCES

# What stands for something that is itself a sentence or a word of the table, or a length of time.
_INNER: Final = frozenset({"is", "reason", "advice", "error", "why", "answer", "needed", "window", "age", "wait",
                           "allowed", "when", "value", "asked", "doing"})  # fmt: skip
_SHAPES: Final = {"n": r"\d+", "user": r"\S+", "new": r"\S+", "etag": r"\S+", "status": r"\S+"}
_LENGTH: Final = re.compile(r"\d+(\.\d+)? (s|min|h|d)( \d+ (s|min|h))?")
_UNITS: Final = {"s": "秒", "min": "分", "h": "小时", "d": "天"}
_UNIT: Final = re.compile(r"\b(s|min|h|d)\b")
# A device, a server, a file: then what is wrong there.
_PLACED: Final = re.compile(r"(.+?): (.+)", re.DOTALL)
_NAME: Final = re.compile(r"\{(\w+)\}")


def _pattern(english: str) -> re.Pattern[str]:
    parts = _NAME.split(english)
    made = [re.escape(part) if at % 2 == 0 else _group(part) for at, part in enumerate(parts)]
    return re.compile("".join(made), re.DOTALL)


def _group(name: str) -> str:
    return ".+?" if name == "_" else f"(?P<{name}>{_SHAPES.get(name, '.+?')})"


_WHOLE: Final = {english: chinese for english, chinese in SENTENCES if "{" not in english}
_PATTERNS: Final = [(_pattern(english), chinese) for english, chinese in SENTENCES if "{" in english]


@lru_cache(maxsize=512)
def in_chinese(sentence: str) -> str:
    """What the agent has said, as far as the table goes; each part that it does not have stays as it is."""
    known = _WHOLE.get(sentence)
    if known is not None:
        return known
    if _LENGTH.fullmatch(sentence):
        return _UNIT.sub(lambda unit: _UNITS[unit[0]], sentence)
    for pattern, chinese in _PATTERNS:
        found = pattern.fullmatch(sentence)
        if found is not None:
            parts = found.groupdict().items()
            return chinese.format(**{name: in_chinese(part) if name in _INNER else part for name, part in parts})
    placed = _PLACED.fullmatch(sentence)
    if placed is None or in_chinese(placed[2]) == placed[2]:
        return sentence
    return f"{in_chinese(placed[1])}：{in_chinese(placed[2])}"
