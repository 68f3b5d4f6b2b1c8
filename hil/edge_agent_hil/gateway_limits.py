"""A small computer in a large one: limits on a process by control groups of Linux, version 2 or 1.

Control groups, docs.kernel.org: Admin Guide, cgroup-v2 (`cpu.max`, `memory.max`) and cgroup-v1 (`cpu.cfs_quota_us`,
`memory.limit_in_bytes`).
"""

from __future__ import annotations

import errno
import os
import time
from itertools import count
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
PERIOD_US = 100_000             # the kernel's own default
GONE_S = 5.0                    # after its last process has ended a group is busy for a moment
_numbers = count(1)


class NotPossible(Exception):
    """This computer does not let anyone do that; says why."""


class Limits:
    """One group a life long; `prefix` starts a command in it. NotPossible where groups may not be made."""

    def __init__(self, root: Path | None = None) -> None:
        root = root or ROOT
        name = f"edge-hil-{os.getpid()}-{next(_numbers)}"
        self._is_v2 = (root / "cgroup.controllers").exists()
        self._cpu = (root if self._is_v2 else root / "cpu") / name
        self._memory = (root if self._is_v2 else root / "memory") / name
        self.groups = list(dict.fromkeys((self._cpu, self._memory)))
        try:
            if self._is_v2:
                (root / "cgroup.subtree_control").write_text("+cpu +memory")
            for group in self.groups:
                group.mkdir()
        except OSError as error:
            self.close()
            raise NotPossible(f"no control group may be made below {root}: {error.strerror}") from error

    @property
    def prefix(self) -> tuple[str, ...]:
        """Of a command that is to run in it."""
        enter = "".join(f"echo $$ > {group}/cgroup.procs && " for group in self.groups)
        return ("sh", "-c", f'{enter}exec "$@"', "sh")

    def cpu(self, share: float | None) -> None:
        """So much of one core: 0.25 is a quarter; None: no limit."""
        if self._is_v2:
            quota = "max" if share is None else str(round(share * PERIOD_US))
            self._write(self._cpu / "cpu.max", f"{quota} {PERIOD_US}")
        else:
            self._write(self._cpu / "cpu.cfs_quota_us", str(-1 if share is None else round(share * PERIOD_US)))

    def memory(self, limit: int | None) -> None:
        """So many bytes; the kernel kills who needs more. None: no limit."""
        if self._is_v2:
            self._write(self._memory / "memory.max", "max" if limit is None else str(limit))
        else:
            self._write(self._memory / "memory.limit_in_bytes", str(-1 if limit is None else limit))

    def _write(self, file: Path, text: str) -> None:
        try:
            file.write_text(text)
        except OSError as error:
            raise NotPossible(f"{file} does not take {text!r}: {error.strerror}") from error

    def close(self) -> None:
        """No more groups; nobody may be left in them."""
        end = time.monotonic() + GONE_S
        for group in self.groups:
            while group.exists():
                try:
                    group.rmdir()
                except OSError as error:
                    if error.errno != errno.EBUSY or time.monotonic() > end:
                        break
                    time.sleep(0.02)
