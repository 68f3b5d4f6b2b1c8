"""Looks at the agent from outside, twice a second: memory, disk, and what it says of itself."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from edge_agent_hil.gateway import Gateway
from edge_agent_hil.runner.played import Gauge

EVERY_S = 0.5
# An agent that is busy starting or has no CPU answers late; a gauge without its word is a gauge all the same.
ANSWER_S = 2.0


async def keep_looking(gauges: list[Gauge], gateway: Gateway, api_port: int) -> None:
    """Append a gauge every half second, until cancelled."""
    ended, last = 0, (0, 0)
    while True:
        there = gateway.pid
        written = _written(there)
        if there != last[0]:
            ended, last = ended + last[1], (there or 0, written)
        else:
            last = there or 0, max(written, last[1])
        said = await asyncio.to_thread(_status, api_port) if there else {}
        problems = tuple(said.get("problems", ()))
        backlog = sum(said["backlog"].values()) if "backlog" in said else None
        size = await asyncio.to_thread(_size, gateway.disk.seen)
        gauges.append(Gauge(time.time_ns(), _resident(there), backlog, size, ended + last[1], problems))
        await asyncio.sleep(EVERY_S)


def _status(port: int) -> dict[str, Any]:
    try:
        with urlopen(f"http://127.0.0.1:{port}/api/v1/status", timeout=ANSWER_S) as answer:
            said: dict[str, Any] = json.load(answer)
            return said
    except (URLError, OSError, ValueError):
        return {}


def _resident(pid: int | None) -> int:
    """Bytes of real memory."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) if pid else 0
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _written(pid: int | None) -> int:
    """Bytes that were given to the block layer."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines() if pid else []
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("write_bytes")), 0)


def _size(folder: Path) -> int:
    """Bytes on disk of a folder in which files come and go."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).stat().st_blocks * 512
            except OSError:
                continue
    return total
