"""The offline bundle: what is in it, and that it makes a gateway of a bare Debian without a network."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packaging.utils import canonicalize_name

from edge_agent import __version__
from tests.deploy.bundles import AWAY, HERE, bundle_module, made, platforms_of
from tests.deploy.rootfs import debian, need, run

ARCHS = ("x86_64", "aarch64")
# Of a test that every run has: what the index has is asked of it, not waited for.
PATIENCE_S = 100


@pytest.fixture(scope="module")
def root(kept: Path, bundle: Path) -> Iterator[Path]:
    """A bare Debian, with what its standard installation has of Python, and the bundle in /root."""
    need("unshare", "chroot")
    fresh = kept / "gateway"
    shutil.rmtree(fresh, ignore_errors=True)
    run("cp", "--archive", debian(kept / "bare", "python3"), fresh)
    shutil.copytree(bundle, fresh / "root" / "bundle")
    yield fresh
    shutil.rmtree(fresh, ignore_errors=True)


def inside(root: Path, command: str, **more: object) -> str:
    """In the root, with /proc and /dev/null, loopback, and no other network."""
    script = f'mount -t proc proc "{root}/proc"; ip link set lo up 2>/dev/null; exec chroot "{root}" sh -c "$1"'
    return run("unshare", "--net", "--mount", "--pid", "--fork", "sh", "-c", script, "sh", command, **more)


def refused(root: Path, command: str) -> str:
    """What it says of that which it does not do."""
    with pytest.raises(AssertionError) as failed:
        inside(root, command)
    return str(failed.value)


# -- what is in it -------------------------------------------------------------------------------


@pytest.mark.deploy
@pytest.mark.parametrize("arch", ARCHS)
def test_a_bundle_for_every_python_has_every_wheel_with_its_hash(arch: str, tmp_path: Path) -> None:
    folder = made(arch, tmp_path)
    assert (folder / "ARCH").read_text() == f"{arch}\n"
    assert (folder / "VERSION").read_text() == f"{__version__}\n"
    run("sha256sum", "--check", "--quiet", "SHA256SUMS", cwd=folder)
    listed = {line.split("  ")[1] for line in (folder / "SHA256SUMS").read_text().splitlines()}
    assert listed == {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {"SHA256SUMS"}
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "wheels").iterdir()}
    for python in ("3.11", "3.12", "3.13"):
        wanted = (folder / f"requirements-{python}.txt").read_text()
        named = set(re.findall(r"^([\w-]+)==", wanted, re.MULTILINE))
        assert {"edge-agent", "numpy", "asyncua", "cryptography", "uvloop"} <= named
        assert set(re.findall("sha256:([0-9a-f]+)", wanted)) <= hashes
    foreign = [one for one in ARCHS if one != arch]
    assert not [path.name for path in (folder / "wheels").iterdir() if any(one in path.name for one in foreign)]


@pytest.mark.deploy
def test_the_bill_of_materials_is_cyclonedx_and_whole(bundle: Path) -> None:
    text = (bundle / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    wanted = (bundle / "requirements-3.11.txt").read_text()
    listed = {f"{one['name']}=={one['version']}" for one in [*bill["components"], bill["metadata"]["component"]]}
    assert listed == set(re.findall(r"^(\S+==\S+) ", wanted, re.MULTILINE))
    unlicensed = [one["name"] for one in bill["components"] if not one.get("licenses")]
    assert not unlicensed, "nobody may use what has no licence"
    [of_agent] = [one for one in bill["dependencies"] if one["ref"].startswith("edge_agent-")]
    assert any(ref.startswith("numpy-") for ref in of_agent["dependsOn"])


# -- on a gateway without a network ----------------------------------------------------------------


@pytest.mark.deploy
def test_it_installs_on_a_bare_debian_without_a_network_and_the_agent_runs(root: Path, bundle: Path) -> None:
    said = inside(root, "umask 077; /root/bundle/install.sh && su -s /bin/sh edge-agent -c 'edge-agent --version'")
    assert said.count(f"edge-agent {__version__}") == 2
    size = int(run("du", "--summarize", "--bytes", root / "opt" / "edge-agent").split()[0])
    print(f"\ninstalled: {size / 1e6:.0f} MB on {HERE}")
    ran = inside(
        root,
        "su -s /bin/sh edge-agent -c 'cd /var/lib/edge-agent; edge-agent run /etc/edge-agent/site.yaml 2>log & "
        "for n in $(seq 600); do sleep 0.5; edge-agent status --json >status.json 2>err && break; done; "
        "kill $!; wait $!; echo ended $?'; "
        "cat /var/lib/edge-agent/status.json /var/lib/edge-agent/err",
    )
    assert ran.startswith("ended 0\n"), ran
    status = json.loads(ran.partition("\n")[2])
    assert status["devices"]["toy-1"]["state"] == "connected"
    assert status["version"] == __version__


@pytest.mark.deploy
def test_the_same_again_repairs_and_keeps_what_is_the_gateways_own(root: Path) -> None:
    own = {name: (root / "etc" / "edge-agent" / name).read_bytes() for name in ("site.yaml", "secrets.env", "web.key")}
    inside(root, "rm /opt/edge-agent/current/bin/edge-agent; /root/bundle/install.sh; edge-agent --version")
    assert {name: (root / "etc" / "edge-agent" / name).read_bytes() for name in own} == own
    assert len(list((root / "opt" / "edge-agent" / "versions").iterdir())) == 2
    asked = "stat -c '%U:%G %a' /etc/edge-agent /etc/edge-agent/site.yaml /etc/edge-agent/secrets.env"
    asked += " /etc/edge-agent/web.key /var/lib/edge-agent /opt/edge-agent"
    assert inside(root, asked).splitlines() == [
        "edge-agent:edge-agent 750", "edge-agent:edge-agent 640", "root:edge-agent 640", "edge-agent:edge-agent 640",
        "edge-agent:edge-agent 750", "root:root 755",
    ]  # fmt: skip


@pytest.mark.deploy
def test_what_is_damaged_or_for_another_computer_changes_nothing(root: Path, bundle: Path) -> None:
    before = sorted(root.glob("opt/edge-agent/*/*"))
    wheel = next((root / "root" / "bundle" / "wheels").glob("numpy-*.whl"))
    content = wheel.read_bytes()
    wheel.write_bytes(content[:-1] + b"x")
    assert "the bundle is damaged" in refused(root, "/root/bundle/install.sh")
    wheel.write_bytes(content)
    arch = root / "root" / "bundle" / "ARCH"
    arch.write_text("vax\n")
    sums = root / "root" / "bundle" / "SHA256SUMS"
    told = sums.read_text()
    sums.write_text(re.sub(r"^\w+(?=  ARCH$)", hashlib.sha256(b"vax\n").hexdigest(), told, flags=re.MULTILINE))
    assert "this bundle is for vax" in refused(root, "/root/bundle/install.sh")
    arch.write_text(f"{HERE}\n")
    sums.write_text(told)
    for said, command in {
        "MB free": "mount -t tmpfs -o size=1m none /opt/edge-agent; /root/bundle/install.sh",
        "needs root": "cp /root/bundle/install.sh /tmp/; su -s /bin/sh edge-agent -c /tmp/install.sh",
        "in a bundle or a checkout": "/opt/edge-agent/current/install.sh",
        "Python 3.11 or later is missing": "mount --bind /bin/false /usr/bin/python3.11; /root/bundle/install.sh",
    }.items():
        assert said in refused(root, command)
    assert sorted(root.glob("opt/edge-agent/*/*")) == before


# -- wheels for the other computers ----------------------------------------------------------------


class Installed(NamedTuple):
    """What is installed here, as far as `bundle.closure` asks a wheel."""

    version: str
    requires: Sequence[str]


def needed_on(arch: str) -> dict[str, str]:
    """Everything that the agent with its pages needs there: name → which, as installed here if it is."""
    there = {
        canonicalize_name(one.metadata["Name"]): Installed(one.version, one.requires or []) for one in distributions()
    }
    wanted = {}
    for requirement in bundle_module().closure(there, arch, "3.11"):
        name = canonicalize_name(requirement.name)
        wanted[name] = f"{name}=={there[name].version}" if name in there else f"{name}{requirement.specifier}"
    return wanted


def test_there_is_a_wheel_for_arm64_of_everything_that_the_agent_needs(tmp_path: Path) -> None:
    """By name and version, for Debian 12: nothing is compiled on a gateway. Nothing is installed, and where the index
    tells apart what describes a wheel, only that is fetched."""
    wanted = needed_on("aarch64")
    assert {"numpy", "uvloop", "cryptography", "orjson", "pydantic-core", "nicegui"} <= wanted.keys()
    report = tmp_path / "report.json"
    call = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run", "--no-deps",
            "--ignore-installed", "--only-binary=:all:", "--python-version=3.11", *platforms_of("aarch64"),
            f"--target={tmp_path / 'nowhere'}", f"--report={report}", *wanted.values()]  # fmt: skip
    try:
        done = subprocess.run(call, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"the package index has not said within {PATIENCE_S} s what it has for arm64")
    if done.returncode and any(word in done.stderr for word in AWAY):
        pytest.skip(f"no package index can be reached here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    wheels = json.loads(report.read_text())["install"]
    found = {canonicalize_name(one["metadata"]["name"]): one["download_info"]["url"] for one in wheels}
    assert found.keys() == wanted.keys()
    compiled = {name for name, url in found.items() if not url.endswith("-any.whl")}
    assert {"numpy", "uvloop", "cryptography", "orjson", "pydantic-core"} <= compiled
    for name in compiled:
        assert "aarch64" in found[name], f"{name}: {found[name]}"
