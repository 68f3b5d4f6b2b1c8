"""Files others wait for: a whole document or none."""

from __future__ import annotations

import json
from pathlib import Path


def write_json(path: Path, document: object) -> None:
    """Write a whole document or nothing: a reader never sees half of it."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)
