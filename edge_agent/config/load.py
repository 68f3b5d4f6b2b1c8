"""`load`: a site file into a `Site`, or every mistake in it at once."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from edge_agent.api import (
    DeviceConfig,
    DriverPlugin,
    Home,
    Kind,
    ProfilePlugin,
    PublishConfig,
    PublisherPlugin,
    ServeConfig,
    ServerPlugin,
    TagConfig,
)
from edge_agent.config.asset import AssetModel
from edge_agent.config.calendar import CalendarModel
from edge_agent.config.carbon import CarbonModel
from edge_agent.config.companion import Companions
from edge_agent.config.destination import with_profile
from edge_agent.config.energy import without_unit
from edge_agent.config.expand import Expansion
from edge_agent.config.explain import Found, Source
from edge_agent.config.finding import did_you_mean
from edge_agent.config.http_api import ApiModel
from edge_agent.config.line import AreaModel, LineModel
from edge_agent.config.lineup import Lineup, line_of
from edge_agent.config.machine import MachineModel
from edge_agent.config.names import WINDOWS, Names, id_finding, is_id
from edge_agent.config.pages import PagesModel
from edge_agent.config.plan import chain, clash
from edge_agent.config.section import validate
from edge_agent.config.site import AgentModel, JournalModel, KpiModel, RingModel, Site
from edge_agent.config.substitute import substitute
from edge_agent.config.together import assets_alike, claimed_twice, clashes, listening, ports_taken
from edge_agent.config.yaml_lines import Document, Key, parse
from edge_agent.errors import ConfigError, Mistake

M = TypeVar("M", bound=BaseModel)
P = TypeVar("P", DriverPlugin, ProfilePlugin, PublisherPlugin, ServerPlugin)

_SINGLE: Final[tuple[tuple[str, type[BaseModel]], ...]] = (
    ("journal", JournalModel), ("kpi", KpiModel), ("ring", RingModel), ("api", ApiModel), ("pages", PagesModel),
    ("carbon", CarbonModel),
)  # fmt: skip
_GROUPS: Final = ("devices", "machines", "lines", "areas", "calendars", "assets", "publish", "serve")


def load(
    path: Path,
    drivers: Mapping[str, DriverPlugin],
    publishers: Mapping[str, PublisherPlugin],
    environ: Mapping[str, str] | None = None,
    profiles: Mapping[str, ProfilePlugin] = MappingProxyType({}),
    servers: Mapping[str, ServerPlugin] = MappingProxyType({}),
    text: str | None = None,
) -> Site:
    """Read and check a site file; raises ConfigError with all mistakes in the order of lines.

    Mistakes in template files it uses come after its own.

    `drivers`, `publishers`, `profiles` and `servers` are asked only for names the file uses. `environ` is where
    `${NAME}` comes from, by default the process's own environment. `text` is looked at in place of what the file has,
    as if it stood there.
    """
    document = _document(path, _read(path) if text is None else text)
    data, secrets = substitute(document.data, os.environ if environ is None else environ, path.parent)
    source = Source(str(path), document, secrets)
    mistakes = [_located(mistake, path, mistake.line) for mistake in document.mistakes]
    mistakes += [_located(mistake, path, document.line(key)) for key, mistake in secrets.mistakes]
    expansion = Expansion(data, source, drivers)
    expansion.run()
    companions = Companions(data, source)
    companions.run()
    found = [*expansion.found, *companions.found]
    loader = _Loader(data, source, drivers, publishers, profiles, servers, expansion.broken, found)
    site = loader.site()
    mistakes += expansion.mistakes
    mistakes += [source.mistake(found) for found in loader.found]
    if mistakes or site is None:
        raise ConfigError(*sorted(mistakes, key=lambda one: (one.file != str(path), one.file, one.line)))
    return site


def _read(path: Path) -> str:
    """The file's text; raises ConfigError where there is none."""
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ConfigError(Mistake(str(path), f"cannot be read ({why})")) from error
    except ValueError as error:
        raise ConfigError(Mistake(str(path), "is not a text in UTF-8")) from error


def _document(path: Path, text: str) -> Document:
    """The text parsed; raises ConfigError where there is nothing to look at."""
    document = parse(text)
    if not isinstance(document.data, dict) and not document.mistakes:
        hint = "start from the output of: edge-agent sample minimal"
        what = "is empty" if document.data is None else "is not a site file: its top level has no keys"
        document.mistakes.append(Mistake("site", what, hint=hint, line=1))
    if not isinstance(document.data, dict):
        raise ConfigError(*(_located(mistake, path, mistake.line) for mistake in document.mistakes))
    return document


def _located(mistake: Mistake, path: Path, line: int) -> Mistake:
    return Mistake(mistake.key, mistake.message, mistake.value, mistake.hint, str(path), line)


