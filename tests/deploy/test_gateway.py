"""A gateway under a real systemd: the installer, the hardened service, its watchdog, an update that fails."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.podman import Podman
from tests.deploy.rootfs import debian
from tests.peers.waiting import wait_for

pytestmark = pytest.mark.deploy

IMAGE = "gateway"
UNIT = "edge-agent"


class Gateway:
    """A Debian that has booted; `gateway("systemctl", …)` → what it prints."""

    def __init__(self, podman: Podman, container: str) -> None:
        self._podman = podman
        self.container = container

    def __call__(self, *words: object) -> str:
        return self._podman("exec", self.container, *words, seconds=1500)

    def tried(self, *words: object) -> str:
        """The same of a command that fails; what it said."""
        with pytest.raises(AssertionError) as failed:
            self(*words)
        return str(failed.value)

    def shows(self, name: str) -> str:
        """A property of the service."""
        return self("systemctl", "show", "--property", name, "--value", UNIT)


@pytest.fixture(scope="module")
def gateway(kept: Path, bundle: Path) -> Iterator[Gateway]:
    podman = Podman(kept / "podman")
    podman.imported(IMAGE, debian(kept / "gateway-root", "systemd", "systemd-sysv", "dbus", "python3", "procps"))
    # Privileged, for the service makes namespaces of its own; without any network.
    told = ["--detach", "--privileged", "--network=none", "--systemd=always", f"--volume={bundle}:/bundle"]
    container = podman("run", *told, IMAGE, "/lib/systemd/systemd")
    held = Gateway(podman, container)

    def has_booted() -> bool:
        try:
            return held("sh", "-c", "systemctl is-system-running || true") in ("running", "degraded")
        except AssertionError:
            return False

    try:
        try:
            wait_for(has_booted, 60, "systemd boots")
        except pytest.fail.Exception:
            pytest.skip(f"systemd does not boot in a container here: {podman.logs(container)[-500:]}")
        yield held
    finally:
        podman("rm", "--force", "--time=0", "--volumes", container)


def test_it_installs_and_the_service_is_ready_and_tells_how_it_is(gateway: Gateway) -> None:
    said = gateway("sh", "-c", "umask 077; exec /bundle/install.sh 2>&1")
    assert re.search(r"pages: https://\w+:8443, code of the first visit: [\w-]+$", said)
    assert gateway.shows("ActiveState") == "active"
    assert gateway.shows("NotifyAccess") == "main"
    assert gateway.shows("StatusText") == "1 of 1 devices, 0 of 0 destinations connected"
    assert gateway("sh", "-c", "ps -o user= -p $(systemctl show -P MainPID edge-agent)").startswith("edge-age")
    assert "toy-1" in gateway("edge-agent", "status")
    page = "import ssl, urllib.request as u; c = ssl.create_default_context(cafile='/etc/edge-agent/web.pem'); "
    page += "print(u.urlopen('https://localhost:8443', context=c, timeout=60).status)"
    wait_for(lambda: gateway("sh", "-c", f'python3 -c "{page}" || true') == "200", 60, "the pages are served")


def test_the_watchdog_starts_an_agent_anew_that_hangs(gateway: Gateway) -> None:
    drop_in = "/etc/systemd/system/edge-agent.service.d"
    gateway("sh", "-c", f"mkdir -p {drop_in}; printf '[Service]\\nWatchdogSec=5\\n' > {drop_in}/fast.conf")
    gateway("systemctl", "daemon-reload")
    gateway("systemctl", "restart", UNIT)
    before = gateway.shows("MainPID")
    gateway("kill", "-STOP", before)
    wait_for(lambda: gateway.shows("MainPID") not in (before, "0"), 60, "another process")
    wait_for(lambda: gateway.shows("ActiveState") == "active", 60, "it is ready again")
    assert int(gateway.shows("NRestarts")) >= 1
    gateway("rm", "-r", drop_in)
    gateway("systemctl", "daemon-reload")
    gateway("systemctl", "restart", UNIT)


def test_a_wrong_site_file_is_no_reason_to_start_again_and_again(gateway: Gateway) -> None:
    gateway("sh", "-c", "cp /etc/edge-agent/site.yaml /root/; echo 'nonsense: 1' >> /etc/edge-agent/site.yaml")
    gateway.tried("systemctl", "restart", UNIT)
    assert gateway.shows("ExecMainStatus") == "78"
    assert gateway.shows("ActiveState") == "failed"
    gateway("sh", "-c", "cp /root/site.yaml /etc/edge-agent/site.yaml")
    gateway("systemctl", "restart", UNIT)


def test_an_update_keeps_the_version_before_and_one_can_go_back(gateway: Gateway) -> None:
    first = gateway("readlink", "/opt/edge-agent/current")
    gateway("/bundle/install.sh")
    second = gateway("readlink", "/opt/edge-agent/current")
    assert second != first == gateway("readlink", "/opt/edge-agent/previous")
    gateway("/opt/edge-agent/current/install.sh", "rollback")
    assert gateway("readlink", "/opt/edge-agent/current") == first
    assert gateway("readlink", "/opt/edge-agent/previous") == second
    assert gateway.shows("ActiveState") == "active"


def test_a_version_that_does_not_take_the_site_file_is_not_gone_back_to(gateway: Gateway) -> None:
    before = gateway("readlink", "/opt/edge-agent/current"), gateway.shows("MainPID")
    gateway("sh", "-c", "cp /etc/edge-agent/site.yaml /root/; echo 'nonsense: 1' >> /etc/edge-agent/site.yaml")
    assert "nothing was changed" in gateway.tried("/opt/edge-agent/current/install.sh", "rollback")
    gateway("sh", "-c", "cp /root/site.yaml /etc/edge-agent/site.yaml")
    assert (gateway("readlink", "/opt/edge-agent/current"), gateway.shows("MainPID")) == before


def test_pages_that_the_kernel_ends_for_want_of_memory_leave_the_agent_alone(gateway: Gateway) -> None:
    before = gateway.shows("MainPID")
    pages = gateway("pgrep", "--parent", before)
    assert gateway("cat", f"/proc/{pages}/oom_score_adj") > gateway("cat", f"/proc/{before}/oom_score_adj")
    assert gateway.shows("OOMPolicy") == "continue"
    gateway("kill", "-KILL", pages)
    wait_for(lambda: gateway("sh", "-c", f"pgrep --parent {before} || true") not in ("", pages), 60, "pages again")
    assert gateway.shows("MainPID") == before


def test_an_update_that_does_not_come_up_is_undone(gateway: Gateway) -> None:
    """The new version answers its version and checks the site file, and then cannot run."""
    before = gateway("readlink", "/opt/edge-agent/current"), gateway("readlink", "/opt/edge-agent/previous")
    broken = "sed -i 's|^ExecStart=.*|ExecStart=/bin/false|' systemd/edge-agent.service"
    sums = "find . -type f ! -name SHA256SUMS | sed 's|^./||' | xargs sha256sum > SHA256SUMS"
    gateway("sh", "-c", f"cp -r /bundle /broken && cd /broken && {broken} && {sums}")
    said = gateway.tried("env", "COMES_UP_S=30", "/broken/install.sh")
    assert "the version before is back and works" in said
    assert (gateway("readlink", "/opt/edge-agent/current"), gateway("readlink", "/opt/edge-agent/previous")) == before
    assert gateway.shows("ActiveState") == "active"
    assert gateway("sh", "-c", "ls /opt/edge-agent/versions").count("0.1.0") <= 2


def test_nothing_of_all_that_was_unexpected(gateway: Gateway) -> None:
    said = gateway("journalctl", "--unit", UNIT, "--output", "cat", "--no-pager")
    assert said.count("listening") > 3, "its log is read"
    assert "unexpected error" not in said
    assert "Traceback" not in said


def test_removing_leaves_settings_and_data(gateway: Gateway) -> None:
    gateway("/bundle/install.sh", "remove")
    assert gateway("ls", "/etc/edge-agent").split() == ["secrets.env", "site.yaml", "web.key", "web.pem"]
    assert "journal" in gateway("ls", "/var/lib/edge-agent")
    gateway.tried("ls", "/opt/edge-agent")
