"""An agent that only says what time it is and whether it could write: `tiny_agent run SITE`, of which it reads nothing.
A file `hog` in its data makes it take a megabyte a moment, one `busy` all of a core.

A line a moment: `{"now": ns, "believed": whether the kernel believes its clock, "wrote": whether the disk took it}`.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

from edge_agent.clock_sync import is_synchronised


def stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


def main() -> None:
    signal.signal(signal.SIGTERM, stop)
    data = Path(sys.argv[2]).parent / "data"
    hog = bytearray()
    while True:
        try:
            with (data / "written").open("ab", buffering=0) as file:
                wrote = file.write(bytes(64)) == 64
        except OSError:
            wrote = False
        with suppress(OSError):         # a full disk takes no log either
            print(json.dumps({"now": time.time_ns(), "believed": is_synchronised(), "wrote": wrote}), flush=True)
        if (data / "hog").exists():
            hog += bytes(1 << 20)
        while (data / "busy").exists():
            pass
        time.sleep(0.02)


if __name__ == "__main__":
    main()
