"""The demo's site file, written from what the plant says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

import yaml

from edge_agent.north.mqtt_config import parse_url

MICRO_STOP_S = 2
POLL = {"modbus": {"poll": "100ms"}, "opcua": {"publish": "200ms"}}


def site(
    ready: Mapping[str, Any], data: Path, broker: Mapping[str, Any], begin: datetime, api_port: int
) -> dict[str, Any]:
    """A site with a device and a machine for each machine of the plant, busy from `begin` on.

    The shift starts on the full minute before; what lies between is planned down, so that agent
    and plant speak of the same stretch of time to the nanosecond.
    """
    start = begin.replace(second=0, microsecond=0)
    return {
        "agent": {
            "id": "demo",
            "place": {"enterprise": "acme", "site": "demo"},
            "timezone": ready["timezone"],
            "data_dir": str(data),
        },
        "devices": {name: _device(said) for name, said in ready["machines"].items()},
        "machines": {name: _machine(name, said) for name, said in ready["machines"].items()},
        "calendars": {
            "demo": {
                "shifts": {"demo": {"days": "daily", "start": f"{start:%H:%M}", "end": f"{start:%H:%M}"}},
                "planned_down": [
                    {
                        "start": (start - timedelta(days=2)).isoformat(),
                        "end": begin.isoformat(),
                        "label": "before the demo",
                    }
                ],
            }
        },
        "publish": {"broker": {"type": "mqtt", "profile": "json", **broker}},
        "journal": {"flush": "500ms"},
        "kpi": {"every": "1s", "windows": ["shift"]},
        "api": {"listen": f"127.0.0.1:{api_port}"},
    }


def _device(said: Mapping[str, Any]) -> dict[str, Any]:
    return {"driver": said["driver"], "url": said["url"], **POLL[said["driver"]], "tags": said["tags"]}


def _machine(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    by_name = "program" in said["tags"]
    products = {
        (product if by_name else facts["code"]): {"ideal_cycle": facts["ideal_cycle"]}
        for product, facts in said["products"].items()
    }
    return {
        "line": "demo",
        "state": {"tag": f"{name}.state", "map": said["states"]},
        "counts": {"total": f"{name}.total", "scrap": f"{name}.scrap"},
        "job": {"tag": f"{name}.{'program' if by_name else 'product'}", "products": products},
        "calendar": "demo",
        "micro_stop": f"{MICRO_STOP_S}s",
        # What the plant made before the demo began is in nobody's account.
        "outside_plan": "exclude",
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
