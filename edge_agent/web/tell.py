"""What `edge-agent status` and `edge-agent why` print: an answer of the API as text for a person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def status(said: Mapping[str, Any]) -> list[str]:
    """The lines of the status: what is wrong first, then devices, machines and destinations as a table."""
    lines = [f"{said['agent']}  version {said['version']}, running since {_time(said['started'])}"]
    lines += [f"  ! {problem}" for problem in said["problems"]] or ["  all is well"]
    devices = [
        (name, device["state"], _time(device["since"]), _tags(device["tags"]), device["address"])
        for name, device in said["devices"].items()
    ]
    lines += _table(("device", "state", "since", "good tags", "address"), devices)
    machines = [
        (name, one["state"], _time(one["since"]), one["reason"] or "", one["source"] or "")
        for name, one in said.get("machines", {}).items()
    ]
    lines += _table(("machine", "state", "since", "reason", "said by"), machines)
    destinations = [
        (name, place["state"], _time(place["since"]), str(place["backlog"]), _left(place), place["address"])
        for name, place in said["destinations"].items()
    ]
    lines += _table(("destination", "state", "since", "waiting", "caught up in", "address"), destinations)
    lines += _table(("", "", "window", "OEE %", "data %", "flags"), [_figures(row) for row in said.get("kpis", ())])
    counts = said["counts"]
    shown = ("samples_read", "samples_bad", "samples_reported", "messages_acknowledged", "messages_rejected")
    lines += ["", ", ".join(f"{counts[name]} {name.replace('_', ' ')}" for name in shown if name in counts)]
    return [*lines, _journal(said["journal"])]


def _journal(said: Mapping[str, Any]) -> str:
    told = f"journal {'fine' if said['ok'] else 'NOT fine'}, {said['pending']} records not yet on disk"
    if "bytes" in said:
        told += f", {said['bytes'] / 1e6:.0f} MB, writes {said['written_a_day'] / 1e6:.0f} MB a day"
    return told


def _left(place: Mapping[str, Any]) -> str:
    """`3 min`, `?` while nobody knows, nothing where there is nothing to catch up with."""
    draining = place.get("draining")
    if not draining:
        return ""
    seconds = draining["left_s"]
    return "?" if seconds is None else f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def why(said: Mapping[str, Any]) -> list[str]:
    """The chain of reasons, each step further in."""
    chain: Sequence[str] = said["why"]
    return [f"{'  ' * (number > 0)}{sentence}" for number, sentence in enumerate(chain)]


def unknown(said: Mapping[str, Any]) -> str:
    """What is wrong with a name that is no tag's, and which would be right."""
    near = ", ".join(said.get("near", ()))
    return f"{said['error']}; did you mean {near}?" if near else str(said["error"])


def _figures(row: Mapping[str, Any]) -> tuple[str, ...]:
    window = row["window"] or ""
    named = window if row["name"] in (None, window) else f"{window} {row['name']}"
    shares = [f"{row[name]:.1%}".rstrip("%") if row[name] is not None else "-" for name in ("oee", "data_coverage")]
    return row["scope"], row["id"], named or "none open", *shares, " ".join(row["flags"])


def _tags(tags: Mapping[str, int]) -> str:
    return f"{tags['good']} of {sum(tags.values())}"


def _time(iso: str) -> str:
    """`2026-11-25T14:03:07.123+08:00` → `2026-11-25 14:03:07`."""
    return iso[:19].replace("T", " ")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    yield ""
    for row in (head, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
