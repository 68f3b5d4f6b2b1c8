"""Files that a destination's section names, and that must be there once it connects."""

from __future__ import annotations

from pathlib import Path


def warnings_of(**files: Path | None) -> list[str]:
    """A sentence for each that cannot be read now, by its key: a site file may be checked on another computer."""
    said = []
    for key, path in files.items():
        try:
            if path is not None:
                path.open("rb").close()
        except OSError as error:
            said.append(f"{key}: {path} cannot be read here ({error.strerror}); until it can, nothing is sent")
    return said
