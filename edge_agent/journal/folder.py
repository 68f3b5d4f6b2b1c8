"""The journal's folder: there, writable, and ours alone."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from edge_agent.journal.disk import Disk


class FolderUnusable(OSError):
    """The journal's folder cannot be created or written, or another process has it: do not start."""


_NO_LOCKS = (errno.EBADF, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)


def claim(folder: Path) -> tuple[int, str]:
    """Create the folder if need be and lock it; returns the descriptor that holds the lock, and a note
    if this file system knows no locks. Writes nothing: it works on a full disk."""
    try:
        _make(folder)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _unusable(error.errno or 0, "the journal cannot use its folder", folder) from error
    try:
        _check(folder)
        return fd, _lock(fd, folder)
    except OSError:
        os.close(fd)
        raise


def _make(folder: Path) -> None:
    """With all above it, durably: what is synced in a folder is nowhere if the folder is gone after a power cut."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        with suppress(OSError):     # a parent that we may not read
            Disk().sync_folder(one.parent)


def _unusable(number: int, what: str, folder: Path) -> FolderUnusable:
    return FolderUnusable(number, f"{what}: {os.strerror(number)}", str(folder))


def _check(folder: Path) -> None:
    if not os.access(folder, os.W_OK | os.X_OK):
        read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
        number = errno.EROFS if read_only else errno.EACCES
        raise _unusable(number, "the journal cannot write to its folder", folder)


def _lock(fd: int, folder: Path) -> str:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        message = "another process has this journal open; stop it, or give this agent a data_dir of its own"
        raise FolderUnusable(errno.EBUSY, message, str(folder)) from error
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return f"this file system knows no locks ({error.strerror}): nothing stops a second agent in {folder}"
    return ""
