"""Commented sample site files: the files of `configs/`, shipped with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Final

# In a wheel they lie beside this file, in a checkout in the repository's own folder.
_FOLDERS: Final = (Path(__file__).parent / "samples", Path(__file__).parents[2] / "configs")


def samples() -> tuple[str, ...]:
    """The names of all samples, sorted."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


def sample(name: str) -> str:
    """The text of one sample; KeyError names those there are."""
    if name not in samples():
        raise KeyError(f"there is no sample {name!r}; there are {', '.join(samples())}")
    return (_folder() / f"{name}.yaml").read_text("utf-8")


def messages() -> tuple[str, ...]:
    """The names of all samples of templates of messages (profile `template`), sorted."""
    return tuple(sorted(path.stem for path in (_folder() / "messages").glob("*.yaml")))


def message_sample(name: str) -> str:
    """The text of one of them."""
    return (_folder() / "messages" / f"{name}.yaml").read_text("utf-8")


def _folder() -> Path:
    return next((folder for folder in _FOLDERS if folder.is_dir()), _FOLDERS[0])
