"""`template:` and `parameters:` of a device: put into its section before any driver looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edge_agent.api import DriverPlugin
from edge_agent.config.explain import Found, Source
from edge_agent.config.filled import Filled, filled, parameters_of
from edge_agent.config.finding import did_you_mean
from edge_agent.config.merge import merged, overrides, places
from edge_agent.config.template import Template, read_template
from edge_agent.config.yaml_lines import Key
from edge_agent.errors import Mistake


@dataclass(slots=True)
class Expansion:
    """Puts templates into the devices of `data` and of `source`, which then look as if written out.

    found     what is wrong in the site file
    mistakes  what is wrong in the template files themselves
    broken    devices whose template cannot be had: nobody knows their tags
    """

    data: dict[str, Any]
    source: Source
    drivers: Mapping[str, DriverPlugin]
    found: list[Found] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    _read: dict[str, Template] = field(default_factory=dict)

    def run(self) -> None:
        """Expand every device that names a template."""
        devices = self.data.get("devices")
        if not isinstance(devices, dict):
            return
        for name, section in list(devices.items()):
            if isinstance(section, dict) and "template" in section:
                devices[name] = self._device(("devices", name), section)
            elif isinstance(section, dict) and "parameters" in section:
                self.found.append(Found(("devices", name, "parameters"), "are given, but no template"))
                devices[name] = _without(section, "parameters")

    def _device(self, key: Key, section: dict[str, Any]) -> dict[str, Any]:
        template = self._template(key, section)
        if template is None or not template.usable:
            self.broken.add(str(key[1]))
            return _without(section, "template", "parameters", "tags")
        parameters, found = parameters_of(template, section, key, self.source)
        values, wrong = filled(template, parameters, key, self.source)
        self.found += [*found, *wrong, *overrides(values.shown, section, key)]
        placed = places(values.shown, section, key)
        self._note_lines(template, placed)
        self._note_values(values, placed)
        written = _entry(self.source.document.data, key)
        written.update(merged(values.shown, written))
        return _without(merged(values.values, section), "template", "parameters")

    def _template(self, key: Key, section: dict[str, Any]) -> Template | None:
        """The template a device names; None and a finding if there is none."""
        here = (*key, "template")
        name = section["template"]
        if here in self.source.secrets.failed:
            return None
        if not isinstance(name, str) or not name:
            what = "is empty" if name in (None, "") else "is not a text"
            self.found.append(Found(here, what, "write a file such as ./meter.yaml, or the name of a shipped one"))
            return None
        is_file = "/" in name or "\\" in name or name.endswith((".yaml", ".yml"))
        return self._from_file(here, name, str(key[1])) if is_file else self._shipped(here, name, section)

    def _from_file(self, here: Key, name: str, device: str) -> Template | None:
        try:
            path = Path(self.source.file).parent / Path(name).expanduser()
            # Messages name the file, but nothing that `${…}` put into its name.
            file = self.source.written(here) if self.source.secrets.pieces.get(here) else str(path)
            return self._read.get(file) or self._take(path.read_text("utf-8-sig"), file, device)
        except OSError as error:
            why = error.strerror or type(error).__name__
            self._wrong(here, f"cannot be read ({why})", "a path is relative to the site file")
        except (ValueError, RuntimeError) as error:
            text = isinstance(error, UnicodeError)
            self._wrong(here, "is not a text in UTF-8" if text else "is no path of a file", "")
        return None

    def _shipped(self, here: Key, name: str, section: dict[str, Any]) -> Template | None:
        driver = section.get("driver")
        if not isinstance(driver, str) or driver not in self.drivers:
            return None     # which is a mistake of its own
        try:
            shipped = self.drivers[driver].templates
        except (ImportError, AttributeError):
            return None     # and so is this
        if name not in shipped:
            hint = did_you_mean(name, shipped, f"templates of {driver}")
            file_hint = "" if hint.startswith("did") else f"; a file is written ./{name}.yaml"
            self._wrong(here, f"is no template of {driver}", hint + file_hint)
            return None
        file = f"{name}.yaml (shipped with {driver})"
        return self._read.get(file) or self._take(shipped[name], file, str(here[1]))

    def _take(self, text: str, file: str, device: str) -> Template:
        """Read a template once, whoever else uses it."""
        template = self._read[file] = read_template(text, file)
        told = f", in the template of {device}"
        self.mistakes += [replace(one, message=one.message + told) for one in template.mistakes]
        return template

    def _wrong(self, key: Key, message: str, hint: str) -> None:
        self.found.append(Found(key, message, hint, self.source.written(key)))

    def _note_lines(self, template: Template, placed: Mapping[Key, Key]) -> None:
        """In which line of which file everything stands that was put in."""
        source, lines = self.source, self.source.document.key_lines
        for key, line in template.document.key_lines.items():
            for length in (1, 2, 3):
                target = placed.get(key[:length])
                if target is not None and target + key[length:] not in lines:
                    lines[target + key[length:]] = line
                    source.files[target + key[length:]] = template.file

    def _note_values(self, values: Filled, placed: Mapping[Key, Key]) -> None:
        """Where values come from, which of them are not known, and which are secret."""
        secrets = self.source.secrets
        for place in (*values.origins, *values.failed):
            for length in (2, 3):
                if place[:length] not in placed:
                    continue
                target = placed[place[:length]] + place[length:]
                if place in values.failed:
                    secrets.failed.add(target)
                    continue
                self.source.origins[target] = values.origins[place]
                if place in values.secret:
                    secrets.written[target], secrets.pieces[target] = values.secret[place]


def _without(section: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in section.items() if name not in names}


def _entry(data: Any, key: Key) -> dict[str, Any]:
    for part in key:
        data = data[part]
    return data  # type: ignore[no-any-return]
