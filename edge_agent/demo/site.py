"""The demo's site file, written from what the plant says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import yaml

from edge_agent.north.mqtt_url import parse_url
from edge_agent_hil import site_file

MICRO_STOP_S = 2


def site(
    ready: Mapping[str, Any],
    data: Path,
    broker: Mapping[str, Any],
    begin: datetime,
    api_port: int,
    pages_port: int | None = None,
) -> dict[str, Any]:
    """A site with a device and a machine for each machine of the plant, busy from `begin` on; None: without pages.

    Agent and plant speak of the same stretch of time, see `site_file.busy_from`.
    """
    return {
        "agent": {
            "id": "demo",
            "place": {"enterprise": "acme", "site": "demo"},
            "timezone": ready["timezone"],
            "data_dir": str(data),
        },
        "devices": {name: site_file.device(said) for name, said in ready["machines"].items()},
        "machines": {
            name: {
                "line": "demo",
                "calendar": "demo",
                "operator": {},
                **site_file.machine(name, said, f"{MICRO_STOP_S}s"),
            }
            for name, said in ready["machines"].items()
        },
        "calendars": {"demo": site_file.busy_from(begin, "before the demo")},
        "publish": {"broker": {"type": "mqtt", "profile": "json", **broker}},
        "journal": {"flush": "500ms"},
        "kpi": {"every": "1s", "windows": ["shift"]},
        "api": {"listen": f"127.0.0.1:{api_port}"},
        "pages": "off" if pages_port is None else {"listen": f"127.0.0.1:{pages_port}"},
    }


def inner_broker(url: str) -> dict[str, Any]:
    """The demo's own broker, which speaks MQTT 3.1.1 only and does not answer a newer greeting."""
    return {"url": url, "version": "3.1.1"}


def destination(url: str) -> dict[str, Any]:
    """The broker at `mqtt://[user:password@]host[:port]`; ValueError says what would be right."""
    split = urlsplit(url)
    bare = split._replace(netloc=split.netloc.rpartition("@")[2]).geturl()
    place: dict[str, Any] = {"url": str(parse_url(bare))}
    if split.username:
        place["user"] = unquote(split.username).replace("${", "$${")
        place["insecure"] = not place["url"].startswith("mqtts")    # said by whoever typed it here
    if split.password:
        place["password"] = unquote(split.password).replace("${", "$${")
    return place


def write(path: Path, document: Mapping[str, Any]) -> None:
    """The site as a file a person can read."""
    path.write_text(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True), encoding="utf-8")


def local(ns: int, zone: str) -> datetime:
    """A local wall time without offset, as site files write it."""
    return datetime.fromtimestamp(ns / 1e9, ZoneInfo(zone)).replace(tzinfo=None)
