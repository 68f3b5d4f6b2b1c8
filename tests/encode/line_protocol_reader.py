"""A reader of line protocol, written from its reference sharing nothing with the encoder."""

from __future__ import annotations

from dataclasses import dataclass, field

Field = int | float | bool | str


@dataclass
class Point:
    """A line. The types of the fields are those of the protocol: `1i` is an int, `1` a float."""

    measurement: str
    tags: dict[str, str] = field(default_factory=dict)
    fields: dict[str, Field] = field(default_factory=dict)
    time: int | None = None

    @property
    def series(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """What tells it from points of the same time."""
        return self.measurement, tuple(sorted(self.tags.items()))


class Reader:
    """Reads one line; ValueError where it is none."""

    def __init__(self, said: str) -> None:
        self.said, self.at = said, 0

    def more(self) -> str:
        return self.said[self.at : self.at + 1]

    def name(self, ends: str) -> str:
        """Up to an unescaped character of `ends`. A backslash escapes comma, space and equals sign only."""
        found = ""
        while (c := self.more()) and c not in ends:
            if c == "\\" and self.said[self.at + 1 : self.at + 2] in (",", " ", "="):
                self.at += 1
                c = self.more()
            found += c
            self.at += 1
        if not found:
            raise ValueError(f"an empty name at {self.at} of {self.said!r}")
        return found

    def skip(self, what: str) -> None:
        if self.more() != what:
            raise ValueError(f"no {what!r} at {self.at} of {self.said!r}")
        self.at += 1

    def value(self) -> Field:
        if self.more() == '"':
            return self.text()
        word = ""
        while (c := self.more()) and c not in ", ":
            word += c
            self.at += 1
        if word in ("true", "false"):
            return word == "true"
        if word.endswith("i"):
            number = int(word[:-1])
            if not -(2**63) <= number < 2**63:
                raise ValueError(f"{number} is no int64")
            return number
        if word.lower().strip("+-") in ("nan", "inf", "infinity"):
            raise ValueError(f"{word} has no form in the protocol")
        return float(word)

    def text(self) -> str:
        self.skip('"')
        found = ""
        while (c := self.more()) != '"':
            if not c or c in "\r\n":
                raise ValueError("a text does not end on its line")
            if c == "\\" and self.said[self.at + 1 : self.at + 2] in ('"', "\\"):
                self.at += 1
                c = self.more()
            found += c
            self.at += 1
        self.skip('"')
        return found

    def point(self) -> Point:
        point = Point(self.name(", "))
        while self.more() == ",":
            self.skip(",")
            key = self.name("=, ")
            self.skip("=")
            point.tags[key] = self.name(", ")
        self.skip(" ")
        while True:
            key = self.name("=, ")
            self.skip("=")
            if key in point.fields:
                raise ValueError(f"{key} twice in one line")
            point.fields[key] = self.value()
            if self.more() != ",":
                break
            self.skip(",")
        if self.more():
            self.skip(" ")
            point.time = int(self.said[self.at :])
        return point


def read(payload: bytes) -> list[Point]:
    """All lines of a payload."""
    return [Reader(one).point() for one in payload.decode().split("\n") if one]
