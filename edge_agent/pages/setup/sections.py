"""Sections of the site file from what somebody has chosen on the pages. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

_WORDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")
_LONGEST: Final = 40
_ORDER: Final = re.compile(r"[A-H]{1,8}")
_STRING: Final = re.compile(r"string\[(\d+)\]")
ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

STATES: Final = ("RUN", "IDLE", "SETUP", "FAULT", "MAINT", "OFF", "UNKNOWN")
# What machines call their states, in the languages their makers speak; the first that is found counts.
_GUESSES: Final = (
    ("FAULT", r"fault|alarm|error|abort|emerg|störung|故障|报警|急停"),
    ("SETUP", r"set.?up|chang|adjust|prepar|rüst|调|换"),
    ("MAINT", r"maint|service|wartung|维护|保养"),
    ("IDLE", r"idle|stand.?by|wait|stop|held|hold|ready|pause|block|starv|warte|待机|等待|停|暂停|就绪"),
    ("OFF", r"\boff\b|power.?down|shut|aus\b|关"),
    ("RUN", r"run|auto|execut|produc|cycl|work|busy|betrieb|läuft|运行|加工|生产|自动"),
)  # fmt: skip


def slug(name: str, fallback: str = "tag") -> str:
    """`CurMachSpeed` → `cur-mach-speed`: an id made of a name."""
    parts = [part for part in _WORDS.split(name) if part]
    return "-".join(parts).lower()[:_LONGEST].strip("-") or fallback


def unique(name: str, taken: Collection[str]) -> str:
    """The id, or the first with a number behind it that is not taken."""
    if name not in taken:
        return name
    return next(f"{name}-{n}" for n in range(2, len(taken) + 3) if f"{name}-{n}" not in taken)


def host_of(text: str, scheme: str, port: int) -> str:
    """What somebody typed as an address, as a URL: `10.0.0.7` → `opc.tcp://10.0.0.7:4840`."""
    text = text.strip()
    if "://" in text:
        return text
    place, slash, path = text.partition("/")
    bare = place.count(":") != 1
    return f"{scheme}://{place}{f':{port}' if bare else ''}{slash}{path}"


def modbus_tcp(host: str, unit: int) -> str:
    """`10.0.0.5` → `modbus+tcp://10.0.0.5:502?unit=1`; a URL stays one."""
    url = host_of(host, "modbus+tcp", 502)
    return url if "?" in url else f"{url}?unit={unit}"


def modbus_rtu(port: str, baud: int, parity: str, unit: int) -> str:
    """`modbus+rtu:///dev/ttyUSB0?unit=1&baud=19200&parity=E`."""
    return f"modbus+rtu://{port.strip()}?{urlencode({'unit': unit, 'baud': baud, 'parity': parity})}"


def modbus_tag(reading: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a tag that reads what a reading shows: `holding:1 float32 CDAB`."""
    where, *more = str(reading["tag"]).split(" ")
    tag: dict[str, Any] = {"address": where}
    for word in more:
        if text := _STRING.fullmatch(word):
            tag |= {"type": "string", "length": int(text[1])}
        elif _ORDER.fullmatch(word):
            tag["order"] = word
        else:
            tag["type"] = word
    return tag


def security_keys(security: str, user: str, password: str) -> dict[str, Any]:
    """What an OPC UA device says of how to connect."""
    keys: dict[str, Any] = {"security": security} if security != "none" else {}
    if user:
        keys["login"] = {"user": user, "password": password}
    return keys


def guess(value: str) -> str:
    """The state that a value's text seems to mean; "" where nothing can be guessed."""
    return next((state for state, pattern in _GUESSES if re.search(pattern, value, re.IGNORECASE)), "")


def key_of(value: object) -> str:
    """A value of a tag as the key of `map:`."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def merged(old: Mapping[str, Any], new: Mapping[str, Any], ours: Collection[str]) -> dict[str, Any]:
    """What a form says of an entry: its own keys as given (None: gone), all others as they were, in their order."""
    kept = {key: new.get(key) if key in ours else value for key, value in old.items()}
    return {key: value for key, value in {**kept, **new}.items() if value is not None}


def state_of(way: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """`state:` of a machine, by the way it is told."""
    if way == "map":
        return {"tag": values["tag"], "map": dict(values["map"])}
    if way == "stacklight":
        return {"stacklight": {lamp: tag for lamp, tag in values["lamps"].items() if tag}}
    return {"power": {"tag": values["tag"], "off": values["off"], "run": values["run"]}}


def calendar(shifts: Sequence[Mapping[str, Any]], holidays: str) -> dict[str, Any]:
    """An entry of `calendars:` from rows: name, days, start, end, and a break's start and length."""
    made: dict[str, Any] = {"shifts": {}}
    for row in shifts:
        shift: dict[str, Any] = {"days": row["days"], "start": row["start"], "end": row["end"]}
        pauses = [{"start": start, "for": length} for start, length in row["breaks"]]
        if pauses:
            shift["breaks"] = pauses
        made["shifts"][row["name"]] = shift
    if holidays:
        made["holidays"] = holidays
    return made


def breaks_of(text: str) -> list[tuple[str, str]]:
    """`10:00 15min, 12:00 30min` → pairs; what is no pair is given back as it is, for the agent to say so."""
    found = []
    for part in filter(None, (one.strip() for one in text.replace("，", ",").split(","))):
        start, _, length = part.partition(" ")
        found.append((start, length.strip()))
    return found


def breaks_text(breaks: Sequence[Mapping[str, Any]]) -> str:
    """The other way round."""
    return ", ".join(f"{one.get('start')} {one.get('for')}" for one in breaks)
