"""Several scenarios, one after the other: played, judged, told, reported."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from edge_agent_hil.part import Interrupted, Parts
from edge_agent_hil.runner.conduct import conduct
from edge_agent_hil.runner.judge import judge
from edge_agent_hil.runner.junit import junit
from edge_agent_hil.runner.load import Loaded
from edge_agent_hil.runner.page import Result, page
from edge_agent_hil.runner.played import Played
from edge_agent_hil.runner.progress import Progress
from edge_agent_hil.runner.stage import Options
from edge_agent_hil.runner.table import summary, table

LOOK_EVERY_S = 0.1
# In a folder that may be removed when the scenario is played again.
OURS = ".edge-hil"


def play_all(scenarios: Sequence[Loaded], options: Options, report: Path | None, stop: threading.Event) -> list[Result]:
    """What came of each. With a folder for the `report`, it and the files of every scenario are there, after each one,
    so that who is interrupted has what there is. Interrupted once `stop` is set."""
    results: list[Result] = []
    with Progress(len(scenarios)) as progress:
        for loaded in scenarios:
            progress.begin(loaded.name)
            played = _play(loaded, options, report, progress, stop)
            verdicts = judge(played)
            results.append((played, verdicts))
            progress.end(table(played, verdicts))
            if report:
                (report / "report.html").write_text(page(results), encoding="utf-8")
                (report / "junit.xml").write_bytes(junit(results))
        if len(results) > 1:
            progress.end(summary(results))
    return results


def _play(loaded: Loaded, options: Options, report: Path | None, progress: Progress, stop: threading.Event) -> Played:
    with _folder(report, loaded.name) as folder, Parts(folder, stop) as parts:

        async def play() -> Played:
            playing = asyncio.create_task(conduct(loaded, options, folder, parts, progress.tell))
            while not playing.done():
                if stop.is_set():
                    playing.cancel()
                    await asyncio.gather(playing, return_exceptions=True)
                    raise Interrupted
                await asyncio.wait({playing}, timeout=LOOK_EVERY_S)
            return playing.result()

        return asyncio.run(play())


@contextmanager
def _folder(report: Path | None, name: str) -> Iterator[Path]:
    """Where the files of a scenario are: in the report, or gone afterwards."""
    if report is None:
        with tempfile.TemporaryDirectory(prefix="edge-hil-") as passing:
            yield Path(passing)
        return
    folder = report / name
    if folder.exists() and not (folder / OURS).exists():
        raise OSError(f"{folder} is in the way: it was not made by edge-hil run")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / OURS).touch()
    yield folder
