"""Sections of an agent's site file, written from what a plant says of itself in its ready file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

READING = {"modbus": {"poll": "100ms"}, "opcua": {"publish": "200ms"}}


def device(said: Mapping[str, Any], url: str = "") -> dict[str, Any]:
    """The device section of a machine of the ready file; `url` is where it is reached, if not where it says."""
    return {"driver": said["driver"], "url": url or said["url"], **READING[said["driver"]], "tags": said["tags"]}


def machine(name: str, said: Mapping[str, Any], micro_stop: str) -> dict[str, Any]:
    """The machine section; it follows `agent.calendar`."""
    by_name = "program" in said["tags"]
    products = {
        (product if by_name else facts["code"]): {"ideal_cycle": facts["ideal_cycle"]}
        for product, facts in said["products"].items()
    }
    rework = {"rework": f"{name}.rework"} if "rework" in said["tags"] else {}
    return {
        "state": {"tag": f"{name}.state", "map": said["states"]},
        "counts": {"total": f"{name}.total", "scrap": f"{name}.scrap", **rework},
        "job": {"tag": f"{name}.{'program' if by_name else 'product'}", "products": products},
        "micro_stop": micro_stop,
        # What the plant made before the shift began is in nobody's account.
        "outside_plan": "exclude",
    }


def busy_from(begin: datetime, label: str) -> dict[str, Any]:
    """A calendar with one shift around the clock, busy from `begin` on (a local wall time of whole seconds).

    The shift starts on the full minute before; what lies between is planned down, so that agent and plant speak of
    the same stretch of time to the nanosecond.
    """
    start = begin.replace(second=0, microsecond=0)
    before = {"start": (start - timedelta(days=2)).isoformat(), "end": begin.isoformat(), "label": label}
    return {
        "shifts": {"whole": {"days": "daily", "start": f"{start:%H:%M}", "end": f"{start:%H:%M}"}},
        "planned_down": [before],
    }
