"""The same replay on Dask: machines shared out among workers, each of which reads the history for its own.

Machines know nothing of each other, so the reports are those of a replay on this computer. Workers must have this
package and see the history under the same paths.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_agent.errors import EdgeAgentError
from edge_agent.replay.plan import Plan
from edge_agent.replay.run import Replayed, run
from edge_agent.replay.sums import sums_of


class NoDask(EdgeAgentError):
    """Dask is not installed, or its scheduler cannot be reached: says what to do."""


def run_on_dask(plan: Plan, paths: Sequence[Path], scheduler: str | None = None) -> Replayed:
    """As `run`; on the cluster of the scheduler at this address, or on all cores of this computer if it is None.

    Raises `HistoryError` as `run` does, and `NoDask`.
    """
    if not find_spec("distributed"):
        raise NoDask("Dask is not installed; pip install 'edge-agent[replay]', or leave out --engine")
    import distributed

    connect: Any = distributed.Client       # says nothing of its types
    logging.getLogger("distributed").setLevel(logging.ERROR)        # what it says of its own coming and going
    here = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    try:
        client = connect(scheduler, timeout="10s") if scheduler else connect(**here)
    except (OSError, ValueError) as problem:
        raise NoDask(f"no Dask scheduler at {scheduler}: {problem}") from problem
    with client:
        shares = _shares(plan, len(client.scheduler_info(n_workers=-1)["workers"]))
        done: list[Any] = client.gather(client.map(_run, shares, paths=[path.absolute() for path in paths], pure=False))
    return _together(plan, done)


def _run(plan: Plan, paths: Sequence[Path]) -> Replayed:
    return run(plan, paths)


def _shares(plan: Plan, workers: int) -> list[Plan]:
    """The machines dealt out like cards."""
    names = [spec.id for spec in plan.specs]
    n = max(1, min(workers, len(names)))
    return [plan.only(names[at::n]) for at in range(n)]


def _together(plan: Plan, done: Sequence[Replayed]) -> Replayed:
    made = {name: outcome for one in done for name, outcome in one.machines.items()}
    machines = {spec.id: made[spec.id] for spec in plan.specs}
    told = done[0].told     # everyone reads the whole journal
    return Replayed(
        machines,
        sums_of(plan.scopes, machines, told),
        list(dict.fromkeys(note for one in done for note in one.notes)),
        min(one.first for one in done),
        max(one.last for one in done),
        sum(one.samples for one in done),
        told,
    )