@dataclass(slots=True)
class _Loader:
    data: dict[str, Any]
    source: Source
    drivers: Mapping[str, DriverPlugin]
    publishers: Mapping[str, PublisherPlugin]
    profiles: Mapping[str, ProfilePlugin]
    servers: Mapping[str, ServerPlugin]
    untold: Collection[str]
    """devices whose tags nobody can know, as their template cannot be had"""
    found: list[Found] = field(default_factory=list)
    names: Names = field(default_factory=Names)

    def site(self) -> Site | None:
        """The whole site; None if anything was found."""
        self._check_top()
        for group in _GROUPS:
            self._check_ids((group,))
        devices = {name: self._device(name) for name in self._group("devices")}
        self.found += clashes(devices, self.drivers, self.source)
        self.names = self._all_names(devices)
        parts: dict[str, Any] = {
            "agent": self._validated(AgentModel, ("agent",)) if "agent" in self.data else None,
            "devices": devices,
            "machines": self._all(MachineModel, "machines"),
            "lines": self._all(LineModel, "lines"),
            "areas": self._all(AreaModel, "areas"),
            "calendars": self._all(CalendarModel, "calendars"),
            "assets": self._all(AssetModel, "assets"),
            "publish": {name: self._destination(name) for name in self._group("publish")},
            "serve": {name: self._server(name) for name in self._group("serve")},
        }
        for name, model in _SINGLE:
            if self.data.get(name) is not None:
                parts[name] = self._validated(model, (name,))
        self.found += [*ports_taken(listening(parts), self.source), *assets_alike(parts["assets"], self.source)]
        if parts["agent"] is not None:
            self.found += claimed_twice(parts["publish"], parts["agent"].id, self.source)
        self.found += without_unit(parts["machines"], devices)
        self.found += self._lineup(parts).findings()
        self._check_plans(parts)
        if self.found or self.source.secrets.failed or self.untold:
            return None
        return _at_home(rooted(Site(**parts), Path(self.source.file).parent))

    def _check_plans(self, parts: Mapping[str, Any]) -> None:
        """Where a machine's calendars follow one another their shifts may meet, not overlap."""
        agent, calendars = parts["agent"], parts["calendars"]
        lines = {name: line for name, line in parts["lines"].items() if line is not None}
        known: dict[tuple[str, ...], str] = {}      # thousands of machines may follow the same
        for name, machine in parts["machines"].items():
            if agent is None or machine is None or None in calendars.values():
                continue
            line = lines.get(line_of(lines, name, machine))
            links = chain(calendars, machine.calendar or (), (line and line.calendar) or (), agent.calendar or ())
            names = tuple(one for one, _ in links)
            if names not in known:
                known[names] = clash(links, agent.timezone)
            if known[names]:
                hint = "let the first end a day earlier or the second begin a day later"
                key: Key = ("machines", name, "calendar")
                message = f"lets shifts of two calendars overlap: {known[names]}"
                self.found.append(Found(key, message, hint, self.source.written(key)))

    def _check_top(self) -> None:
        known = list(Site.model_fields)
        for name in self.data:
            if name not in known:
                self.found.append(Found((name,), "unknown key", did_you_mean(name, known, "keys here")))
        if "agent" not in self.data:
            near = any(did_you_mean(name, ["agent"]).startswith("did") for name in self.data)
            if not near:
                self.found.append(Found(("agent",), "is missing", "write agent: {id: gw-01}"))
        for group in _GROUPS:
            if not isinstance(self.data.get(group) or {}, dict):
                self.found.append(Found((group,), "needs entries of the form id: {…}"))

    def _group(self, group: str) -> dict[str, Any]:
        entries = self.data.get(group)
        return entries if isinstance(entries, dict) else {}

    def _check_ids(self, key: Key) -> None:
        entries: Any = self.data
        for part in key:
            entries = entries.get(part) if isinstance(entries, dict) else None
        for name, entry in entries.items() if isinstance(entries, dict) else ():
            if not is_id(name):
                finding = id_finding(name)
                self.found.append(Found((*key, name), finding.message, finding.hint, name))
            if key == ("devices",) and isinstance(entry, dict):
                self._check_ids(("devices", name, "tags"))

    def _validated(self, model: type[M], key: Key, data: dict[str, Any] | None = None) -> M | None:
        made, found = validate(model, self.data if data is None else data, key, self.source, self.names)
        partial = key[0] == "devices" and key[1] in self.untold
        self.found += [one for one in found if not partial or one.role != "missing"]
        return made

    def _all(self, model: type[M], group: str) -> dict[str, M | None]:
        return {name: self._validated(model, (group, name)) for name in self._group(group)}

    def _lineup(self, parts: Mapping[str, Any]) -> Lineup:
        right = {
            group: {name: model for name, model in parts[group].items() if model is not None}
            for group in ("machines", "lines", "areas")
        }
        default = parts["agent"] is None or parts["agent"].calendar is not None
        return Lineup(**right, declared=tuple(parts["machines"]), all_lines=tuple(parts["lines"]), default=default)

    def _device(self, name: str) -> DeviceConfig | None:
        key: Key = ("devices", name)
        plugin = self._plugin(key, "driver", self.drivers)
        device = self._validated(plugin.config, key) if plugin else None
        if name in self.untold:
            return None
        for tag_name, tag in device.tags.items() if device else ():
            if tag.range is not None and tag.range[0] > tag.range[1]:
                hint = "write the lowest value first"
                self.found.append(Found((*key, "tags", tag_name, "range"), "ends below its start", hint))
        return device

    def _destination(self, name: str) -> PublishConfig | None:
        key: Key = ("publish", name)
        plugin = self._plugin(key, "type", self.publishers)
        if plugin is None:
            return None
        section = self._group("publish")[name]
        if "profile" not in section:
            section = {**section, "profile": plugin.config.model_fields["profile"].default}
        profile = self._plugin(key, "profile", self.profiles, section)
        if profile and plugin.name not in profile.publishers:
            hint = f"it goes with type: {' or '.join(profile.publishers)}"
            self._name_mistake((*key, "profile"), f"does not go with type: {plugin.name}", hint)
            profile = None
        if profile is None:
            # Its own keys would be called unknown: nobody can know them.
            section = {k: v for k, v in section.items() if k in plugin.config.model_fields and k != "profile"}
            self._validated(plugin.config, key, {"publish": {name: section}})
            return None
        return self._validated(with_profile(plugin, profile), key)

    def _server(self, name: str) -> ServeConfig | None:
        plugin = self._plugin(("serve", name), "type", self.servers)
        return self._validated(plugin.config, ("serve", name)) if plugin else None

    def _plugin(self, key: Key, chooser: str, plugins: Mapping[str, P], section: Any = None) -> P | None:
        """The plugin that the section at `key` names under `chooser`; None and a mistake if it names none."""
        group, name = str(key[0]), str(key[1])
        section = section or self._group(group)[name]
        here = (*key, chooser)
        if here in self.source.secrets.failed:
            return None
        if not isinstance(section, dict):
            self.found.append(Found(key, "needs keys below it", f"such as {chooser}: and url:"))
            return None
        chosen = section.get(chooser)
        if chosen is None:
            self.found.append(Found(here, "is missing", f"{chooser}s: {', '.join(plugins)}"))
            return None
        if isinstance(chosen, str) and chosen in plugins:
            return self._plugin_loaded(here, plugins, chosen)
        self._name_mistake(here, f"is no {chooser}", did_you_mean(str(chosen), plugins, f"{chooser}s"))
        return None

    def _plugin_loaded(self, key: Key, plugins: Mapping[str, P], name: str) -> P | None:
        try:
            return plugins[name]
        except (ImportError, AttributeError) as error:
            self._name_mistake(key, f"cannot be loaded ({error})", "reinstall edge-agent with this plugin")
        return None

    def _name_mistake(self, key: Key, message: str, hint: str) -> None:
        self.found.append(Found(key, message, hint, self.source.written(key)))

    def _all_names(self, devices: Mapping[str, DeviceConfig | None]) -> Names:
        tags = {name: _tags(section, devices.get(name)) for name, section in self._group("devices").items()}
        tags |= dict.fromkeys(self.untold)
        kinds = (self.data.get("kpi") or {}).get("windows") if isinstance(self.data.get("kpi"), dict) else None
        windows = tuple(map(str, kinds)) if isinstance(kinds, list) else WINDOWS
        return Names(tags, tuple(self._group("calendars")), tuple(self._group("machines")), windows)


