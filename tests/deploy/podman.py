"""Podman with settings that work on small virtual machines, and images of its own that nobody else sees."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from subprocess import PIPE, STDOUT
from typing import Any

import pytest

from tests.deploy.rootfs import BASE, debian, need, pip_settings, run

ROOT = Path(__file__).parents[2]
IMAGE = "edge-agent"
BROKER = "docker.io/library/eclipse-mosquitto:2"
# cgroupfs and files in the place of systemd and its journal, runc for kernels that crun finds too old.
CONF = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
"""


class Podman:
    """`podman("ps")` → what it prints; images and containers live below `folder`."""

    def __init__(self, folder: Path) -> None:
        need("podman", "runc", "mmdebstrap")
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "containers.conf").write_text(CONF)
        self.environ = {**os.environ, "CONTAINERS_CONF": str(folder / "containers.conf")}
        self._where = ["--root", folder / "storage", "--runroot", folder / "run"]

    def __call__(self, *words: object, **more: Any) -> str:
        return run("podman", *self._where, *words, env=self.environ, **more).strip()

    def logs(self, container: str) -> str:
        """What it has said so far, on either way."""
        words = ["podman", *self._where, "logs", container]
        said = subprocess.run(words, env=self.environ, stdout=PIPE, stderr=STDOUT, text=True, timeout=60, check=False)
        return said.stdout

    def has(self, image: str) -> bool:
        """Whether the image is there."""
        return bool(self("images", "--quiet", image))

    def imported(self, name: str, root: Path, *changes: str) -> None:
        """An image of a root file system."""
        if self.has(name):
            return
        archive = self.folder / "root.tar"
        run("tar", "--create", "--file", archive, "--directory", root, "--exclude=./var/cache/apt/*",
            "--exclude=./var/lib/apt/lists/*", ".")  # fmt: skip
        self("import", *(word for change in changes for word in ("--change", change)), archive, name)
        archive.unlink()

    def make_base(self) -> None:
        """What the Containerfile asks for, under its name, with the authorities that this computer trusts."""
        root = debian(self.folder / "python", "python3", "python3-venv", "ca-certificates")
        authorities = Path("/etc/ssl/certs/ca-certificates.crt")
        if authorities.exists():
            shutil.copy(authorities, root / authorities.relative_to("/"))
        self.imported(BASE, root)

    def make_broker(self) -> None:
        """Debian's mosquitto where compose.yaml looks for its own."""
        root = debian(self.folder / "mosquitto", "mosquitto", "mosquitto-clients")
        told = 'ENTRYPOINT ["/usr/sbin/mosquitto", "-c", "/mosquitto/config/mosquitto.conf"]'
        run("chroot", root, "sh", "-c", "install -d -o 1883 -g 1883 /mosquitto/data")
        self.imported(BROKER, root, told)

    def build(self) -> None:
        """The very Containerfile; of the builds before, those of a day are kept, for their layers."""
        self.make_base()
        self("image", "prune", "--force", "--filter", "until=24h")
        secret = f"id=pipconf,src={pip_settings(self.folder)}"
        file = ROOT / "deploy" / "Containerfile"
        self("build", "--format=docker", "--network=host", "--pull=never", "--secret", secret, "--file", file, "--tag", IMAGE, ROOT)  # noqa: E501

    def inspect(self, image: str) -> dict[str, Any]:
        """What is known of an image."""
        [found] = json.loads(self("image", "inspect", image))
        return dict(found)


def can_run(podman: Podman) -> None:
    """Skip where no container can be started at all."""
    try:
        podman("run", "--rm", "--network=none", BASE, "true")
    except AssertionError as error:
        pytest.skip(f"no container can be run here: {str(error).strip().splitlines()[-1]}")
