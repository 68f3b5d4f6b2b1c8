"""What a worn memory card does to an agent's journal while its power is off."""

from __future__ import annotations

from pathlib import Path
from random import Random

# Smaller ones have hardly anything in them.
LARGE = 4096


def overwrite(folder: Path, dice: Random) -> str:
    """Damage one of the journal's segments; which, or '' if all are small."""
    segments = _segments(folder)
    return _spoil(dice.choice(segments), dice) if segments else ""


def overwrite_newest(folder: Path, dice: Random) -> list[str]:
    """Damage the newest segment of each lane, which is read again when the agent starts; which, but for small ones."""
    lanes = {path.parent: path for path in _segments(folder)}
    return [_spoil(path, dice) for path in lanes.values()]


def _segments(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.seg") if path.stat().st_size > LARGE)


def _spoil(path: Path, dice: Random) -> str:
    """In its younger half, where what nobody has heard yet is likelier to lie."""
    size = path.stat().st_size
    place = dice.randrange(size // 2, size - 1)
    with path.open("r+b") as file:
        file.seek(place)
        file.write(dice.randbytes(dice.choice((1, 64, 512))))
    return f"{path.name} at {place}"
