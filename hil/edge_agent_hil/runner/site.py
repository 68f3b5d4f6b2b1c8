"""The agent's site file for a scenario: what the plant says of itself, with the scenario's own keys laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from edge_agent_hil import site_file

AGENT, SITE = "hil", "hil"
ROOT = f"edge/{SITE}/{AGENT}"
MICRO_STOP = "2s"
# More than a server can tell in any fault that a scenario has: what it had to throw away is no fault of the agent.
QUEUE = 10_000
EACH = "*"


def site(
    ready: Mapping[str, Any], urls: Mapping[str, str], data: Path, broker: Mapping[str, Any], begin: int, api_port: int
) -> dict[str, Any]:
    """A device and a machine for each machine of the plant, busy from `begin` (ns UTC, whole seconds) on.

    `urls`: where each device is reached; `broker`: keys of the destination.
    """
    zone = ready["timezone"]
    local = datetime.fromtimestamp(begin // 10**9, ZoneInfo(zone)).replace(tzinfo=None)
    machines = ready["machines"]
    return {
        "agent": {
            "id": AGENT,
            "place": {"enterprise": SITE},
            "timezone": zone,
            "data_dir": str(data),
            "calendar": "hil",
        },
        "devices": {name: _device(said, urls[name]) for name, said in machines.items()},
        "machines": {name: site_file.machine(name, said, MICRO_STOP) for name, said in machines.items()},
        "calendars": {"hil": site_file.busy_from(local, "before the scenario")},
        "publish": {"broker": {"type": "mqtt", "profile": "json", **broker}},
        "journal": {"flush": "200ms"},
        "kpi": {"every": "1s", "windows": ["shift"]},
        "api": {"listen": f"127.0.0.1:{api_port}"},
    }


def _device(said: Mapping[str, Any], url: str) -> dict[str, Any]:
    made = site_file.device(said, url)
    if said["driver"] == "opcua":
        made["tags"] = {name: {**tag, "queue": QUEUE} for name, tag in made["tags"].items()}
    return made


def for_each(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` with what it says of `*`, of all devices or of all machines, said of each; what is said of one wins."""
    made = dict(over)
    for section in ("devices", "machines"):
        said = dict(over.get(section) or {})
        if EACH in said:
            every = said.pop(EACH)
            made[section] = {**said, **{name: laid_over(every, said.get(name, {})) for name in base[section]}}
    return made


def laid_over(base: Any, over: Any) -> Any:
    """`over` wins, key by key; None takes a key away. A list or a value is taken as a whole."""
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return over
    made = {key: value for key, value in base.items() if over.get(key, value) is not None}
    for key, value in over.items():
        if value is not None:
            made[key] = laid_over(base[key], value) if key in base else value
    return made


def write(path: Path, document: Mapping[str, Any]) -> None:
    """As a file that a person can read and use."""
    path.write_text(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True), encoding="utf-8")
