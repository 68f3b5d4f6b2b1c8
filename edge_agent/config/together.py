"""What only shows when several sections are seen together: one serial port at two speeds, one port or client id twice,
one machine in two entries of the asset register."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from edge_agent.api import DeviceConfig, DriverPlugin, PublishConfig, listen_place
from edge_agent.config.asset import AssetModel
from edge_agent.config.explain import Found, Source
from edge_agent.config.http_api import ApiModel, Listen
from edge_agent.config.yaml_lines import Key, dotted

# Listening on one of these takes the port on every address.
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 (compared, not listened on)


def clashes(
    devices: Mapping[str, DeviceConfig | None], drivers: Mapping[str, DriverPlugin], source: Source
) -> list[Found]:
    """What each driver says of its devices that are right by themselves; asked once per driver."""
    by_driver: dict[str, dict[str, Any]] = {}
    for name, device in devices.items():
        if device is not None:
            by_driver.setdefault(device.driver, {})[name] = device
    found = list[Found]()
    for driver, together in by_driver.items():
        for clash in drivers[driver].together(together):
            key: Key = ("devices", clash.device, *clash.key.split("."))
            found.append(Found(key, clash.message, clash.hint, source.written(key)))
    return found


def ports_taken(places: Iterable[tuple[Key, tuple[str, int]]], source: Source) -> list[Found]:
    """A mistake for each key whose host and port are those of one before it."""
    found = list[Found]()
    before = dict[Key, tuple[str, int]]()
    for key, (host, port) in places:
        for other, (its_host, its_port) in before.items():
            if port == its_port and (host == its_host or {host, its_host} & set(_EVERYWHERE)):
                message = f"port {port} is taken by {dotted(other[:-1])}"
                found.append(Found(key, message, "each needs a port of its own", source.written(key)))
                break
        before[key] = (host, port)
    return found


def listening(parts: Mapping[str, Any]) -> Iterator[tuple[Key, tuple[str, int]]]:
    """Where the API, the pages and each server of a site listen; the pages only if the site file says so.

    Without a word of it the API listens, the pages only where their extra is installed.
    """
    for name, part in (("api", parts.get("api", ApiModel())), ("pages", parts.get("pages"))):
        listen: Listen | None = getattr(part, "listen", None)
        if listen and listen.port:
            yield (name, "listen"), (listen.host, listen.port)
    for name, server in parts["serve"].items():
        if server is not None:
            yield ("serve", name, "listen"), listen_place(server.listen)


def claimed_twice(publish: Mapping[str, PublishConfig | None], agent: str, source: Source) -> list[Found]:
    """A mistake for each destination that has what one before it has and only one can have."""
    found = list[Found]()
    before = dict[str, str]()
    for name, destination in publish.items():
        for claim in destination.claims(name, agent) if destination else ():
            if (other := before.setdefault(claim.what, name)) != name:
                key: Key = ("publish", name, claim.key)
                message = f"{claim.what} is that of publish.{other}"
                found.append(Found(key, message, claim.hint, source.written(key)))
                break
    return found


def assets_alike(assets: Mapping[str, AssetModel | None], source: Source) -> list[Found]:
    """A mistake for each asset that has the machine or the identifier of one before it: it would count twice."""
    found = list[Found]()
    before = dict[tuple[str, str], str]()
    for name, asset in assets.items():
        for field in ("machine", "identifier") if asset else ():
            said = getattr(asset, field)
            if said is None:
                continue
            if (other := before.setdefault((field, said), name)) != name:
                key: Key = ("assets", name, field)
                found.append(Found(key, f"is that of assets.{other}", "each has its own", source.written(key)))
    return found
