"""The very Containerfile, built and run: its size, its user, its health, its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.podman import IMAGE, Podman
from tests.deploy.rootfs import BASE
from tests.peers.waiting import wait_for

pytestmark = pytest.mark.deploy

OWN_LAYERS = 200_000_000
SITE = """
agent: {id: gw-1, timezone: UTC, data_dir: /var/lib/edge-agent}
devices:
  toy-1: {driver: simulated, url: "simulated://", tags: {total: {signal: counter, every: 1s}}}
  plc: {driver: modbus, url: "modbus+tcp://127.0.0.1:9?unit=1", tags: {state: {address: "holding:0"}}}
"""
CAREFUL = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges", "--network=none", "--tmpfs=/tmp"]


@pytest.fixture
def running(podman: Podman, tmp_path: Path) -> Iterator[str]:
    """A container of the agent; its id."""
    (tmp_path / "site.yaml").write_text(SITE)
    tmp_path.chmod(0o755)
    told = [f"--volume={tmp_path}:/etc/edge-agent:ro", "--volume=/var/lib/edge-agent"]
    container = podman("run", "--detach", *CAREFUL, *told, IMAGE)
    yield container
    podman("rm", "--force", "--volumes", container)


def test_what_is_ours_of_the_image_is_small(podman: Podman) -> None:
    size, base = podman.inspect(IMAGE)["Size"], podman.inspect(BASE)["Size"]
    print(f"\nimage: {(size - base) / 1e6:.0f} MB of our own, on a base of {base / 1e6:.0f} MB")
    assert size - base < OWN_LAYERS


def test_the_image_is_nobody_in_particular_and_says_when_it_is_well(podman: Podman) -> None:
    config = podman.inspect(IMAGE)["Config"]
    assert config["User"] == "10001"
    assert config["Entrypoint"] == ["edge-agent"]
    assert podman.inspect(IMAGE)["Healthcheck"]["Test"][0] in ("CMD", "CMD-SHELL")
    asked = "find /opt -perm /6000; id -u; id -G"
    said = podman("run", "--rm", *CAREFUL, "--entrypoint=sh", IMAGE, "-c", asked)
    assert said.splitlines() == ["10001", "10001 20"], "in dialout, for serial ports"


def test_nothing_of_the_build_is_left_in_the_image(podman: Podman) -> None:
    told = podman("history", "--no-trunc", "--format=json", IMAGE) + json.dumps(podman.inspect(IMAGE)["Config"])
    assert "index-url" not in told
    asked = "ls -d /opt/build /src; cat /etc/pip.conf; ls /opt/edge-agent/bin"
    found = podman("run", "--rm", "--network=none", "--entrypoint=sh", IMAGE, "-c", asked).split()
    assert "edge-agent" in found
    assert not {"pip", "/opt/build", "/src", "[global]"} & set(found)


def test_it_runs_read_only_and_is_healthy_though_a_device_is_away(podman: Podman, running: str) -> None:
    def is_healthy() -> bool:
        try:
            podman("healthcheck", "run", running)
        except AssertionError:
            return False
        return True

    wait_for(lambda: "toy-1: connected" in podman.logs(running), 60, "the agent runs")
    wait_for(is_healthy, 60, "a health check that finds the agent well")
    said = json.loads(podman("exec", running, "edge-agent", "status", "--json"))
    assert said["devices"]["toy-1"]["state"] == "connected"
    assert said["devices"]["plc"]["state"] != "connected"


def test_it_ends_when_told_to_and_has_its_journal_when_it_is_started_again(podman: Podman, running: str) -> None:
    wait_for(lambda: "api: listening" in podman.logs(running), 60, "the agent runs")
    podman("stop", "--time=60", running)
    assert json.loads(podman("inspect", running))[0]["State"]["ExitCode"] == 0
    podman("start", running)
    wait_for(lambda: "took up where the journal ends" in podman.logs(running), 60, "the agent goes on")


@pytest.mark.parametrize(("age", "well"), [("-1 second", True), ("-31 seconds", False)])
def test_an_agent_whose_loop_hangs_is_not_healthy(podman: Podman, age: str, well: bool) -> None:
    [_, *check] = podman.inspect(IMAGE)["Healthcheck"]["Test"]
    touched = f"touch -d '{age}' /tmp/heartbeat; exec \"$@\""
    told = ["run", "--rm", *CAREFUL, "--entrypoint=sh", IMAGE, "-c", touched, "sh", *check]
    if well:
        podman(*told)
    else:
        with pytest.raises(AssertionError):
            podman(*told)


@pytest.mark.parametrize("command", [["edge-agent", "check", "/etc/edge-agent/site.yaml"], ["edge-hil", "--help"]])
def test_the_other_commands_are_there_too(podman: Podman, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "site.yaml").write_text(SITE)
    tmp_path.chmod(0o755)
    told = [*CAREFUL, f"--volume={tmp_path}:/etc/edge-agent:ro", f"--entrypoint={command[0]}"]
    assert podman("run", "--rm", *told, IMAGE, *command[1:])
