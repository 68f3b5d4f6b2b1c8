"""Where in a plant something stands: paths of topics from the levels of ISA-95 (IEC 62264-1, 5.3).

A template such as `{enterprise}/{site}/{area}/{line}/{machine}` is filled for a machine, a device, a line … A step
whose level is not given (a line has no machine, a machine may stand in no line) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from edge_agent.encode.profile import Scene

LEVELS: Final = ("enterprise", "site", "area", "line", "machine", "device", "agent")
DEFAULT: Final = "{enterprise}/{site}/{area}/{line}/{machine}"

_FIELD: Final = re.compile(r"\{([^{}]*)\}")
# What a level of a topic cannot hold (MQTT 3.1.1, 4.7.1 and 1.5.3), and what nobody can read.
_NO_LEVEL: Final = re.compile(r"[/+#\x00-\x1f\x7f-\x9f]")
_NOT_PORTABLE: Final = re.compile(r"[^A-Za-z0-9_-]")


def check_template(template: str, levels: Collection[str] = LEVELS) -> str:
    """The template itself; ValueError says what is wrong with it."""
    for level in _FIELD.findall(template):
        if level not in levels:
            known = " ".join(f"{{{one}}}" for one in levels)
            raise ValueError(f"has no level {{{level}}}; known are {known}")
    rest = _FIELD.sub("x", template)
    if any(bracket in rest for bracket in "{}"):
        raise ValueError("has a bracket without its other half; a level is written {site}")
    if not template or any(not step for step in template.split("/")):
        raise ValueError("has an empty step; write it without / at its ends and without //")
    if _NO_LEVEL.search(rest.replace("/", "")):
        raise ValueError("has + # or a control character, which no topic to publish to can have")
    if rest.startswith("$"):
        raise ValueError("begins with $, which belongs to the broker")
    return template


def fill(template: str, levels: Mapping[str, str]) -> str:
    """The path; '' if no step remains."""
    steps = (_step(step, levels) for step in template.split("/"))
    return "/".join(step for step in steps if step)


def _step(step: str, levels: Mapping[str, str]) -> str:
    named = _FIELD.findall(step)
    if any(not levels.get(level) for level in named):
        return ""
    return _FIELD.sub(lambda found: levels[found[1]], step)


def check_level(text: str) -> str:
    """The text itself; ValueError if no topic can have it as one of its levels."""
    if not text or _NO_LEVEL.search(text):
        raise ValueError(f"{text!r} cannot be a level of a topic: it has / + # or a control character, or nothing")
    return text


def portable(text: str) -> str:
    """With `_` for whatever is not A-Z a-z 0-9 _ -: what every broker and historian takes."""
    return _NOT_PORTABLE.sub("_", text)


@dataclass(frozen=True, slots=True)
class Tree:
    """The paths of a plant; `portable`: names are made of portable characters."""

    scene: Scene
    template: str = DEFAULT
    portable: bool = False

    def machine(self, name: str) -> str:
        """Of a machine."""
        area, line = self.scene.machines.get(name, ("", ""))
        return self._fill(area=area, line=line, machine=name)

    def device(self, name: str) -> str:
        """Of a device: that of the machine it belongs to, else its own in the place of a machine."""
        machine = self.scene.devices.get(name, "")
        area, line = self.scene.machines.get(machine, ("", ""))
        return self._fill(area=area, line=line, machine=machine or name, device=name)

    def within(self, device: str) -> str:
        """What tells a device from others of its machine, behind its path: its name, or '' where that says it."""
        machine = self.scene.devices.get(device, "")
        return "" if machine in ("", device) or "{device}" in self.template else self.level(device)

    def rollup(self, kind: str, name: str) -> str:
        """Of a line, an area or the site; the site file's name for a site is its id."""
        if kind == "line":
            areas = [area for area, line in self.scene.machines.values() if line == name]
            return self._fill(area=areas[0] if areas else "", line=name)
        if kind == "area":
            return self._fill(area=name)
        return self._fill(area=None)

    def agent(self) -> str:
        """Of the agent, in the place of a machine."""
        return self._fill(machine=self.scene.agent, device=self.scene.agent)

    def level(self, text: str) -> str:
        """A name as a level of a topic; ValueError if it cannot be one."""
        return portable(text) if self.portable else check_level(text)

    def _fill(self, *, area: str | None = "", **levels: str) -> str:
        known = {**self.scene.place, "agent": self.scene.agent, **levels}
        if area is None:
            known.pop("area", None)
        elif area:
            known["area"] = area
        return fill(self.template, {level: self.level(name) for level, name in known.items() if name})
