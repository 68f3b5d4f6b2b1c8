"""Stands where the pages' process does: writes what it was told into the file PAGES_FILE, ends with its input."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    told = {"pid": os.getpid(), "arguments": sys.argv[1:], "nice": os.getpriority(os.PRIO_PROCESS, 0)}
    file = Path(os.environ["PAGES_FILE"])
    file.with_suffix(".new").write_text(json.dumps(told))
    file.with_suffix(".new").replace(file)
    sys.stdin.read()