def _at_home(site: Site) -> Site:
    """The site whose plugins know whose they are."""
    home = Home(site.agent.id, site.agent.data_dir)
    devices = {name: device.at_home(home) for name, device in site.devices.items()}
    serve = {name: server.at_home(home) for name, server in site.serve.items()}
    return site.model_copy(update={"devices": devices, "serve": serve})


def rooted(model: M, folder: Path) -> M:
    """The model with every relative path in it taken as relative to `folder`."""
    changed: dict[str, Any] = {}
    for name, value in model:
        if isinstance(value, Path):
            changed[name] = folder / value.expanduser()
        elif isinstance(value, BaseModel):
            changed[name] = rooted(value, folder)
        elif isinstance(value, dict):
            inner = {key: rooted(item, folder) for key, item in value.items() if isinstance(item, BaseModel)}
            changed[name] = value | inner
    changed = {name: value for name, value in changed.items() if value != getattr(model, name)}
    return model.model_copy(update=changed) if changed else model


def _tags(section: Any, device: DeviceConfig | None) -> dict[str, Kind | None] | None:
    """The tags a device section declares, with their kinds where it is right; None if nobody can know."""
    if device is not None:
        # A driver whose tags cannot tell learns their kinds only when it connects.
        return {n: None if type(t).kind is TagConfig.kind else t.kind() for n, t in device.tags.items()}
    declared = section.get("tags") if isinstance(section, dict) else None
    if not isinstance(declared, dict) or any(map(_may_be_many, declared.values())):
        return None
    return dict.fromkeys(declared)


def _may_be_many(tag: Any) -> bool:
    """True for what may be an array, `count: 4` or `float32[4]`: only its driver knows the names of its tags."""
    return "count" in tag if isinstance(tag, dict) else isinstance(tag, str) and "[" in tag


