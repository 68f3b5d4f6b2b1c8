"""Stands where the pages' process does: writes what it was told into the file NICEGUI_TOLD, ends with its input."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    told: dict[str, Any] = {"pid": os.getpid(), "arguments": sys.argv[1:]}
    told["environment"] = list(os.environ)
    file = Path(os.environ["NICEGUI_TOLD"])
    file.with_suffix(".new").write_text(json.dumps(told))
    file.with_suffix(".new").replace(file)
    sys.stdin.read()
