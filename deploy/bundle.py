"""Makes the offline bundle: everything `install.sh` needs on a gateway that reaches no package index.

    python deploy/bundle.py --arch aarch64          what `make bundle ARCH=aarch64` runs; result in dist/, with its hash

    edge-agent-0.1.0-linux-aarch64.tar.gz
      install.sh, systemd/    as in this folder
      wheels/                 the agent, all it needs, and pip, for each Python version
      requirements-3.11.txt   the wheels of that version, each with its SHA-256
      sbom.cdx.json           what is in it (CycloneDX 1.6), with licences and who needs whom
      VERSION, ARCH, SHA256SUMS
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE))
from sbom import Wheel, write_sbom  # noqa: E402 (beside this file, which is no package)

ARCHS: Final = ("x86_64", "aarch64")
# Of Debian 12 and Raspberry Pi OS 12, Ubuntu 24.04, Debian 13 and Raspberry Pi OS 13.
PYTHONS: Final = ("3.11", "3.12", "3.13")
# glibc of the oldest of these is 2.36; pip takes only what it is told.
GLIBCS: Final = (
    "manylinux_2_34", "manylinux_2_31", "manylinux_2_28", "manylinux_2_27", "manylinux_2_24", "manylinux_2_17",
    "manylinux2014", "manylinux_2_12", "manylinux2010", "manylinux_2_5", "manylinux1",
)  # fmt: skip
EXTRA: Final = "ui"


def main(arguments: list[str] | None = None) -> int:
    """The path of the bundle goes to stdout."""
    parser = argparse.ArgumentParser(description="Make the offline bundle.")
    parser.add_argument("--arch", choices=ARCHS, required=True)
    parser.add_argument("--pythons", nargs="+", default=list(PYTHONS), metavar="3.N")
    parser.add_argument("--out", type=Path, default=HERE.parent / "dist")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        print(make(Path(folder), options.arch, options.pythons, options.out))
    return 0


def make(folder: Path, arch: str, pythons: Iterable[str], out: Path) -> Path:
    """Gather everything in `folder`, and pack it; raises CalledProcessError where pip cannot have a wheel."""
    wheels = folder / "wheels"
    wheels.mkdir()
    ours = own_wheel(wheels)
    _pip("download", "--no-deps", "--only-binary=:all:", "--dest", wheels, "pip")
    needed: dict[Path, Wheel] = {}
    for python in pythons:
        of_version = gather(ours, wheels, arch, python)
        needed |= {wheel.path: wheel for wheel in of_version}
        lines = sorted(f"{one.name}=={one.version} --hash=sha256:{one.sha256}" for one in of_version)
        (folder / f"requirements-{python}.txt").write_text("\n".join(lines) + "\n")
    version = Wheel(ours).version
    for name in ("install.sh", "README.md", "systemd"):
        _copy(HERE / name, folder / name)
    (folder / "VERSION").write_text(f"{version}\n")
    (folder / "ARCH").write_text(f"{arch}\n")
    write_sbom(folder / "sbom.cdx.json", Wheel(ours), list(needed.values()))
    _sums(folder)
    return _pack(folder, out / f"edge-agent-{version}-linux-{arch}.tar.gz")


def own_wheel(folder: Path) -> Path:
    """This checkout as a wheel."""
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, HERE.parent)
    [made] = folder.glob("edge_agent-*.whl")
    return made


def gather(ours: Path, wheels: Path, arch: str, python: str) -> list[Wheel]:
    """Every wheel that the agent needs on this computer and Python, fetched; ours first."""
    platforms = [f"--platform={glibc}_{arch}" for glibc in GLIBCS]
    with tempfile.TemporaryDirectory(dir=wheels) as name:
        fresh = Path(name)
        fetch = ["download", "--only-binary=:all:", *platforms, f"--python-version={python}", "--dest", fresh]
        _pip(*fetch, "--find-links", wheels, f"{ours}[{EXTRA}]")
        # pip asks the markers of this Python; what another one needs besides is found here.
        while missing := list(unmet(map(Wheel, fresh.glob("*.whl")), arch, python)):
            _pip(*fetch, *missing)
        return [Wheel(path.replace(wheels / path.name)) for path in sorted(fresh.glob("*.whl"))]


def unmet(wheels: Iterable[Wheel], arch: str, python: str) -> Iterator[str]:
    """Requirements of the wheels that none of them meets."""
    there = {wheel.name: wheel for wheel in wheels}
    for requirement in closure(there, arch, python):
        if canonicalize_name(requirement.name) not in there:
            yield f"{requirement.name}{requirement.specifier}"


def closure(there: dict[str, Wheel], arch: str, python: str) -> Iterator[Requirement]:
    """What is required, from the agent on, on such a computer."""
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.99",
                   "platform_machine": arch, "sys_platform": "linux"}  # fmt: skip
    waiting, seen = [("edge-agent", EXTRA)], set[tuple[str, str]]()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen or name not in there:
            continue
        seen.add((name, extra))
        for text in there[name].requires:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({**environment, "extra": extra}):
                yield requirement
                needed = canonicalize_name(requirement.name)
                waiting += [(needed, inner) for inner in ("", *requirement.extras)]


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)


def _sums(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines))


def _pack(folder: Path, target: Path) -> Path:
    """The same content gives the same names, owners and rights, whoever packs it; its hash goes beside it."""

    def plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.uid = info.gid = 0
        info.uname = info.gname = "root"
        info.mode = 0o755 if info.isdir() or info.name.endswith("install.sh") else 0o644
        return info

    with tarfile.open(target, "w:gz", compresslevel=1) as archive:      # wheels are packed already
        archive.add(folder, target.name.removesuffix(".tar.gz"), filter=plain)
    with target.open("rb") as packed:
        digest = hashlib.file_digest(packed, "sha256").hexdigest()
    target.with_name(f"{target.name}.sha256").write_text(f"{digest}  {target.name}\n")
    return target


def _pip(command: str, *words: object) -> None:
    call = [sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check", *map(str, words)]
    subprocess.run(call, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
