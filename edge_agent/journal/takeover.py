"""A journal that an earlier version wrote as one chain, in the folder itself, becomes the beginning of lane `samples`.

Its segments, cursors and what was set aside are renamed into the lane's folder, byte for byte, so it
needs no room and a crash in the middle only means that the rest is renamed when it is next opened.
From then on new events go to their own lane. What was in the old chain, of whatever kind, is delivered by
the cursors of lane `samples`, which take up where the old ones were; and until the first checkpoint of
lane `events` is written, `Journal.tail` reads back into the old chain.
"""

from __future__ import annotations

from pathlib import Path

from edge_agent.journal.disk import Disk
from edge_agent.journal.lane import LANES
from edge_agent.journal.segment import ASIDE, SUFFIX

CURSOR = ".cursor"


def prepare(disk: Disk, folder: Path) -> None:
    """Make the lanes' folders and move into them what an earlier version left. OSError."""
    names = disk.names(folder)
    for lane in LANES:
        if lane not in names:
            disk.make_folder(folder / lane)
            disk.sync_folder(folder)
    old = [name for name in names if name.endswith((SUFFIX, CURSOR, *ASIDE))]
    for name in old:
        disk.rename(folder / name, folder / "samples" / name)
    if old:
        disk.sync_folder(folder / "samples")
        disk.sync_folder(folder)
