"""`edge-agent check SITE.yaml --connect`: tries each device, tag and destination once, as the agent would.

No agent is started: nothing is written to the journal, nothing sent, no port opened. To equipment it is one more client
for a few seconds; to a broker it is another one than the agent, whose session a second client of its name would end.
The first Ctrl-C ends it with what is known, the second at once.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence

import orjson

from edge_agent.agent import Prepared
from edge_agent.config import Site
from edge_agent.connect_check.row import DestinationRow, DeviceRow
from edge_agent.connect_check.table import all_fine, document, lines
from edge_agent.connect_check.trial import Trial

DONE, FAILED = 0, 1
SECONDS = 10.0
"""how long a device or destination has, unless told otherwise"""


def run(site: Site, ready: Prepared, warnings: Sequence[str], seconds: float | None, as_json: bool) -> int:
    """Try everything, print the rows; the exit code."""
    trial = Trial(site, ready, seconds or SECONDS)
    if not as_json:
        print(f"trying {trial}, each for at most {trial.seconds:g} s", file=sys.stderr)
    try:
        asyncio.run(_interruptible(trial))
    except asyncio.CancelledError:
        print("edge-agent: stopped; nothing is shown", file=sys.stderr)
        return FAILED
    _show(trial.devices, trial.destinations, warnings, as_json)
    return DONE if all_fine(trial.devices, trial.destinations) else FAILED


async def _interruptible(trial: Trial) -> None:
    stop = asyncio.Event()
    task = asyncio.current_task()
    assert task is not None

    def enough() -> None:
        if stop.is_set():
            task.cancel()
        else:
            stop.set()
            print("ending with what is known so far; once more to drop it", file=sys.stderr)

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, enough)
    await trial.run(stop)


def _show(
    devices: Sequence[DeviceRow], destinations: Sequence[DestinationRow], warnings: Sequence[str], as_json: bool
) -> None:
    if as_json:
        said = {"ok": all_fine(devices, destinations), "mistakes": [], "warnings": list(warnings)}
        text = orjson.dumps({**said, **document(devices, destinations)}, option=orjson.OPT_INDENT_2)
        sys.stdout.buffer.write(text + b"\n")
    else:
        print("\n".join(lines(devices, destinations)))
