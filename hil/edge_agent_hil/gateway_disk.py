"""Where an agent's data lie, and how it gets full: a small file system of its own, or a limit on its files."""

from __future__ import annotations

import resource
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

UNLIMITED = resource.RLIM_INFINITY


class Disk:
    """A folder, made here; with `size_mb` a tmpfs of that size, where one may be mounted."""

    def __init__(self, folder: Path, size_mb: int = 0) -> None:
        self.inside = self.seen = folder
        """as the agent sees it, and as everyone else does"""
        folder.mkdir(parents=True)
        self.is_full = False
        self._holder: subprocess.Popen[bytes] | None = None
        if size_mb and shutil.which("unshare") and shutil.which("nsenter"):
            self._mount(size_mb)

    def _mount(self, size_mb: int) -> None:
        """In a name space that lives as long as its holder: whatever happens, no mount stays behind."""
        mount = f'mount -t tmpfs -o size={size_mb}m none "$1" && echo ready && exec sleep 86400'
        command = ["unshare", "-m", "sh", "-c", mount, "sh", str(self.inside)]
        holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603
        assert holder.stdout is not None
        with holder.stdout as said:
            mounted = said.readline() == b"ready\n"
        if not mounted:
            holder.wait()
            return
        self._holder = holder
        self.seen = Path(f"/proc/{holder.pid}/root{self.inside}")

    @property
    def prefix(self) -> tuple[str, ...]:
        """Of a command that runs the agent: it finds the disk as it is."""
        if self._holder:
            return ("nsenter", "-t", str(self._holder.pid), "-m", "--")
        return ("sh", "-c", 'ulimit -S -f 0 && exec "$@"', "sh") if self.is_full else ()

    @property
    def kind(self) -> str:
        """How it is filled."""
        return "tmpfs" if self._holder else "RLIMIT_FSIZE"

    def fill(self, pid: int) -> None:
        """Not a byte more, for the agent `pid`."""
        self.is_full = True
        if not self._holder:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, UNLIMITED))
            return
        with (self.seen / "filler").open("wb", buffering=0) as filler:
            for piece in (1 << 20, 4096, 1):
                try:
                    while filler.write(bytes(piece)) == piece:
                        pass
                except OSError:
                    pass        # smaller pieces find the last corners

    def free(self, pid: int | None) -> None:
        """Room again, for the agent, if there is one."""
        self.is_full = False
        if self._holder:
            (self.seen / "filler").unlink(missing_ok=True)
        elif pid is not None:
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))

    def close(self) -> None:
        """Unmount; what was on it is left in the folder beneath, for whoever wants to know why a run was red."""
        if self._holder:
            if self.seen.exists():
                shutil.copytree(self.seen, self.inside, dirs_exist_ok=True, ignore=shutil.ignore_patterns("filler"))
            self._holder.kill()
            self._holder.wait()
            self._holder = None
